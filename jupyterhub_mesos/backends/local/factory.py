"""What an operator may say of the local backend, read and refused; apart from it, so that it stays light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, cast

from pydantic import ValidationError

from jupyterhub_mesos.backends.gpus import Gpus
from jupyterhub_mesos.backends.local.backend import LocalBackend
from jupyterhub_mesos.backends.options import amount, flag, refuse_unknown
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.wire import PlacementModel
from jupyterhub_mesos_quota.resources import Resources

_KNOWN: Final = (
    "cpu_millis",  # what may be used of the machine, where not all of it; so is mem_mib
    "mem_mib",
    "isolation",
    "hidden",  # further places that no task may see
    "use_machine_accounts",  # whether a user is the machine's account of that name
    "gpu_flavors",  # exceptions to the rule that names a GPU's flavor
    "zone",  # of its one node, as the labels
    "labels",
)


def create(state: Path, options: Mapping[str, object]) -> LocalBackend:
    """Create a `LocalBackend` as the registry creates backends. Raises `InvalidInput`."""
    refuse_unknown(options, _KNOWN)
    place = _place(options)
    capacity = Resources.of(amount(options, "cpu_millis") or 0, amount(options, "mem_mib") or 0)
    hidden = cast("Iterable[str | Path]", options.get("hidden", ()))
    return LocalBackend(
        state,
        capacity=capacity,
        isolation=str(options.get("isolation", "auto")),
        hidden=tuple(Path(path) for path in hidden),
        gpus=Gpus(cast("Mapping[str, str]", options.get("gpu_flavors", {}))),
        use_machine_accounts=flag(options, "use_machine_accounts"),
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
