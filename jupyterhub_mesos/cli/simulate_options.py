"""`simulate` and its options; the command itself is imported when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from jupyterhub_mesos.cli.adding import Adder, add, add_service, lazily

FORMATS: Final = ("auto", "parquet", "csv", "jsonl", "swf", "sacct")
_EPILOG: Final = """\
Figures are about jobs submitted from --from to before --to; earlier ones warm
the pool up. docs/reference/simulate.md explains formats, columns and figures.

Exits with 0 when the replay is done, 2 when it could not be done, 130 or 143
when Ctrl-C or SIGTERM stopped it; then `simulate --resume DIR` goes on."""


def add_simulate(commands: Adder) -> None:
    """Add the command."""
    simulate = add(
        commands,
        "simulate",
        lazily("simulate"),
        "replay a trace, or the service's own history, under quotas and policies, and compare them",
        epilog=_EPILOG,
    )
    _add_trace(simulate)
    _add_pool(simulate)
    _add_choices(simulate)
    _add_figures(simulate)


def _add_trace(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--trace", type=Path, metavar="FILE", help="the jobs: Parquet, CSV, JSON lines, SWF, sacct"
    )
    source.add_argument(
        "--ledger", metavar="DIR", help="the jobs: a service's state folder, its ledger.sqlite or its URL"
    )
    source.add_argument("--resume", type=Path, metavar="DIR", help="go on with a run that was stopped")
    command.add_argument(
        "--format", choices=FORMATS, default="auto", help="how the trace is written (default: %(default)s)"
    )
    command.add_argument(
        "--columns",
        default="",
        metavar="FIELD=COLUMN,...",
        help="which column holds what, where the names are not the common ones; COLUMN:UNIT for its unit",
    )
    command.add_argument("--team", metavar="TEAM", help="whose the jobs are where the trace does not say")
    command.add_argument(
        "--on-bad-row",
        choices=("skip", "stop"),
        default="skip",
        help="what becomes of a run with rows that are no job (default: %(default)s; both tell of them)",
    )


def _add_pool(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--gpus",
        metavar="N",
        help="GPUs of the pool, counted alike; or by flavor, such as h200=8,a100=16",
    )
    command.add_argument("--cpus", type=int, metavar="N", help="CPU cores of the pool (default: not counted)")
    command.add_argument("--mem-gib", type=int, metavar="N", help="memory of the pool (default: not counted)")
    command.add_argument(
        "--nodes", type=int, metavar="N", help="nodes that they are spread over evenly (default: 1)"
    )
    add_service(command)


def _add_choices(command: argparse.ArgumentParser) -> None:
    teams = command.add_mutually_exclusive_group()
    teams.add_argument(
        "--teams",
        metavar="FILE",
        help="a teams.yaml (default: the ledger's, or guarantees in proportion to what each team used)",
    )
    teams.add_argument(
        "--guarantees",
        type=Path,
        metavar="FILE",
        help="a CSV of what each team owns; the pool is guaranteed in proportion",
    )
    command.add_argument(
        "--policy",
        default="default",
        metavar="POLICY",
        help="default (the service's own), fair, lowest-use, fifo, silo, or a policy file",
    )
    command.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="POLICY",
        help="what to compare with: as --policy, or a teams.yaml, or `current` for the ledger's; repeatable",
    )
    for name, seconds, what in (
        ("--launch-seconds", 0.0, "from a grant until the work begins"),
        ("--stop-seconds", 0.0, "from a stop until the resources are free"),
        ("--restart-seconds", 60.0, "work that a job loses when it is taken back"),
    ):
        command.add_argument(
            name, type=float, default=seconds, metavar="N", help=f"{what} (default: %(default)g)"
        )


def _add_figures(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--from",
        dest="from_",
        metavar="WHEN",
        help="begin of what figures are about: 35d, 12h, seconds of the trace's clock, or a date",
    )
    command.add_argument("--to", metavar="WHEN", help="its end")
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="write plots, CSV and JSON there, and what --resume needs"
    )
    command.add_argument(
        "--no-plots", action="store_true", help="write no plots, so that no matplotlib is needed"
    )
