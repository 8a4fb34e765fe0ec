#!/bin/sh
# Everything that has to hold, fastest first; stops at the first failure.
. "$(dirname "$0")/environment.sh"
started=$(date +%s)
table=""

# Runs one step and remembers how long it took.
step() {
    title=$1; shift
    say "$title"
    step_started=$(date +%s)
    if ! "$@"; then
        fail "$title: failed after $(($(date +%s) - step_started)) s" "the command was: $*"
    fi
    table="$table$(printf '%6d s  %s' "$(($(date +%s) - step_started))" "$title")
"
}

"$ROOT/scripts/bootstrap.sh"
find_rust
find_node

step "Formatting" cargo fmt --all --check
step "Hashes and signatures agree with the JavaScript packages" npm run --silent --prefix core/tests/vectors check
step "Contract artifacts are what the sources compile to" npm run --silent --prefix contracts check
step "The independent verifier says yes and no" node --test scripts/
step "Build" cargo test --locked --workspace --no-run
step "Tests" cargo test --locked --workspace
step "The executor's shared structures, model-checked" cargo test --locked -p sheaf-executor --features loom --test loom
step "Lints" cargo clippy --locked --workspace --all-targets -- -D warnings
# The binary that the tests above were built with: `cargo run` would build half of the dependencies again, since without
# the tests' own dependencies some have fewer features.
step "The whole path: the demo's scenario in smaller counts" "${CARGO_TARGET_DIR:-$ROOT/target}/debug/sheaf" demo --quick

printf '\n%s%6d s  in all\n\ntest: everything passed\n' "$table" "$(($(date +%s) - started))"
