"""What `jupyterhub-mesos backup`, `restore`, `upgrade` and `move` run, in a process of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jupyterhub_mesos.configuration.databases import Database, sqlite_url
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.service.upkeep import moving, work

EXIT_CANNOT: Final = 2


def main(argv: list[str] | None = None) -> int:
    """Do one thing and say what was done; returns the exit status."""
    asked = _parser().parse_args(argv)
    asked.file = Path(asked.target)
    try:
        url = asked.ledger or sqlite_url(asked.state / "ledger.sqlite")
        database = Database.at(url, where="--ledger" if asked.ledger else "--state")
        _ACTIONS[asked.action](database, asked)
    except CapacityError as error:
        print(f"jupyterhub-mesos: {error}", file=sys.stderr)
        return EXIT_CANNOT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jupyterhub_mesos.service.upkeep")
    parser.add_argument("action", choices=tuple(_ACTIONS))
    parser.add_argument("target", help="a file; of `move` the URL of a database")
    parser.add_argument("--ledger", default="")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--replace", action="store_true")
    return parser


def _backup(database: Database, asked: argparse.Namespace) -> None:
    revision = work.backup(database, asked.file)
    size = asked.file.stat().st_size
    print(f"{asked.file}: {size} bytes, the ledger {database.shown} at revision {revision}")


def _restore(database: Database, asked: argparse.Namespace) -> None:
    saved = work.restore(database, asked.file, replaces=asked.replace)
    if saved is not None:
        print(f"{saved}: what stood there before")
    print(f"{database.shown}: restored from {asked.file}; start the service now")


def _upgrade(database: Database, asked: argparse.Namespace) -> None:
    before, after = work.upgrade(database, asked.file)
    if before == after:
        print(f"{database.shown}: at revision {after} already, nothing was written")
    else:
        print(f"{database.shown}: from revision {before} to {after}; {asked.file} is as it was before")


def _move(database: Database, asked: argparse.Namespace) -> None:
    target = Database.at(asked.target, where="URL")
    counts, aside = moving.move(database, target)
    rows = ", ".join(f"{count} of {name}" for name, count in counts.items() if count)
    print(f"{target.shown}: the ledger with all its rows ({rows}), compared one by one")
    if aside is not None:
        print(f"{aside}: what it was before; remove it when you are content")
    else:
        print(f"{database.shown}: as it was; let no service open it, and remove it when you are content")
    print("Name the new one as c.CapacityService.ledger_url, then start the service.")


_ACTIONS: Final[dict[str, Callable[[Database, argparse.Namespace], None]]] = {
    "backup": _backup,
    "restore": _restore,
    "upgrade": _upgrade,
    "move": _move,
}

if __name__ == "__main__":
    sys.exit(main())
