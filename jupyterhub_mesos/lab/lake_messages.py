"""What the lake's browser in JupyterLab and the notebook server say to each other.

A source is named by its `name`; a `path` is relative to it, with `/` between the parts, empty for its root.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jupyterhub_mesos.wire import Wire

Sort = Literal["name", "size", "modified"]
Path = Annotated[str, Field(max_length=1024)]


class LakeSource(Wire):
    """A folder of the lake, or a connection; `lacking` says why it cannot be opened, or is empty.

    `place` is how other programs spell its root: a folder's path, `s3://bucket/prefix`.
    """

    name: str
    title: str
    kind: Literal["folder", "s3"]
    is_writable: bool
    uri: str
    place: str
    lacking: str = ""


class LakeSources(Wire):
    """`GET capacity/lake/sources`: what there is to browse; `lacking` says why there is nothing."""

    sources: tuple[LakeSource, ...]
    max_upload_bytes: int
    lacking: str = ""


class LakeEntry(Wire):
    """A file or folder. `size` (bytes) and `modified` (Unix seconds) are None where they are not known.

    `uri` (`lake://team/x`) is the same for everybody of the team, `place` is for other programs.
    """

    source: str
    path: str
    name: str
    is_folder: bool
    size: int | None
    modified: float | None
    uri: str
    place: str


class LakeListing(Wire):
    """`GET capacity/lake/list?source=&path=&sort=&descending=&offset=&limit=`: one page of a folder.

    Folders come first. `total` counts the whole folder; `is_partial`: it holds more than are ever listed.
    """

    source: str
    path: str
    is_writable: bool
    sort: Sort
    is_descending: bool
    entries: tuple[LakeEntry, ...]
    offset: int
    total: int
    is_partial: bool


class LakeColumn(Wire):
    """A column of a table; `type` is the file's own word, or what the first rows look like."""

    name: str
    type: str


class LakeTable(Wire):
    """The first rows, as text; None is an absent value, and a `total_rows` that is not known."""

    kind: Literal["table"] = "table"
    columns: tuple[LakeColumn, ...]
    rows: tuple[tuple[str | None, ...], ...]
    total_rows: int | None


class LakeArray(Wire):
    """An array of numpy's."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class LakeArrays(Wire):
    """What a `.npy` or `.npz` file holds."""

    kind: Literal["arrays"] = "arrays"
    arrays: tuple[LakeArray, ...]


class LakeImage(Wire):
    """An image, whole; `media_type` is what its first bytes say, never the name, and never SVG."""

    kind: Literal["image"] = "image"
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    base64: str


class LakeText(Wire):
    """The beginning of a text; show it as text, whatever it looks like."""

    kind: Literal["text"] = "text"
    text: str


class LakeNothing(Wire):
    """Nothing can be shown; `sentence` says why, and what would help."""

    kind: Literal["nothing"] = "nothing"
    sentence: str


LakeContent = Annotated[
    LakeTable | LakeArrays | LakeImage | LakeText | LakeNothing, Field(discriminator="kind")
]


class LakePreview(Wire):
    """`GET capacity/lake/preview?source=&path=`: what a file looks like.

    `summary` is a line below the name; `is_cut`: there is more than is shown; `code` reads the file in a
    notebook.
    """

    entry: LakeEntry
    content: LakeContent
    summary: str
    is_cut: bool
    code: str


class LakeFolderOrder(Wire):
    """`POST capacity/lake/folders`: make a folder."""

    source: str
    path: Path
