"""`make bench`: every benchmark in turn, one table, and docs/reference/numbers.md written from it.

Each module named in `AREAS` has `main(quick) -> list[Figure]`; those in `TRACED` take the folder of the
traces too. A benchmark that cannot run here says why and the others go on; the exit code is then 1. One whose
trace is not there is left out, and the page says so.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.table import Figure, definitions, machine, markdown_table, plain_table
from benchmarks.traces import FOLDER, NoTrace
from jupyterhub_mesos.errors import CapacityError

AREAS: Final = {
    "handoff": "Hand-off: from the notebook to running workers",
    "export": "Export of a model",
    "serving": "Model server",
    "admission": "Admission: the quota core",
    "placement": "Placement: how whole the nodes stay",
    "idle": "Idle notebooks: the verdicts",
    "ledger": "Ledger: what durability costs",
    "pages": "Pages: how soon they are painted",
    "spawn": "Start of a server, beside JupyterHub alone",
    "kueue": "Simulator: Kueue's generators in virtual time",
    "kueue_http": "Kueue's generator over the HTTP API",
    "philly": "Simulator: a cluster's batch jobs under quotas",
    "cells": "Simulator: a month of notebooks, a GPU per cell",
    "pool": "Simulator: notebooks and batch jobs on one pool",
}
TRACED: Final = frozenset({"philly", "cells", "pool"})
"""The areas that replay a trace; without it they are left out."""
INTRODUCTION: Final = """\
Measured by `make bench`, which writes this page; `ARGS=AREA` measures one area anew and keeps the others.
Machines are noisy: compare the ratios to the baseline, which ran in the same run.
"""
PAGE: Final = Path("docs/reference/numbers.md")


def main() -> int:
    """Run the areas that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, about two minutes in all")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    parser.add_argument(
        "--trace", type=Path, default=FOLDER, metavar="DIR", help=f"where the public traces are ({FOLDER})"
    )
    args = parser.parse_args()
    unknown = sorted(set(args.areas) - set(AREAS))
    if unknown:
        parser.error(f"there is no area {unknown[0]!r}; choose of {', '.join(AREAS)}")
    results, failures, left_out = _run(args.areas or list(AREAS), args.trace, quick=args.quick)
    if args.write and not failures:
        PAGE.write_text(_page(results, left_out), encoding="utf-8")
        print(f"written: {PAGE}")
    for failure in failures:
        print(f"could not be measured: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _run(
    areas: list[str], traces: Path, *, quick: bool
) -> tuple[dict[str, list[Figure]], list[str], dict[str, str]]:
    results: dict[str, list[Figure]] = {}
    failures: list[str] = []
    left_out: dict[str, str] = {}
    print(machine())
    for area in areas:
        began = time.monotonic()
        try:
            measure = importlib.import_module(f"benchmarks.{area}").main
            results[area] = measure(quick, traces) if area in TRACED else measure(quick)
        except NoTrace as error:
            left_out[area] = str(error)
            print(f"\n{AREAS[area]}: left out: {error}", flush=True)
            continue
        except (CapacityError, ImportError, OSError) as error:
            failures.append(f"{area}: {error}")
            continue
        print(f"\n{AREAS[area]} ({time.monotonic() - began:.0f} s)\n{plain_table(results[area])}", flush=True)
    return results, failures, left_out


def _page(results: dict[str, list[Figure]], left_out: dict[str, str]) -> str:
    """Return the page: the areas that were measured, the others as they stood on it."""
    when = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}.\n"
    sections = _sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for area, figures in results.items():
        sections[AREAS[area]] = "\n".join([when, markdown_table(figures) + "\n", definitions(figures) + "\n"])
    for area, why in left_out.items():
        sections.setdefault(AREAS[area], f"Not measured: {why}.\n")
    known = [title for title in AREAS.values() if title in sections]
    return "\n".join(["# Numbers\n", INTRODUCTION, *(f"## {title}\n\n{sections[title]}" for title in known)])


def _sections(page: str) -> dict[str, str]:
    """Take a page apart: the text under each heading."""
    parts = (part.partition("\n") for part in page.split("\n## ")[1:])
    return {title: text.strip("\n") + "\n" for title, _, text in parts}


if __name__ == "__main__":
    sys.exit(main())
