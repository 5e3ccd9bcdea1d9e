"""What a job may name: files that can all be laid into its folder, and what a process can be given."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from jupyterhub_mesos.wire import Role, Source, SourceFile


@pytest.mark.parametrize("path", [".", "./a", "a/.", "..", "a/../b", "/a", "a//b", "a/", "a\0b", "ä" * 128])
def test_a_path_that_is_no_file_of_the_jobs_folder_is_refused_by_name(path: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SourceFile(path=path, text="")
    assert repr(path) in str(refused.value)


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b"), ("a", "a")])
def test_files_in_each_others_place_are_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="is given"):
        Source(files=tuple(SourceFile(path=path, text="") for path in paths))


def test_files_beside_each_other_are_taken() -> None:
    paths = ("a/b", "a/c", "a.b", "ab/a", "a/.hidden", "...")
    source = Source(files=tuple(SourceFile(path=path, text="") for path in paths))
    assert tuple(file.path for file in source.files) == paths


@pytest.mark.parametrize("name", ["", "A=B", "A\0"])
def test_a_variable_without_a_proper_name_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Role(argv=("python",), env={name: "1"})
    assert f"{name!r} is no name" in str(refused.value)


@pytest.mark.parametrize("of", [{"argv": ("python", "a\0")}, {"argv": ("python",), "env": {"A": "\0"}}])
def test_a_zero_byte_is_refused_before_anything_is_launched(of: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="zero byte"):
        Role(**of)
