"""profiles.yaml: what a notebook may be started with."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Final

from jupyterhub_mesos.configuration.document import Document, read
from jupyterhub_mesos.configuration.problems import validated
from jupyterhub_mesos.wire import ProfilesModel

KERNEL_SECONDS: Final = 20.0
"""For an environment's Python to say whether it can run a kernel: its interpreter starts, and no more."""
_HAS_KERNEL: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ipykernel') is None)"


def load_profiles(path: Path, teams: Collection[str] | None = None) -> ProfilesModel:
    """Read profiles.yaml; raise `InvalidFile` with every problem and its line.

    Where `teams` is given, a profile may name only those.
    """
    document = read(path)
    model = validated(document, ProfilesModel)
    if model is not None:
        _note_empty(document, model)
        _note_second_default(document, model)
        _note_unknown_teams(document, model, teams)
        _note_unfit_environments(document, model)
        _note_zones(document, model)
    document.check()
    if model is None:  # pragma: no cover  (a model that does not hold noted its problems)
        raise AssertionError(f"{path} does not hold, and nothing says why")
    return model


def _note_empty(document: Document, model: ProfilesModel) -> None:
    for name, profile in model.profiles.items():
        for amount in ("cpu_millis", "mem_mib"):
            if not getattr(profile.resources, amount):
                document.blame(
                    ("profiles", name, "resources", amount),
                    "a notebook needs some of it: ask for 1 or more (500 are a common least)",
                )


def _note_second_default(document: Document, model: ProfilesModel) -> None:
    defaults = [name for name, profile in model.profiles.items() if profile.is_default]
    for name in defaults[1:]:
        document.blame(
            ("profiles", name, "is_default"),
            f"one profile is the default, and {defaults[0]} is it already: keep one",
        )


def _note_unknown_teams(document: Document, model: ProfilesModel, known: Collection[str] | None) -> None:
    for name, profile in model.profiles.items():
        for index, team in enumerate(profile.teams):
            if known is not None and team not in known:
                document.blame(
                    ("profiles", name, "teams", index),
                    f"there is no team {team!r}; the teams are {', '.join(sorted(known))}: "
                    "name one of them, or leave `teams` out for everybody",
                )


def _note_unfit_environments(document: Document, model: ProfilesModel) -> None:
    for name, profile in model.profiles.items():
        problem = environment_problem(profile.environment) if profile.environment else ""
        if problem:
            document.blame(("profiles", name, "environment"), problem)


def _note_zones(document: Document, model: ProfilesModel) -> None:
    for name, profile in model.profiles.items():
        if profile.placement is not None and profile.placement.zones != "any":
            document.blame(
                ("profiles", name, "placement", "zones"),
                "a notebook is one process, which stands in one zone: leave it out, or name a prefer_zone",
            )


def environment_problem(prefix: str) -> str:
    """Say why no notebook can build on the Python environment at `prefix`; empty where one can."""
    program = Path(prefix) / "bin" / "python"
    try:
        done = subprocess.run(
            [str(program), "-I", "-c", _HAS_KERNEL],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=KERNEL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (
            f"there is no Python at {program} that runs ({error}): make one (python3 -m venv {prefix}), or "
            "name the folder of one that exists"
        )
    return "" if done.returncode == 0 else f"its Python has no kernel: run {program} -m pip install ipykernel"
