"""One look at all devices through an open library.

A device that fails is left out with a sentence; only a failure of the whole
library ends the look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.gpus import nodes
from jupyterhub_mesos.backends.gpus.flavors import Flavors, Slices, flavor_of_instance, flavor_of_name
from jupyterhub_mesos.backends.gpus.inventory import Gpu, GpuProcess, Inventory, Standing
from jupyterhub_mesos.backends.gpus.nvml import (
    MEMORY_V2,
    MIG_ON,
    NVML,
    SESSION_OVER,
    Handle,
    Memory,
    NvmlError,
    code,
    told,
)
from jupyterhub_mesos_quota.model import DeviceId

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Parent:
    """A GPU in MIG mode: not given out itself."""

    id: DeviceId
    index: int
    name: str
    handle: Handle
    minor: int
    mem_mib: int
    capabilities: Mapping[str, str]


@dataclass(slots=True)
class Reading:
    """What is needed for one look, and the faults that it met."""

    flavors: Flavors
    mig_minors: Path
    faults: list[str] = field(default_factory=list[str])

    def read(self) -> Inventory:
        """Read all devices, in the driver's order; raises `NvmlError` where the library fails as a whole."""
        driver = NVML.nvmlSystemGetDriverVersion()
        gpus = tuple(gpu for index in range(NVML.nvmlDeviceGetCount()) for gpu in self._gpus_at(index))
        return Inventory(Standing.READY, gpus, driver, faults=tuple(self.faults))

    def _gpus_at(self, index: int) -> list[Gpu]:
        """Read one GPU, or its instances where MIG is on."""
        try:
            handle = NVML.nvmlDeviceGetHandleByIndex(index)
            mode = told(lambda: NVML.nvmlDeviceGetMigMode(handle))
            if mode is not None and mode[0] == MIG_ON:
                return self._instances(self._parent(index, handle))
            return [self._gpu(index, handle)]
        except NvmlError as error:
            self._note(f"GPU {index}", error)
            return []

    def _note(self, what: str, error: Exception) -> None:
        if code(error) in SESSION_OVER:
            raise error
        self.faults.append(f"{what} is left out: {error}")

    def _gpu(self, index: int, handle: Handle) -> Gpu:
        uuid, name = NVML.nvmlDeviceGetUUID(handle), NVML.nvmlDeviceGetName(handle)
        flavor = self.flavors.flavor(uuid, name, flavor_of_name(name))
        files = (nodes.of_gpu(NVML.nvmlDeviceGetMinorNumber(handle)),)
        return _device(handle, Gpu(DeviceId(uuid), str(index), name, flavor, nodes=files))

    def _parent(self, index: int, handle: Handle) -> _Parent:
        memory = _memory(handle)
        return _Parent(
            DeviceId(NVML.nvmlDeviceGetUUID(handle)),
            index,
            NVML.nvmlDeviceGetName(handle),
            handle,
            NVML.nvmlDeviceGetMinorNumber(handle),
            memory.total // _MIB if memory else 0,
            nodes.capabilities(self.mig_minors),
        )

    def _instances(self, parent: _Parent) -> list[Gpu]:
        before = len(self.faults)
        most = NVML.nvmlDeviceGetMaxMigDeviceCount(parent.handle)
        tried = [self._instance_at(number, parent) for number in range(most)]
        found = [instance for instance in tried if instance is not None]
        if not found and len(self.faults) == before:
            self.faults.append(
                f"GPU {parent.index} is in MIG mode and has no instances: `nvidia-smi mig` makes them"
            )
        return found

    def _instance_at(self, number: int, parent: _Parent) -> Gpu | None:
        index = f"{parent.index}:{number}"
        try:
            handle = told(lambda: NVML.nvmlDeviceGetMigDeviceHandleByIndex(parent.handle, number))
            return None if handle is None else self._instance(index, handle, parent)
        except NvmlError as error:
            self._note(f"MIG instance {index}", error)
            return None

    def _instance(self, index: str, handle: Handle, parent: _Parent) -> Gpu:
        uuid, name = NVML.nvmlDeviceGetUUID(handle), NVML.nvmlDeviceGetName(handle)
        rule = flavor_of_instance(parent.name, name, _slices(handle, parent))
        flavor = self.flavors.flavor(uuid, name, rule)
        files = (nodes.of_gpu(parent.minor), *_capability_files(handle, parent))
        return _device(handle, Gpu(DeviceId(uuid), index, name, flavor, nodes=files, parent=parent.id))


def _device(handle: Handle, known: Gpu) -> Gpu:
    """Add what goes on on a device."""
    memory = _memory(handle)
    return replace(
        known,
        mem_mib=memory.total // _MIB if memory else None,
        used_mib=memory.used // _MIB if memory else None,
        utilisation_percent=_utilisation(handle),
        processes=_processes(handle),
    )


def _memory(handle: Handle) -> Memory | None:
    """Read the memory; drivers before 510 know the first version alone."""
    newer = told(lambda: NVML.nvmlDeviceGetMemoryInfo(handle, MEMORY_V2))
    return newer if newer is not None else told(lambda: NVML.nvmlDeviceGetMemoryInfo(handle))


def _utilisation(handle: Handle) -> int | None:
    rates = told(lambda: NVML.nvmlDeviceGetUtilizationRates(handle))
    return None if rates is None else rates.gpu


def _processes(handle: Handle) -> tuple[GpuProcess, ...] | None:
    found = told(lambda: NVML.nvmlDeviceGetComputeRunningProcesses_v3(handle))
    if found is None:
        return None
    pairs = ((each.pid, each.usedGpuMemory) for each in found)
    return tuple(GpuProcess(pid, None if used is None else used // _MIB) for pid, used in pairs)


def _slices(handle: Handle, parent: _Parent) -> Slices | None:
    share = told(lambda: NVML.nvmlDeviceGetAttributes_v2(handle))
    if share is None or not parent.mem_mib:
        return None
    slices = share.gpuInstanceSliceCount, share.computeInstanceSliceCount
    return Slices(*slices, share.memorySizeMB, parent.mem_mib)


def _capability_files(instance: Handle, parent: _Parent) -> tuple[str, ...]:
    gpu_instance = NVML.nvmlDeviceGetGpuInstanceId(instance)
    compute_instance = NVML.nvmlDeviceGetComputeInstanceId(instance)
    return tuple(nodes.of_instance(parent.minor, gpu_instance, compute_instance, parent.capabilities))
