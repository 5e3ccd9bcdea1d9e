"""What a job's code reads of the lake: found as text in it and looked for; only the reference travels."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import WorkloadError
from jupyterhub_mesos.giturls import holds_secret

HOME_LAKE: Final = "~/lake/"
READ_ONLY: Final = "~/lake/shared/"
"""What is named below it can only be meant to be read, so it has to be there."""
_REFERENCE: Final = re.compile(r"(~/lake/|(lake|s3|s3a|hdfs|webhdfs|gs|gcs|abfs|abfss)://)\S+")
_MAGIC: Final = re.compile(r"[*?\[]")
MAX_LENGTH: Final = 4096


@dataclass(frozen=True, slots=True)
class Reference:
    """A piece of the lake that code names; `where` is for people, `cell` is None outside the cells."""

    uri: str
    where: str
    cell: int | None = None
    line: int | None = None


def is_reference(text: object) -> bool:
    """Say whether a text names something of the lake, as a whole."""
    return isinstance(text, str) and len(text) <= MAX_LENGTH and _REFERENCE.fullmatch(text) is not None


def references(
    tree: ast.Module, name: str, cell: int | None = None, overridden: Collection[str] = ()
) -> Iterator[Reference]:
    """Find the references of the cell or module `name`, but for what it gives the names `overridden`."""
    skipped = {
        id(node)
        for statement in ast.walk(tree)
        if _is_other(statement, overridden)
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in skipped and is_reference(node.value):
            yield Reference(str(node.value), f"{name}, line {node.lineno}", cell, node.lineno)


def _is_other(node: ast.AST, overridden: Collection[str]) -> bool:
    """Pass over pieces of an f-string, and over values that the job's parameters replace."""
    match node:
        case ast.JoinedStr():
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in overridden
        case _:
            return False


def given(data: Iterable[str], parameters: Mapping[str, object]) -> list[Reference]:
    """Return what a submission names itself, by `data` and by the values of its parameters.

    Raises `WorkloadError` for a `data` that is no reference to the lake.
    """
    for uri in data:
        if not is_reference(uri):
            raise WorkloadError(
                f"{uri!r} names nothing in the lake: data is named as ~/lake/team/..., ~/lake/shared/..., "
                "lake://NAME/... or by its URI (s3://BUCKET/...); for a file beside the notebook use files="
            )
    named = [Reference(uri, "the job's list of data") for uri in data]
    return named + [
        Reference(str(value), f"the parameter {name}")
        for name, value in parameters.items()
        if is_reference(value)
    ]


def checked(found: Iterable[Reference], *, demanded: Collection[str]) -> tuple[tuple[str, ...], list[str]]:
    """Look for the references that are files here; return them all, and a sentence for what is not there.

    Where there is no lake on this machine nothing is looked for. Raises `WorkloadError` for one that
    holds a password, and for one that is missing and `demanded` or in the lake's read-only part.
    """
    uris: dict[str, None] = {}
    notes: list[str] = []
    for reference in found:
        if holds_secret(reference.uri):
            raise _error(
                reference, "holds a user name or password, which would be kept with the job: leave it out"
            )
        if _is_missing(reference.uri):
            sentence = f"names {reference.uri}, which is not there now"
            if reference.uri in demanded or reference.uri.startswith(READ_ONLY):
                raise _error(reference, f"{sentence}: correct the path, or put the data there")
            notes.append(f"{reference.where} {sentence}")
        uris[reference.uri] = None
    return tuple(uris), notes


def _error(reference: Reference, sentence: str) -> WorkloadError:
    return WorkloadError(f"{reference.where} {sentence}", cell=reference.cell, line=reference.line)


def _is_missing(uri: str) -> bool:
    """Say whether a path of the lake is not here, where the lake itself is here."""
    if not uri.startswith(HOME_LAKE) or "{" in uri:  # elsewhere, or filled in at run time
        return False
    root = Path("/".join(uri.split("/")[:3])).expanduser()  # ~/lake/team
    path = Path(uri.rstrip("/")).expanduser()
    if not root.is_dir() or os.path.exists(path):  # noqa: PTH110 - one that may not be looked at is not there either
        return False
    return not _matches(root, str(path.relative_to(root))) if _MAGIC.search(uri) else True


def _matches(root: Path, pattern: str) -> bool:
    try:
        return any(root.glob(pattern))
    except (
        ValueError,
        NotImplementedError,
        OSError,
    ):  # no pattern of pathlib's; the code's own library may take it
        return True
