"""Backends by name; a backend's modules are loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.errors import InvalidInput


class _Factory(Protocol):
    def __call__(self, state: Path, options: Mapping[str, object]) -> Backend: ...


_FACTORIES: Final = {
    "local": ("jupyterhub_mesos.backends.local.factory", "create"),
    "memory": ("jupyterhub_mesos.backends.faulty", "create"),
}


def backend_names() -> tuple[str, ...]:
    """Return the names that `create_backend` knows."""
    return tuple(sorted(_FACTORIES))


def create_backend(name: str, state: Path, options: Mapping[str, object] | None = None) -> Backend:
    """Create the backend called `name`; `open` it before anything else.

    `options` are those that its factory reads. Raises `InvalidInput` for an unknown name or option.
    """
    if name not in _FACTORIES:
        raise InvalidInput(f"there is no backend {name!r}: use {' or '.join(backend_names())}")
    module, attribute = _FACTORIES[name]
    factory = cast("_Factory", getattr(import_module(module), attribute))
    return factory(state, options or {})
