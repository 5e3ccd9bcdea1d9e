"""Jupyter notebooks as a service for many teams on shared CPU and GPU capacity.

In a notebook: `from jupyterhub_mesos import train, export`. Both load on first
use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jupyterhub_mesos import export as export
    from jupyterhub_mesos.training.submit import train as train

__all__ = ["__version__", "export", "train"]

__version__: Final = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "train":
        return import_module("jupyterhub_mesos.training.submit").train
    if name == "export":  # the subpackage; called, it is its own `export`
        return import_module("jupyterhub_mesos.export")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
