"""How a task ended, in words: from the shim's `exit.json`, where it could still write one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from jupyterhub_mesos.backends.local.folders import TaskFolder
from jupyterhub_mesos.backends.local.tasklog import read_log

KILLED_EXIT_CODE: Final = 128 + 9
SANDBOX_FAILED: Final = 1  # what bubblewrap ends with when it cannot make the sandbox
KEEPER_KILLED: Final = "its keeper process was killed, and the task with it"
NEVER_STARTED: Final = "it was stopped before it was started"
DAMAGED: Final = "its record on this node is damaged, so whatever was left of it was ended ({damage})"
_TAIL_BYTES: Final = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """What is kept of a task's end."""

    exit_code: int | None
    message: str = ""


def ending(folder: TaskFolder, document: dict[str, Any], exit_document: dict[str, Any]) -> Ending:
    """Put the shim's last words into a person's."""
    code: int | None = exit_document["exit_code"]
    if exit_document["error"]:
        return Ending(code, str(exit_document["error"]))
    if exit_document["oom_kills"]:
        subject = "" if code == KILLED_EXIT_CODE else "a process of it was "
        return Ending(code, f"{subject}killed for memory: {document['mem_mib']} MiB were allowed")
    if code == SANDBOX_FAILED and document["orders"]["is_sandbox"]:
        return Ending(code, _said_by_sandbox(folder))
    return Ending(code)


def _said_by_sandbox(folder: TaskFolder) -> str:
    try:
        tail = read_log(folder.log, -_TAIL_BYTES, _TAIL_BYTES, is_gone=True).text.strip()
    except OSError:  # the end matters more than what was said of it
        return ""
    last = tail.rpartition("\n")[2]
    return f"the sandbox could not be made: {last}" if last.startswith(("bwrap: ", "setpriv: ")) else ""
