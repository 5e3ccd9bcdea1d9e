"""Limits of memory and CPU by control groups of the kernel, version 2 or 1, whichever may be written here.

Groups stand under `jupyterhub-mesos/<mark of the state folder>` from the root of
the hierarchy, not under the service's own group: what ends the service's group
(systemd, a supervisor) must not end the tasks.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.base import Fact
from jupyterhub_mesos.errors import BackendError
from jupyterhub_mesos_quota.resources import Resources

CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
CPU_PERIOD_MICROS: Final = 100_000  # the kernel's default
LEAST_QUOTA_MICROS: Final = 1_000  # less is refused by the kernel
_MIB: Final = 1024 * 1024
_CURE: Final = (
    "run the service as root on a machine whose /sys/fs/cgroup it may write, "
    "e.g. a systemd unit with Delegate=yes, or a container with that folder mounted writable"
)


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The folders in which task groups are made: where memory is limited, where CPU is; None: not at all."""

    version: int = 0
    memory: Path | None = None
    cpu: Path | None = None

    @property
    def parents(self) -> tuple[Path, ...]:
        """The distinct folders."""
        return tuple(dict.fromkeys(path for path in (self.memory, self.cpu) if path is not None))

    def folders(self, name: str) -> tuple[Path, ...]:
        """Return the group's folders, one per hierarchy."""
        return tuple(parent / name for parent in self.parents)

    def create(self, name: str, resources: Resources) -> tuple[Path, ...]:
        """Make the group with its limits; an amount of 0 is no limit."""
        try:
            for folder in self.folders(name):
                folder.mkdir(exist_ok=True)
            if self.memory is not None and resources.mem_mib:
                self._limit_memory(self.memory / name, resources.mem_mib * _MIB)
            if self.cpu is not None and resources.cpu_millis:
                self._limit_cpu(self.cpu / name, resources.cpu_millis)
        except OSError as error:
            self.remove(name)
            raise BackendError(f"the limits of {name} could not be set: {error}") from error
        return self.folders(name)

    def _limit_memory(self, folder: Path, limit: int) -> None:
        if self.version == 2:
            (folder / "memory.max").write_text(str(limit))
            swap = folder / "memory.swap.max"
            if swap.exists():
                swap.write_text("0")
            return
        (folder / "memory.limit_in_bytes").write_text(str(limit))
        with contextlib.suppress(OSError):  # only where the kernel counts swap
            (folder / "memory.memsw.limit_in_bytes").write_text(str(limit))

    def _limit_cpu(self, folder: Path, cpu_millis: int) -> None:
        quota = max(LEAST_QUOTA_MICROS, CPU_PERIOD_MICROS * cpu_millis // 1000)
        if self.version == 2:
            (folder / "cpu.max").write_text(f"{quota} {CPU_PERIOD_MICROS}")
            return
        (folder / "cpu.cfs_period_us").write_text(str(CPU_PERIOD_MICROS))
        (folder / "cpu.cfs_quota_us").write_text(str(quota))

    def members(self, name: str) -> set[int]:
        """Return the pids in the group."""
        pids: set[int] = set()
        for folder in self.folders(name):
            with contextlib.suppress(FileNotFoundError):
                pids.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
        return pids

    def remove(self, name: str) -> None:
        """Remove an empty group; one that is gone or still busy is left as it is."""
        for folder in self.folders(name):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def tidy(self) -> None:
        """Remove the parents where no task is left in them; `probe` makes them anew."""
        for parent in self.parents:
            with contextlib.suppress(OSError):
                parent.rmdir()

    def facts(self) -> Sequence[Fact]:
        """Say which limits hold."""
        return (
            _fact("memory limit", self.memory, "a task above it is killed, and says so"),
            _fact("cpu limit", self.cpu, "a task gets no more CPU time than it was given"),
        )


def _fact(name: str, folder: Path | None, detail: str) -> Fact:
    if folder is None:
        return Fact(name, False, f"the {name} is not enforced: no control group may be written", _CURE)
    return Fact(name, True, f"{detail} ({folder})")


def probe(mark: str, root: Path = CGROUP_ROOT) -> Cgroups:
    """Find out what may be limited here, by doing it once."""
    if (root / "cgroup.controllers").exists():
        return _probe_v2(root, mark)
    return Cgroups(1, _probe_v1(root / "memory", mark), _probe_v1(root / "cpu", mark))


def _probe_v1(hierarchy: Path, mark: str) -> Path | None:
    parent = hierarchy / "jupyterhub-mesos" / mark
    return parent if hierarchy.is_dir() and _takes_processes(parent) else None


def _probe_v2(root: Path, mark: str) -> Cgroups:
    parent = root / "jupyterhub-mesos" / mark
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for folder in (root, parent.parent, parent):
            for controller in ("memory", "cpu"):
                with contextlib.suppress(OSError):  # one may be there without the other
                    (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        found = (parent / "cgroup.subtree_control").read_text().split()
    except OSError:
        return Cgroups()
    if not _takes_processes(parent):
        return Cgroups()
    return Cgroups(2, parent if "memory" in found else None, parent if "cpu" in found else None)


def _takes_processes(parent: Path) -> bool:
    trial = parent / ".probe"
    try:
        trial.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    try:
        joined = subprocess.run(
            ["/bin/sh", "-c", 'echo $$ > "$0"', str(trial / "cgroup.procs")],
            capture_output=True,
            check=False,
        )
        return joined.returncode == 0
    finally:
        with contextlib.suppress(OSError):
            trial.rmdir()
