#!/bin/sh
# Kills the sequencer in many seeded rounds, at every step of the pipeline: scripts/soak.sh [ROUNDS [SEED]]
. "$(dirname "$0")/environment.sh"
rounds=${1:-500}
seed=${2:-$(date +%s)}
case "$rounds$seed" in *[!0-9]*) fail "rounds and seed are numbers" "scripts/soak.sh [ROUNDS [SEED]]" ;; esac

"$ROOT/scripts/bootstrap.sh"
find_rust
find_node
say "Build"
cargo test --locked --package sheaf-sequencer --test it --no-run
say "$rounds rounds with seed $seed (again: make soak ARGS=\"$rounds $seed\")"
test=crash::nothing_is_lost_or_repeated_wherever_the_process_is_killed
if ! SHEAF_SOAK_ROUNDS=$rounds SHEAF_SOAK_SEED=$seed \
    cargo test --locked --package sheaf-sequencer --test it -- --exact "$test" --nocapture; then
    fail "soak: failed, seed $seed, $rounds rounds" "everything above the first panic is what led to it"
fi
printf '\nsoak: everything passed, %s rounds with seed %s\n' "$rounds" "$seed"
