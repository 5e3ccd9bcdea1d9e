"""`doctor`: what works on this machine, what does not, and the cure.

Every check answers with the backend's own `Fact`; a *needed* one that does not
hold means that the product cannot run here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.cli.doctor_lake import facts_of_lake
from jupyterhub_mesos.cli.doctor_ledger import facts_of_ledger
from jupyterhub_mesos.cli.proxy import ProxyNotFound, proxy_command
from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.statefolder import PASS_THROUGH

OLDEST_PYTHON: Final = (3, 11)
LEAST_CORES: Final = 2
LEAST_MEM_GIB: Final = 4
"""What `config/teams.yaml` shares out; with less the demo's three notebooks and two jobs do not fit."""
LEAST_DISK_GIB: Final = 1
ANSWER_SECONDS: Final = 20
"""For a program's `--version`, on a machine that is busy."""
DEFAULT_PORT: Final = 8000
GIB: Final = 1024**3

_PACKAGES: Final = (
    # import names, what needs them, whether the product needs them at all, the extra that brings them
    (("jupyterhub", "tornado", "pydantic", "traitlets"), "hub", True, "jupyterhub-mesos"),
    (("sqlalchemy", "alembic", "yaml", "jinja2", "psutil"), "service", True, "jupyterhub-mesos[service]"),
    (("jupyterlab",), "notebooks", True, "jupyterlab"),
    (("sklearn", "onnx", "onnxruntime", "skl2onnx"), "export", False, "jupyterhub-mesos[export]"),
    (("numpy", "onnxruntime"), "model serving", False, "jupyterhub-mesos[serving]"),
    (("psycopg",), "a ledger in PostgreSQL", False, "jupyterhub-mesos[postgresql]"),
    (("s3fs", "aiobotocore"), "S3 sources", False, "jupyterhub-mesos[lake]"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """A fact about this machine, and whether the product can do without it."""

    fact: Fact
    is_needed: bool = False


def run(args: argparse.Namespace) -> int:
    """Print every check, then the verdict; 0 when the product can run."""
    checks = [*checks_of_machine(args.state, args.port), *checks_of_backend()]
    if args.lake is not None:
        checks += [Check(fact) for fact in facts_of_lake(args.lake)]
    if args.ledger is not None:
        checks += [Check(fact, is_needed=True) for fact in facts_of_ledger(args.ledger)]
    for check in checks:
        print(line(check))
    missing = [check.fact.name for check in checks if check.is_needed and not check.fact.holds]
    limits = [check.fact.name for check in checks if not check.is_needed and not check.fact.holds]
    if missing:
        print(f"\nThis machine cannot run the product yet: {', '.join(missing)}. The cures stand above.")
        return 1
    print("\nThis machine can run the product." + (f" Limits: {', '.join(limits)}." if limits else ""))
    return 0


def line(check: Check) -> str:
    """Say one check in a line, with the cure below it where it does not hold."""
    word = "ok" if check.fact.holds else "MISSING" if check.is_needed else "limit"
    text = f"{word:8}{check.fact.name}: {' '.join(check.fact.detail.split())}"
    return text if check.fact.holds or not check.fact.cure else f"{text}\n{'':8}  cure: {check.fact.cure}"


def checks_of_machine(state: Path, port: int | None) -> Iterator[Check]:
    """Check everything that is not the backend's to say."""
    yield Check(_python(), is_needed=True)
    for modules, purpose, is_needed, extra in _PACKAGES:
        yield Check(_packages(modules, purpose, extra), is_needed)
    yield Check(_proxy(), is_needed=True)
    yield Check(_port(port or DEFAULT_PORT), is_needed=port is not None)
    yield Check(_state_folder(state), is_needed=True)
    yield Check(_disk(state))
    yield Check(_cores())
    yield Check(_memory())
    yield Check(_program("git", "exported models are pushed to git", "install git"))


def checks_of_backend() -> Iterator[Check]:
    """Ask the local backend what it enforces here."""
    try:
        with tempfile.TemporaryDirectory(prefix="jupyterhub-mesos-doctor-") as folder:
            Path(folder).chmod(PASS_THROUGH)  # as a state folder's: other accounts' homes stand below it
            yield from asyncio.run(_backend_checks(Path(folder)))
    except (CapacityError, ImportError) as error:
        cure = "read the error; `jupyterhub-mesos[service]` brings what the backend needs"
        yield Check(Fact("local backend", holds=False, detail=str(error), cure=cure), is_needed=True)


async def _backend_checks(folder: Path) -> Sequence[Check]:
    from jupyterhub_mesos.backends.local.isolation import NoIsolation  # noqa: PLC0415  (psutil may be missing)
    from jupyterhub_mesos.backends.registry import create_backend  # noqa: PLC0415  (psutil may be missing)

    backend = create_backend("local", folder)
    try:
        await backend.open()
    except NoIsolation as refusal:
        return (Check(refusal.fact(), is_needed=True),)
    try:
        return [Check(fact) for fact in backend.facts()]
    finally:
        await backend.close()


def _python() -> Fact:
    version = f"{platform.python_version()} at {sys.executable}"
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Fact("python", sys.version_info >= OLDEST_PYTHON, version, f"install Python >= {oldest}")


def _packages(modules: Sequence[str], purpose: str, extra: str) -> Fact:
    missing = [module for module in modules if find_spec(module) is None]
    detail = f"not installed: {', '.join(missing)}" if missing else "installed"
    return Fact(f"packages for {purpose}", not missing, detail, f'pip install "{extra}"')


def _proxy() -> Fact:
    try:
        command = proxy_command()
    except ProxyNotFound as error:
        return Fact("proxy", holds=False, detail=str(error))
    version = _answer((*command, "--version"))
    detail = f"configurable-http-proxy {version} with {command[0]}" if version else "it does not start"
    return Fact("proxy", version is not None, detail, "install Node.js >= 20, then run `make set-up`")


def _answer(command: Sequence[str]) -> str | None:
    """Return what a program prints, or nothing where it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _port(port: int) -> Fact:
    name = f"port {port}"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            detail = error.strerror or str(error)
            return Fact(name, holds=False, detail=detail, cure="end what holds it; else another is taken")
    return Fact(name, holds=True, detail="free on 127.0.0.1")


def _state_folder(state: Path) -> Fact:
    name = "state folder"
    existing = _nearest(state)
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Fact(name, holds=True, detail=f"{state} can be written")
    return Fact(name, holds=False, detail=f"{existing} cannot be written", cure="name another: --state DIR")


def _nearest(path: Path) -> Path:
    """Return the path itself or the nearest folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _disk(state: Path) -> Fact:
    free = shutil.disk_usage(_nearest(state)).free / GIB
    return Fact("disk", free >= LEAST_DISK_GIB, f"{free:.1f} GiB free", f"free {LEAST_DISK_GIB} GiB")


def _cores() -> Fact:
    cores = len(os.sched_getaffinity(0))
    return Fact(
        "cores", cores >= LEAST_CORES, f"{cores}", f"the demo is made for {LEAST_CORES}; it is slower"
    )


def _memory() -> Fact:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    cure = f"the demo is made for {LEAST_MEM_GIB} GiB: lower guarantees and limits in config/teams.yaml"
    return Fact("memory", total >= LEAST_MEM_GIB, f"{total:.1f} GiB", cure)


def _program(name: str, purpose: str, cure: str) -> Fact:
    found = shutil.which(name)
    return Fact(name, found is not None, found or f"not found; {purpose}", cure)
