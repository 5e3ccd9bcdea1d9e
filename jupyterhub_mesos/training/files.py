"""The files that a job takes along by name: a configuration, a tokenizer, whatever no import finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.wire import MAX_SOURCE_BYTES, SourceFile

_MAGIC: Final = frozenset("*?[")
_LARGEST: Final = 3
"""Files that the refusal of too many bytes names."""
_MIB: Final = 1024 * 1024


def named_files(patterns: Sequence[str], folder: Path) -> tuple[SourceFile, ...]:
    """Return the files in `folder` that `patterns` name: paths, folders (all that is in them) or globs.

    Hidden files and `__pycache__` travel only when they are named themselves. Raises `WorkloadError`
    for a pattern that names nothing or leaves the folder, and for more than may travel.
    """
    paths = sorted({path for pattern in patterns for path in _matches(pattern, folder)})
    _check_size(paths, folder)
    return tuple(_file(path, folder) for path in paths)


def _matches(pattern: str, folder: Path) -> list[Path]:
    pure = PurePosixPath(pattern)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or pattern.startswith("~"):
        raise WorkloadError(
            f"the file {pattern!r} is not in the notebook's folder {folder}, from which files travel: move "
            "it there, or put it into ~/lake/team and let the code read it from there"
        )
    found = list(_files(folder, str(pure)))
    if not found:
        raise WorkloadError(
            f"no file {pattern!r} is beside the notebook ({folder}): files travel by a path or pattern from "
            "there, such as 'config.yaml', 'tokenizer/*.json' or a folder"
        )
    return found


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    is_pattern = not _MAGIC.isdisjoint(pattern) and not (folder / pattern).exists()
    for path in folder.glob(pattern) if is_pattern else [folder / pattern]:
        if path.is_dir():
            yield from _below(path, path.rglob("*"))
        elif path.is_file():
            yield from _below(folder, [path]) if is_pattern else [path]


def _below(folder: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Leave out what nobody means by a pattern."""
    for path in paths:
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            yield path


def _check_size(paths: Sequence[Path], folder: Path) -> None:
    """Refuse what is too large before it is read."""
    sizes = {path: path.stat().st_size for path in paths}
    total = sum(sizes.values())
    if total <= MAX_SOURCE_BYTES:
        return
    largest = sorted(sizes, key=lambda path: -sizes[path])[:_LARGEST]
    named = ", ".join(f"{path.relative_to(folder)} ({sizes[path] / _MIB:.1f} MiB)" for path in largest)
    raise WorkloadError(
        f"the named files are {total / _MIB:.1f} MiB together; at most {MAX_SOURCE_BYTES // _MIB} MiB travel "
        f"with a job: put the largest into ~/lake/team and let the code read them there ({named})"
    )


def _file(path: Path, folder: Path) -> SourceFile:
    try:
        return SourceFile.of(path.relative_to(folder).as_posix(), path.read_bytes())
    except OSError as error:
        raise WorkloadError(f"the file {path} is to travel and cannot be read: {error}") from error
