"""What every command's options are made with: a command is named without importing it."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Protocol, cast

Command = Callable[[argparse.Namespace], int]


class Adder(Protocol):
    """What argparse's `add_subparsers` returns."""

    def add_parser(
        self,
        name: str,
        *,
        help: str,  # noqa: A002  (argparse's own word)
        description: str,
        epilog: str = ...,
        formatter_class: type[argparse.HelpFormatter] = ...,
    ) -> argparse.ArgumentParser:
        """Add a command."""
        ...


def lazily(module: str, function: str = "run") -> Command:
    """Name a command's function without importing it."""

    def run(args: argparse.Namespace) -> int:
        command = getattr(importlib.import_module(f"jupyterhub_mesos.cli.{module}"), function)
        return cast("Command", command)(args)

    return run


def add(
    commands: Adder, name: str, run: Command | None, help_text: str, *, epilog: str = ""
) -> argparse.ArgumentParser:
    """Add a command with its help; `run` is None for one that has actions."""
    added = commands.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if run is not None:
        added.set_defaults(run=run)
    return added


def add_service(command: argparse.ArgumentParser) -> None:
    """Let a command be told which service to ask, and as whom."""
    command.add_argument("--url", help="address of the service (default: CAPACITY_URL)")
    command.add_argument("--token", help="who is asking (default: CAPACITY_TOKEN, else JUPYTERHUB_API_TOKEN)")
