"""NVIDIA's library as we use it, with types: `nvidia-ml-py` has none.

`Nvml` names every function that we call; a test runs each of them against a
library compiled from C, so that a change of `nvidia-ml-py` is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, NewType, Protocol, TypeVar, cast

T = TypeVar("T")

Handle = NewType("Handle", object)
"""A device as the library names it; good until the library is shut down."""

INIT_WITHOUT_GPUS: Final = 1  # NVML_INIT_FLAG_NO_GPUS: a driver without a device is no failure
MEMORY_V2: Final = 0x02000028  # nvmlMemory_v2: the size of the struct and its version
MIG_ON: Final = 1  # NVML_DEVICE_MIG_ENABLE

# Codes of `nvmlReturn_t`, by nvml.h.
UNINITIALIZED: Final = 1
NOT_SUPPORTED: Final = 3
NO_PERMISSION: Final = 4
NOT_FOUND: Final = 6
INSUFFICIENT_SIZE: Final = 7
DRIVER_NOT_LOADED: Final = 9
LIBRARY_NOT_FOUND: Final = 12
FUNCTION_NOT_FOUND: Final = 13
GPU_IS_LOST: Final = 15
VERSION_MISMATCH: Final = 18
ARGUMENT_VERSION_MISMATCH: Final = 25

UNTOLD: Final = frozenset(
    (
        NOT_SUPPORTED,
        NO_PERMISSION,
        NOT_FOUND,
        INSUFFICIENT_SIZE,
        FUNCTION_NOT_FOUND,
        ARGUMENT_VERSION_MISMATCH,
    )
)
"""This device, this driver or this account does not tell it: no fault of the device's."""
SESSION_OVER: Final = frozenset((UNINITIALIZED, DRIVER_NOT_LOADED, VERSION_MISMATCH))
"""The driver was unloaded or replaced under us."""


class Memory(Protocol):
    """Bytes of a device; `used` does not hold what the driver keeps for itself, where it tells that apart."""

    total: int
    used: int


class Utilisation(Protocol):
    """Per cent of the last sample period in which a kernel ran."""

    gpu: int


class Process(Protocol):
    """A process on a device."""

    pid: int
    usedGpuMemory: int | None  # noqa: N815 - the library's name


class Attributes(Protocol):
    """A MIG instance's share."""

    gpuInstanceSliceCount: int  # noqa: N815 - the library's name
    computeInstanceSliceCount: int  # noqa: N815 - the library's name
    memorySizeMB: int  # noqa: N815 - the library's name


class Nvml(Protocol):
    """The module `pynvml`, as far as we call it; every function may raise its `NVMLError`."""

    def nvmlInitWithFlags(self, flags: int) -> None: ...  # noqa: D102, N802
    def nvmlShutdown(self) -> None: ...  # noqa: D102, N802
    def nvmlSystemGetDriverVersion(self) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Handle: ...  # noqa: D102, N802
    def nvmlDeviceGetUUID(self, handle: Handle) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetName(self, handle: Handle) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetMinorNumber(self, handle: Handle) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetMemoryInfo(self, handle: Handle, version: int | None = None) -> Memory: ...  # noqa: D102, N802
    def nvmlDeviceGetUtilizationRates(self, handle: Handle) -> Utilisation: ...  # noqa: D102, N802
    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Handle) -> Sequence[Process]: ...  # noqa: D102, N802
    def nvmlDeviceGetMigMode(self, handle: Handle) -> Sequence[int]: ...  # noqa: D102, N802
    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Handle) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Handle, index: int) -> Handle: ...  # noqa: D102, N802
    def nvmlDeviceGetAttributes_v2(self, handle: Handle) -> Attributes: ...  # noqa: D102, N802
    def nvmlDeviceGetGpuInstanceId(self, handle: Handle) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetComputeInstanceId(self, handle: Handle) -> int: ...  # noqa: D102, N802


class NvmlFailure(Protocol):
    """What the library's errors carry."""

    value: int


_module = import_module("pynvml")
NVML: Final = cast("Nvml", _module)
NvmlError: Final = cast("type[Exception]", _module.NVMLError)
"""Every failure that the library tells; `code` says which."""


def code(error: Exception) -> int:
    """Return the `nvmlReturn_t` of one of the library's errors."""
    return cast("NvmlFailure", error).value


def told(ask: Callable[[], T]) -> T | None:
    """Return what is asked, None where it is not told; any other failure is raised."""
    try:
        return ask()
    except NvmlError as error:
        if code(error) in UNTOLD:
            return None
        raise
