# Every target does its own set-up (scripts/bootstrap.sh) and is safe to run again.
# Needed beforehand: Linux (Debian or Ubuntu for automatic packages), Rust, Node 20.

SHELL := /bin/sh
ARGS ?=

.PHONY: help demo up test soak bench golden bootstrap

help:
	@echo 'make demo    play the whole path on private services; make demo ARGS="--json out.json" passes arguments on'
	@echo 'make test    everything that has to hold'
	@echo 'make soak    kills the sequencer in 500 rounds, at every step; make soak ARGS="100 7" does 100 with seed 7'
	@echo 'make up      the same services as the demo, left running until Ctrl-C'
	@echo 'make bench   every published figure, measured on this machine; make bench ARGS="stages --blocks 10" takes one of them'
	@echo 'make golden  write the golden files (constraint counts, key hashes, gas) anew'

demo:
	@./scripts/sheaf.sh demo $(ARGS)

up:
	@./scripts/sheaf.sh up $(ARGS)

test:
	@./scripts/test.sh

soak:
	@./scripts/soak.sh $(ARGS)

bench:
	@./scripts/bench.sh $(ARGS)

golden:
	@./scripts/golden.sh

bootstrap:
	@./scripts/bootstrap.sh
