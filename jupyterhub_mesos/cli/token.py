"""`token make | list | revoke`: a team's tokens for its CI, through the service."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from jupyterhub_mesos.cli.asking import client
from jupyterhub_mesos.cli.table import columns
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.wire import MAX_TOKEN_DAYS, TeamTokenOrder, TeamTokenView

HEADINGS = ("id", "name", "made by", "made", "expires", "last used")


def make(args: argparse.Namespace) -> int:
    """Make a token and print it: alone on stdout, so that it can go into a file or another program."""
    made = client(args).make_team_token(args.team, _order(args))
    print(made.token)
    return 0


def listed(args: argparse.Namespace) -> int:
    """Print the team's tokens, without their secrets."""
    items = client(args).team_tokens(args.team).items
    if not items:
        print(f"Team {args.team} has no token. To make one: jupyterhub-mesos token make {args.team} NAME")
        return 0
    print("\n".join(table(items)))
    return 0


def revoke(args: argparse.Namespace) -> int:
    """Make a token worthless at once."""
    client(args).revoke_team_token(args.team, args.id)
    print(f"Token {args.id} of team {args.team} is revoked: what shows it is refused from now on.")
    return 0


def table(items: Sequence[TeamTokenView]) -> Iterator[str]:
    """Lay the tokens out in lines, oldest first."""
    rows = [
        (
            view.id,
            view.name,
            view.made_by,
            _day(view.made_at),
            _day(view.expires_at) + (" (expired)" if view.is_expired else ""),
            "never" if view.last_used_at is None else _day(view.last_used_at),
        )
        for view in items
    ]
    return columns((HEADINGS, *rows))


def _order(args: argparse.Namespace) -> TeamTokenOrder:
    try:
        return TeamTokenOrder(name=args.name, expires_in_days=args.days)
    except ValidationError as error:
        raise InvalidInput(
            f"a token {args.name!r} for {args.days} days asked for; a name has letters, digits and .-_ "
            f"(at most 63, a letter or digit first), and a token is valid for 1 to {MAX_TOKEN_DAYS} days"
        ) from error


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
