"""The bubblewrap sandbox of a task, as a command line.

The task sees the machine read-only, its own processes alone, its own `/tmp`
and `/dev` (of the accelerators those that it was granted), its home and its
mounts. Whatever is hidden (the whole state folder, `/root`, `/home`, `/run`, what
the operator names) is an empty folder; what the interpreter needs from inside a
hidden folder is put back, read-only. The network is the machine's: the hub
must reach the notebook.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.local.accounts import Account
from jupyterhub_mesos.backends.local.shim import INFO_FD
from jupyterhub_mesos.tasks import Mount, MountMode

RUN: Final = Path("/run")
ALWAYS_HIDDEN: Final = ("/root", "/home", str(RUN), "/var/run")
"""Below `/run` are the sockets of those that do things for others as root: docker, containerd, the bus."""
RESOLVER: Final = Path("/run/systemd/resolve")
RESOLV_CONF: Final = Path("/etc/resolv.conf")
PRIVATE_TMP: Final = ("/tmp", "/var/tmp")  # noqa: S108 - hidden behind the task's own, not used
_OTHERS_MAY_ENTER: Final = 0o001
_DEV: Final = Path("/dev")


@dataclass(frozen=True, slots=True)
class Programs:
    """Where `bwrap` and `setpriv` are; the second is needed by root alone."""

    bwrap: str
    setpriv: str


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A file of the machine by which a device is reached, and its place below the task's `/dev`."""

    source: Path
    place: str


@dataclass(frozen=True, slots=True)
class View:
    """What one task is to see of the machine."""

    account: Account
    home: Path
    task: Path
    tmp: Path
    passwd: Path
    hidden: tuple[Path, ...]
    mounts: tuple[Mount, ...] = ()
    devices: tuple[DeviceNode, ...] = ()


class _Rank(IntEnum):
    """What comes first at the same depth."""

    HIDE = 0
    WAY = 1
    SHOW = 2


@dataclass(frozen=True, slots=True)
class _Layer:
    """One step of building the view; deeper places come later, hiding before showing."""

    place: Path
    words: tuple[str, ...]
    rank: _Rank

    @property
    def order(self) -> tuple[int, _Rank, Path]:
        return len(self.place.parts), self.rank, self.place


def command(programs: Programs, view: View, workdir: str, argv: Sequence[str], *, is_root: bool) -> list[str]:
    """Return the whole command line that runs `argv` in the sandbox, as the view's account.

    It tells the pid of the sandbox's first process on the descriptor `INFO_FD`.
    """
    words = [programs.bwrap, "--unshare-pid", "--unshare-ipc", "--new-session", "--die-with-parent"]
    words += ["--info-fd", str(INFO_FD)]
    if not is_root:
        words.append("--unshare-user")
    words += ["--ro-bind", "/", "/"]
    for layer in _layers(view, is_root=is_root):
        words += layer.words
    words += ["--proc", "/proc", *_devices(view.devices)]
    words += ["--ro-bind", str(view.passwd), "/etc/passwd", "--chdir", workdir, "--"]
    if is_root:
        words += _drop(programs.setpriv, view.account)
    return [*words, *argv]


def _drop(setpriv: str, account: Account) -> list[str]:
    groups = ",".join(str(gid) for gid in (account.gid, *account.groups))
    return [
        setpriv,
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        f"--groups={groups}",
        "--no-new-privs",
        "--inh-caps=-all",
        "--ambient-caps=-all",
        "--bounding-set=-all",
        "--",
    ]


def _devices(granted: Sequence[DeviceNode]) -> list[str]:
    words = ["--dev", str(_DEV), "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108 - the task's own
    for folder in sorted({(_DEV / node.place).parent for node in granted} - {_DEV}):
        words += ["--perms", "0755", "--dir", str(folder)]
    for node in granted:
        words += ["--dev-bind", str(node.source), str(_DEV / node.place)]
    return words


def _layers(view: View, *, is_root: bool) -> list[_Layer]:
    own = [_show(view.home, "--bind"), _show(view.task, "--bind")]
    own += [_mount(mount, view.home) for mount in view.mounts]
    own += [_show(place, "--ro-bind") for place in _needed_by_names()]
    python = [_show(place, "--ro-bind") for place in needed_by_python()]
    hides = [_hide(place) for place in _hidden(view, [*own, *python], is_root=is_root)]
    private = [
        _Layer(Path(place), ("--bind", str(view.tmp), place), _Rank.SHOW)
        for place in PRIVATE_TMP
        if Path(place).is_dir() and not Path(place).is_symlink()
    ]
    covers = [layer.place for layer in (*hides, *private)]
    own += [layer for layer in python if _is_covered(layer.place, covers)]
    ways = {way for layer in own for way in _way(layer.place, {*covers, view.home})}
    made = [_Layer(way, ("--perms", "0755", "--dir", str(way)), _Rank.WAY) for way in ways]
    return sorted([*hides, *private, *made, *own], key=lambda layer: layer.order)


def _way(place: Path, covers: set[Path]) -> Iterator[Path]:
    """Yield the folders between a covered place and what covers it: bubblewrap would make them private."""
    nearest = next((parent for parent in place.parents if parent in covers), None)
    if nearest is not None:
        yield from (parent for parent in place.parents if nearest in parent.parents)


def _show(place: Path, how: str) -> _Layer:
    return _Layer(place, (how, str(place), str(place)), _Rank.SHOW)


def _mount(mount: Mount, home: Path) -> _Layer:
    how = "--bind" if mount.mode is MountMode.READ_WRITE else "--ro-bind"
    place = home / mount.target  # an absolute target stays what it is
    return _Layer(place, (how, mount.source, str(place)), _Rank.SHOW)


def _hide(place: Path) -> _Layer:
    if place.is_dir():
        return _Layer(place, ("--perms", "0755", "--tmpfs", str(place)), _Rank.HIDE)
    return _Layer(place, ("--ro-bind", "/dev/null", str(place)), _Rank.HIDE)


def _hidden(view: View, shown: Iterable[_Layer], *, is_root: bool) -> set[Path]:
    """Return what is hidden, and the closed folders on the way to what is shown: nobody else could enter."""
    hidden = {place.resolve() for place in (*view.hidden, *map(Path, ALWAYS_HIDDEN)) if place.exists()}
    if is_root:
        for layer in shown:
            hidden |= set(_first_closed(layer.place))
    return hidden - {Path("/")}


def _needed_by_names() -> set[Path]:
    """Return what is below `/run` and tells where names are resolved."""
    wanted = {RESOLVER, RESOLV_CONF.resolve()}
    places = {place for place in wanted if place.is_relative_to(RUN) and place.exists()}
    return {place for place in places if places.isdisjoint(place.parents)}


def _first_closed(place: Path) -> list[Path]:
    for parent in reversed(place.parents):
        if parent.exists() and not parent.stat().st_mode & _OTHERS_MAY_ENTER:
            return [parent]
    return []


def _is_covered(place: Path, covers: Iterable[Path]) -> bool:
    return any(cover == place or cover in place.parents for cover in covers)


def needed_by_python() -> list[Path]:
    """Return the folders that our interpreter reads: its prefixes and every folder of its search path.

    Never a whole hidden folder, which the working folder of a careless start would add.
    """
    named = (sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path)
    places = {Path(name).resolve() for name in named if name and Path(name).is_dir()}
    places -= {Path("/"), *(Path(place) for place in (*ALWAYS_HIDDEN, *PRIVATE_TMP))}
    return sorted(place for place in places if not any(parent in places for parent in place.parents))
