"""`make bench`: every benchmark in turn, one table, and docs/reference/numbers.md written from it.

Each module named in `AREAS` has `main(quick) -> list[Figure]`. A benchmark that cannot run here
says why and the others go on; the exit code is then 1.
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
from jupyterhub_mesos.errors import CapacityError

AREAS: Final = {
    "handoff": "Hand-off: from the notebook to running workers",
    "export": "Export of a model",
    "serving": "Model server",
    "admission": "Admission: the quota core",
    "placement": "Placement: how whole the nodes stay",
    "ledger": "Ledger: what durability costs",
}
INTRODUCTION: Final = """\
Measured by `make bench`, which writes this page. Machines are noisy: compare the ratios to the baseline,
which ran in the same run.
"""
PAGE: Final = Path("docs/reference/numbers.md")


def main() -> int:
    """Run the areas that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, about two minutes in all")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    args = parser.parse_args()
    unknown = sorted(set(args.areas) - set(AREAS))
    if unknown:
        parser.error(f"there is no area {unknown[0]!r}; choose of {', '.join(AREAS)}")
    results, failures = _run(args.areas or list(AREAS), quick=args.quick)
    if args.write and not failures:
        PAGE.write_text(_page(results), encoding="utf-8")
        print(f"written: {PAGE}")
    for failure in failures:
        print(f"could not be measured: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _run(areas: list[str], *, quick: bool) -> tuple[dict[str, list[Figure]], list[str]]:
    results: dict[str, list[Figure]] = {}
    failures: list[str] = []
    print(machine())
    for area in areas:
        began = time.monotonic()
        try:
            results[area] = importlib.import_module(f"benchmarks.{area}").main(quick)
        except (CapacityError, ImportError, OSError) as error:
            failures.append(f"{area}: {error}")
            continue
        print(f"\n{AREAS[area]} ({time.monotonic() - began:.0f} s)\n{plain_table(results[area])}", flush=True)
    return results, failures


def _page(results: dict[str, list[Figure]]) -> str:
    parts = [
        "# Numbers\n",
        INTRODUCTION,
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}.\n",
    ]
    for area, figures in results.items():
        parts += [f"## {AREAS[area]}\n", markdown_table(figures) + "\n", definitions(figures) + "\n"]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
