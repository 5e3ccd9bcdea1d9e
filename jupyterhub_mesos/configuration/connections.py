"""lake.yaml: the data sources that an admin gives to teams, beside the folders of the lake.

A key is never written here, only where it is to be found. What looks like one
is refused before anything else is said, and never repeated in the refusal.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from jupyterhub_mesos.configuration.document import Document, Place, read
from jupyterhub_mesos.configuration.problems import validated
from jupyterhub_mesos.wire import LakeModel
from jupyterhub_mesos.wire.lake import variable_part

FOLDERS: Final = frozenset({"team", "shared"})
"""No connection's name: the lake's folders have them."""
_SECRET_KEY: Final = re.compile(r"secret|passw|token|access_?key|key_id|api_?key", re.IGNORECASE)
_CURE: Final = (
    "a secret does not stand in this file: put it into a file that only the service can read, "
    "and name that: credentials: {file: /etc/jupyterhub-mesos/NAME.key}"
)


def load_connections(path: Path, teams: Collection[str] | None = None) -> LakeModel:
    """Read lake.yaml; raise `InvalidFile` with every problem and its line.

    Where `teams` is given, a connection may name only those.
    """
    document = read(path)
    _note_secrets(document)
    document.check()
    model = validated(document, LakeModel)
    if model is not None:
        _note_names(document, model)
        _note_credentials(document, model)
        _note_teams(document, model, teams)
    document.check()
    if model is None:  # pragma: no cover  (a model that does not hold noted its problems)
        raise AssertionError(f"{path} does not hold, and nothing says why")
    return model


def _note_secrets(document: Document) -> None:
    for place, value in _walk((), document.value):
        key = str(place[-1]) if place else ""
        if (_SECRET_KEY.search(key) and len(place) > 2) or (key == "credentials" and isinstance(value, str)):
            document.blame(place, _CURE)
        elif key == "endpoint" and isinstance(value, str) and "@" in urlsplit(value).netloc:
            document.blame(place, f"an address without user and password is due; {_CURE}")


def _walk(place: Place, value: object) -> Iterator[tuple[Place, object]]:
    yield place, value
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from _walk((*place, key), inner)


def _note_names(document: Document, model: LakeModel) -> None:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in model.connections:
        if name in FOLDERS:
            document.blame(
                ("connections", name),
                f"a connection may not be named {name!r}: that is a folder of the lake. Choose another name",
            )
        alike[variable_part(name)].append(name)
    for first, *others in alike.values():
        for name in others:
            document.blame(
                ("connections", name),
                f"its variables would have the names of those of {first!r}: choose a name that differs "
                "in a letter or digit",
            )


def _note_credentials(document: Document, model: LakeModel) -> None:
    for name, connection in model.connections.items():
        given = connection.credentials
        if (given.file is None) == (given.env is None):
            document.blame(
                ("connections", name, "credentials"),
                "one of the two is due: {file: /a/path} or {env: NAME}",
            )
        elif given.file is not None and not Path(given.file).is_absolute():
            document.blame(
                ("connections", name, "credentials", "file"),
                f"{given.file!r} asked for; a path that begins with / is due",
            )
        session = connection.session
        if session is not None and session.kind == "assume-role" and not session.role:
            document.blame(
                ("connections", name, "session", "role"),
                "is missing: name the role to assume, or choose kind: session-token",
            )


def _note_teams(document: Document, model: LakeModel, known: Collection[str] | None) -> None:
    for name, connection in model.connections.items():
        if not connection.teams:
            document.blame(("connections", name, "teams"), "at least one team is due, for instance [vision]")
        for index, team in enumerate(connection.teams):
            if known is not None and team not in known:
                document.blame(
                    ("connections", name, "teams", index),
                    f"there is no team {team!r}; the teams are {', '.join(sorted(known))}: name one of them",
                )
