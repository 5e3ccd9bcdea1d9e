"""How tasks are kept apart on this machine: found out once by trying, and said aloud with its cure."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.backends.local.accounts import ACCOUNT_UIDS, Account, own_account
from jupyterhub_mesos.backends.local.sandbox import Programs, View, command
from jupyterhub_mesos.backends.local.shim import INFO_FD
from jupyterhub_mesos.errors import BackendError, InvalidInput

log = logging.getLogger(__name__)

PROBE_SECONDS: Final = 30.0
_PROBE: Final = """
import os, sys
sys.path[:] = sys.argv[1:]
import jupyterhub_mesos
open(os.path.expanduser("~/probe"), "w").close()
"""
_SAID_LENGTH: Final = 300


class Mode(StrEnum):
    """What stands between the tasks of two people."""

    SANDBOX = "sandbox"  # a view of the machine of its own; as root also an account of its own
    ACCOUNT = "account"  # an account of its own; the machine's files as their permissions say
    SHARED = "shared"  # nothing: one trust domain


class NoIsolation(BackendError):
    """Nothing would stand between the users and root, and nobody said that they may be root."""

    cure = (
        "install bubblewrap (`bwrap`) and setpriv; or install Python and this product where all may "
        "run them, not under /root; or, if everybody who logs in is trusted with root on this machine, say "
        'so: c.CapacityService.isolation = "shared"'
    )

    def __init__(self, reasons: str) -> None:
        super().__init__(
            "the service runs as root, and no isolation works here: every user's task would be root. "
            f"{reasons} What to do: {self.cure}"
        )
        self.reasons = reasons

    def fact(self) -> Fact:
        """Say it as `facts` would, had it been let pass."""
        return Fact(
            "isolation",
            False,
            f"every user's task would run as root, so the service does not start. {self.reasons}",
            self.cure,
        )


@dataclass(frozen=True, slots=True)
class Isolation:
    """What was found: the mode, by which programs, and why not a better one."""

    mode: Mode
    is_root: bool
    programs: Programs
    why_not_better: str = ""

    @property
    def has_accounts(self) -> bool:
        """Whether each user's tasks run under an account of their own."""
        return self.is_root and self.mode is not Mode.SHARED

    def facts(self) -> Sequence[Fact]:
        """Say what holds between the tasks of two people."""
        return (_isolation_fact(self), _accounts_fact(self), _mounts_fact(self), _gpu_fact(self))


def _isolation_fact(found: Isolation) -> Fact:
    if found.mode is Mode.SANDBOX:
        return Fact(
            "isolation",
            True,
            "each task sees its own processes, home and mounts; others' and the service's files are hidden",
        )
    if found.mode is Mode.ACCOUNT:
        return Fact(
            "isolation",
            True,
            "each user has an account of their own; processes of others are visible, their files are not",
            "install bubblewrap to hide them too",
        )
    return Fact(
        "isolation",
        False,
        f"one trust domain: every user can read every other's files. {found.why_not_better}".strip(),
        "install bubblewrap (`bwrap`) and, for an account per user, run the service as root",
    )


def _accounts_fact(found: Isolation) -> Fact:
    if found.has_accounts:
        return Fact("accounts", True, "tasks run under the user's own account, never as root")
    who = "root" if found.is_root else f"the service's own account (uid {os.getuid()})"
    return Fact("accounts", False, f"all tasks run as {who}", "run the service as root, with bubblewrap")


def _mounts_fact(found: Isolation) -> Fact:
    if found.mode is Mode.SANDBOX:
        return Fact("read-only mounts", True, "a read-only mount cannot be written to")
    return Fact(
        "read-only mounts",
        False,
        "mounts are links: what is read-only is so by the permissions of its files alone",
        "install bubblewrap",
    )


def _gpu_fact(found: Isolation) -> Fact:
    if found.mode is Mode.SANDBOX:
        return Fact("accelerators", True, "a task reaches the accelerators it was granted and no other")
    return Fact(
        "accelerators",
        False,
        "CUDA_VISIBLE_DEVICES names the task's accelerators; a task that changes it reaches the others",
        "install bubblewrap",
    )


def probe(wanted: str, local: Path, hidden: Sequence[Path]) -> Isolation:
    """Find the best isolation that works here, or check the one that is wanted.

    Raises `BackendError` where the wanted one does not work: a lesser one is never taken in its place;
    `NoIsolation` where `auto` would make every user root.
    """
    if wanted not in ("auto", *Mode):
        raise InvalidInput(
            f"there is no isolation {wanted!r}: use auto, {', '.join(Mode)}", where="isolation"
        )
    is_root = os.getuid() == 0
    programs = Programs(shutil.which("bwrap") or "", shutil.which("setpriv") or "")
    reasons: list[str] = []
    for mode in (Mode.SANDBOX, Mode.ACCOUNT) if wanted == "auto" else (Mode(wanted),):
        problem = _problem(Isolation(mode, is_root, programs), local, hidden)
        if not problem:
            return Isolation(mode, is_root, programs, " ".join(reasons))
        reasons.append(f"{mode.value}: {problem}.")
    if wanted != "auto":
        raise BackendError(f"the isolation {wanted!r} does not work here. {' '.join(reasons)}")
    if is_root:
        raise NoIsolation(" ".join(reasons))
    log.warning("isolation shared: one trust domain. %s", " ".join(reasons))
    return Isolation(Mode.SHARED, is_root, programs, " ".join(reasons))


def _problem(trial: Isolation, local: Path, hidden: Sequence[Path]) -> str:
    if trial.mode is Mode.SHARED:
        return ""
    if trial.mode is Mode.SANDBOX:
        missing = trial.programs.bwrap == "" or (trial.is_root and trial.programs.setpriv == "")
        return "bwrap or setpriv is not installed" if missing else _try(trial, local, hidden)
    return _try(trial, local, hidden) if trial.is_root else "only root can start tasks as another user"


def _try(trial: Isolation, local: Path, hidden: Sequence[Path]) -> str:
    """Start our interpreter as a task would be started; return what is wrong."""
    with tempfile.TemporaryDirectory(prefix=".probe-", dir=local) as name:
        folder = Path(name)
        uid = ACCOUNT_UIDS[-1]  # the last to be given to anybody
        account = Account("probe", uid, uid) if trial.is_root else own_account()
        folder.chmod(0o711)
        for place in (folder / "home", folder / "task", folder / "tmp"):
            place.mkdir(mode=0o700)
            os.chown(place, account.uid, account.gid)
        (folder / "passwd").touch(mode=0o644)
        argv = [sys.executable, "-I", "-c", _PROBE, *filter(None, sys.path)]
        if trial.mode is Mode.SANDBOX:
            home, task, tmp, passwd = (folder / name for name in ("home", "task", "tmp", "passwd"))
            view = View(account, home, task, tmp, passwd, tuple(hidden))
            argv = command(trial.programs, view, str(home), argv, is_root=trial.is_root)
            return _run(argv, home, None)
        return _run(argv, folder / "home", account)


def _run(argv: Sequence[str], home: Path, account: Account | None) -> str:
    """Run the trial; `account` is who to become first, where the command does not do that itself."""
    info = os.open(os.devnull, os.O_WRONLY)
    words = [str(info) if word == str(INFO_FD) else word for word in argv]
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
            pass_fds=(info,),
            env={"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)},
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        os.close(info)
    said = done.stderr.decode(errors="replace").strip()[-_SAID_LENGTH:]
    return "" if done.returncode == 0 else f"our interpreter could not be run in it ({said})"
