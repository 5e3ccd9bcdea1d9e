"""A driver that does what a test says: a compiled NVML whose state is a file, read at every call.

In the test's own process it is put under the real `nvidia-ml-py` by `loaded_into`;
another process finds it by `LD_LIBRARY_PATH` (`environment`), as it would a real one.
"""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pynvml
import pytest

SOURCE = Path(__file__).with_name("libnvidia-ml.c")
LIBRARY = "libnvidia-ml.so.1"
STATE = "FAKE_NVML_STATE"

GPU_IS_LOST = 15
DRIVER_NOT_LOADED = 9
HIDDEN_BYTES = -1
GIB = 1024**3


def compile_library(folder: Path) -> Path:
    """Compile the library into `folder`; any warning is an error."""
    library = folder / LIBRARY
    # No soname: the loader would take it for the real one for as long as this process lives.
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(SOURCE), "-lpthread"], check=True)
    return library


@dataclass(frozen=True)
class FakeGpu:
    """A GPU of the driver's; `code` other than 0 is what every call about it fails with."""

    uuid: str
    name: str = "NVIDIA H200"
    minor: int = 0
    total: int = 141 * GIB
    reserved: int = 0
    used: int = 0
    utilisation: int = 0
    mig_mode: int = 0  # -1: it knows no MIG
    code: int = 0
    instances: tuple[FakeInstance, ...] = ()
    processes: tuple[tuple[int, int], ...] = ()  # pid, bytes

    def lines(self) -> list[str]:
        numbers = (
            self.minor,
            self.total,
            self.reserved,
            self.used,
            self.utilisation,
            self.mig_mode,
            self.code,
        )
        own = [_line("gpu", self.uuid, self.name, *numbers), *_processes(self.processes)]
        return own + [line for instance in self.instances for line in instance.lines()]


@dataclass(frozen=True)
class FakeInstance:
    """A MIG instance."""

    number: int
    uuid: str
    name: str
    gpu_instance: int = 0
    compute_instance: int = 0
    gpu_slices: int = 1
    compute_slices: int = 1
    mem_mib: int = 9728
    used: int = 0
    code: int = 0
    processes: tuple[tuple[int, int], ...] = ()

    def lines(self) -> list[str]:
        slices = (self.gpu_slices, self.compute_slices, self.mem_mib, self.used, self.code)
        ids = (self.gpu_instance, self.compute_instance)
        return [_line("mig", self.number, self.uuid, self.name, *ids, *slices), *_processes(self.processes)]


def h200s(count: int) -> tuple[FakeGpu, ...]:
    """GPUs as an 8-GPU machine has them; their files' numbers run the other way than their indices."""
    return tuple(FakeGpu(f"GPU-{index:08d}-aaaa-bbbb", minor=count - 1 - index) for index in range(count))


def _processes(processes: tuple[tuple[int, int], ...]) -> list[str]:
    return [_line("process", pid, used) for pid, used in processes]


def _line(*fields: object) -> str:
    return "\t".join(map(str, fields))


@dataclass
class FakeDriver:
    """The state of the driver; every method takes effect at the next call into the library."""

    library: Path
    folder: Path
    gpus: tuple[FakeGpu, ...] = ()
    version: str = "580.159.03"
    epoch: int = 0
    stale: int = 1
    is_stale_by_devices: bool = False
    fails: dict[str, int] = field(default_factory=dict)
    held: str = ""

    def __post_init__(self) -> None:
        self.write()

    @property
    def state(self) -> Path:
        return self.folder / "nvml.state"

    @property
    def dev(self) -> Path:
        """The folder that plays `/dev`: a file with its own name in it for every device."""
        return self.folder / "dev"

    @property
    def mig_minors(self) -> Path:
        return self.folder / "mig-minors"

    def environment(self) -> dict[str, str]:
        """What lets another process find this driver."""
        return {"LD_LIBRARY_PATH": str(self.library.parent), STATE: str(self.state)}

    def loaded_into(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the library under this process's `nvidia-ml-py`, until the test is over."""

        def load(name: str) -> ctypes.CDLL:
            assert name == LIBRARY
            return ctypes.CDLL(str(self.library))

        unload(monkeypatch)
        monkeypatch.setattr(pynvml, "CDLL", load)
        monkeypatch.setenv(STATE, str(self.state))

    def write(self) -> None:
        lines = [
            _line("driver", self.version),
            _line("epoch", self.epoch),
            _line("stale", self.stale, int(self.is_stale_by_devices)),
        ]
        lines += [_line("fail", function, code) for function, code in self.fails.items()]
        lines += [_line("hold", self.held, self.folder / "held")] if self.held else []
        lines += [line for gpu in self.gpus for line in gpu.lines()]
        new = self.folder / "nvml.new"
        new.write_text("\n".join([*lines, ""]), encoding="ascii")
        new.replace(self.state)

    def have(self, *gpus: FakeGpu) -> None:
        """Have these GPUs, and their files."""
        self.gpus = gpus
        self.write()
        self._make_files()

    def change(self, index: int, **fields: Any) -> None:
        """Change one GPU."""
        gpus = list(self.gpus)
        gpus[index] = replace(gpus[index], **fields)
        self.gpus = tuple(gpus)
        self.write()

    def fail(self, function: str, code: int) -> None:
        """Let a function fail; with code 0 it works again."""
        self.fails[function] = code
        self.write()

    def reload(self, stale: int = 1, *, is_stale_by_devices: bool = False) -> None:
        """Unload the driver under its users and load it again; who held it gets `stale`."""
        self.epoch, self.stale, self.is_stale_by_devices = self.epoch + 1, stale, is_stale_by_devices
        self.write()

    def hold(self, function: str) -> None:
        """Let a function hang until `release`."""
        (self.folder / "held").touch()
        self.held = function
        self.write()

    def release(self) -> None:
        self.held = ""
        self.write()
        (self.folder / "held").unlink()

    def _make_files(self) -> None:
        capabilities: dict[str, int] = {"config": 1, "monitor": 2}
        for gpu in self.gpus:
            for instance in gpu.instances:
                owner = f"gpu{gpu.minor}/gi{instance.gpu_instance}"
                for name in (f"{owner}/access", f"{owner}/ci{instance.compute_instance}/access"):
                    capabilities.setdefault(name, len(capabilities) + 1)
        self.mig_minors.write_text("".join(f"{name} {minor}\n" for name, minor in capabilities.items()))
        names = ["nvidiactl", "nvidia-uvm", *(f"nvidia{gpu.minor}" for gpu in self.gpus)]
        names += [f"nvidia-caps/nvidia-cap{minor}" for minor in capabilities.values()]
        for name in names:
            file = self.dev / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)


def unload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `nvidia-ml-py` forget the library it loaded, until the test is over."""
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlLib_refcount", 0)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
