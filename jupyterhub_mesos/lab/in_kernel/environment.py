"""Say which Python a kernel runs, which packages it has, and which of a notebook's modules it lacks.

The text of `training/lock.py` stands before this one: `interpreter`, `locked` and `version` come from there.
"""

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any, Dict  # noqa: UP035 - a kernel's Python may be an old one

if TYPE_CHECKING:
    from jupyterhub_mesos.training.lock import interpreter, locked, version


def answer(_namespace: Dict[str, Any], order: Dict[str, Any]) -> None:  # noqa: UP006 - as above
    """Print the environment, and which of the order's `modules` cannot be imported in it."""
    saying = {
        "say": "environment",
        "environment": {"python": version(), "interpreter": interpreter(), "packages": locked()},
        "missing": [name for name in order["modules"] if not is_there(name)],
    }
    sys.stdout.write("\x1e" + json.dumps(saying) + "\n")
    sys.stdout.flush()


def is_there(name: str) -> bool:
    """Say whether a module could be imported; none is."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return name in sys.modules
