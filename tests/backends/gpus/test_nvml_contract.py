"""The library in C against the real `nvidia-ml-py`: the same structs, versions, names and codes."""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pynvml
import pytest

from jupyterhub_mesos.backends.gpus import nvml
from nvml.driver import GIB, HIDDEN_BYTES, SOURCE, FakeDriver, FakeGpu, FakeInstance, h200s

DISTINCT = FakeGpu(
    "GPU-5",
    minor=3,
    total=80 * GIB,
    reserved=GIB,
    used=7 * GIB,
    utilisation=42,
    processes=((11, GIB), (12, HIDDEN_BYTES)),
)
INSTANCE = FakeInstance(2, "MIG-1", "NVIDIA A100-SXM4-80GB MIG 3g.40gb", 5, 1, 3, 2, 40192, used=GIB)


@pytest.fixture
def opened(driver: FakeDriver) -> Iterator[FakeDriver]:
    driver.have(FakeGpu("GPU-0", mig_mode=1, instances=(INSTANCE,)), DISTINCT)
    pynvml.nvmlInitWithFlags(nvml.INIT_WITHOUT_GPUS)
    yield driver
    pynvml.nvmlShutdown()


@pytest.fixture
def handle(opened: FakeDriver) -> object:
    return pynvml.nvmlDeviceGetHandleByIndex(1)


@pytest.fixture
def instance(opened: FakeDriver) -> object:
    return pynvml.nvmlDeviceGetMigDeviceHandleByIndex(pynvml.nvmlDeviceGetHandleByIndex(0), 2)


def members(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if name.startswith("nvml")]


@pytest.mark.parametrize("name", members(nvml.Nvml))
def test_what_we_call_is_in_nvidia_ml_py_with_the_arguments_we_give(name: str) -> None:
    ours = list(inspect.signature(getattr(nvml.Nvml, name)).parameters.values())[1:]
    theirs = list(inspect.signature(getattr(pynvml, name)).parameters.values())
    assert len(ours) == len(theirs)
    assert [each.default for each in ours] == [each.default for each in theirs]


def test_every_symbol_that_those_functions_look_up_is_in_the_library() -> None:
    exported = set(re.findall(r"^\w[\w ]*?\*?(nvml\w+)\(", SOURCE.read_text(), re.MULTILINE))
    for name in members(nvml.Nvml):
        source = inspect.getsource(inspect.unwrap(getattr(pynvml, name)))
        assert set(re.findall(r'_nvmlGetFunctionPointer\("(\w+)"\)', source)) <= exported


@pytest.mark.parametrize(
    "struct",
    [
        "c_nvmlMemory_t",
        "c_nvmlMemory_v2_t",
        "c_nvmlUtilization_t",
        "c_nvmlProcessInfo_v3_t",
        "c_nvmlDeviceAttributes",
    ],
)
def test_the_structs_are_as_large(struct: str, nvml_library: Path) -> None:
    size = ctypes.CDLL(str(nvml_library)).fake_nvml_sizeof(struct.encode())
    assert size == ctypes.sizeof(getattr(pynvml, struct)) > 0


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nvml.INIT_WITHOUT_GPUS, "NVML_INIT_FLAG_NO_GPUS"),
        (nvml.MEMORY_V2, "nvmlMemory_v2"),
        (nvml.MIG_ON, "NVML_DEVICE_MIG_ENABLE"),
        (nvml.UNINITIALIZED, "NVML_ERROR_UNINITIALIZED"),
        (nvml.NOT_SUPPORTED, "NVML_ERROR_NOT_SUPPORTED"),
        (nvml.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION"),
        (nvml.NOT_FOUND, "NVML_ERROR_NOT_FOUND"),
        (nvml.INSUFFICIENT_SIZE, "NVML_ERROR_INSUFFICIENT_SIZE"),
        (nvml.DRIVER_NOT_LOADED, "NVML_ERROR_DRIVER_NOT_LOADED"),
        (nvml.LIBRARY_NOT_FOUND, "NVML_ERROR_LIBRARY_NOT_FOUND"),
        (nvml.FUNCTION_NOT_FOUND, "NVML_ERROR_FUNCTION_NOT_FOUND"),
        (nvml.GPU_IS_LOST, "NVML_ERROR_GPU_IS_LOST"),
        (nvml.VERSION_MISMATCH, "NVML_ERROR_LIB_RM_VERSION_MISMATCH"),
        (nvml.ARGUMENT_VERSION_MISMATCH, "NVML_ERROR_ARGUMENT_VERSION_MISMATCH"),
    ],
)
def test_our_numbers_are_nvidias(ours: int, theirs: str) -> None:
    assert ours == getattr(pynvml, theirs)


