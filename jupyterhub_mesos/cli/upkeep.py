"""`backup`, `restore`, `upgrade` and `move`: the ledger as a whole, by a process of the service's side."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from jupyterhub_mesos.cli.adding import Adder, add, lazily


def run(args: argparse.Namespace) -> int:
    """Do it, and return its exit code."""
    options = ["--state", str(args.state)]
    options += ["--ledger", args.ledger] if args.ledger else []
    options += ["--replace"] if getattr(args, "replace", False) else []
    program = [
        sys.executable,
        "-m",
        "jupyterhub_mesos.service.upkeep",
        args.action,
        *options,
        "--",
        str(args.file),
    ]
    return subprocess.run(program, check=False).returncode


def add_upkeep(commands: Adder, default_state: Path) -> None:
    """Add the four commands."""
    what = {
        "backup": ("copy the ledger into a new file, while the service runs", "the new file"),
        "restore": ("put a backup in the ledger's place; the service has to be stopped", "a backup"),
        "upgrade": (
            "bring the ledger's tables to this version's, after a backup; the service has to be stopped",
            "the new file for the backup",
        ),
    }
    for name, (help_text, file) in what.items():
        command = add(commands, name, lazily("upkeep"), help_text)
        command.set_defaults(action=name)
        command.add_argument("file", type=Path, metavar="FILE", help=file)
        _add_ledger(command, default_state)
        if name == "restore":
            command.add_argument(
                "--replace",
                action="store_true",
                help="save the ledger that is there beside FILE, and replace it",
            )
    move = add(
        commands, "move", lazily("upkeep"), "move the ledger into another database; both have to be free"
    )
    move.set_defaults(action="move")
    move.add_argument(
        "file", metavar="URL", help="a database without a ledger, ${VARIABLE} from the environment"
    )
    _add_ledger(move, default_state)


def _add_ledger(command: argparse.ArgumentParser, default_state: Path) -> None:
    command.add_argument(
        "--state",
        type=Path,
        default=default_state,
        metavar="DIR",
        help="folder with the SQLite ledger (default: %(default)s)",
    )
    command.add_argument(
        "--ledger", metavar="URL", help="the ledger's database instead, ${VARIABLE} from the environment"
    )
