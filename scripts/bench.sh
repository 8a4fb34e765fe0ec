#!/bin/sh
# Measures on this machine: everything, or one benchmark with its options: scripts/bench.sh execute --rounds 3
. "$(dirname "$0")/environment.sh"
if [ $# -gt 0 ]; then
    exec "$ROOT/scripts/sheaf.sh" bench "$@"
fi
for benchmark in execute prove stages "load --bulk 50" "load --bulk 1"; do
    # shellcheck disable=SC2086 # the options are words of their own
    "$ROOT/scripts/sheaf.sh" bench $benchmark
done
