"""The data sources of the process that asks: the lake's folders, and the connections of its team.

A task learns of them by its environment (docs/reference/lake.md): `LAKE_TEAM_URI` and `LAKE_SHARED_URI` name
the folders, `LAKE_SOURCES` a file that lists the connections.

```python
from jupyterhub_mesos.lake import filesystem, open_lake
with open_lake("lake://datasets/first.csv") as file: ...
```
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from jupyterhub_mesos.errors import InvalidInput, NotFound, Unavailable
from jupyterhub_mesos.lake.entries import Source, split_uri, uri_of
from jupyterhub_mesos.lake.handout import SOURCES_VARIABLE
from jupyterhub_mesos.lake.local import FolderSource
from jupyterhub_mesos.lake.s3 import LACKING, S3Source, file_system
from jupyterhub_mesos.wire import ConnectionsView, ConnectionView

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # fsspec has no types

FOLDERS: Final = (
    ("team", "Your team's folder", "LAKE_TEAM_URI", True),
    ("shared", "The folder for everybody", "LAKE_SHARED_URI", False),
)
"""Name, title, variable, and whether it takes files."""


def folders(environ: Mapping[str, str] | None = None) -> tuple[FolderSource, ...]:
    """Return the lake's folders that this process was told of."""
    env = os.environ if environ is None else environ
    return tuple(
        FolderSource(name, title, Path(unquote(urlsplit(env[variable]).path)), is_writable)
        for name, title, variable, is_writable in FOLDERS
        if env.get(variable, "").startswith("file:")
    )


def connections(environ: Mapping[str, str] | None = None) -> tuple[ConnectionView, ...]:
    """Return the connections that this process was told of; `InvalidInput` where the list is damaged."""
    env = os.environ if environ is None else environ
    place = env.get(SOURCES_VARIABLE, "")
    if not place:
        return ()
    try:
        return ConnectionsView.model_validate_json(Path(place).read_bytes()).connections
    except (OSError, ValidationError) as error:
        raise InvalidInput(
            f"the list of S3 sources {place} cannot be read: start the server again"
        ) from error


def sources(environ: Mapping[str, str] | None = None) -> Sequence[Source]:
    """Return every source that can be opened here; S3 sources only where s3fs is installed."""
    opened: list[Source] = [*folders(environ)]
    for view in connections(environ):
        try:
            opened.append(S3Source(view, file_system(view)))
        except Unavailable:
            break
    return opened


def source(name: str, environ: Mapping[str, str] | None = None) -> Source:
    """Return the source of a name; raises `NotFound` with the names that there are."""
    found: Source | None = next((folder for folder in folders(environ) if folder.name == name), None)
    if found is not None:
        return found
    for view in connections(environ):
        if view.name == name:
            return S3Source(view, file_system(view))
    names = [folder.name for folder in folders(environ)] + [view.name for view in connections(environ)]
    possible = f"there are {', '.join(names)}" if names else "this process was told of none"
    raise NotFound(f"there is no source {name!r} in the lake for you; {possible}")


def open_lake(uri: str, mode: str = "rb") -> IO[bytes]:
    """Open `lake://NAME/path` or `~/lake/NAME/path`; mode `rb`, `wb` (replaces) or `xb` (refuses to).

    What is written is there when the file is closed, and nothing of it when its block raises.
    """
    name, path = split_uri(uri)
    found = source(name)
    if mode == "rb":
        return found.open(path)
    if mode not in {"wb", "xb"}:
        raise InvalidInput(f"mode {mode!r} asked for; rb, wb and xb are possible")
    from jupyterhub_mesos.lake.writing import whole_file  # noqa: PLC0415 - only who writes needs it

    return whole_file(found.upload(path, may_replace=mode == "wb"), uri_of(name, path))


def filesystem(name: str = "team") -> AbstractFileSystem:
    """Return fsspec's file system of a source, rooted at it: for pandas, pyarrow, dask and the like."""
    found = source(name)
    try:
        from fsspec.implementations.dirfs import (  # type: ignore[import-untyped]  # noqa: PLC0415
            DirFileSystem,
        )
        from fsspec.implementations.local import (  # type: ignore[import-untyped]  # noqa: PLC0415
            LocalFileSystem,
        )
    except ImportError as error:
        raise Unavailable(LACKING) from error
    below = found.fs if isinstance(found, S3Source) else LocalFileSystem()
    return DirFileSystem(found.place("").removeprefix("s3://"), below)
