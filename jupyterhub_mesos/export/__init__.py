"""From a model object to a checked, versioned bundle in git.

The names load on first use: the model server reads bundles with `bundle`,
`integrity`, `runtime` and `git` alone, and must not pay for scikit-learn.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyterhub_mesos.export.bundle import BundleManifest
    from jupyterhub_mesos.export.composition import export
    from jupyterhub_mesos.export.optimisation import optimise
    from jupyterhub_mesos.export.preparation import prepare
    from jupyterhub_mesos.export.prepared import Prepared
    from jupyterhub_mesos.export.publication import Export, publish
    from jupyterhub_mesos.export.pushing import Published, push_bundle
    from jupyterhub_mesos.export.registry import register
    from jupyterhub_mesos.export.verification import verify

__all__ = [
    "BundleManifest",
    "Export",
    "Prepared",
    "Published",
    "export",
    "optimise",
    "prepare",
    "publish",
    "push_bundle",
    "register",
    "verify",
]

_HOMES: Final = {
    "BundleManifest": "bundle",
    "Export": "publication",
    "Prepared": "prepared",
    "Published": "pushing",
    "export": "composition",
    "optimise": "optimisation",
    "prepare": "preparation",
    "publish": "publication",
    "push_bundle": "pushing",
    "register": "registry",
    "verify": "verification",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


class _CallableModule(ModuleType):
    """People call what `from jupyterhub_mesos import export` names, which is this package."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return import_module(f"{__name__}.composition").export(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
