"""`export`: a model from the kernel to a version in git in one call, of its parts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from jupyterhub_mesos.export import optimisation, preparation, publication
from jupyterhub_mesos.export.checks import TOLERANCE
from jupyterhub_mesos.export.lineage import Origin
from jupyterhub_mesos.export.progress import Progress, Report, say
from jupyterhub_mesos.export.publication import Export
from jupyterhub_mesos.export.pushing import check_version
from jupyterhub_mesos.export.signature import find_key

REMOTE: Final = "~/lake/team/models.git"
STEPS: Final = (*preparation.STEPS, "optimise", *publication.STEPS)


def export(  # noqa: PLR0913 - what a person types in a notebook, by name; all but three have a default
    model: object,
    *,
    name: str,
    example_inputs: object,
    held_out: tuple[object, object] | None = None,
    remote: str = REMOTE,
    version: int | str | None = None,
    description: str = "",
    tolerance: float = TOLERANCE,
    optimise: bool = True,
    optimise_tolerance: float = optimisation.TOLERANCE,
    notebook: str | os.PathLike[str] | None = None,
    job: str | tuple[str, int] | None = None,
    metrics: Mapping[str, float] | None = None,
    lake_inputs: Sequence[str | os.PathLike[str]] = (),
    directory: str | os.PathLike[str] | None = None,
    sign_key: str | os.PathLike[str] | None = None,
    report: Report = say,
) -> Export:
    """Turn a model into a checked, versioned bundle in git, printing each step's result.

    The same as `prepare`, `optimise` and `publish` one after the other.
    `example_inputs` and `held_out=(X, y)` are rows as the model takes them;
    `job` is a request's id, or `(id, generation)`; `lake_inputs` are files or
    folders of the lake that the model was made from; `optimise_tolerance` is the
    most that a smaller form may lose of the accuracy; `sign_key` is a private key
    to sign with (by default that of `CAPACITY_SIGN_KEY`). The bundle is kept in
    `directory` (by default a new folder under `~/exports`). Raises
    WorkloadError, InvalidInput or Conflict; nothing is published then.
    """
    number = check_version(version)
    wanted = preparation.Order(
        model, preparation.checked_name(name), example_inputs, held_out, tolerance, remote, number
    )
    order = publication.Order(
        remote=remote,
        version=number,
        description=description,
        origin=Origin(notebook, job, None, tuple(lake_inputs)),
        directory=publication.place_of(name, directory),
        metrics=publication.as_numbers(metrics),
        key=find_key(sign_key),
    )
    progress = Progress(len(STEPS), report)
    prepared = preparation.prepared_of(wanted, progress)
    if optimise:
        prepared = optimisation.optimised(prepared, optimise_tolerance, progress)
    else:
        progress.leave_out("optimise", "optimise=False was asked for")
    return publication.published(prepared, order, progress)
