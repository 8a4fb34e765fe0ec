#!/bin/sh
# Writes the golden files anew: figures that must not change unseen. Nothing else writes them.
. "$(dirname "$0")/environment.sh"
"$ROOT/scripts/bootstrap.sh"
find_rust
find_node
say "Golden files"
cargo run --locked --package sheaf-circuits --example golden
SHEAF_WRITE_GOLDEN=1 cargo test --locked --package sheaf-contracts --test it -- gas
git status --short -- '*golden*' '*gas.txt' 2>/dev/null || true
