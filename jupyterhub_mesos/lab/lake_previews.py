"""What a file of the lake looks like: first rows, arrays, a picture or the beginning of a text.

Bounded in bytes, so that a click never reads a whole dataset; nothing that a file holds is ever run, and
what is no picture by its first bytes (SVG and HTML above all) is shown as text.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import IO, Final, Literal

from jupyterhub_mesos.lab.lake_arrays import arrays
from jupyterhub_mesos.lab.lake_looks import HEAD_BYTES, Look, nothing
from jupyterhub_mesos.lab.lake_messages import LakeImage, LakeText
from jupyterhub_mesos.lab.lake_tables import delimited, json_lines, parquet
from jupyterhub_mesos.lake.entries import Entry, Source

MAX_IMAGE_BYTES: Final = 8 * 1024 * 1024
ImageType = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]

_TABLES: Final[dict[str, Callable[..., Look | None]]] = {
    "csv": delimited,
    "tsv": delimited,
    "jsonl": json_lines,
    "ndjson": json_lines,
}
_FILES: Final[dict[str, Callable[[IO[bytes]], Look]]] = {
    "parquet": parquet,
    "npy": arrays,
    "npz": arrays,
}
_READING: Final = {
    "csv": ("import pandas as pd", "data = pd.read_csv(file)"),
    "tsv": ("import pandas as pd", 'data = pd.read_csv(file, sep="\\t")'),
    "jsonl": ("import pandas as pd", "data = pd.read_json(file, lines=True)"),
    "ndjson": ("import pandas as pd", "data = pd.read_json(file, lines=True)"),
    "parquet": ("import pandas as pd", "data = pd.read_parquet(file)"),
    "npy": ("import numpy as np", "data = np.load(file)"),
    "npz": ("import numpy as np", "data = dict(np.load(file))"),
    "json": ("import json", "data = json.load(file)"),
    "txt": ("", "data = file.read().decode()"),
}
_NAMES: Final[dict[str, ImageType]] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}


def preview(source: Source, entry: Entry) -> Look:
    """Look at a file."""
    ending = _ending(entry)
    with source.open(entry.path) as file:
        if ending in _FILES:
            return _FILES[ending](file)
        head = file.read(HEAD_BYTES + 1)
        is_cut = len(head) > HEAD_BYTES
        head = head[:HEAD_BYTES]
        image = image_type(head)
        if image is not None:
            return _image(image, head, file, entry)
    if ending in _NAMES:
        return nothing(f"It is called .{ending}, and its first bytes are none of PNG, JPEG, GIF and WebP.")
    return _text(head, ending, is_cut=is_cut)


def reading_code(uri: str, entry: Entry) -> str:
    """Return the Python that reads the file in a notebook."""
    imported, statement = _READING.get(_ending(entry), ("", "data = file.read()"))
    lines = [imported] if imported else []
    lines += ["from jupyterhub_mesos.lake import open_lake", "", f"with open_lake({uri!r}) as file:"]
    return "\n".join([*lines, f"    {statement}", ""])


def image_type(head: bytes) -> ImageType | None:
    """Return what an image's first bytes say that it is."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def _ending(entry: Entry) -> str:
    return entry.name.rpartition(".")[2].lower() if "." in entry.name else ""


def _image(kind: ImageType, head: bytes, file: IO[bytes], entry: Entry) -> Look:
    if (entry.size or 0) > MAX_IMAGE_BYTES:
        return nothing(f"The image has {entry.size:,} bytes; up to {MAX_IMAGE_BYTES:,} are shown here.")
    file.seek(0)
    content = file.read(MAX_IMAGE_BYTES)
    word = kind.removeprefix("image/").upper()
    return Look(LakeImage(media_type=kind, base64=base64.b64encode(content).decode()), f"{word} image")


def _text(head: bytes, ending: str, *, is_cut: bool) -> Look:
    if not head:
        return nothing("The file is empty.")
    text = _decoded(head, is_cut=is_cut)
    if text is None:
        return nothing("This is neither a table, arrays, a picture nor text that can be shown here.")
    look = _TABLES[ending](text, is_cut=is_cut) if ending in _TABLES else None
    return look or Look(LakeText(text=text), "text", is_cut)


def _decoded(head: bytes, *, is_cut: bool) -> str | None:
    """Return UTF-8 text; a character may be cut in two at the end of what was read."""
    if b"\0" in head:
        return None
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if is_cut and error.start >= len(head) - 3:
            return head[: error.start].decode("utf-8-sig")
        return None
