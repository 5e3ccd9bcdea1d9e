#!/bin/sh
# Sets up the S3 and STS server of the tests (moto) in .venv/lib/s3-server, an environment of its own: boto3, which
# it needs, and s3fs, which the product needs, want different botocores. A second run does nothing.
set -eu
cd "$(dirname "$0")/.."

PACKAGES="moto[s3,iam]==5.2.5 boto3==1.44.8 flask==3.1.3 flask-cors==6.0.5" # the extra `server` brings 180 MB more
PLACE=.venv/lib/s3-server
STAMP=$PLACE/.set-up

if [ "$(cat "$STAMP" 2>/dev/null || true)" = "$PACKAGES" ]; then exit 0; fi
echo "s3-server: installing the tests' S3 server (output in .venv/s3-server.log)"
rm -rf "$PLACE"
.venv/bin/python -m venv "$PLACE"
# shellcheck disable=SC2086 # several words
if ! "$PLACE/bin/python" -m pip install --disable-pip-version-check $PACKAGES >.venv/s3-server.log 2>&1; then
    tail -n 10 .venv/s3-server.log >&2
    echo "s3-server: this failed; the tests of S3 sources are left out" >&2
    exit 0
fi
echo "$PACKAGES" >"$STAMP"
