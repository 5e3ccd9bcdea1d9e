"""One contract for every kind of source: a folder, and a prefix of a bucket on a real S3 protocol."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import s3fs

from jupyterhub_mesos.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from jupyterhub_mesos.lake import filesystem, open_lake
from jupyterhub_mesos.lake.entries import Source
from jupyterhub_mesos.lake.local import FolderSource
from jupyterhub_mesos.lake.sources import source, sources
from jupyterhub_mesos.wire import ConnectionsView, ConnectionView
from s3_server import PREFIX, REGION, S3Server

PART = 50 * 1024 * 1024
"""Larger than what s3fs sends in one part."""
Open = Callable[..., Source]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process that was told of a lake: two folders; its configuration as the service writes it."""
    for name in ("team", "shared"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"LAKE_{name.upper()}_URI", (tmp_path / name).as_uri())
    monkeypatch.delenv("LAKE_SOURCES", raising=False)
    return tmp_path


def tell_of_s3(told: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, secret: str = "") -> None:
    """Add two connections to one place, whose credential process prints the server's key."""
    key = {"Version": 1, "AccessKeyId": s3.key_id, "SecretAccessKey": secret or s3.secret}
    (told / "key.json").write_text(json.dumps({**key, "Expiration": "2099-01-01T00:00:00Z"}))
    views = [
        ConnectionView(
            name=name,
            title=f"The {name} data",
            endpoint=s3.endpoint,
            bucket=s3.bucket,
            prefix=PREFIX,
            region=REGION,
            mode="rw" if name == "raw" else "ro",
        )
        for name in ("raw", "frozen")
    ]
    listed = ConnectionsView(connections=tuple(views))
    (told / "sources.json").write_text(listed.model_dump_json())
    (told / "config").write_text(
        "".join(f"[profile {v.name}]\ncredential_process = cat {told / 'key.json'}\n" for v in views)
    )
    monkeypatch.setenv("LAKE_SOURCES", str(told / "sources.json"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(told / "config"))


@pytest.fixture(params=["folder", "s3"])
def opened(request: pytest.FixtureRequest, told: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the writable source of a kind, or with `is_writable=False` the other one of the same kind."""
    if request.param == "s3":
        tell_of_s3(told, request.getfixturevalue("s3"), monkeypatch)

    def open_one(*, is_writable: bool = True) -> Source:
        names = ("raw", "frozen") if request.param == "s3" else ("team", "shared")
        return source(names[0] if is_writable else names[1])

    return open_one


def write(found: Source, path: str, content: bytes, *, may_replace: bool = False) -> None:
    upload = found.upload(path, may_replace=may_replace)
    upload.write(content)
    upload.commit()


def read(found: Source, path: str) -> bytes:
    with found.open(path) as file:
        return file.read()


def names(found: Source, path: str = "") -> list[tuple[str, bool]]:
    return [(entry.path, entry.is_folder) for entry in found.list(path).entries]


def test_what_is_written_is_listed_and_read(opened: Open) -> None:
    found = opened()
    assert names(found) == []
    found.make_folder("runs")
    write(found, "runs/first.csv", b"a,b\n")
    write(found, "z.txt", b"")
    assert names(found) == [("runs", True), ("z.txt", False)]
    assert names(found, "runs") == [("runs/first.csv", False)]
    entry = found.stat("runs/first.csv")
    assert (entry.name, entry.size, entry.is_folder) == ("first.csv", 4, False)
    assert entry.modified is not None
    assert found.stat("runs").is_folder
    assert found.stat("").is_folder
    assert read(found, "runs/first.csv") == b"a,b\n"
    assert found.place("runs/first.csv").endswith("/runs/first.csv")


def test_an_empty_folder_stays_and_a_second_one_of_its_name_is_refused(opened: Open) -> None:
    found = opened()
    found.make_folder("new")
    assert names(found, "new") == []
    with pytest.raises(Conflict):
        found.make_folder("new")


def test_nothing_is_replaced_unasked(opened: Open) -> None:
    found = opened()
    write(found, "x", b"old")
    with pytest.raises(Conflict, match="is there already"):
        found.upload("x")
    late = found.upload("late")  # nothing is there yet
    late.write(b"second")
    write(found, "late", b"first")
    with pytest.raises(Conflict, match="is there already"):
        late.commit()
    late.discard()
    assert read(found, "late") == b"first"
    write(found, "x", b"new", may_replace=True)
    assert read(found, "x") == b"new"
    assert names(found) == [("late", False), ("x", False)]


def test_an_upload_that_is_given_up_leaves_nothing(
    opened: Open, request: pytest.FixtureRequest, told: Path
) -> None:
    found = opened()
    for size in (10, PART + 10):
        upload = found.upload("x")
        upload.write(b"x" * size)
        upload.discard()
        upload.discard()
        del upload
    assert names(found) == []
    left = request.getfixturevalue("s3").keys() if found.kind == "s3" else set((told / "team").iterdir())
    assert left == set()


def test_a_large_file_goes_in_parts_and_comes_back_whole(opened: Open) -> None:
    found = opened()
    upload = found.upload("large")
    for number in range(3):
        upload.write(bytes([number]) * (PART // 2))
    upload.commit()
    upload.discard()  # after the commit it does nothing
    assert found.stat("large").size == 3 * (PART // 2)
    with found.open("large") as file:
        file.seek(PART)
        assert file.read(3) == b"\2\2\2"


def test_a_read_only_source_refuses_with_a_sentence(opened: Open) -> None:
    found = opened(is_writable=False)
    for change in (found.upload, found.make_folder, found.delete):
        with pytest.raises(NotAllowed, match=r"is read-only: write to a folder of your team"):
            change("x")


def test_what_is_not_there_is_said_so(opened: Open) -> None:
    found = opened()
    for ask in (found.list, found.stat, found.open, found.delete):
        with pytest.raises(NotFound, match=f"lake://{found.name}/nowhere"):
            ask("nowhere")
    found.make_folder("runs")
    with pytest.raises(InvalidInput, match="is no file"):
        found.open("runs")
    with pytest.raises(InvalidInput, match="only single files are deleted"):
        found.delete("runs")


def test_a_file_is_deleted_for_ever(opened: Open) -> None:
    found = opened()
    write(found, "a/x" if found.kind == "s3" else "x", b"x")
    path = names(found)[0][0]
    if found.kind == "s3":
        path = "a/x"
    found.delete(path)
    with pytest.raises(NotFound):
        found.stat(path)


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "a\0b", "x" * 2000])
def test_no_path_leaves_its_source(opened: Open, path: str) -> None:
    found = opened()
    for ask in (found.list, found.stat, found.open, found.upload, found.make_folder, found.delete):
        with pytest.raises(InvalidInput):
            ask(path)


def test_a_source_shows_nothing_beside_its_prefix(
    told: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_of_s3(told, s3, monkeypatch)
    s3.client().put_object(Bucket=s3.bucket, Key="outside.txt", Body=b"hush")
    s3.client().put_object(Bucket=s3.bucket, Key=f"{PREFIX}-2/x", Body=b"hush")
    s3.put("inside.txt", b"x")
    assert names(source("raw")) == [("inside.txt", False)]
    s3.client().delete_object(Bucket=s3.bucket, Key="outside.txt")
    s3.client().delete_object(Bucket=s3.bucket, Key=f"{PREFIX}-2/x")


def test_a_folder_of_more_than_a_page_is_listed_whole(
    told: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_of_s3(told, s3, monkeypatch)
    raw = source("raw")
    calls: list[str] = []
    real = raw.fs.call_s3  # type: ignore[attr-defined]

    def in_small_pages(method: str, **parameters: object) -> object:
        calls.append(method)
        return real(method, **parameters, MaxKeys=3)

    for number in range(8):
        s3.put(f"many/{number}", b"x")
    monkeypatch.setattr(raw.fs, "call_s3", in_small_pages)  # type: ignore[attr-defined]
    assert len(raw.list("many").entries) == 8
    assert calls == ["list_objects_v2"] * 3


def test_a_wrong_key_and_a_source_that_is_away_are_said_so(
    told: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3fs.S3FileSystem.clear_instance_cache()  # one of an earlier test has that test's credentials
    tell_of_s3(told, s3, monkeypatch, secret="wrong-secret")
    with pytest.raises((NotAllowed, Unavailable)) as refusal:
        source("raw").list("")
    assert "wrong-secret" not in str(refusal.value)
    s3fs.S3FileSystem.clear_instance_cache()
    (told / "config").write_text("[profile raw]\ncredential_process = sh -c 'echo not you >&2; exit 1'\n")
    with pytest.raises(Unavailable, match=r"The raw data does not answer as it should: .*not you"):
        source("raw").list("")
    s3fs.S3FileSystem.clear_instance_cache()


def test_links_out_of_a_folder_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/x").write_text("hush")
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path / "secret")
    found = FolderSource("team", "Team", root, is_writable=True)
    assert names(found) == []
    for ask in (found.list, found.stat, found.open):
        with pytest.raises(NotFound):
            ask("out")
    for change in (found.upload, found.make_folder, found.delete):
        with pytest.raises(NotFound):
            change("out/x")
    assert (tmp_path / "secret/x").read_text() == "hush"


def test_a_file_system_without_hard_links_takes_uploads_and_replaces_nothing(
    told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "link", refused)
    late = source("team").upload("x")
    late.write(b"late")
    write(source("team"), "x", b"first")
    with pytest.raises(Conflict):
        late.commit()
    late.discard()
    assert read(source("team"), "x") == b"first"
    assert [path.name for path in (told / "team").iterdir()] == ["x"]


def test_the_lake_opens_by_uri_and_by_the_path_under_the_home(told: Path) -> None:
    with open_lake("lake://team/x.txt", "wb") as file:
        file.write(b"one")
    with open_lake("~/lake/team/x.txt") as file:
        assert file.read() == b"one"
    with pytest.raises(Conflict):
        open_lake("lake://team/x.txt", "xb")
    with pytest.raises(InvalidInput, match="is no place in the lake"):
        open_lake("/etc/passwd")
    with pytest.raises(
        NotFound, match="there is no source 'mars' in the lake for you; there are team, shared"
    ):
        open_lake("lake://mars/x")


def test_a_kernel_needs_neither_the_service_s_packages_nor_s3fs_for_folders() -> None:
    program = (
        "import sys, jupyterhub_mesos.lake.sources as lake; lake.folders(); "
        "print([name for name in ('yaml', 'sqlalchemy', 's3fs', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_block_that_raises_writes_nothing(told: Path) -> None:
    def failing() -> None:
        with open_lake("lake://team/x.txt", "wb") as file:
            file.write(b"half")
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        failing()
    assert list((told / "team").iterdir()) == []


def test_fsspec_sees_a_source_from_its_root(
    told: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_of_s3(told, s3, monkeypatch)
    s3.put("a/x.txt", b"x")
    (told / "team/y.txt").write_text("y")
    assert filesystem("raw").ls("a", detail=False) == ["a/x.txt"]
    assert filesystem("raw").cat_file("a/x.txt") == b"x"
    assert filesystem().cat_file("y.txt") == b"y"
    assert [found.name for found in sources()] == ["team", "shared", "raw", "frozen"]
