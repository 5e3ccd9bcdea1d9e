#!/bin/sh
# Removes what set-up, demo and tests made.
set -eu
cd "$(dirname "$0")/.."
rm -rf .venv .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
find . -name __pycache__ -type d -prune -exec rm -rf {} +
echo "make clean: the folder is as it was cloned"
