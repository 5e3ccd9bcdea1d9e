"""What was found when the driver was last asked: the GPUs, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.backends.gpus.nodes import CONTROL
from jupyterhub_mesos_quota.model import Device, DeviceId
from jupyterhub_mesos_quota.resources import Flavor

FACT: Final = "gpus"


class Standing(StrEnum):
    """How it stands with the driver."""

    UNASKED = "unasked"  # nobody has looked yet
    READY = "ready"  # it answers
    ABSENT = "absent"  # there is no driver here: no machine needs one
    FAILED = "failed"  # it is there and says no
    SILENT = "silent"  # it does not answer in time; what was known before stands


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process with memory on a GPU; `pid` is the machine's, `used_mib` None where the driver hides it."""

    pid: int
    used_mib: int | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a MIG instance of one (then `parent` is the GPU's UUID).

    `index` is the driver's number (`0`, or `0:2` for an instance), which a restart may change.
    `flavor` is None where it is not given out. `nodes` are the files under
    `/dev` that it is reached by. What the driver does not tell is None: an
    instance has no utilisation.
    """

    id: DeviceId
    index: str
    name: str
    flavor: Flavor | None
    mem_mib: int | None = None
    used_mib: int | None = None
    utilisation_percent: int | None = None
    processes: tuple[GpuProcess, ...] | None = None
    nodes: tuple[str, ...] = ()
    parent: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """The answer of one look; `faults` say which devices were left out, and why."""

    standing: Standing = Standing.UNASKED
    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    message: str = ""
    cure: str = ""
    faults: tuple[str, ...] = ()

    @property
    def given_out(self) -> Sequence[Gpu]:
        """The devices that may be granted."""
        return tuple(gpu for gpu in self.gpus if gpu.flavor is not None)

    def devices(self) -> tuple[Device, ...]:
        """Return what a node reports."""
        return tuple(Device(gpu.id, gpu.flavor) for gpu in self.gpus if gpu.flavor is not None)

    def counts(self) -> Mapping[Flavor, int]:
        """Return how many devices there are of each flavor."""
        return Counter(device.flavor for device in self.devices())

    def missing(self, ids: Iterable[DeviceId]) -> tuple[DeviceId, ...]:
        """Return which of these devices are not here (any more)."""
        known = {gpu.id for gpu in self.gpus}
        return tuple(each for each in ids if each not in known)

    def nodes(self, ids: Iterable[DeviceId]) -> tuple[str, ...]:
        """Return the files under `/dev` by which these devices are reached, each once."""
        wanted = set(ids)
        own = [node for gpu in self.gpus if gpu.id in wanted for node in gpu.nodes]
        return tuple(dict.fromkeys((*CONTROL, *own))) if own else ()

    def fact(self) -> Fact:
        """Say in a sentence how it stands; having no GPU is as good as having eight."""
        sound = self.standing in (Standing.READY, Standing.ABSENT, Standing.UNASKED) and not self.faults
        cure = self.cure or (
            "ask `nvidia-smi`; a reset or a reboot brings a lost GPU back" if self.faults else ""
        )
        return Fact(FACT, sound, "; ".join(filter(None, (self._said(), *self.faults))), cure)

    def _said(self) -> str:
        if self.standing is Standing.UNASKED:
            return "nobody has looked yet"
        if self.standing in (Standing.ABSENT, Standing.FAILED):
            return f"none: {self.message}"
        what = ", ".join(f"{count} {flavor}" for flavor, count in sorted(self.counts().items())) or "none"
        kept = len(self.gpus) - len(self.given_out)
        words = (what, f"{kept} kept back" if kept else "", f"driver {self.driver}", self.message)
        return ", ".join(filter(None, words))


NO_GPUS: Final = Inventory()
"""Where nobody looks for GPUs."""
