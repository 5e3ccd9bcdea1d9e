"""`simulate`: a trace, or the service's own history, replayed under quotas and policies side by side."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, cast

from jupyterhub_mesos.cli.progress_line import ProgressLine
from jupyterhub_mesos.cli.simulate_inputs import Prepared, pool_json, pool_value, prepared
from jupyterhub_mesos.cli.table import columns
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.engine import Simulation
from jupyterhub_mesos.simulate.folder import RunFolder, unwritable
from jupyterhub_mesos.simulate.observers import Json
from jupyterhub_mesos.simulate.plots import check_plots, write_plots
from jupyterhub_mesos.simulate.report import Looks, Outcome, overall_rows, step_of, team_rows, write_files
from jupyterhub_mesos.simulate.scenarios import Scenario
from jupyterhub_mesos.simulate.setting import Setting
from jupyterhub_mesos.simulate.traces.ledger import has_secret

UNKEPT: Final = ("run", "resume", "out", "url", "token")
"""What is no part of a run; a token is never written down."""
INFINITE: Final = (float("inf"), float("-inf"))
STEPS_BETWEEN: Final = 64
"""Moments of the trace between two looks at the clock of this machine."""


def run(args: argparse.Namespace) -> int:
    """Replay, print the tables, write the files; a signal stops between two moments of the trace."""
    folder = None if args.resume is None else RunFolder(args.resume)
    asked = args if folder is None else _recalled(args, folder)
    if asked.out is not None:
        _check(asked)
    kept: Mapping[str, Json] = {} if folder is None else folder.asked()
    of = prepared(asked, pool_value(kept.get("pool")), cast("float | None", kept.get("until_s")))
    _tell(of)
    with _signals() as signals:  # before the folder is begun: what begins one can go on from it
        folder = _begun(asked, folder, of)
        outcomes = _replay_all(of, folder, signals)
    if signals.number is not None:
        return 128 + signals.number
    _print(outcomes)
    if folder is not None:
        _write(folder.path, outcomes, of, with_plots=not asked.no_plots)
    return 0


def _begun(asked: argparse.Namespace, folder: RunFolder | None, of: Prepared) -> RunFolder | None:
    """Check the folder of the run that is gone on with, or begin one where there is to be one."""
    if folder is not None:
        folder.check(of.depends_on)
    elif asked.out is not None:
        folder = RunFolder(asked.out)
        folder.begin(_kept(asked, of), of.depends_on)
    return folder


def _check(asked: argparse.Namespace) -> None:
    """Refuse before the work what could not be written after it, or should not be."""
    if not asked.no_plots:
        check_plots()
    if asked.ledger is not None and has_secret(asked.ledger):
        raise InvalidInput(
            "its password would be written to run.json: put it into the environment, "
            "postgresql://USER:${LEDGER_PASSWORD}@HOST/NAME",
            where="--ledger",
        )


# ---- a run that may be stopped ------------------------------------------------------------------


class _Signals:
    """Notes the first signal, so that the replay stops between two moments; a second one ends it at once."""

    def __init__(self) -> None:
        self.number: int | None = None

    def arrived(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number


@contextmanager
def _signals() -> Generator[_Signals]:
    signals = _Signals()
    before = {each: signal.signal(each, signals.arrived) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _replay_all(of: Prepared, folder: RunFolder | None, signals: _Signals) -> list[Outcome]:
    """Replay one scenario after the other; what is finished is not replayed again."""
    end = min(of.window.to_s, of.survey.last_s)
    step_s = step_of(end - max(of.window.from_s, of.survey.first_s))
    outcomes: list[Outcome] = []
    for number, scenario in enumerate(of.scenarios, 1):
        looks = Looks.over(of.window, step_s)
        seen = None if folder is None else folder.finished(number)
        if seen is not None:
            looks.recall(seen)
        elif not _replay(of, scenario, looks, folder, number, signals):
            break
        outcomes.append(Outcome(scenario.title, looks, of.pool.measure, scenario.teams))
    return outcomes


def _replay(
    of: Prepared, scenario: Scenario, looks: Looks, folder: RunFolder | None, number: int, signals: _Signals
) -> bool:
    """Replay one scenario to its end, or to a signal; say whether it is done."""
    state = None if folder is None else folder.stopped(number)
    jobs = of.trace.jobs(is_in_order=of.survey.is_in_order)
    setting = Setting(scenario.teams, of.pool.nodes, scenario.policy, of.delays)
    if state is None:
        simulation = Simulation(jobs, setting, looks.observers)
    else:
        simulation = Simulation.recalled(jobs, setting, looks.observers, state)
    _go(simulation, scenario.title, of.survey.jobs, signals)
    is_done = signals.number is None
    if folder is None:
        return is_done
    if is_done:
        folder.finish(number, looks.saved())
    else:
        folder.stop(number, simulation.saved())
        _say(f"stopped; to go on: jupyterhub-mesos simulate --resume {folder.path}")
    return is_done


def _go(simulation: Simulation, title: str, jobs: int, signals: _Signals) -> None:
    progress = ProgressLine()
    while signals.number is None:
        for _ in range(STEPS_BETWEEN):
            if simulation.step() is None:
                progress.clear()
                return
        beside = f"{simulation.running:,} run, {simulation.waiting:,} wait"
        progress.show(title, simulation.read / jobs, beside)
    progress.clear()


def _kept(args: argparse.Namespace, of: Prepared) -> Mapping[str, Json]:
    """Return what was asked for in a form that does not depend on the working folder."""
    kept = {name: _absolute(value) for name, value in vars(args).items() if name not in UNKEPT}
    return {**kept, "pool": pool_json(of.pool), "until_s": of.until_s}


def _absolute(value: object) -> Json:
    if isinstance(value, list):
        return [_absolute(each) for each in cast("list[object]", value)]
    if isinstance(value, Path) or (isinstance(value, str) and Path(value).is_file()):
        return str(Path(value).absolute())
    return cast("Json", value)


def _recalled(args: argparse.Namespace, folder: RunFolder) -> argparse.Namespace:
    """Return what was asked for when the run began."""
    asked = dict(folder.asked())
    paths = {
        name: None if asked[name] is None else Path(str(asked[name])) for name in ("trace", "guarantees")
    }
    return argparse.Namespace(**{**vars(args), **asked, **paths, "out": folder.path})


# ---- what is said and written ---------------------------------------------------------------------


def _tell(of: Prepared) -> None:
    """Say what is replayed, and which rows are not."""
    survey = of.survey
    days = (survey.last_s - survey.first_s) / 86400
    _say(
        f"{survey.jobs:,} jobs of {len(survey.teams):,} teams over {days:.1f} days, on {of.pool.total} "
        f"({len(of.pool.nodes):,} {'node' if len(of.pool.nodes) == 1 else 'nodes'})"
    )
    if survey.faults.counts:
        left_out = sum(survey.faults.counts.values())
        _say(f"{left_out:,} of {survey.rows:,} rows are left out:")
        for line in survey.faults.lines():
            _say(f"  {line}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(outcomes: list[Outcome]) -> None:
    print("\n".join(columns(list(overall_rows(outcomes)), right_from=1)))
    print()
    print("\n".join(columns(list(team_rows(outcomes)), right_from=1)))
    refused = sum(outcome.overall().refused for outcome in outcomes)
    if refused:
        print(f"\n{refused:,} jobs could never start under the quotas of their scenario: teams.csv has them.")


def _write(folder: Path, outcomes: list[Outcome], of: Prepared, *, with_plots: bool) -> None:
    about: dict[str, object] = {
        "pool": {"total": dict(of.pool.total.amounts()), "nodes": len(of.pool.nodes)},
        "counted_in": of.pool.measure.name,
        "jobs": of.survey.jobs,
        "rows": of.survey.rows,
        "left_out": {fault.value: count for fault, count in of.survey.faults.counts.items()},
        "window": [None if edge in INFINITE else edge for edge in (of.window.from_s, of.window.to_s)],
    }
    try:
        write_files(folder, outcomes, about)
        if with_plots:
            write_plots(folder, outcomes)
    except OSError as error:
        raise unwritable(folder, error) from error
    _say(f"written to {folder}")
