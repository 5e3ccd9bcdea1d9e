"""What `simulate` was asked for, as values: the trace, the pool, the scenarios, the window."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from jupyterhub_mesos.cli.asking import client
from jupyterhub_mesos.configuration import load_teams, team_values
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.delays import Delays
from jupyterhub_mesos.simulate.folder import digest_of
from jupyterhub_mesos.simulate.observers import Json
from jupyterhub_mesos.simulate.pool import Gate, Pool, even_pool
from jupyterhub_mesos.simulate.scenarios import (
    CURRENT,
    NAMED,
    SILO,
    Scenario,
    is_teams_file,
    owned,
    scenario,
    teams_by_use,
    teams_of,
)
from jupyterhub_mesos.simulate.traces.cells import moment
from jupyterhub_mesos.simulate.traces.columns import asked
from jupyterhub_mesos.simulate.traces.faults import RowFault
from jupyterhub_mesos.simulate.traces.ledger import LedgerJobs, ReadOnly
from jupyterhub_mesos.simulate.traces.reading import GPU, Defaults, JobSource, TableJobs
from jupyterhub_mesos.simulate.traces.trace import Format, Survey, Trace, fingerprint, open_table
from jupyterhub_mesos.simulate.window import EVERYTHING, Window
from jupyterhub_mesos_quota.model import Node, NodeId, Team
from jupyterhub_mesos_quota.policy import DEFAULT_POLICY
from jupyterhub_mesos_quota.resources import Flavor, Resources

MOST_BAD: Final = 0.5
"""Where more of the rows are bad, the columns are other ones than was thought."""
_SPANS: Final = {"d": 86400.0, "h": 3600.0, "min": 60.0}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(d|h|min)")
_MIB_PER_GIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a run needs; `pool` and `until_s` are kept with it, so that it can go on."""

    trace: Trace
    survey: Survey
    pool: Pool
    scenarios: tuple[Scenario, ...]
    window: Window
    delays: Delays
    until_s: float | None  # of a ledger
    depends_on: Mapping[str, Json]


def prepared(args: argparse.Namespace, pool: Pool | None = None, until_s: float | None = None) -> Prepared:
    """Read everything, the trace once through. Raises `InvalidInput` for what does not hold.

    `pool` and `until_s` are those of a run that goes on.
    """
    ledger = None if args.ledger is None else LedgerJobs(ReadOnly.at(args.ledger), until_s)
    pool = _pool(args) if pool is None else pool
    given = _Given.of(args, ledger)
    trace = Trace(_source(args, pool, ledger), Gate(pool).admitted, given.names(args))
    survey = trace.survey(pool.main)
    _check(survey, args)
    scenarios = _scenarios(args, given, _teams(given, survey, pool), pool)
    content = fingerprint(args.trace) if ledger is None else f"{ledger.ledger.shown} {ledger.until_s}"
    return Prepared(
        trace,
        survey,
        pool,
        scenarios,
        _window(args, survey),
        Delays(_seconds(args, "launch"), _seconds(args, "stop"), _seconds(args, "restart")),
        None if ledger is None else ledger.until_s,
        {"the trace": content} | {f"scenario {each.title}": digest_of(each) for each in scenarios},
    )


# ---- the trace ------------------------------------------------------------------------------------


def _source(args: argparse.Namespace, pool: Pool, ledger: LedgerJobs | None) -> JobSource:
    if ledger is not None:
        return ledger
    flavors = [flavor for flavor, _ in pool.total.accelerators]
    flavor = flavors[0] if len(flavors) == 1 else GPU
    format_ = None if args.format == "auto" else Format(args.format)
    return TableJobs(open_table(args.trace, format_), asked(args.columns), Defaults(args.team, flavor))


