"""The Train and Export buttons: what a notebook server does for JupyterLab's part of this project.

The browser's part is TypeScript in `ui/labextension`; its built bundle stands beside this file in
`labextension/`. This part answers it below `/capacity/`, with the notebook server's own token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

LABEXTENSION: Final = "jupyterhub-mesos-lab"
"""The name in `ui/labextension/package.json`; JupyterLab serves the bundle under it."""


def _jupyter_labextension_paths() -> list[dict[str, str]]:  # pyright: ignore[reportUnusedFunction] - Jupyter's name
    """Say where the bundle is, for `jupyter labextension develop`."""
    return [{"src": "labextension", "dest": LABEXTENSION}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:  # pyright: ignore[reportUnusedFunction] - Jupyter's name
    """Say which module Jupyter Server loads."""
    return [{"module": "jupyterhub_mesos.lab"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:  # pyright: ignore[reportUnusedFunction] - Jupyter's name
    """Add our routes to a notebook server, and the person's own Python to its kernels."""
    from jupyterhub_mesos.lab.kernels import offer_own_python  # noqa: PLC0415 - importable without it
    from jupyterhub_mesos.lab.routes import add_routes  # noqa: PLC0415 - as above

    add_routes(server)
    offer_own_python(server)
