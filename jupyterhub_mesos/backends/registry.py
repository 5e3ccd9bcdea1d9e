"""Backends by name; a backend's modules are loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from pydantic import ValidationError

from jupyterhub_mesos.backends.base import Backend
from jupyterhub_mesos.backends.options import BackendOptions
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.wire import PlacementModel


class _Factory(Protocol):
    def __call__(self, state: Path, options: BackendOptions) -> Backend: ...


_FACTORIES: Final = {
    "local": ("jupyterhub_mesos.backends.local.backend", "create"),
    "memory": ("jupyterhub_mesos.backends.faulty", "create"),
}


def backend_names() -> tuple[str, ...]:
    """Return the names that `create_backend` knows."""
    return tuple(sorted(_FACTORIES))


def create_backend(name: str, state: Path, options: Mapping[str, object] | None = None) -> Backend:
    """Create the backend called `name`; `open` it before anything else.

    `options` are those of `BackendOptions` by name. Raises `InvalidInput` for an unknown name or option.
    """
    if name not in _FACTORIES:
        raise InvalidInput(f"there is no backend {name!r}: use {' or '.join(backend_names())}")
    module, attribute = _FACTORIES[name]
    factory = cast("_Factory", getattr(import_module(module), attribute))
    return factory(state, _options(options or {}))


def _options(options: Mapping[str, object]) -> BackendOptions:
    known = BackendOptions.__dataclass_fields__
    for name in options:
        if name not in known:
            raise InvalidInput(f"there is no backend option {name!r}: use {', '.join(known)}")
    chosen = BackendOptions(
        cpu_millis=_amount(options, "cpu_millis"),
        mem_mib=_amount(options, "mem_mib"),
        isolation=str(options.get("isolation", "auto")),
        use_machine_accounts=_is_set(options, "use_machine_accounts"),
    )
    place = _place(options)
    hidden = cast("Iterable[str | Path]", options.get("hidden", ()))
    gpu_flavors = cast("Mapping[str, str]", options.get("gpu_flavors", {}))
    hidden_paths = tuple(Path(path) for path in hidden)
    return replace(
        chosen,
        hidden=hidden_paths,
        gpu_flavors=gpu_flavors,
        zone=place.prefer_zone,
        labels=place.labels,
    )


def _place(options: Mapping[str, object]) -> PlacementModel:
    """Read zone and labels as those write them who ask for them: what nobody can ask for is refused."""
    try:
        return PlacementModel.model_validate(
            {"labels": options.get("labels", {}), "prefer_zone": options.get("zone", "")}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = "zone" if first["loc"][0] == "prefer_zone" else "labels"
        raise InvalidInput(
            f"{first['input']!r} cannot be asked for by a job ({first['msg']}): write it otherwise",
            where=where,
        ) from error


def _is_set(options: Mapping[str, object], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise InvalidInput(f"{value!r} is neither yes nor no: use True or False", where=name)
    return value


def _amount(options: Mapping[str, object], name: str) -> int | None:
    value = options.get(name)
    if value is not None and (not isinstance(value, int) or value <= 0):
        raise InvalidInput(f"{value!r} is no amount: use a whole number above 0, or leave it out", where=name)
    return value