def _check(survey: Survey, args: argparse.Namespace) -> None:
    """Refuse to run on bad rows where that was asked for, and where there is little else."""
    said = "\n".join(survey.faults.lines())
    if survey.faults.bad and args.on_bad_row == "stop":
        raise InvalidInput(
            f"{survey.faults.bad:,} of {survey.rows:,} rows are no job:\n{said}\n"
            "Mend them, or go on without them: --on-bad-row skip"
        )
    if not survey.jobs or survey.faults.bad > MOST_BAD * survey.rows:
        raise InvalidInput(
            f"{survey.jobs:,} of {survey.rows:,} rows are jobs that this pool and these teams could run:\n"
            f"{said}\nDo --columns, --team, --gpus and the teams fit the trace?"
        )


def _window(args: argparse.Namespace, survey: Survey) -> Window:
    window = Window(
        EVERYTHING.from_s if args.from_ is None else _when(args.from_, survey, "--from"),
        EVERYTHING.to_s if args.to is None else _when(args.to, survey, "--to"),
    )
    if window.from_s >= window.to_s or window.from_s > survey.last_s or window.to_s <= survey.first_s:
        raise InvalidInput(
            f"no job was submitted between {args.from_ or 'the begin'} and {args.to or 'the end'}; the "
            f"trace's clock goes from {survey.first_s:.0f} to {survey.last_s:.0f} s: choose other ones"
        )
    return window


def _when(text: str, survey: Survey, option: str) -> float:
    """Read a moment: a span counts from the first job, a number is of the trace's clock, a date is a date."""
    if span := _SPAN.fullmatch(text):
        return survey.first_s + float(span[1]) * _SPANS[span[2]]
    try:
        return moment(text, option)
    except RowFault as fault:
        raise InvalidInput(f"{fault}; or a span from the first job on, such as 35d, 12h or 90min") from fault


def _seconds(args: argparse.Namespace, what: str) -> float:
    seconds: float = getattr(args, f"{what}_seconds")
    if not 0 <= seconds < float("inf"):
        raise InvalidInput(f"{seconds:g} asked for; 0 or more is possible", where=f"--{what}-seconds")
    return seconds


# ---- the pool -------------------------------------------------------------------------------------


def _pool(args: argparse.Namespace) -> Pool:
    accelerators = _accelerators(args.gpus)
    asked_for = (args.cpus or 0, args.mem_gib or 0, args.nodes if args.nodes is not None else 1)
    if min(asked_for) < 0 or asked_for[2] < 1:
        raise InvalidInput("--cpus and --mem-gib are 0 or more, --nodes is 1 or more")
    total = Resources.of(asked_for[0] * 1000, asked_for[1] * _MIB_PER_GIB, accelerators)
    if total.is_zero and args.ledger is not None:
        return _pool_of_service(args)
    return even_pool(total, asked_for[2], is_plain=args.gpus is not None and "=" not in args.gpus)


def _accelerators(text: str | None) -> Mapping[Flavor, int]:
    found: dict[Flavor, int] = {}
    for part in (text or "").split(","):
        flavor, equals, count = part.rpartition("=")
        if not part:
            continue
        if not count.isdecimal() or bool(equals) != bool(flavor):
            raise InvalidInput(f"{part!r} is no number of GPUs: 64, or h200=8,a100=16", where="--gpus")
        found[Flavor(flavor or GPU)] = int(count)
    if len(found) > 1 and GPU in found:
        raise InvalidInput("a number for all, or one for each flavor: h200=8,a100=16", where="--gpus")
    return found


def _pool_of_service(args: argparse.Namespace) -> Pool:
    """Take the nodes that the running service has."""
    try:
        view = client(args).capacity()
    except InvalidInput as error:
        raise InvalidInput(
            "a ledger does not say how much there is: say it (--cpus, --mem-gib, --gpus), or which service "
            "to ask (--url and --token)"
        ) from error
    return Pool(tuple(Node(NodeId(node.id), node.capacity.value()) for node in view.nodes))


def pool_json(pool: Pool) -> Json:
    """Lay a pool out."""
    nodes: list[Json] = [[node.id, dict(node.capacity.amounts())] for node in pool.nodes]
    return {"is_plain": pool.is_plain, "nodes": nodes}


