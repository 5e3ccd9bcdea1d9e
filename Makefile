# Two commands:  make demo  and  make test.  Both set up what they need, once, in .venv.
#   PYTHON=/path/to/python3.12   the interpreter to use (>= 3.11); the first fitting one by default
#   ARGS=...                     passed on, for instance  make demo ARGS=--exit  or  make test ARGS="tests/quota -x"
.DEFAULT_GOAL := help
.PHONY: help set-up demo test lint bench soak screenshots clean
.SILENT:

RUN := .venv/bin/python -m

help:
	echo "make demo   sets up, starts hub and capacity service, runs the main job, serves until Ctrl-C"
	echo "            (ARGS=--exit ends after the job, ARGS=--torch trains with torch)"
	echo "make test   sets up and runs all tests (ARGS=... goes to pytest)"
	echo "make bench  measures beside a baseline and writes docs/reference/numbers.md (QUICK=1: two minutes, writes nothing)"
	echo "make soak   random faults over a whole installation (ARGS=\"--minutes 20 --seed 7 --postgresql\")"
	echo "make screenshots   the pictures of the documentation, over a real hub (ARGS=--everything: all widths, light and dark)"
	echo "make lint   formatting, lint, types and layers"
	echo "make clean  removes what set-up, demo and tests made"

set-up:
	sh scripts/set-up.sh

demo: set-up
	$(RUN) jupyterhub_mesos.cli demo $(ARGS)

test: set-up
	sh scripts/test.sh $(ARGS)

lint: set-up
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) pyright --pythonpath .venv/bin/python
	.venv/bin/python .venv/bin/lint-imports
	if [ -d ui/node_modules ]; then npm --prefix ui run --silent lint; fi

bench: set-up
	$(RUN) benchmarks $(if $(QUICK),--quick,--write) $(ARGS)

soak: set-up
	cd tests && ../.venv/bin/python -m soak $(ARGS)

screenshots: set-up
	cd tests && ../.venv/bin/python -m screenshots $(ARGS)

clean:
	sh scripts/clean.sh
