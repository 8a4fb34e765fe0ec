#!/bin/sh
# Writes the golden files anew: figures that must not change unseen. The tests that compare them write them when asked to.
. "$(dirname "$0")/environment.sh"
"$ROOT/scripts/bootstrap.sh"
find_rust
find_node
say "Golden files"
SHEAF_WRITE_GOLDEN=1 cargo test --locked --package sheaf-circuits --package sheaf-contracts --test it -- golden gas
git status --short -- '*golden*' '*gas.txt' 2>/dev/null || true
