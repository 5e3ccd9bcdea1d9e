"""From a task's spec to what is executed: templates filled in, the environment composed, and checks."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from jupyterhub_mesos.backends.local.processes import TASK_MARK
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.tasks import TaskSpec

INHERITED: Final = ("LANG", "LC_ALL", "TZ")
"""What a task takes over from the service's environment besides PATH; all else may hold a secret."""
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_LANG: Final = "C.UTF-8"

_TEMPLATE: Final = re.compile(r"\{\{|\{task\}|\{home\}")
_ENV_NAME: Final = re.compile(r"[^=\0]+")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders as the task sees them."""

    task: str
    home: str
    tmp: str

    def fill(self, text: str) -> str:
        """Put the folders where `{task}` and `{home}` stand."""
        values = {"{{": "{", "{task}": self.task, "{home}": self.home}
        return _TEMPLATE.sub(lambda match: values[match.group()], text)


def environment(spec: TaskSpec, places: Places, mark: str, service_env: Mapping[str, str]) -> dict[str, str]:
    """Compose the task's whole environment; what the spec says wins over all but devices and mark."""
    env = {name: service_env[name] for name in INHERITED if name in service_env}
    env.setdefault("LANG", DEFAULT_LANG)
    env["PATH"] = _search_path(service_env.get("PATH", DEFAULT_PATH))
    env |= {"HOME": places.home, "USER": spec.user, "LOGNAME": spec.user, "TMPDIR": places.tmp}
    env["SHELL"] = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
    env |= {name: places.fill(value) for name, value in spec.env.items()}
    env["CUDA_VISIBLE_DEVICES"] = ",".join(spec.devices)
    env[TASK_MARK] = mark
    return env


def _search_path(path: str) -> str:
    programs = str(Path(sys.executable).parent)  # `python` and `jupyter` are those of the service
    return path if programs in path.split(os.pathsep) else f"{programs}{os.pathsep}{path}"


def check(spec: TaskSpec) -> None:
    """Refuse what could not be run, before anything is made for it."""
    if not spec.argv or any("\0" in word for word in (*spec.argv, spec.workdir, spec.user)):
        raise InvalidInput(f"task {spec.id} has nothing to run, or a zero byte in it", where="argv")
    for name, value in spec.env.items():
        if not _ENV_NAME.fullmatch(name) or "\0" in value:
            raise InvalidInput(
                f"{name!r} is no name of an environment variable, or its value has a zero byte"
            )
    for file in spec.files:
        check_file_path(file.path)
    for mount in spec.mounts:
        _check_mount(mount.source, mount.target)


def check_file_path(path: str) -> None:
    """Refuse a path that leaves the task's folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in path:
        raise InvalidInput(
            f"the file {path!r} is not inside the task's folder: use a relative path without `..`"
        )


def _check_mount(source: str, target: str) -> None:
    if not Path(source).is_absolute() or not Path(source).exists():
        raise InvalidInput(f"there is no {source!r} on this node to mount: name an existing absolute path")
    if ".." in PurePosixPath(target).parts or not PurePosixPath(target).parts:
        raise InvalidInput(f"the mount target {target!r} is not a path without `..`")


def check_program(spec: TaskSpec, places: Places, env: Mapping[str, str]) -> None:
    """Refuse a program that is not there; one that the spec's own files bring is."""
    program = places.fill(spec.argv[0])
    if program.startswith(places.task + "/"):
        inside = program.removeprefix(places.task + "/")
        found = inside in {str(PurePosixPath(file.path)) for file in spec.files}
    else:
        found = shutil.which(program, path=env["PATH"]) is not None
    if not found:
        raise InvalidInput(
            f"there is no program {program!r} on the node {spec.node}: {spec.program_cure}", where="argv"
        )
