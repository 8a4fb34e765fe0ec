#!/bin/sh
# Makes everything that the demo and the tests need besides Rust and Node. Safe to run again: what is there is kept.
. "$(dirname "$0")/environment.sh"

# Prints the Debian packages that are missing.
missing_packages() {
    command -v cc >/dev/null 2>&1 || echo "gcc libc6-dev"
    for folder in /usr/lib/postgresql/*/bin $(printf '%s' "$PATH" | tr ':' ' ') "$(pg_config --bindir 2>/dev/null || true)"; do
        [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] && return
    done
    [ -n "${DATABASE_URL:-}" ] || echo "postgresql"
}

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        fail "This machine lacks: $*" \
            "It is no Debian or Ubuntu, so please install them yourself: a C compiler, and PostgreSQL 13 or later with initdb and" \
            "postgres on PATH. For a Postgres server that runs already, set DATABASE_URL to a URL that may create databases."
    fi
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        as_root="sudo"
        if ! command -v sudo >/dev/null 2>&1 || { ! [ -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            fail "This machine lacks: $*" "As root, run:  apt-get install $*"
        fi
    fi
    note "installing Debian packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    quietly "apt-get update" $as_root apt-get -o DPkg::Lock::Timeout=120 update || note "some package lists are old; trying anyway"
    quietly "apt-get install $*" $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
}

# Installs a folder's npm packages unless exactly those are there.
npm_packages() {
    folder=$1
    mark=$folder/node_modules/.installed-lock.json
    if [ -f "$folder/package-lock.json" ] && ! cmp -s "$folder/package-lock.json" "$mark"; then
        quietly "npm packages in $folder" npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts
        cp "$folder/package-lock.json" "$mark"
    fi
}

case $(uname -s) in
    Linux) ;;
    *) fail "Sheaf's development services need Linux; this is $(uname -s)." "Run it in a Debian or Ubuntu container or virtual machine." ;;
esac
find_rust
find_node

# One at a time: a demo and a test run may be started together.
if [ -z "${SHEAF_BOOTSTRAP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
    SHEAF_BOOTSTRAP_LOCKED=1 exec flock "$SHEAF_HOME/bootstrap.lock" "$0"
fi

say "Bootstrap: tools and packages"
packages=$(missing_packages)
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install_packages $packages

npm_packages .
npm_packages contracts
npm_packages core/tests/vectors
anvil_package=@foundry-rs/anvil-linux-$(uname -m | sed 's/aarch64/arm64/; s/x86_64/amd64/')
if ! [ -x "node_modules/$anvil_package/bin/anvil" ]; then
    version=$(sed -n 's|.*"@foundry-rs/anvil-linux-amd64": "\(.*\)".*|\1|p' package.json)
    quietly "anvil for $(uname -m)" npm install --no-save --no-audit --no-fund --ignore-scripts "$anvil_package@$version" ||
        fail "No anvil for $(uname -m): $anvil_package@$version is not in the npm registry."
fi
note "cargo $(cargo --version | cut -d' ' -f2), node $(node --version), data in $SHEAF_HOME"
