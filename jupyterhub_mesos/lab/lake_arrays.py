"""What a `.npy` or `.npz` file holds, from the headers alone: no array is read, and nothing unpickled.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
import struct
import zipfile
import zlib
from typing import IO, Final, cast

from jupyterhub_mesos.lab.lake_looks import Look, counted, nothing
from jupyterhub_mesos.lab.lake_messages import LakeArray, LakeArrays

MAGIC: Final = b"\x93NUMPY"
MAX_HEADER: Final = 64 * 1024
MAX_ARRAYS: Final = 500
_LENGTHS: Final = {1: "<H", 2: "<I", 3: "<I"}


def arrays(file: IO[bytes]) -> Look:
    """Look at a file of arrays."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                names = [name for name in archive.namelist() if name.endswith(".npy")]
                found = [_member(archive, name) for name in names[:MAX_ARRAYS]]
            return _look(found, len(names))
        file.seek(0)
        return _look([_array("", file)], 1)
    except (ValueError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error, RecursionError) as error:
        return nothing(f"This is no file of arrays that can be read: {error}")


def _look(found: list[LakeArray], total: int) -> Look:
    return Look(LakeArrays(arrays=tuple(found)), counted(total, "array"), total > len(found))


def _member(archive: zipfile.ZipFile, name: str) -> LakeArray:
    with archive.open(name) as member:
        return _array(name.removesuffix(".npy"), member)


def _array(name: str, file: IO[bytes]) -> LakeArray:
    beginning = file.read(len(MAGIC) + 2)
    if beginning[: len(MAGIC)] != MAGIC:
        raise ValueError("it does not begin as numpy's files do")
    form = _LENGTHS.get(beginning[len(MAGIC)])
    if form is None:
        raise ValueError("it is of a format that is not known")
    (length,) = struct.unpack(form, file.read(struct.calcsize(form)))
    if length > MAX_HEADER:
        raise ValueError("its header is too long")
    header: object = ast.literal_eval(file.read(length).decode("utf-8").strip())
    if not isinstance(header, dict):
        raise ValueError("its header says nothing")
    fields = cast("dict[str, object]", header)
    shape = fields.get("shape")
    if not isinstance(shape, tuple) or not all(
        isinstance(size, int) for size in cast("tuple[object]", shape)
    ):
        raise ValueError("its header names no shape")
    return LakeArray(name=name, dtype=str(fields.get("descr")), shape=cast("tuple[int, ...]", shape))
