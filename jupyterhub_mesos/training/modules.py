"""The local modules that a job's code imports: found by their import statements, they travel with it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.wire import SourceFile


def local_modules(trees: list[ast.Module], folder: Path) -> tuple[SourceFile, ...]:
    """Return every module and package beside the notebook that `trees` import, and what those import.

    What is not found in `folder` is taken to be installed on the nodes; a name that is
    made at run time (`importlib`) is not seen. Raises `WorkloadError` for a module that
    is not Python text, naming its line, and for a relative import that leaves the folder.
    """
    found: dict[Path, str] = {}
    waiting = [path for tree in trees for path in _imported(tree, folder, folder)]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = _text(path)
        waiting += _imported(_tree(path, found[path]), folder, path.parent)
    return tuple(
        SourceFile(path=path.relative_to(folder).as_posix(), text=text)
        for path, text in sorted(found.items())
    )


def is_installed_here(name: str) -> bool:
    """Say whether the Python that runs this has a module of that name."""
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # it is loaded, by hand
        return True


@dataclass(frozen=True, slots=True)
class Place:
    """Where code stands, for people; `cell` is None for a module."""

    name: str
    cell: int | None = None


def check_importable(
    tree: ast.Module, folder: Path, place: Place, is_installed: Callable[[str], bool] = is_installed_here
) -> None:
    """Raise `WorkloadError` for a module that `tree` imports and that is not in `folder` nor installed."""
    for name, line in needed_modules(tree, folder):
        if not is_installed(name):
            raise WorkloadError(
                f"{place.name}, line {line} imports {name!r}, which is neither beside the notebook "
                f"({folder}) nor installed: put {name}.py there, or install the package",
                cell=place.cell,
                line=line,
            )


def needed_modules(tree: ast.Module, folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the names, with their lines, that `tree` imports and that have to be installed.

    Only plain imports at the top level are looked at: one in a `try` or a function may be meant to fail.
    """
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            top = name.split(".")[0]
            if not _is_local(folder, top):
                yield top, node.lineno


def _is_local(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()


def _imported(tree: ast.Module, folder: Path, here: Path) -> Iterator[Path]:
    """Yield the files in `folder` that a module lying in `here` imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(folder, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, folder, here)
            module = node.module.split(".") if node.module else []
            yield from _files(base, module)
            for alias in node.names:
                yield from _files(base, [*module, alias.name])


def _base(node: ast.ImportFrom, folder: Path, here: Path) -> Path:
    if not node.level:
        return folder
    base = here
    for _ in range(node.level - 1):
        base = base.parent
    if not base.is_relative_to(folder):
        raise WorkloadError(
            f"a relative import ({'.' * node.level}{node.module or ''}) leaves the notebook's folder "
            f"{folder}: put the module beside the notebook, or install it on the nodes",
            line=node.lineno,
        )
    return base


def _files(base: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the files that importing `parts` under `base` runs: packages' `__init__`, then the module."""
    here = base
    for depth, part in enumerate(parts):
        if depth and (here / "__init__.py").is_file():
            yield here / "__init__.py"
        if (here / f"{part}.py").is_file() and not (here / part / "__init__.py").is_file():
            yield here / f"{part}.py"
            return
        here /= part
    if parts and (here / "__init__.py").is_file():
        yield here / "__init__.py"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(
            f"the module {path} is imported by the notebook and cannot be read: {error}"
        ) from error


def _tree(path: Path, text: str) -> ast.Module:
    try:
        return ast.parse(text, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        at = f", line {line}" if line else ""
        raise WorkloadError(f"the module {path}{at} is not Python: {error}", line=line) from error
