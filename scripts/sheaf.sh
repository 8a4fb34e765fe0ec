#!/bin/sh
# Builds the binary and runs one of its commands: scripts/sheaf.sh demo --json out.json
. "$(dirname "$0")/environment.sh"
"$ROOT/scripts/bootstrap.sh"
find_rust
find_node
say "Build (the first time takes some minutes)"
cargo build --locked --package sheaf-cli --bin sheaf
say "sheaf $*"
exec cargo run --quiet --locked --package sheaf-cli --bin sheaf -- "$@"
