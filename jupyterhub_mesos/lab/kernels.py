"""The default kernel of a notebook server at the hub: the person's own Python."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Final

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import jupyter_data_dir
from jupyter_server.serverapp import ServerApp

from jupyterhub_mesos.lab.user_python import Base, NoBase, ensure, own_base, python_of, shipped_base

AT_THE_HUB: Final = "JUPYTERHUB_USER"
"""Set for every notebook server that the hub starts; elsewhere kernels are left as they are."""
ENVIRONMENT_VARIABLE: Final = "CAPACITY_ENVIRONMENT"
"""The environment that an admin ships with the server's profile: a Python prefix."""
DEFAULT_KERNEL: Final = "python3"


def offer_own_python(server: ServerApp) -> None:
    """Make the person's own Python and offer it as the default kernel, and to terminals.

    Where it cannot be made the server goes on with the kernels that it has, and says so in its log.
    """
    manager: object = server.kernel_spec_manager
    if AT_THE_HUB not in os.environ or not isinstance(manager, KernelSpecManager):
        return
    base = _base(server)
    try:
        folder = ensure(Path.home(), base)
        specs = _write_spec(folder, base)
    except OSError as error:
        server.log.warning("the default kernel is the shared Python: no own one could be made: %s", error)
        return
    folders: list[str] = list(manager.kernel_dirs)
    manager.kernel_dirs = with_ours(folders, str(specs))
    os.environ["PATH"] = os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", os.defpath)))


def _base(server: ServerApp) -> Base:
    prefix = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if not prefix:
        return own_base()
    try:
        return shipped_base(prefix)
    except NoBase as error:
        server.log.warning("the profile's environment is left out: %s", error)
        return own_base()


def _write_spec(folder: Path, base: Base) -> Path:
    """Write the kernel's description beside the Python it starts; return the folder of kernels."""
    spec = {
        "argv": [str(python_of(folder)), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": f"Python 3 ({base.title or 'ipykernel'})",
        "language": "python",
        "env": {"VIRTUAL_ENV": str(folder)},
        "metadata": {"debugger": True},
    }
    place = folder / "kernels" / DEFAULT_KERNEL
    place.mkdir(parents=True, exist_ok=True)
    partial = place / f".kernel.json.{os.getpid()}"
    partial.write_text(json.dumps(spec, indent=1), encoding="utf-8")
    partial.replace(place / "kernel.json")
    return place.parent


def with_ours(folders: list[str], ours: str) -> list[str]:
    """Put our folder of kernels behind the person's own, and both before those of the shared Python."""
    users = str(Path(jupyter_data_dir()) / "kernels")
    rest = [folder for folder in folders if folder not in {users, ours}]
    shared = [at for at, folder in enumerate(rest) if folder.startswith(sys.prefix + os.sep)]
    was_at = folders.index(users) if users in folders else len(rest)
    at = min([was_at, *shared])
    return [*rest[:at], users, ours, *rest[at:]]
