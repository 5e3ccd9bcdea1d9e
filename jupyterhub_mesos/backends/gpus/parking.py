"""A program that parks processes, or wakes them: `python -m …backends.gpus.parking park 17 18`.

A process of its own, because the driver's calls block for as long as a GPU's memory takes to travel,
may hang, and leave the driver initialised. Killed at any moment it leaves every process in a state that
the next run goes on from. It answers one line of JSON (`Outcome`) and ends with 0, or with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from jupyterhub_mesos.backends.gpus.checkpoints import (
    ILLEGAL_STATE,
    NO_DEVICE,
    NOT_READY,
    NOT_SUPPORTED,
    OPERATING_SYSTEM,
    OUT_OF_MEMORY,
    Checkpoints,
    CudaError,
    ProcessState,
)

_IN_WORDS: Final = {
    NOT_READY: "it went on computing for longer than was waited",
    NOT_SUPPORTED: "this driver, or what the process does (shared or managed memory), does not allow it",
    ILLEGAL_STATE: "somebody else parks or wakes it at the same time",
    NO_DEVICE: "the driver shows no GPU",
    OPERATING_SYSTEM: "it ended meanwhile (of its memory limit, it may be), or is another account's",
    OUT_OF_MEMORY: "the GPU has no room for what it had",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: `pids` that are parked (or woken) now; with a `failure`, none of them."""

    pids: tuple[int, ...] = ()
    failure: str = ""
    is_lost: bool = False  # a process cannot go on, and has to be ended

    def line(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> Outcome:
        """Read what `line` wrote; raises `ValueError` or `TypeError` for anything else."""
        told = json.loads(line)
        return cls(tuple(told["pids"]), str(told["failure"]), bool(told["is_lost"]))


class _Lost(Exception):
    """The driver says that a process cannot go on."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} lost its GPU memory and cannot go on")


def park(cuda: Checkpoints, pids: Sequence[int], lock_seconds: float) -> Outcome:
    """Move the GPU memory of all processes to the host, or of none.

    All are locked before the first is moved, so that they stop together; who uses no CUDA is left alone.
    """
    holders = [pid for pid in pids if cuda.state(pid) is not None]
    try:
        for pid in holders:
            _hold(cuda, pid, lock_seconds)
        for pid in holders:
            if cuda.state(pid) is ProcessState.LOCKED:
                cuda.checkpoint(pid)
    except (CudaError, _Lost) as error:
        undone = wake(cuda, holders)
        _let_go(cuda, holders)
        return Outcome((), "; ".join(filter(None, (_words(error), undone.failure))), undone.is_lost)
    return Outcome(tuple(holders))


def wake(cuda: Checkpoints, pids: Sequence[int]) -> Outcome:
    """Give all processes their GPU memory back and let them compute, or none.

    To be called only where the devices have the room: whoever finds none is lost for good. What the
    others were given is taken from them again then.
    """
    holders = [pid for pid in pids if cuda.state(pid) is not None]
    parked = [pid for pid in holders if cuda.state(pid) is ProcessState.CHECKPOINTED]
    try:
        for pid in holders:
            _fetch(cuda, pid)
    except (CudaError, _Lost) as error:
        failure = "; ".join([_words(error), *_taken_again(cuda, parked)])
        return Outcome((), failure, is_lost=True)
    _let_go(cuda, holders)
    return Outcome(tuple(holders))


def _let_go(cuda: Checkpoints, pids: Sequence[int]) -> None:
    for pid in pids:
        if cuda.state(pid) is ProcessState.LOCKED:
            cuda.unlock(pid)


def _taken_again(cuda: Checkpoints, parked: Sequence[int]) -> Iterator[str]:
    """Park anew those that were just restored; yield what fails."""
    for pid in parked:
        if cuda.state(pid) is ProcessState.LOCKED:
            try:
                cuda.checkpoint(pid)
            except CudaError as error:
                yield _words(error)


def _hold(cuda: Checkpoints, pid: int, seconds: float) -> None:
    match cuda.state(pid):
        case ProcessState.RUNNING:
            cuda.lock(pid, seconds)
        case ProcessState.FAILED:
            raise _Lost(pid)
        case _:
            pass


def _fetch(cuda: Checkpoints, pid: int) -> None:
    match cuda.state(pid):
        case ProcessState.CHECKPOINTED:
            cuda.restore(pid)
        case ProcessState.FAILED:
            raise _Lost(pid)
        case _:
            pass


def _words(error: CudaError | _Lost) -> str:
    reason = _IN_WORDS.get(error.code) if isinstance(error, CudaError) else None
    return f"{error} ({reason})" if reason else str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="parking", description=__doc__)
    parser.add_argument("what", choices=("park", "wake"))
    parser.add_argument("pids", nargs="+", type=int)
    parser.add_argument("--lock-seconds", type=float, default=10.0)
    asked = parser.parse_args(arguments)
    outcome = _run(
        lambda cuda: (
            park(cuda, asked.pids, asked.lock_seconds) if asked.what == "park" else wake(cuda, asked.pids)
        )
    )
    print(outcome.line())  # noqa: T201 - its answer
    return 1 if outcome.failure else 0


def _run(act: Callable[[Checkpoints], Outcome]) -> Outcome:
    try:
        return act(Checkpoints())
    except ImportError:
        return Outcome(failure="cuda-bindings is not installed: pip install 'jupyterhub-mesos[parking]'")
    except RuntimeError as error:
        return Outcome(failure=f"this machine has no CUDA driver that can do it: {error}")
    except CudaError as error:
        return Outcome(failure=_words(error))


if __name__ == "__main__":
    sys.exit(main())
