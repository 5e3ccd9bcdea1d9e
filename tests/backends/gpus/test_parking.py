"""The real cuda-bindings over a driver compiled from C: what a GPU holds goes to the host, and comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.gpus import checkpoints
from jupyterhub_mesos.backends.gpus.checkpoints import ProcessState
from jupyterhub_mesos.backends.gpus.parker import Parker
from requirements import require

SOURCE = Path(__file__).parents[2] / "cuda" / "libcuda.c"
PIDS = (17, 18)
GONE = 2**22 + 1  # above what Linux gives


@pytest.fixture(scope="session")
def cuda_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("gcc", shutil.which("gcc"))
    require("cuda-bindings", find_spec("cuda"))
    library = tmp_path_factory.mktemp("cuda") / "libcuda.so.1"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


class Driver:
    """The state of the driver in C: a file for each process that uses CUDA."""

    def __init__(self, library: Path, folder: Path) -> None:
        self.library, self.folder = library, folder

    def parker(self, **options: float) -> Parker:
        found = {"LD_LIBRARY_PATH": str(self.library.parent), "FAKE_CUDA_STATE": str(self.folder)}
        return Parker({**os.environ, **found}, **options)

    def have(self, **states: ProcessState) -> None:
        for name, state in states.items():
            (self.folder / name.removeprefix("p")).write_text(str(state.value))

    def states(self) -> list[ProcessState]:
        return [ProcessState(int((self.folder / str(pid)).read_text())) for pid in PIDS]

    def fail(self, function: str, pid: int, code: int) -> None:
        (self.folder / f"fail.{function}.{pid}").write_text(str(code))

    def journal(self) -> list[str]:
        file = self.folder / "journal"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def driver(cuda_library: Path, tmp_path: Path) -> Driver:
    """A driver with two processes on it that compute."""
    driver = Driver(cuda_library, tmp_path)
    driver.have(p17=ProcessState.RUNNING, p18=ProcessState.RUNNING)
    return driver


async def test_all_are_locked_before_the_first_is_moved(driver: Driver) -> None:
    outcome = await driver.parker().park(PIDS)
    assert (outcome.pids, outcome.failure) == (PIDS, "")
    assert driver.states() == [ProcessState.CHECKPOINTED] * 2
    lock, move = "cuCheckpointProcessLock", "cuCheckpointProcessCheckpoint"
    assert driver.journal() == [f"{lock} 17", f"{lock} 18", f"{move} 17", f"{move} 18"]


async def test_all_have_their_memory_before_the_first_computes(driver: Driver) -> None:
    driver.have(p17=ProcessState.CHECKPOINTED, p18=ProcessState.CHECKPOINTED)
    outcome = await driver.parker().wake(PIDS)
    assert (outcome.pids, outcome.failure) == (PIDS, "")
    fetch, go = "cuCheckpointProcessRestore", "cuCheckpointProcessUnlock"
    assert driver.journal() == [f"{fetch} 17", f"{fetch} 18", f"{go} 17", f"{go} 18"]


async def test_a_process_without_cuda_is_left_alone(driver: Driver) -> None:
    outcome = await driver.parker().park((*PIDS, os.getpid()))
    assert outcome.pids == PIDS


async def test_a_process_that_is_gone_is_left_alone(driver: Driver) -> None:
    driver.fail("cuCheckpointProcessGetState", GONE, checkpoints.OPERATING_SYSTEM)
    assert (await driver.parker().park((*PIDS, GONE))).pids == PIDS


async def test_a_process_of_another_account_is_not_taken_for_gone(driver: Driver) -> None:
    driver.fail("cuCheckpointProcessGetState", os.getpid(), checkpoints.OPERATING_SYSTEM)
    outcome = await driver.parker().park((*PIDS, os.getpid()))
    assert "another account's" in outcome.failure
    assert driver.states() == [ProcessState.RUNNING] * 2


async def test_one_that_goes_on_computing_leaves_both_running(driver: Driver) -> None:
    driver.fail("cuCheckpointProcessLock", 18, checkpoints.NOT_READY)
    outcome = await driver.parker().park(PIDS)
    assert "went on computing" in outcome.failure
    assert (outcome.pids, outcome.is_lost) == ((), False)
    assert driver.states() == [ProcessState.RUNNING] * 2


async def test_one_that_cannot_be_moved_brings_the_other_back(driver: Driver) -> None:
    driver.fail("cuCheckpointProcessCheckpoint", 18, checkpoints.NOT_SUPPORTED)
    outcome = await driver.parker().park(PIDS)
    assert "process 18" in outcome.failure
    assert "does not allow it" in outcome.failure
    assert driver.states() == [ProcessState.RUNNING] * 2


async def test_one_without_room_is_lost_and_keeps_the_other_parked(driver: Driver) -> None:
    driver.have(p17=ProcessState.CHECKPOINTED, p18=ProcessState.CHECKPOINTED)
    driver.fail("cuCheckpointProcessRestore", 18, checkpoints.OUT_OF_MEMORY)
    outcome = await driver.parker().wake(PIDS)
    assert "process 18" in outcome.failure
    assert "no room" in outcome.failure
    assert outcome.is_lost
    assert driver.states() == [ProcessState.CHECKPOINTED] * 2


async def test_what_was_broken_off_is_gone_on_with(driver: Driver) -> None:
    driver.have(p17=ProcessState.CHECKPOINTED, p18=ProcessState.LOCKED)
    assert (await driver.parker().park(PIDS)).pids == PIDS
    driver.have(p17=ProcessState.LOCKED)
    assert (await driver.parker().wake(PIDS)).pids == PIDS
    assert driver.states() == [ProcessState.RUNNING] * 2


async def test_one_that_lost_its_memory_is_told_of(driver: Driver) -> None:
    driver.have(p18=ProcessState.FAILED)
    outcome = await driver.parker().park(PIDS)
    assert outcome.is_lost
    assert "process 18" in outcome.failure
    assert driver.states() == [ProcessState.RUNNING, ProcessState.FAILED]


async def test_without_a_driver_it_says_so(driver: Driver) -> None:
    outcome = await Parker({**os.environ, "LD_LIBRARY_PATH": ""}).park(PIDS)
    assert "no CUDA driver" in outcome.failure


async def test_a_driver_without_a_gpu_says_so(driver: Driver) -> None:
    driver.fail("cuInit", 0, checkpoints.NO_DEVICE)
    assert "the driver shows no GPU" in (await driver.parker().park(PIDS)).failure


async def test_what_hangs_is_ended(driver: Driver) -> None:
    outcome = await driver.parker(limit_seconds=0.01).park(PIDS)
    assert "did not park it within 0.01 s" in outcome.failure
