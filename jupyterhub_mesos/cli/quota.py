"""`quota show | diff | apply`: the teams' quotas through the service, and their table."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jupyterhub_mesos.cli.asking import client
from jupyterhub_mesos.cli.moments import local
from jupyterhub_mesos.cli.table import columns
from jupyterhub_mesos.configuration import load_teams
from jupyterhub_mesos.configuration.teams import describe_window
from jupyterhub_mesos.wire import BoundsModel, ResourcesModel, TeamChange, TeamEffect, TeamUseView
from jupyterhub_mesos_quota.resources import (
    CPU_MILLIS,
    MEM_MIB,
    AmountName,
    Flavor,
    accelerator,
    describe_amount,
)

HEADINGS = ("team", "guarantee", "limit", "used", "borrowed", "budget", "waiting")


def show(args: argparse.Namespace) -> int:
    """Print every team that the asker may see."""
    view = client(args).teams()
    if not view.teams:
        print("You may see no team: ask an admin to map one of your groups to a team.")
        return 0
    print("\n".join(table(view.teams)))
    return 0


def diff(args: argparse.Namespace) -> int:
    """Print what a teams.yaml would change; the service changes nothing."""
    return _edit(args, is_dry_run=True)


def apply(args: argparse.Namespace) -> int:
    """Put a teams.yaml in force, or with `--dry-run` only say what it would change."""
    return _edit(args, is_dry_run=args.dry_run)


def _edit(args: argparse.Namespace, *, is_dry_run: bool) -> int:
    teams = load_teams(args.file)  # first, so that a wrong file is told with its lines
    asked = client(args)
    edit = asked.put_teams(teams, dry_run=True, seen=args.revision)
    effects = edit.effects
    if edit.changes and not is_dry_run:  # what was looked at here is what is put in force, or nothing is
        edit = asked.put_teams(teams, seen=edit.revision)
    print("\n".join(differences(edit.changes)))
    if effects:
        print("\nWithin an hour, as things stand now:")
        print("\n".join(foreseen(effects)), end="\n\n")
    if not edit.changes:
        print(f"{args.file} is what is in force (revision {edit.revision}): nothing to change.")
    elif edit.is_applied:
        print(f"In force as revision {edit.revision}.")
    else:
        print(
            "Nothing was changed. To put it in force: "
            f"jupyterhub-mesos quota apply --revision {edit.revision} {args.file}"
        )
    return 0


def foreseen(effects: Iterable[TeamEffect]) -> Iterator[str]:
    """Say what an edit would do, a line each, with the moment where there is one."""
    for effect in effects:
        when = "" if effect.at is None else f" at {local(effect.at)}"
        yield f"  {effect.sentence}{when}"


# ---- tables ---------------------------------------------------------------------------------------


def table(teams: Sequence[TeamUseView]) -> Iterator[str]:
    """Lay the teams out in lines, children under their parents."""
    rows = [
        (
            "  " * depth + view.id,
            _amounts(view.team.guarantee) or "nothing",
            _amounts(view.team.limit) or "unlimited",
            _amounts(view.used) or "nothing",
            _amounts(view.borrowed) or "nothing",
            _budget(view) or "none",
            str(view.waiting),
        )
        for depth, view in _in_tree_order(teams)
    ]
    return columns((HEADINGS, *rows))


def _budget(view: TeamUseView) -> str:
    """Say what is used of a budget: `12.5 of 500 h in 7 days, you 3 of 100 h`."""
    if view.budget is None:
        return ""
    window = describe_window(view.budget.window_seconds)
    told = [
        f"{who}{use.used_hours:g} of {use.hours} h"
        for who, use in (("", view.budget.team), ("you ", view.budget.asker))
        if use is not None
    ]
    return f"{', '.join(told) or 'per user'} in {window}"


def differences(changes: Iterable[TeamChange]) -> Iterator[str]:
    """Lay the changes out in lines, one per field that changes."""
    return columns([(change.team, change.field, change.before, "->", change.after) for change in changes])


def _in_tree_order(teams: Sequence[TeamUseView]) -> Iterator[tuple[int, TeamUseView]]:
    """Yield each team with its depth; a team whose parent may not be seen stands at the top."""
    by_id = {view.id: view for view in teams}
    children: dict[str | None, list[TeamUseView]] = {}
    for view in teams:
        parent = view.team.parent if view.team.parent in by_id else None
        children.setdefault(parent, []).append(view)

    def under(parent: str | None, depth: int) -> Iterator[tuple[int, TeamUseView]]:
        for view in children.get(parent, []):
            yield depth, view
            yield from under(view.id, depth + 1)

    return under(None, 0)


def _amounts(model: ResourcesModel | BoundsModel) -> str:
    named: Mapping[AmountName, int | str] = {
        CPU_MILLIS: model.cpu_millis,
        MEM_MIB: model.mem_mib,
        **{accelerator(Flavor(flavor)): count for flavor, count in model.accelerators.items()},
    }
    is_bound = isinstance(model, BoundsModel)  # where no word is no bound, and 0 is one
    return ", ".join(
        describe_amount(name, amount)
        for name, amount in named.items()
        if isinstance(amount, int) and (amount or is_bound)
    )
