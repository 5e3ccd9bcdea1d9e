"""Steps of a notebook's life x processes that are killed there: what becomes of the request.

`docs/explanation/what-happens-when-a-process-dies.md` shows this table; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Victim(StrEnum):
    """Which process dies."""

    SERVICE = "service"
    HUB = "hub"
    PROXY = "proxy"
    KEEPER = "keeper"
    SERVER = "server"


class End(StrEnum):
    """What stands when all is calm again."""

    WAITS = "waits"
    RUNS = "runs"
    FAILED = "failed"
    STOPPED = "stopped"


class Act(StrEnum):
    """What its owner, or another team, does to bring the request to the step."""

    ASK = "ask"
    STOP = "stop"
    TAKE_BACK = "take back"


@dataclass(frozen=True, slots=True)
class Step:
    """A moment of a life; `where` is the commit at which the service is held, empty where nothing moves."""

    name: str
    meaning: str
    act: Act
    ends: dict[Victim, End]
    where: str = ""
    profile: str = "small"


PARTS: Final = (Victim.SERVICE, Victim.HUB, Victim.PROXY)
TASK: Final = (Victim.KEEPER, Victim.SERVER)


def _ends(parts: End, task: End | None = None) -> dict[Victim, End]:
    """Say what stands after the death of a part of ours and, where it exists by then, of the task's."""
    ends = dict.fromkeys(PARTS, parts)
    return ends if task is None else ends | dict.fromkeys(TASK, task)


STEPS: Final = (
    Step("asked", "the request is on its way into the ledger", Act.ASK, _ends(End.RUNS), "before asked"),
    Step("queued", "it waits behind others", Act.ASK, _ends(End.WAITS), profile="large"),
    Step("granted", "room is set aside, the hub not told yet", Act.ASK, _ends(End.RUNS), "after granted"),
    Step("offered", "the hub starts the server, and claims", Act.ASK, _ends(End.RUNS), "before starting"),
    Step("claimed", "the claim is stored, its answer not sent", Act.ASK, _ends(End.RUNS), "after starting"),
    Step("prepared", "its folder is made", Act.ASK, _ends(End.RUNS), "after prepared"),
    Step("spawned", "its process is there", Act.ASK, _ends(End.RUNS, End.FAILED), "after spawned"),
    Step("running", "its server answers", Act.ASK, _ends(End.RUNS, End.FAILED), "after running"),
    Step(
        "warned",
        "it is told that a lender wants room",
        Act.TAKE_BACK,
        _ends(End.WAITS, End.FAILED),
        "after warned",
    ),
    Step("stopping", "its end was asked for", Act.STOP, _ends(End.STOPPED, End.STOPPED), "after stopping"),
    Step("gone", "it is over, which is not stored yet", Act.STOP, _ends(End.STOPPED), "before gone"),
)
CELLS: Final = tuple((step, victim) for step in STEPS for victim in step.ends)


def table_rows() -> list[str]:
    """Return the table as Markdown, a line each."""
    head = ["| step | what it is | " + " | ".join(Victim) + " |", "| --- " * (len(Victim) + 2) + "|"]
    return head + [
        f"| {step.name} | {step.meaning} | " + " | ".join(step.ends.get(one, "-") for one in Victim) + " |"
        for step in STEPS
    ]
