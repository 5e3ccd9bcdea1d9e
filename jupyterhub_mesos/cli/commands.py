"""The commands, their options and help, and how an error ends one.

Exit codes: 0 it is done, 1 the answer is no (`doctor`, `verify`), 2 it could
not be done (one line on stderr says why and what to do), 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from jupyterhub_mesos.cli.adding import Adder as _Adder
from jupyterhub_mesos.cli.adding import Command
from jupyterhub_mesos.cli.adding import add as _add
from jupyterhub_mesos.cli.adding import add_service as _add_service
from jupyterhub_mesos.cli.adding import lazily as _lazily
from jupyterhub_mesos.cli.lever_options import add_levers
from jupyterhub_mesos.cli.pipeline_options import add_pipeline
from jupyterhub_mesos.cli.simulate_options import add_simulate
from jupyterhub_mesos.cli.upkeep import add_upkeep
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos_quota.errors import QuotaError

DEFAULT_STATE: Final = Path(".demo")
EXIT_CANNOT: Final = 2
EXIT_INTERRUPTED: Final = 130

_DESCRIPTION: Final = """\
Jupyter notebooks as a service for many teams on shared CPU and GPU capacity.

Begin with `jupyterhub-mesos doctor`, which says what works on this machine, or
`jupyterhub-mesos demo`, which shows the whole main job on it."""
_QUOTA_EPILOG: Final = """\
The service and who is asking come from --url and --token, or from CAPACITY_URL
and JUPYTERHUB_API_TOKEN. In a notebook both are there already. A token is made
on the hub's Token page and needs the scope access:services!service=capacity."""
_TOKEN_EPILOG: Final = f"""\
For admins of the team. CI puts the token into CAPACITY_TOKEN, and may ask for
training, serving and pipelines of its team with it, and for nothing else.

{_QUOTA_EPILOG}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = parser().parse_args(arguments)
    try:
        return cast("Command", args.run)(args)
    except (CapacityError, QuotaError) as error:
        print(f"jupyterhub-mesos: {error}", file=sys.stderr)
        return EXIT_CANNOT
    except KeyboardInterrupt:
        print("jupyterhub-mesos: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader (`| head`) has seen enough; say nothing while Python flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CANNOT


def parser() -> argparse.ArgumentParser:
    """Build the parser; docs/reference/cli.md is checked against it."""
    top = argparse.ArgumentParser(
        prog="jupyterhub-mesos",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = cast("_Adder", top.add_subparsers(title="commands", metavar="COMMAND", required=True))
    _add_demo(commands)
    _add_up(commands)
    _add_doctor(commands)
    _add_quota(commands)
    _add_token(commands)
    add_levers(commands)
    add_pipeline(commands)
    add_simulate(commands)
    add_upkeep(commands, DEFAULT_STATE)
    _add_verify(commands)
    _add_register(commands)
    _add_version(commands)
    return top


def _add_demo(commands: _Adder) -> None:
    demo = _add(
        commands, "demo", _lazily("demo"), "start everything on this machine and run the main job through it"
    )
    demo.add_argument("--exit", action="store_true", help="end after the job instead of serving until Ctrl-C")
    demo.add_argument("--torch", action="store_true", help="train with torch's DDP instead of scikit-learn")
    _add_place(demo)


def _add_up(commands: _Adder) -> None:
    up = _add(
        commands,
        "up",
        _lazily("up"),
        "start hub, proxy and capacity service on this machine, and serve until Ctrl-C",
    )
    _add_place(up)
    up.add_argument(
        "--config",
        type=Path,
        default=Path("config/jupyterhub_config.py"),
        metavar="FILE",
        help="what hub and service read (default: %(default)s)",
    )
    up.add_argument(
        "--stop-notebooks",
        action="store_true",
        help="end what runs for people too, when this ends (default: it goes on, and is found again)",
    )


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--state",
        type=Path,
        default=DEFAULT_STATE,
        metavar="DIR",
        help="folder for ledger, homes, lake, secrets and logs (default: %(default)s)",
    )
    command.add_argument(
        "--port",
        type=_port,
        metavar="PORT",
        help="port of 127.0.0.1 on which people reach the hub "
        "(default: the one of before, else 8000, else a free one)",
    )


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"{number} is no port: name one from 1 to 65535")
    return number


def _add_doctor(commands: _Adder) -> None:
    doctor = _add(
        commands,
        "doctor",
        _lazily("doctor"),
        "say what works on this machine and what does not, with the cure",
        epilog="Exits with 0 when the product can run here, with 1 when something needed is missing.",
    )
    doctor.add_argument("--lake", type=Path, metavar="FILE", help="a lake.yaml: ask each of its S3 sources")
    doctor.add_argument(
        "--ledger", metavar="URL", help="the ledger's database, ${VARIABLE} from the environment: ask it"
    )
    _add_place(doctor)


def _add_quota(commands: _Adder) -> None:
    quota = _add(commands, "quota", None, "look at the teams' quotas, and change them", epilog=_QUOTA_EPILOG)
    actions = cast("_Adder", quota.add_subparsers(title="actions", metavar="ACTION", required=True))
    show = _add(
        actions,
        "show",
        _lazily("quota", "show"),
        "print each team's guarantee, limit, use, what it borrows and how many requests wait",
        epilog=_QUOTA_EPILOG,
    )
    diff = _add(
        actions,
        "diff",
        _lazily("quota", "diff"),
        "print what a teams.yaml would change, and change nothing",
        epilog=_QUOTA_EPILOG,
    )
    apply = _add(
        actions,
        "apply",
        _lazily("quota", "apply"),
        "put a teams.yaml in force and print what it changed; admins only",
        epilog=_QUOTA_EPILOG,
    )
    apply.add_argument("--dry-run", action="store_true", help="change nothing, as `quota diff` does")
    for action in (diff, apply):
        action.add_argument("file", type=Path, metavar="FILE", help="a teams.yaml")
        action.add_argument(
            "--revision", type=int, help="the revision that you saw: refuse where the teams were edited since"
        )
    for action in (show, diff, apply):
        _add_service(action)


def _add_token(commands: _Adder) -> None:
    token = _add(
        commands, "token", None, "make, list and revoke a team's tokens for CI", epilog=_TOKEN_EPILOG
    )
    actions = cast("_Adder", token.add_subparsers(title="actions", metavar="ACTION", required=True))
    what = {
        "make": ("make", "make a token for a team's CI and print it, this once"),
        "list": ("listed", "print a team's tokens, without their secrets"),
        "revoke": ("revoke", "make a team's token worthless at once"),
    }
    for name, (function, help_text) in what.items():
        action = _add(actions, name, _lazily("token", function), help_text, epilog=_TOKEN_EPILOG)
        action.add_argument("team", metavar="TEAM", help="the team's id")
        if name == "make":
            action.add_argument("name", metavar="NAME", help="what it is for, such as gitlab")
            action.add_argument(
                "--days",
                type=int,
                default=90,
                metavar="N",
                help="days until it expires (default: %(default)s)",
            )
        if name == "revoke":
            action.add_argument("id", metavar="ID", help="the token's id, as `token list` prints it")
        _add_service(action)


def _add_verify(commands: _Adder) -> None:
    verify = _add(
        commands,
        "verify",
        _lazily("verify"),
        "check a model bundle: every file's checksum, then its test vectors replayed",
        epilog="Exits with 0 when the bundle is what it says it is; the first step of a model's CI.",
    )
    verify.add_argument("directory", type=Path, metavar="DIR", help="folder of the bundle, with bundle.json")
    verify.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="check the signature with this key; refuse without one",
    )


def _add_register(commands: _Adder) -> None:
    register = _add(
        commands,
        "register",
        _lazily("register"),
        "mirror a published model bundle in the MLflow registry that MLFLOW_TRACKING_URI names",
        epilog="Safe to repeat: a version that MLflow knows already only gets its description anew.",
    )
    register.add_argument(
        "directory", type=Path, metavar="DIR", help="folder of the bundle, with bundle.json"
    )
    register.add_argument(
        "--remote",
        default="~/lake/team/models.git",
        help="repository that it is published in (default: %(default)s)",
    )


def _add_version(commands: _Adder) -> None:
    _add(commands, "version", _print_version, "print the version of the installed product")


def _print_version(_args: argparse.Namespace) -> int:
    from importlib.metadata import version  # noqa: PLC0415  (slow, and only this command needs it)

    print(version("jupyterhub-mesos"))
    return 0
