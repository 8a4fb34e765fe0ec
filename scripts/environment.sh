# Sourced by the other scripts: where the tools are, and how to say what happens.
# Works from an empty environment (`env -i`): looks for Rust and Node in their usual places.

set -eu
cd "$(dirname "$0")/.."
ROOT=$PWD
NODE_MAJOR_MIN=20

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
fail() { printf '\nerror: %s\n' "$1" >&2; shift; for line in "$@"; do printf '       %s\n' "$line" >&2; done; exit 1; }

# Runs a quiet command, with a line every 15 seconds so that nobody takes it for hung; its output shows if it fails.
quietly() {
    title=$1; shift
    log=$(mktemp "$SHEAF_HOME/step.XXXXXX")
    began=$(date +%s)
    "$@" >"$log" 2>&1 &
    worker=$!
    # A job in the background ignores Ctrl-C.
    trap 'kill "$worker" 2>/dev/null; exit 130' INT TERM
    waited=0
    while kill -0 "$worker" 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        [ $((waited % 75)) -ne 0 ] || note "$title: still at it after $(($(date +%s) - began)) s"
    done
    status=0
    wait "$worker" || status=$?
    trap - INT TERM
    if [ "$status" -eq 0 ]; then
        rm -f "$log"
        note "$title: done in $(($(date +%s) - began)) s"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

# The account's home, whatever HOME says.
account_home=$( (getent passwd "$(id -u)" 2>/dev/null || true) | cut -d: -f6)
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
export PATH
export SHEAF_HOME="${SHEAF_HOME:-$ROOT/.sheaf}"
mkdir -p "$SHEAF_HOME"
chmod 700 "$SHEAF_HOME"
if [ -z "${HOME:-}" ] || ! [ -w "${HOME:-}" ]; then
    HOME=$account_home
    [ -n "$HOME" ] && [ -w "$HOME" ] || { HOME=$SHEAF_HOME/home; mkdir -p "$HOME"; }
fi
export HOME
# Node trusts its own list of authorities only; where a proxy re-signs what is downloaded, the system's list has its authority.
system_authorities=/etc/ssl/certs/ca-certificates.crt
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -r "$system_authorities" ]; then
    export NODE_EXTRA_CA_CERTS="$system_authorities"
fi

find_rust() {
    if ! command -v cargo >/dev/null 2>&1; then
        for folder in "${CARGO_HOME:-}/bin" "$HOME/.cargo/bin" "$account_home/.cargo/bin" /root/.cargo/bin /usr/local/cargo/bin \
            /opt/cargo/bin /opt/rust/bin; do
            [ -x "$folder/cargo" ] && PATH=$folder:$PATH && break
        done
    fi
    command -v cargo >/dev/null 2>&1 || fail "Rust was not found." \
        "Install it (https://rustup.rs, or your system's package), version $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later."
    # rustup's stand-ins look for toolchains below HOME, which may be another one here: take the toolchain itself.
    folder=$(dirname "$(command -v cargo)")
    if [ -x "$folder/rustup" ]; then
        if [ -z "${RUSTUP_HOME:-}" ]; then
            for place in "$HOME/.rustup" "$folder/../../.rustup" "$account_home/.rustup" /usr/local/rustup /opt/rustup; do
                [ -d "$place/toolchains" ] && RUSTUP_HOME=$(cd "$place" && pwd) && export RUSTUP_HOME && break
            done
        fi
        if toolchain=$("$folder/rustup" which cargo 2>/dev/null); then
            PATH=$(dirname "$toolchain"):$PATH
        fi
    fi
    cargo --version >/dev/null 2>&1 || fail "Cargo is there but does not run:" "$(cargo --version 2>&1 | head -n 3)"
}

node_is_right() {
    [ -x "$1/node" ] && [ -x "$1/npm" ] || return 1
    major=$("$1/node" --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
    [ "${major:-0}" -ge "$NODE_MAJOR_MIN" ]
}

find_node() {
    for folder in $(printf '%s' "$PATH" | tr ':' ' ') /opt/node*/bin /usr/local/lib/nodejs/*/bin "$HOME"/.nvm/versions/node/*/bin \
        "$account_home"/.nvm/versions/node/*/bin "$HOME/.volta/bin" "$HOME"/.local/share/fnm/node-versions/*/installation/bin; do
        if node_is_right "$folder"; then
            PATH=$folder:$PATH
            return
        fi
    done
    fail "Node $NODE_MAJOR_MIN or later, with npm, was not found." "Install it from https://nodejs.org or your system's packages."
}
