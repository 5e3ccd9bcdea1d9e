"""`python -m jupyterhub_mesos.pipeline.hook`: git's post-receive; each push to `main` becomes a pipeline.

Runs in the bare repository as whoever pushes, with their environment: the token
there says whose request it is. The push has succeeded already, so whatever goes
wrong is said, with how to start the run by hand, and never fails the push.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from jupyterhub_mesos.client import Client
from jupyterhub_mesos.errors import CapacityError, InvalidInput, Unavailable
from jupyterhub_mesos.pipeline.document import FILE, read_pipeline
from jupyterhub_mesos.pipeline.pushing import REQUEST_MARK
from jupyterhub_mesos.pipeline.rendering import BRANCH
from jupyterhub_mesos.pipeline.spelling import as_the_owner_sees_it, team_here
from jupyterhub_mesos.pipeline.submitting import Found, submission
from jupyterhub_mesos.training.run import say

HOOK_SECONDS: Final = 30
"""A push never waits longer for us; an answer of the service takes well under a second."""
CALL_SECONDS: Final = 10.0
HEAD: Final = f"refs/heads/{BRANCH}"


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that a push changed; a `new` of zeros is a ref that was deleted."""

    new: str
    ref: str

    @property
    def is_deleted(self) -> bool:
        """Whether the ref is gone."""
        return not self.new.strip("0")


def updates(lines: Iterable[str]) -> Iterator[Update]:
    """Read what git says on stdin: `OLD NEW REF` per line."""
    for line in lines:
        _, new, ref = line.strip().split(" ", 2)
        yield Update(new, ref)


def _name(repository: Path, commit: str) -> str:
    done = subprocess.run(
        ("git", "--git-dir", str(repository), "cat-file", "blob", f"{commit}:{FILE}"),
        capture_output=True,
        timeout=CALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise InvalidInput(f"commit {commit[:12]} has no {FILE}, so there is nothing to run")
    return read_pipeline(done.stdout).name


def _run(repository: Path, update: Update) -> None:
    if update.ref != HEAD:
        say(f"{update.ref} starts no pipeline: only {BRANCH} does")
    elif update.is_deleted:
        say(f"{BRANCH} was deleted: nothing to run")
    else:
        client = Client.from_environment(call_seconds=CALL_SECONDS)
        found = Found(_name(repository, update.new), update.new, update.ref)
        view = client.submit(submission(found, repository, team=team_here()))
        say(f"{REQUEST_MARK} {view.id}")
        say(f"The pipeline {view.name} is {view.status}: {view.page_url}")


def _too_late(_signal: int, _frame: FrameType | None) -> None:
    raise Unavailable(f"the capacity service did not answer within {HOOK_SECONDS} s")


def main() -> int:
    """Start a pipeline for each push to `main`; always 0."""
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(HOOK_SECONDS)
    repository = Path(os.environ.get("GIT_DIR", ".")).absolute()
    for update in updates(sys.stdin):
        try:
            _run(repository, update)
        except (CapacityError, OSError, subprocess.SubprocessError) as error:
            where = as_the_owner_sees_it(repository)
            say(f"The pipeline was not started, the push stands: {error}")
            say(f"Start it by hand: jupyterhub-mesos pipeline submit {where} --ref {update.new} --follow")
    signal.alarm(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
