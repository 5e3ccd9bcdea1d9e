"""NVIDIA's process checkpoints as we use them, with types and one kind of error.

The functions are those of the driver (`cuCheckpointProcess*`, driver 570 or newer) through
`cuda.bindings`, which has no types. Each acts on another process, by its id in the caller's namespace.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

# Codes of `CUresult`, by cuda.h.
OUT_OF_MEMORY: Final = 2
NOT_INITIALIZED: Final = 3  # also: the process uses no CUDA
NO_DEVICE: Final = 100
OPERATING_SYSTEM: Final = 304  # also: there is no such process, or it is another account's
ILLEGAL_STATE: Final = 401
NOT_READY: Final = 600  # also: it was not locked in time
NOT_SUPPORTED: Final = 801


class ProcessState(IntEnum):
    """Where a process stands (`CUprocessState`)."""

    RUNNING = 0
    LOCKED = 1  # its calls into CUDA wait
    CHECKPOINTED = 2  # its GPU memory is in the host's, and its devices are let go
    FAILED = 3  # it cannot go on


class CudaError(Exception):
    """A function of the driver failed; `code` is its `CUresult`."""

    def __init__(self, function: str, pid: int, result: object) -> None:
        name = getattr(result, "name", str(result))
        super().__init__(f"{function} of process {pid}: {name}")
        self.code = int(cast("int", result))
        self.pid = pid


class _LockArgs(Protocol):
    timeoutMs: int  # noqa: N815 - the library's name


class _Library(Protocol):
    """The module `cuda.bindings.driver`, as far as we call it; each answers its `CUresult` first."""

    def CUcheckpointLockArgs(self) -> _LockArgs: ...  # noqa: N802
    def cuInit(self, flags: int) -> tuple[object]: ...  # noqa: N802
    def cuCheckpointProcessGetState(self, pid: int) -> tuple[object, object]: ...  # noqa: N802
    def cuCheckpointProcessLock(self, pid: int, args: object) -> tuple[object]: ...  # noqa: N802
    def cuCheckpointProcessCheckpoint(self, pid: int, args: object) -> tuple[object]: ...  # noqa: N802
    def cuCheckpointProcessRestore(self, pid: int, args: object) -> tuple[object]: ...  # noqa: N802
    def cuCheckpointProcessUnlock(self, pid: int, args: object) -> tuple[object]: ...  # noqa: N802


class Checkpoints:
    """The driver's functions; all block, the memory's way to the host and back for as long as it takes."""

    def __init__(self) -> None:
        """Load driver and binding; raises `ImportError` without the binding, `RuntimeError` without a driver.

        Raises `CudaError` where the driver has no device. The driver is initialised, because a restore
        on a machine without persistence mode asks for it.
        """
        self._library = cast("_Library", import_module("cuda.bindings.driver"))
        [result] = self._library.cuInit(0)
        if result:
            raise CudaError("cuInit", 0, result)

    def state(self, pid: int) -> ProcessState | None:
        """Return where a process stands; None where it is gone or uses no CUDA."""
        result, state = self._library.cuCheckpointProcessGetState(pid)
        if not result:
            return ProcessState(cast("int", state))
        code = int(cast("int", result))
        if code == NOT_INITIALIZED or (code == OPERATING_SYSTEM and not Path(f"/proc/{pid}").exists()):
            return None
        raise CudaError("cuCheckpointProcessGetState", pid, result)

    def lock(self, pid: int, seconds: float) -> None:
        """RUNNING -> LOCKED; raises `CudaError` where what it computes is not done in time."""
        args = self._library.CUcheckpointLockArgs()
        args.timeoutMs = max(1, round(seconds * 1000))
        self._do(self._library.cuCheckpointProcessLock, pid, args)

    def checkpoint(self, pid: int) -> None:
        """LOCKED -> CHECKPOINTED."""
        self._do(self._library.cuCheckpointProcessCheckpoint, pid, None)

    def restore(self, pid: int) -> None:
        """CHECKPOINTED -> LOCKED; raises `CudaError` where the device has no room for what it had.

        Measured: after that it can never be restored, though the driver says CHECKPOINTED still.
        """
        self._do(self._library.cuCheckpointProcessRestore, pid, None)

    def unlock(self, pid: int) -> None:
        """LOCKED -> RUNNING."""
        self._do(self._library.cuCheckpointProcessUnlock, pid, None)

    def _do(self, function: Callable[[int, object], tuple[object]], pid: int, args: object) -> None:
        [result] = function(pid, args)
        if result:
            raise CudaError(function.__name__, pid, result)
