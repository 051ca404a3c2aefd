# Thin: each target says what it does and calls `cargo xtask`, which does it.

.PHONY: help run test check fmt bench soak storm screenshots toolchain

help:
	@echo "make run          build everything and start the demo (portal, console, APIs, gateway)"
	@echo "make test         every test, on SQLite and on PostgreSQL"
	@echo "make check        formatting, clippy, tidy, deploy/, banned and unlicensed dependencies"
	@echo "make fmt          format the Rust code"
	@echo "make bench        what the gateway costs, against nginx and HAProxy in the same run; start and memory when idle"
	@echo "make soak         ten minutes of load while everything changes that may"
	@echo "make storm        kill -9 in a storm of writes, on SQLite and on PostgreSQL"
	@echo "make screenshots  pictures of every page, into screenshots/"

# The dev profile: dependencies are optimised there too, and it builds in a quarter of the time of a release.
run: toolchain
	@echo "== run: check the toolchain, build the pages' assets, build the binary, start the demo"
	@cargo xtask doctor
	@cargo xtask assets
	cargo run --locked --package forecourt -- demo

test: toolchain
	@echo "== test: every test, first on SQLite, then the store and the stories on a private PostgreSQL"
	@cargo xtask test

check: toolchain
	@echo "== check: formatting, clippy with warnings denied, tidy, deploy/, dependencies"
	@cargo xtask check

fmt: toolchain
	cargo fmt --all

bench: toolchain
	@echo "== bench: nginx, HAProxy and Forecourt's gateway in turn before the same upstream; takes about 25 minutes"
	@cargo xtask bench

soak: toolchain
	@echo "== soak: callers over HTTP/1.1, HTTP/2 and TLS while routes, certificates and credentials change"
	@cargo xtask soak

storm: toolchain
	@echo "== storm: 100 kills on SQLite, 100 on PostgreSQL, then one of two processes every 5 s for 3 minutes"
	@cargo xtask storm writes --sqlite
	@cargo xtask storm writes
	@cargo xtask storm writes --processes 2

screenshots: toolchain
	@echo "== screenshots: start the demo, walk every page, write screenshots/"
	@cargo xtask screenshots

# Without these two not even xtask can be built, so they are checked here; xtask checks the rest.
toolchain:
	@command -v cargo >/dev/null || { \
	  echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs, then open a new shell"; exit 1; }
	@command -v cc >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "no C compiler (SQLite and ring need one): installing gcc"; \
	    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev; \
	  else \
	    echo "no C compiler (SQLite and ring need one): sudo apt-get install gcc libc6-dev"; exit 1; \
	  fi; }