def test_every_field_of_a_gpu_arrives_where_it_belongs(handle: object) -> None:
    assert pynvml.nvmlSystemGetDriverVersion() == "580.159.03"
    assert pynvml.nvmlDeviceGetCount() == 2
    assert (pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle)) == ("GPU-5", "NVIDIA H200")
    assert pynvml.nvmlDeviceGetMinorNumber(handle) == 3
    assert pynvml.nvmlDeviceGetUtilizationRates(handle).gpu == 42
    assert pynvml.nvmlDeviceGetMigMode(handle) == [0, 0]


def test_the_first_memory_struct_counts_the_drivers_own_as_used(handle: object) -> None:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    assert (memory.total, memory.free, memory.used) == (80 * GIB, 72 * GIB, 8 * GIB)


def test_the_second_memory_struct_tells_it_apart(handle: object) -> None:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
    assert (memory.total, memory.reserved, memory.free, memory.used) == (80 * GIB, GIB, 72 * GIB, 7 * GIB)


def test_a_wrong_struct_version_is_refused(handle: object) -> None:
    with pytest.raises(pynvml.NVMLError, match=r".") as refused:
        pynvml.nvmlDeviceGetMemoryInfo(handle, 0x03000028)
    assert refused.value.value == pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH


def test_processes_come_with_their_memory_unless_it_is_hidden(handle: object) -> None:
    found = pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    assert [(each.pid, each.usedGpuMemory) for each in found] == [(11, GIB), (12, None)]


def test_every_field_of_an_instance_arrives_where_it_belongs(instance: object) -> None:
    share = pynvml.nvmlDeviceGetAttributes_v2(instance)
    assert (share.gpuInstanceSliceCount, share.computeInstanceSliceCount, share.memorySizeMB) == (3, 2, 40192)
    assert pynvml.nvmlDeviceGetGpuInstanceId(instance) == 5
    assert pynvml.nvmlDeviceGetComputeInstanceId(instance) == 1
    assert pynvml.nvmlDeviceGetUUID(instance) == "MIG-1"


def test_an_instance_has_no_utilisation_and_no_file_of_its_own(instance: object) -> None:
    with pytest.raises(pynvml.NVMLError_NotSupported):
        pynvml.nvmlDeviceGetUtilizationRates(instance)
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        pynvml.nvmlDeviceGetMinorNumber(instance)


def test_a_handle_dies_with_its_session(handle: object) -> None:
    pynvml.nvmlShutdown()
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        pynvml.nvmlDeviceGetUUID(handle)
    pynvml.nvmlInitWithFlags(nvml.INIT_WITHOUT_GPUS)
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        pynvml.nvmlDeviceGetUUID(handle)


def test_without_our_flag_a_driver_without_gpus_fails(driver: FakeDriver) -> None:
    with pytest.raises(pynvml.NVMLError_NotFound):
        pynvml.nvmlInit()


_SHOW = """
import asyncio, json
from jupyterhub_mesos.backends.gpus import Gpus
found = asyncio.run(Gpus().look())
print(json.dumps([found.driver, [gpu.id for gpu in found.gpus]]))
"""


def test_another_process_finds_the_driver_by_the_librarys_own_name(driver: FakeDriver) -> None:
    driver.have(*h200s(2))
    done = subprocess.run(
        [sys.executable, "-c", _SHOW],
        env={**os.environ, **driver.environment()},
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(done.stdout) == [driver.version, [gpu.uuid for gpu in driver.gpus]]
