#!/bin/sh
# Runs the tests and ends with one line of what happened; arguments go to pytest.
cd "$(dirname "$0")/.." || exit 1
started=$(date +%s)
sh scripts/s3-server.sh
.venv/bin/python -m pytest "$@"
code=$?
took="$(($(date +%s) - started)) s"
case $code in
0) echo "make test: everything passed in $took" ;;
2) echo "make test: interrupted after $took" >&2 ;;
5) echo "make test: no test was selected" >&2 ;;
*) echo "make test: FAILED after $took (the failures are listed above)" >&2 ;;
esac
exit $code
