"""A person's own Python: a small environment in the home, on top of a shared one that stays as it is.

- *base*: the shared environment: that of the notebook server, or one that an admin ships to a profile.
- what `pip install` puts into the own Python, or `pip install --user` into the home, is found before
  what the base has; the base is never written to.

It is made in some milliseconds, without pip and without a copy of anything; where the base was moved or
upgraded its few files are written anew and what the person installed stays. Another version of Python
is another folder. The standard library alone, because a base may lack all else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PLACE: Final = ".local/share/jupyterhub-mesos"
"""Below the home."""
ASK_SECONDS: Final = 20.0
"""For a base to say where its packages are: its interpreter starts, and nothing else."""
_DIGEST_LETTERS: Final = 6
_ASK: Final = (
    "import json, site, sys; print(json.dumps({'program': getattr(sys, '_base_executable', '') or "
    "sys.executable, 'version': list(sys.version_info[:3]), 'packages': site.getsitepackages()}))"
)
_LAYER: Final = '''\
"""Made by jupyterhub-mesos: after this environment's own packages come the home's, then the shared ones."""
import os
import site

FOLDERS = {folders!r}
if site.check_enableusersite():
    FOLDERS = [site.getusersitepackages(), *FOLDERS]
for folder in FOLDERS:
    if os.path.isdir(folder):
        site.addsitedir(folder)
'''
_NEITHER: Final = "shared"
"""With `true` what stands below the base would be seen, too; with `false` pip refuses `--user`."""
_PIP: Final = '#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n'
"""Else a terminal's `pip` would be the base's own, and write there."""


class NoBase(Exception):
    """There is no Python to build on; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Base:
    """A shared environment: the program of its Python (no link of a venv), and where its packages are."""

    program: str
    version: tuple[int, int, int]
    packages: tuple[str, ...]
    prefix: str = ""
    """Of an environment that an admin ships; empty for the notebook server's own."""

    @property
    def folder_name(self) -> str:
        """Return what the environment on top of it is called."""
        version = f"python{self.version[0]}.{self.version[1]}"
        digest = hashlib.sha256(self.prefix.encode()).hexdigest()[:_DIGEST_LETTERS]
        return f"{version}-{self.title}-{digest}" if self.prefix else version

    @property
    def title(self) -> str:
        """Return the name that people give a shipped environment; empty for the server's own."""
        return Path(self.prefix).name


def own_base() -> Base:
    """Return the environment of the Python that runs this."""
    program = str(getattr(sys, "_base_executable", "")) or sys.executable
    return Base(program, sys.version_info[:3], tuple(site.getsitepackages()))


def shipped_base(prefix: str) -> Base:
    """Ask the Python of an environment that an admin ships. Raises `NoBase` where it does not answer."""
    program = Path(prefix) / "bin" / "python"
    try:
        done = subprocess.run(
            [str(program), "-I", "-c", _ASK], capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        )
        said = json.loads(done.stdout)
        version, packages = tuple(said["version"]), tuple(said["packages"])
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        raise NoBase(f"the environment {prefix} has no Python that answers ({error})") from error
    return Base(said["program"], version, packages, prefix)


def ensure(home: Path, base: Base) -> Path:
    """Make a person's own Python on `base`, or bring it up to date; return its folder.

    Raises `OSError` where the home cannot be written to.
    """
    folder = home / PLACE / base.folder_name
    wanted = _files(folder, base)
    if not folder.is_dir():
        _make(folder, wanted, base)
    for path, text in wanted.items():
        _write(folder / path, text)
    _link(folder / "bin" / "python", base.program)
    return folder


def python_of(folder: Path) -> Path:
    """Return the program of an own Python."""
    return folder / "bin" / "python"


def _files(folder: Path, base: Base) -> Mapping[str, str]:
    version = f"{base.version[0]}.{base.version[1]}"
    packages = f"lib/python{version}/site-packages"
    return {
        "pyvenv.cfg": (
            f"home = {Path(base.program).parent}\n"
            f"include-system-site-packages = {_NEITHER}\n"
            f"version = {'.'.join(map(str, base.version))}\n"
            f"executable = {base.program}\n"
            f"command = jupyterhub-mesos {folder}\n"
        ),
        f"{packages}/_jupyterhub_mesos_base.py": _LAYER.format(folders=list(base.packages)),
        f"{packages}/_jupyterhub_mesos_base.pth": "import _jupyterhub_mesos_base\n",
        "bin/pip": _PIP,
        "bin/pip3": _PIP,
    }


def _make(folder: Path, files: Mapping[str, str], base: Base) -> None:
    """Make all of it beside its place and move it there: nobody sees a half, and the first of two wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        partial.chmod(0o755)
        for path, text in files.items():
            _write(partial / path, text)
        _link(partial / "bin" / "python", base.program)
        for name in ("python3", f"python{base.version[0]}.{base.version[1]}"):
            (partial / "bin" / name).symlink_to("python")
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():  # else somebody was first
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    """Write what is not so already; a kernel that starts meanwhile finds the old or the new."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, UnicodeDecodeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o755 if text.startswith("#!") else 0o644)
    partial.replace(path)


def _link(path: Path, target: str) -> None:
    if path.is_symlink() and str(path.readlink()) == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(path)
