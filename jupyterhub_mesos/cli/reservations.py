"""`reservation list | book | cancel` and `user rename | leave`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from jupyterhub_mesos.cli.asking import client
from jupyterhub_mesos.cli.moments import local
from jupyterhub_mesos.cli.table import columns
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.wire import ReservationOrder, ReservationView, ResourcesModel, UserStanding

HEADINGS = ("id", "state", "team", "from", "until", "booked", "by", "title")


def listed(args: argparse.Namespace) -> int:
    """Print what is booked, and with `--past` what is over."""
    items = client(args).reservations(past=args.past).items
    print("\n".join(table(items)) if items else "Nothing is booked for your teams.")
    return 0


def book(args: argparse.Namespace) -> int:
    """Book capacity for a team."""
    view = client(args).book(_order(args))
    print(f"{view.id}: {_amount(view)} for team {view.team}")
    print(f"from {local(view.starts_at)} until {local(view.ends_at)}.")
    return 0


def cancel(args: argparse.Namespace) -> int:
    """Free what was booked."""
    view = client(args).cancel_reservation(args.reservation, args.reason)
    print(f"{view.id} of team {view.team} is cancelled: {_amount(view)} is free for others at once.")
    return 0


def rename(args: argparse.Namespace) -> int:
    """Make everything of a user another name's."""
    standing = client(args).rename_user(args.user, args.to, args.reason)
    print(f"What {args.user} had is {args.to}'s now: {_has(standing)}.")
    return 0


def leave(args: argparse.Namespace) -> int:
    """End whatever a user has."""
    standing = client(args).user_left(args.user, args.reason)
    print(f"What waited of {args.user} is withdrawn; {_has(standing)}, and what runs is being stopped.")
    return 0


def _has(standing: UserStanding) -> str:
    return f"{standing.waiting} waiting, {standing.active} running"


def _order(args: argparse.Namespace) -> ReservationOrder:
    try:
        return ReservationOrder(
            team=args.team,
            title=args.title,
            resources=_resources(args),
            replicas=args.replicas,
            starts_at=args.starts_at,
            ends_at=args.ends_at,
            reason=args.reason,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidInput(first["msg"], where=".".join(map(str, first["loc"]))) from error


def _resources(args: argparse.Namespace) -> ResourcesModel:
    return ResourcesModel(
        cpu_millis=args.cpu_millis, mem_mib=args.mem_mib, accelerators=_accelerators(args.accelerator)
    )


def _accelerators(words: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        flavor, _, count = word.partition("=")
        if not flavor or not count.isdecimal():
            raise InvalidInput(
                f"{word!r} is no accelerator: say FLAVOR=N, such as h200=2", where="--accelerator"
            )
        found[flavor] = int(count)
    return found


def table(items: Sequence[ReservationView]) -> Iterator[str]:
    """Lay the reservations out in lines."""
    rows = [
        (
            view.id,
            view.state.value,
            view.team,
            local(view.starts_at),
            local(view.ends_at),
            _amount(view),
            view.booked_by,
            view.title,
        )
        for view in items
    ]
    return columns((HEADINGS, *rows))


def _amount(view: ReservationView) -> str:
    each = str(view.resources.value())
    return each if view.replicas == 1 else f"{view.replicas} x ({each})"
