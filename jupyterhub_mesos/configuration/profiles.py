"""profiles.yaml: what a notebook may be started with."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from jupyterhub_mesos.configuration.document import Document, read
from jupyterhub_mesos.configuration.problems import validated
from jupyterhub_mesos.wire import ProfilesModel


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
