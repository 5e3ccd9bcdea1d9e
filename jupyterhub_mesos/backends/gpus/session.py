"""The library held open between looks, and opened anew when the driver went away under it.

It is held open because opening it wakes every GPU that nothing else keeps
awake, which takes seconds each. Everything here blocks: one thread at a time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.gpus.flavors import Flavors
from jupyterhub_mesos.backends.gpus.inventory import Inventory, Standing
from jupyterhub_mesos.backends.gpus.nvml import (
    DRIVER_NOT_LOADED,
    INIT_WITHOUT_GPUS,
    LIBRARY_NOT_FOUND,
    NO_PERMISSION,
    NVML,
    VERSION_MISMATCH,
    NvmlError,
    code,
)
from jupyterhub_mesos.backends.gpus.reading import Reading

log = logging.getLogger(__name__)

_ABSENT: Final = {
    LIBRARY_NOT_FOUND: "this machine has no NVIDIA driver (no libnvidia-ml.so.1)",
    DRIVER_NOT_LOADED: "the NVIDIA driver is installed and not loaded",
}
_CURES: Final = {
    DRIVER_NOT_LOADED: "if this machine has GPUs: `modprobe nvidia`",
    NO_PERMISSION: "let the service's account open /dev/nvidiactl",
    VERSION_MISMATCH: "the driver was replaced: reload it or reboot, then restart the service",
}
_CURE: Final = "ask `nvidia-smi` and the kernel's log"


@dataclass(slots=True)
class Session:
    """NVML as one service uses it."""

    flavors: Flavors
    mig_minors: Path
    is_open: bool = False

    def read(self) -> Inventory:
        """Look at all devices; whatever the driver does, the answer is an inventory."""
        was_open = self.is_open
        try:
            inventory = self._read()
        except NvmlError as error:
            self.close()
            if not was_open:
                return _failed(error)
            log.warning("NVML: %s; it is initialised again", error)
            return self.read()
        if was_open and inventory.faults and not inventory.gpus:  # it may be the library that went stale
            self.close()
            return self.read()
        return inventory

    def _read(self) -> Inventory:
        if not self.is_open:
            NVML.nvmlInitWithFlags(INIT_WITHOUT_GPUS)
            self.is_open = True
        return Reading(self.flavors, self.mig_minors).read()

    def close(self) -> None:
        """Let the driver go, so that it can be unloaded."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            NVML.nvmlShutdown()
        except NvmlError as error:
            log.debug("NVML: %s at the end", error)


def _failed(error: Exception) -> Inventory:
    number = code(error)
    if number in _ABSENT:
        return Inventory(Standing.ABSENT, message=_ABSENT[number], cure=_CURES.get(number, ""))
    message = f"the NVIDIA driver does not work: {error}"
    return Inventory(Standing.FAILED, message=message, cure=_CURES.get(number, _CURE))
