"""The options of an admin's levers: `queue`, `node`, `session`, `reservation`, `user`."""

from __future__ import annotations

import argparse
from typing import Final, cast

from jupyterhub_mesos.cli.adding import Adder, add, add_service, lazily
from jupyterhub_mesos.cli.moments import HELP as MOMENT
from jupyterhub_mesos.cli.moments import moment

_EPILOG: Final = """\
The reason stands in the audit with who and when, and is told to those whom it concerns.
The service and who is asking come from --url and --token, or from CAPACITY_URL
and JUPYTERHUB_API_TOKEN."""


def add_levers(commands: Adder) -> None:
    """Add what admins do by hand."""
    _add_queue(commands)
    _add_node(commands)
    _add_session(commands)
    _add_reservation(commands)
    _add_user(commands)


def _group(commands: Adder, name: str, help_text: str) -> Adder:
    group = add(commands, name, None, help_text, epilog=_EPILOG)
    return cast("Adder", group.add_subparsers(title="actions", metavar="ACTION", required=True))


def _lever(
    actions: Adder, name: str, function: str, help_text: str, module: str = "levers"
) -> argparse.ArgumentParser:
    """Add an action that asks for its reason."""
    action = add(actions, name, lazily(module, function), help_text, epilog=_EPILOG)
    action.add_argument("--reason", required=True, metavar="TEXT", help="why, for the audit and for people")
    add_service(action)
    return action


def _look(
    actions: Adder, name: str, function: str, help_text: str, module: str = "levers"
) -> argparse.ArgumentParser:
    action = add(actions, name, lazily(module, function), help_text, epilog=_EPILOG)
    add_service(action)
    return action


def _add_queue(commands: Adder) -> None:
    actions = _group(commands, "queue", "pause and resume queues; what runs goes on")
    _look(actions, "paused", "pauses", "print which queues are paused, why and since when")
    for name, help_text in (
        ("pause", "let nothing new start of a team and those under it, or of nobody"),
        ("resume", "let what waits start again"),
    ):
        action = _lever(actions, name, name, help_text)
        whose = action.add_mutually_exclusive_group(required=True)
        whose.add_argument("team", nargs="?", metavar="TEAM", help="the team's id")
        whose.add_argument("--all", action="store_true", help="the whole queue; admins only")


def _add_node(commands: Adder) -> None:
    actions = _group(commands, "node", "close, empty and open nodes; admins only")
    _look(actions, "list", "nodes", "print how each node stands, and what stands on it")
    for name, help_text in (
        ("cordon", "let a node take nothing new; what runs there stays"),
        ("drain", "let a node take nothing new, stop what runs there and let it wait again"),
        ("uncordon", "let a node take new work again"),
    ):
        _lever(actions, name, name, help_text).add_argument("node", metavar="NODE", help="the node's id")


def _add_session(commands: Adder) -> None:
    actions = _group(commands, "session", "let a session run longer than its time limit")
    extend = _lever(actions, "extend", "extend", "let what runs under a time limit go on")
    extend.add_argument("request", metavar="ID", help="the request's id")
    how_long = extend.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--by", type=int, metavar="MINUTES", help="so many minutes more")
    how_long.add_argument("--until", type=moment, metavar="MOMENT", help=MOMENT)


def _add_reservation(commands: Adder) -> None:
    actions = _group(commands, "reservation", "book capacity for a team, for a class or a deadline")
    look = _look(actions, "list", "listed", "print what is booked for your teams", "reservations")
    look.add_argument("--past", action="store_true", help="also what is over or was cancelled")
    book = _lever(actions, "book", "book", "book capacity for a team and those under it", "reservations")
    book.add_argument("team", metavar="TEAM", help="the team's id")
    book.add_argument(
        "--from",
        dest="starts_at",
        type=moment,
        required=True,
        metavar="MOMENT",
        help=f"when it begins: {MOMENT}",
    )
    book.add_argument(
        "--until", dest="ends_at", type=moment, required=True, metavar="MOMENT", help="when it ends"
    )
    book.add_argument("--title", default="", metavar="TEXT", help="what it is for, such as the class")
    book.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="how many pieces (default: %(default)s)"
    )
    book.add_argument("--cpu-millis", type=int, default=0, metavar="N", help="CPU of a piece, in thousandths")
    book.add_argument("--mem-mib", type=int, default=0, metavar="N", help="memory of a piece, in MiB")
    book.add_argument(
        "--accelerator", action="append", default=[], metavar="FLAVOR=N", help="of a piece; repeatable"
    )
    cancel = _lever(actions, "cancel", "cancel", "free what was booked, at once", "reservations")
    cancel.add_argument("reservation", metavar="ID", help="the reservation's id")


def _add_user(commands: Adder) -> None:
    actions = _group(commands, "user", "follow what became of a user of the hub; admins only")
    rename = _lever(actions, "rename", "rename", "make everything of a user another name's", "reservations")
    leave = _lever(actions, "leave", "leave", "withdraw what waits and stop what runs", "reservations")
    for action in (rename, leave):
        action.add_argument("user", metavar="USER", help="the user's name")
    rename.add_argument("to", metavar="NAME", help="the name from now on")
