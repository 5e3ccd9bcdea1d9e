"""Read a task's output from the segments that its shim writes, named by the offset of their first byte."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.base import LogChunk

SEGMENT_BYTES: Final = 32 * 1024 * 1024
"""Two segments are kept, so that a task's output takes 64 MiB at most."""
DROPPED_NOTE: Final = "[the output before byte {offset} was dropped: only the last 64 MiB are kept]\n"
_LONGEST_CHARACTER: Final = 4


def read_log(folder: Path, offset: int, limit: int, *, is_gone: bool) -> LogChunk:
    """Read up to `limit` bytes from `offset` (from the end where negative); never half a character."""
    segments = _segments(folder)
    first = segments[0][0] if segments else 0
    end = max((start + size for start, size, _ in segments), default=0)
    asked = max(0, end + offset) if offset < 0 else min(offset, end)
    begin = max(asked, first)
    data = b"".join(_pieces(segments, begin, begin + max(0, limit)))
    if begin + len(data) < end or not is_gone:
        data = _whole_characters(data)
    note = DROPPED_NOTE.format(offset=first) if asked < first and offset >= 0 else ""
    after = begin + len(data)
    return LogChunk(note + data.decode(errors="replace"), begin, after, is_gone and after >= end)


def _segments(folder: Path) -> list[tuple[int, int, Path]]:
    found: list[tuple[int, int, Path]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            found.append((int(path.name), path.stat().st_size, path))
        except FileNotFoundError:  # dropped by the shim just now
            continue
    return sorted(found)


def _pieces(segments: list[tuple[int, int, Path]], begin: int, end: int) -> list[bytes]:
    pieces: list[bytes] = []
    for start, size, path in segments:
        low, high = max(begin, start), min(end, start + size)
        if low < high:
            with path.open("rb") as file:
                file.seek(low - start)
                pieces.append(file.read(high - low))
    return pieces


def _whole_characters(data: bytes) -> bytes:
    """Cut off a character whose rest is not there yet; bytes that are no UTF-8 stay."""
    for back in range(1, min(_LONGEST_CHARACTER, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return data
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if length > back and back < len(data) else data
    return data