def pool_value(kept: Json) -> Pool | None:
    """Read back what `pool_json` laid out."""
    if kept is None:
        return None
    stored = cast("dict[str, Any]", kept)
    nodes = tuple(Node(NodeId(id_), Resources.from_amounts(amounts)) for id_, amounts in stored["nodes"])
    return Pool(nodes, stored["is_plain"])


# ---- the teams, and what is compared ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Given:
    """Where the teams come from: a tree, or what each owns, or neither: then the trace makes them."""

    title: str
    teams: tuple[Team, ...] | None = None
    owned: Mapping[str, int] | None = None
    current: tuple[Team, ...] = ()

    @classmethod
    def of(cls, args: argparse.Namespace, ledger: LedgerJobs | None) -> _Given:
        current = () if ledger is None else ledger.teams()
        if args.guarantees is not None:
            return cls(args.guarantees.name, owned=owned(args.guarantees), current=current)
        if args.teams is not None and args.teams != CURRENT:
            path = Path(args.teams)
            return cls(path.name, team_values(load_teams(path)), current=current)
        if ledger is not None:
            return cls(CURRENT, current, current=current)
        if args.teams == CURRENT:
            raise InvalidInput("the teams in force stand in a ledger: name it, --ledger DIR", where="--teams")
        return cls("by use")

    def names(self, args: argparse.Namespace) -> set[str] | None:
        """Return every team that any scenario knows; None for all that the trace names."""
        if self.teams is None and self.owned is None:
            return None
        names = {team.id for team in self.teams or ()} | set(self.owned or ())
        for against in args.against:
            if against == CURRENT:
                names |= {team.id for team in self.current}
            elif against not in NAMED and Path(against).is_file() and is_teams_file(Path(against)):
                names |= set(load_teams(Path(against)).teams)
        return names


def _teams(given: _Given, survey: Survey, pool: Pool) -> tuple[Team, ...]:
    if given.teams is not None:
        return given.teams
    total = pool.total.get(pool.main)
    if given.owned is not None:
        return teams_of(given.owned, survey, total, pool.main)
    return teams_by_use(survey, total, pool.main)


def _scenarios(
    args: argparse.Namespace, given: _Given, teams: tuple[Team, ...], pool: Pool
) -> tuple[Scenario, ...]:
    names = [name for name, _ in pool.total.amounts()]
    first = scenario(args.policy, Scenario("", teams, DEFAULT_POLICY), names)
    if first.teams != teams and args.policy != SILO:
        raise InvalidInput(f"{args.policy} is a teams.yaml: give it as --teams", where="--policy")
    beside = Scenario("", teams, first.policy)
    found = [first, *(scenario(each, beside, names, given.current) for each in args.against)]
    if any(each.teams != teams for each in found[1:] if each.title != SILO):
        found[0] = replace(first, title=given.title)
    for each in found:
        _check_flavors(each, pool)
    return tuple(_distinct(found))


def _distinct(scenarios: list[Scenario]) -> Iterator[Scenario]:
    """Number the titles that stand there already."""
    seen: Counter[str] = Counter()
    for each in scenarios:
        seen[each.title] += 1
        yield each if seen[each.title] == 1 else replace(each, title=f"{each.title} ({seen[each.title]})")


def _check_flavors(each: Scenario, pool: Pool) -> None:
    """Refuse a guarantee of accelerators that the pool does not have: it is named otherwise there."""
    flavors = {flavor for flavor, _ in pool.total.accelerators}
    for team in each.teams:
        for flavor, count in team.guarantee.accelerators:
            if flavors and flavor not in flavors:
                raise InvalidInput(
                    f"team {team.id} is guaranteed {count} {flavor} ({each.title}), and the pool has "
                    f"{', '.join(sorted(flavors))} alone: name its flavors, --gpus {flavor}=N"
                )
