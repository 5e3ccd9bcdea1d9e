"""What a look at the driver finds: GPUs, instances, nothing, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pynvml
import pytest

from deadlines import DEADLINE_SECONDS
from jupyterhub_mesos.backends.gpus import GpuProcess, Gpus, Standing
from nvml.driver import (
    DRIVER_NOT_LOADED,
    GIB,
    GPU_IS_LOST,
    HIDDEN_BYTES,
    FakeDriver,
    FakeGpu,
    FakeInstance,
    h200s,
    unload,
)

GpusOf = Callable[..., Gpus]

A100 = "NVIDIA A100-SXM4-80GB"
UNKNOWN_ERROR = 999
MIG = FakeGpu(
    "GPU-mig",
    A100,
    minor=1,
    total=80 * GIB,
    mig_mode=1,
    instances=(
        FakeInstance(0, "MIG-a", f"{A100} MIG 1g.10gb", 7, 0, used=GIB, processes=((77, GIB),)),
        FakeInstance(3, "MIG-b", f"{A100} MIG 3g.40gb", 2, 0, 3, 3, 40192),
    ),
)


async def test_all_gpus_of_a_machine_are_found_in_the_drivers_order(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(*h200s(8))
    found = await gpus_of().look()
    assert [gpu.id for gpu in found.gpus] == [gpu.uuid for gpu in driver.gpus]
    assert [(gpu.index, gpu.name, gpu.flavor, gpu.mem_mib) for gpu in found.gpus] == [
        (str(index), "NVIDIA H200", "h200", 141 * 1024) for index in range(8)
    ]
    assert found.counts() == {"h200": 8}
    assert found.fact().holds
    assert found.fact().detail == "8 h200, driver 580.159.03"


async def test_a_gpus_files_go_by_its_minor_number_and_not_by_its_index(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(*h200s(8))
    found = await gpus_of().look()
    assert found.nodes([found.gpus[0].id]) == ("nvidiactl", "nvidia-uvm", "nvidia7")
    assert found.nodes([]) == ()


async def test_use_and_processes_are_seen_as_they_change(driver: FakeDriver, gpus_of: GpusOf) -> None:
    driver.have(*h200s(2))
    gpus = gpus_of()
    [first, _] = (await gpus.look()).gpus
    assert (first.used_mib, first.utilisation_percent, first.processes) == (0, 0, ())
    many = tuple((pid, GIB) for pid in range(100, 140))
    driver.change(
        0, used=5 * GIB, reserved=GIB, utilisation=93, processes=((41, 2 * GIB), (42, HIDDEN_BYTES), *many)
    )
    [first, second] = (await gpus.look()).gpus
    assert (first.used_mib, first.utilisation_percent) == (5 * 1024, 93)
    assert first.processes is not None
    assert first.processes[:3] == (GpuProcess(41, 2048), GpuProcess(42, None), GpuProcess(100, 1024))
    assert len(first.processes) == 42
    assert second.processes == ()


async def test_with_mig_on_the_instances_are_given_out_and_their_gpu_is_not(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(*h200s(1), MIG)
    found = await gpus_of().look()
    assert [(gpu.id, gpu.index, gpu.flavor, gpu.parent) for gpu in found.gpus[1:]] == [
        ("MIG-a", "1:0", "a100-1g.10gb", "GPU-mig"),
        ("MIG-b", "1:3", "a100-3g.40gb", "GPU-mig"),
    ]
    assert "GPU-mig" not in {device.id for device in found.devices()}
    assert found.counts() == {"h200": 1, "a100-1g.10gb": 1, "a100-3g.40gb": 1}


async def test_an_instance_has_memory_and_processes_but_no_utilisation(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(MIG)
    [one, _] = (await gpus_of().look()).gpus
    assert (one.mem_mib, one.used_mib, one.utilisation_percent) == (9728, 1024, None)
    assert one.processes == (GpuProcess(77, 1024),)


async def test_an_instance_is_reached_by_its_gpus_file_and_two_capabilities(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(MIG)
    found = await gpus_of().look()
    written = dict(line.split() for line in driver.mig_minors.read_text().splitlines())
    capabilities = [
        f"nvidia-caps/nvidia-cap{written[f'gpu1/gi7/{name}']}" for name in ("access", "ci0/access")
    ]
    assert found.gpus[0].nodes == ("nvidia1", *capabilities)


async def test_the_profile_comes_from_the_slices_where_the_name_hides_it(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    hidden = tuple(replace(instance, name=A100) for instance in MIG.instances)
    driver.have(replace(MIG, instances=hidden))
    assert (await gpus_of().look()).counts() == {"a100-1g.10gb": 1, "a100-3g.40gb": 1}


async def test_mig_mode_without_instances_gives_nothing_out_and_says_so(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(replace(MIG, instances=()))
    found = await gpus_of().look()
    assert found.devices() == ()
    assert "GPU 0 is in MIG mode and has no instances" in found.fact().detail


async def test_instances_appear_and_vanish_between_looks(driver: FakeDriver, gpus_of: GpusOf) -> None:
    driver.have(replace(MIG, mig_mode=0, instances=()))
    gpus = gpus_of()
    assert (await gpus.look()).counts() == {"a100": 1}
    driver.have(MIG)
    assert (await gpus.look()).counts() == {"a100-1g.10gb": 1, "a100-3g.40gb": 1}


async def test_exceptions_rename_devices_and_keep_some_back(driver: FakeDriver, gpus_of: GpusOf) -> None:
    driver.have(*h200s(2), FakeGpu("GPU-screen", "NVIDIA T400"))
    found = await gpus_of({"GPU-00000001-aaaa-bbbb": "big", "t400": ""}).look()
    assert found.counts() == {"h200": 1, "big": 1}
    assert found.fact().detail == "1 big, 1 h200, 1 kept back, driver 580.159.03"


# ---- nothing there is a normal answer --------------------------------------------------------------


async def test_a_driver_without_gpus_is_a_normal_answer(driver: FakeDriver, gpus_of: GpusOf) -> None:
    found = await gpus_of().look()
    assert (found.standing, found.gpus, found.fact().holds) == (Standing.READY, (), True)
    assert found.fact().detail == "none, driver 580.159.03"


async def test_no_library_is_a_normal_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> NoReturn:
        raise OSError(f"{name}: cannot open shared object file")

    unload(monkeypatch)
    monkeypatch.setattr(pynvml, "CDLL", missing)
    gpus = Gpus()
    found = await gpus.look()
    await gpus.close()
    assert (found.standing, found.gpus, found.fact().holds) == (Standing.ABSENT, (), True)
    assert "no NVIDIA driver" in found.fact().detail


async def test_a_driver_that_is_not_loaded_is_a_normal_answer_with_a_cure(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.fail("nvmlInitWithFlags", DRIVER_NOT_LOADED)
    fact = (await gpus_of().look()).fact()
    assert fact.holds
    assert "modprobe nvidia" in fact.cure


# ---- what goes wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said", "cure"),
    [
        (18, "version mismatch", "restart the service"),
        (4, "Insufficient Permissions", "/dev/nvidiactl"),
        (999, "Unknown", "nvidia-smi"),
    ],
)
async def test_a_driver_that_refuses_is_told_with_a_cure(
    driver: FakeDriver, gpus_of: GpusOf, code: int, said: str, cure: str
) -> None:
    driver.have(*h200s(1))
    driver.fail("nvmlInitWithFlags", code)
    gpus = gpus_of()
    found = await gpus.look()
    assert (found.standing, found.gpus, found.fact().holds) == (Standing.FAILED, (), False)
    assert said in found.fact().detail
    assert cure in found.fact().cure
    driver.fail("nvmlInitWithFlags", 0)
    assert (await gpus.look()).counts() == {"h200": 1}


async def test_a_gpu_that_falls_off_the_bus_drops_out_and_the_rest_stay(
    driver: FakeDriver, gpus_of: GpusOf, caplog: pytest.LogCaptureFixture
) -> None:
    driver.have(*h200s(8))
    gpus = gpus_of()
    await gpus.look()
    driver.change(3, code=GPU_IS_LOST)
    with caplog.at_level(logging.WARNING):
        found = await gpus.look()
        await gpus.look()
    assert [gpu.index for gpu in found.gpus] == ["0", "1", "2", "4", "5", "6", "7"]
    assert not found.fact().holds
    assert "GPU 3 is left out: GPU is lost" in found.fact().detail
    assert sum("GPU is lost" in record.getMessage() for record in caplog.records) == 1, "told once"
    driver.change(3, code=0)
    assert (await gpus.look()).counts() == {"h200": 8}


@pytest.mark.parametrize(
    "function", ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetMigMode"]
)
async def test_a_gpu_that_is_lost_in_the_middle_of_a_look_is_no_end_of_it(
    driver: FakeDriver, gpus_of: GpusOf, function: str
) -> None:
    driver.have(*h200s(1))
    gpus = gpus_of()
    await gpus.look()
    driver.fail(function, GPU_IS_LOST)
    found = await gpus.look()
    assert (found.standing, found.gpus) == (Standing.READY, ())
    driver.fail(function, 0)
    assert (await gpus.look()).counts() == {"h200": 1}


async def test_one_broken_instance_leaves_the_others(driver: FakeDriver, gpus_of: GpusOf) -> None:
    broken = replace(MIG.instances[0], code=UNKNOWN_ERROR)
    driver.have(replace(MIG, instances=(broken, MIG.instances[1])))
    found = await gpus_of().look()
    assert [gpu.id for gpu in found.gpus] == ["MIG-b"]
    assert "MIG instance 0:0 is left out" in found.fact().detail


@pytest.mark.parametrize(
    "function",
    [
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetMemoryInfo_v2",
    ],
)
async def test_what_a_device_does_not_tell_is_unknown_and_no_fault(
    driver: FakeDriver, gpus_of: GpusOf, function: str
) -> None:
    driver.have(*h200s(1))
    driver.fail(function, pynvml.NVML_ERROR_NOT_SUPPORTED)
    [gpu] = (found := await gpus_of().look()).gpus
    assert found.fact().holds
    assert gpu.mem_mib == 141 * 1024, "older drivers tell it by the first struct"
    assert (gpu.utilisation_percent is None) == ("Utilization" in function)
    assert (gpu.processes is None) == ("Processes" in function)


@pytest.mark.parametrize("by_devices", [False, True])
@pytest.mark.parametrize("stale", [pynvml.NVML_ERROR_UNINITIALIZED, DRIVER_NOT_LOADED, UNKNOWN_ERROR])
async def test_after_a_reload_of_the_driver_the_library_is_initialised_again(
    driver: FakeDriver, gpus_of: GpusOf, stale: int, by_devices: bool
) -> None:
    driver.have(*h200s(2))
    gpus = gpus_of()
    await gpus.look()
    driver.have(*h200s(4))
    driver.reload(stale, is_stale_by_devices=by_devices)
    found = await gpus.look()
    assert (found.standing, found.counts()) == (Standing.READY, {"h200": 4})


async def test_a_driver_that_goes_away_in_the_middle_of_a_look_leaves_no_half_of_it(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(*h200s(2))
    driver.change(1, code=DRIVER_NOT_LOADED)
    found = await gpus_of().look()
    assert (found.standing, found.gpus) == (Standing.ABSENT, ())


async def test_while_the_driver_is_unloaded_there_are_no_gpus(driver: FakeDriver, gpus_of: GpusOf) -> None:
    driver.have(*h200s(2))
    gpus = gpus_of()
    await gpus.look()
    driver.reload()
    driver.fail("nvmlInitWithFlags", DRIVER_NOT_LOADED)
    assert (await gpus.look()).standing is Standing.ABSENT
    driver.fail("nvmlInitWithFlags", 0)
    assert (await gpus.look()).counts() == {"h200": 2}


# ---- never in the loop's way -----------------------------------------------------------------------


async def test_while_the_driver_thinks_the_loop_goes_on(driver: FakeDriver, gpus_of: GpusOf) -> None:
    driver.have(*h200s(1))
    gpus = gpus_of()
    driver.hold("nvmlDeviceGetCount_v2")
    looks = [asyncio.create_task(gpus.look()) for _ in range(3)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert not any(look.done() for look in looks)
    driver.release()
    async with asyncio.timeout(DEADLINE_SECONDS):
        found = await asyncio.gather(*looks)
    assert [each.counts() for each in found] == [{"h200": 1}] * 3
    assert found[0] is found[2], "one look for all who ask meanwhile"


async def test_a_driver_that_hangs_leaves_what_was_known_and_is_asked_no_second_time(
    driver: FakeDriver, gpus_of: GpusOf
) -> None:
    driver.have(*h200s(2))
    gpus = gpus_of(answer_seconds=0.05)
    while (await gpus.look()).standing is not Standing.READY:  # a busy machine may need more than one look
        pass
    driver.hold("nvmlDeviceGetCount_v2")
    for _ in range(2):
        found = await gpus.look()
        assert (found.standing, found.counts()) == (Standing.SILENT, {"h200": 2})
    assert not found.fact().holds
    assert "does not answer" in found.fact().detail
    driver.release()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await gpus.look()).standing is not Standing.READY:
            pass
    assert gpus.inventory.fact().holds


async def test_the_end_does_not_wait_for_a_driver_that_hangs(driver: FakeDriver, gpus_of: GpusOf) -> None:
    gpus = gpus_of(answer_seconds=0.05)
    driver.hold("nvmlInitWithFlags")
    await gpus.look()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await gpus.close()
    driver.release()
    for thread in threading.enumerate():
        if thread.name == "nvml":
            await asyncio.to_thread(thread.join, DEADLINE_SECONDS)  # it opened the library after all
