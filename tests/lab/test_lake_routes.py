"""The lake's browser, over a real Jupyter Server: what it lists, shows, takes and refuses."""

from __future__ import annotations

import base64
import io
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from deadlines import eventually
from fake_capacity import FakeCapacity, serving
from jupyterhub_mesos.lab.lake_messages import LakeNothing
from jupyterhub_mesos.lab.lake_tables import parquet
from jupyterhub_mesos.wire import ConnectionsView, ConnectionView
from lab_server import TOKEN, LabServer, running_lab
from s3_server import PREFIX, REGION, S3Server, running_s3

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
MAX_UPLOAD = 2_000_000


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lake")
    (root / "team").mkdir()
    (root / "shared").mkdir()
    return root


@pytest.fixture(scope="module")
def lab(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    env = {
        "LAKE_TEAM_URI": (lake / "team").as_uri(),
        "LAKE_SHARED_URI": (lake / "shared").as_uri(),
        "CAPACITY_LAKE_UPLOAD_BYTES": str(MAX_UPLOAD),
    }
    with (
        serving(FakeCapacity()) as fake,
        running_lab(tmp_path_factory.mktemp("lab"), fake.url, env) as lab,
    ):
        yield lab


@pytest.fixture
def team(lake: Path) -> Path:
    return lake / "team"


def put(lab: LabServer, path: str, body: Any, source: str = "team", **query: str) -> requests.Response:
    return requests.put(
        f"{lab.url}capacity/lake/file",
        params={"source": source, "path": path, **query},
        data=body,
        headers={"Authorization": f"token {TOKEN}"},
        timeout=30,
    )


def look(lab: LabServer, path: str) -> Any:
    answer = lab.ask("GET", "lake/preview", source="team", path=path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["detail"]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_the_folders_of_the_team_are_sources(lab: LabServer, team: Path) -> None:
    answer = lab.ask("GET", "lake/sources").json()
    assert answer["lacking"] == ""
    assert answer["max_upload_bytes"] == MAX_UPLOAD
    found = [(source["name"], source["kind"], source["is_writable"]) for source in answer["sources"]]
    assert found == [("team", "folder", True), ("shared", "folder", False)]
    assert answer["sources"][0]["place"] == str(team)


def test_a_plain_server_says_what_is_missing(tmp_path: Path) -> None:
    with serving(FakeCapacity()) as fake, running_lab(tmp_path, fake.url) as lab:
        answer = lab.ask("GET", "lake/sources").json()
        assert answer["sources"] == []
        assert "was not started by the hub's capacity service" in answer["lacking"]
        assert refused(lab.ask("GET", "lake/list", source="team"))[0] == 404


def test_a_folder_is_listed_in_pages_and_orders(lab: LabServer, team: Path) -> None:
    folder = team / "many"
    (folder / "zz").mkdir(parents=True)
    for number in range(5):
        (folder / f"f{number}").write_bytes(b"x" * (10 - number))
    page = lab.ask("GET", "lake/list", source="team", path="many", limit="3").json()
    assert [entry["name"] for entry in page["entries"]] == ["zz", "f0", "f1"]
    assert (page["total"], page["offset"], page["is_partial"], page["is_writable"]) == (6, 0, False, True)
    rest = lab.ask("GET", "lake/list", source="team", path="many", limit="3", offset="3").json()
    assert [entry["name"] for entry in rest["entries"]] == ["f2", "f3", "f4"]
    largest = lab.ask("GET", "lake/list", source="team", path="many", sort="size", descending="true").json()
    assert [entry["size"] for entry in largest["entries"]] == [None, 10, 9, 8, 7, 6]
    assert largest["entries"][1]["uri"] == "lake://team/many/f0"
    assert largest["entries"][1]["modified"] == pytest.approx((folder / "f0").stat().st_mtime)
    assert refused(lab.ask("GET", "lake/list", source="team", sort="colour"))[0] == 400


@pytest.mark.parametrize("path", ["../shared", "a/../../x", "..", "a\nb"])
def test_no_path_leaves_its_source(lab: LabServer, path: str) -> None:
    for answer in (
        lab.ask("GET", "lake/list", source="team", path=path),
        lab.ask("GET", "lake/preview", source="team", path=path),
        put(lab, path, b"x"),
        lab.ask("POST", "lake/folders", {"source": "team", "path": path}),
        lab.ask("DELETE", "lake/file", source="team", path=path, confirm="true"),
    ):
        status, sentence = refused(answer)
        assert status == 400
        assert "leaves its source" in sentence


def test_a_link_that_leads_out_is_not_there(lab: LabServer, team: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hush")
    folder = team / "links"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "file").symlink_to(tmp_path / "secret.txt")
    (folder / "inside").symlink_to(folder)
    listing = lab.ask("GET", "lake/list", source="team", path="links").json()
    assert [entry["name"] for entry in listing["entries"]] == ["inside"]
    for path in ("links/out/secret.txt", "links/file"):
        assert refused(lab.ask("GET", "lake/preview", source="team", path=path))[0] == 404
    assert refused(put(lab, "links/out/new.txt", b"x"))[0] == 404
    assert not (tmp_path / "new.txt").exists()
    put(lab, "links/file", b"replaced", overwrite="true")
    assert (tmp_path / "secret.txt").read_text() == "hush"


def test_a_table_is_shown_with_its_columns(lab: LabServer, team: Path) -> None:
    (team / "t.csv").write_text("name;age;weight;is_in;none\nann;3;1.5;true;\nben;4;2;false;\n")
    shown = look(lab, "t.csv")
    content = shown["content"]
    kinds = [(column["name"], column["type"]) for column in content["columns"]]
    assert kinds == [
        ("name", "text"),
        ("age", "whole"),
        ("weight", "number"),
        ("is_in", "truth"),
        ("none", "empty"),
    ]
    assert content["rows"] == [["ann", "3", "1.5", "true", ""], ["ben", "4", "2", "false", ""]]
    assert (content["total_rows"], shown["is_cut"], shown["summary"]) == (2, False, "2 rows, 5 columns")
    assert "open_lake('lake://team/t.csv')" in shown["code"]
    compile(shown["code"], "code", "exec")


def test_of_a_large_table_the_first_rows_are_read(lab: LabServer, team: Path) -> None:
    (team / "large.csv").write_text("a,b\n" + "1,two\n" * 200_000)
    shown = look(lab, "large.csv")
    assert (len(shown["content"]["rows"]), shown["content"]["total_rows"]) == (100, None)
    assert shown["is_cut"]
    assert len(str(shown)) < 20_000


def test_json_lines_are_a_table_too(lab: LabServer, team: Path) -> None:
    (team / "t.jsonl").write_text('{"a": 1, "b": {"c": 2}}\n{"a": 2.5, "d": null}\n')
    content = look(lab, "t.jsonl")["content"]
    assert [column["name"] for column in content["columns"]] == ["a", "b", "d"]
    assert content["rows"] == [["1", '{"c": 2}', None], ["2.5", None, None]]
    (team / "not.jsonl").write_text("[1]\n")
    assert look(lab, "not.jsonl")["content"]["kind"] == "text"


def test_of_arrays_the_headers_are_read(lab: LabServer, team: Path) -> None:
    np.savez_compressed(team / "d.npz", images=np.zeros((7, 8, 8), np.float32), target=np.arange(7))
    np.save(team / "one.npy", np.zeros((2, 3)))
    np.save(team / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    found = {array["name"]: array for array in look(lab, "d.npz")["content"]["arrays"]}
    assert found["images"] == {"name": "images", "dtype": "<f4", "shape": [7, 8, 8]}
    assert look(lab, "one.npy")["content"]["arrays"][0]["shape"] == [2, 3]
    assert look(lab, "pickled.npy")["content"]["arrays"][0]["dtype"] == "|O"
    (team / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    assert look(lab, "bad.npz")["content"]["kind"] == "nothing"


def test_parquet_is_a_table_with_the_types_that_it_says(lab: LabServer, team: Path) -> None:
    table = pa.table(
        {"n": pa.array(range(1000), pa.int16()), "tags": [["a", "b"]] * 1000, "none": [None] * 1000}
    )
    pq.write_table(table, team / "t.parquet", row_group_size=300)
    shown = look(lab, "t.parquet")
    content = shown["content"]
    types = [(column["name"], column["type"]) for column in content["columns"]]
    assert types == [("n", "int16"), ("tags", "list<element: string>"), ("none", "null")]
    assert (len(content["rows"]), content["total_rows"], shown["is_cut"]) == (100, 1000, True)
    assert content["rows"][1] == ["1", "['a', 'b']", None]
    assert shown["summary"] == "Parquet, 1,000 rows, 3 columns"
    (team / "bad.parquet").write_bytes(b"PAR1")
    assert "no Parquet file that can be read" in look(lab, "bad.parquet")["content"]["sentence"]


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    content = parquet(io.BytesIO(b"PAR1")).content
    assert isinstance(content, LakeNothing)
    assert "needs the package pyarrow" in content.sentence


def test_an_image_is_what_its_first_bytes_say(lab: LabServer, team: Path) -> None:
    (team / "dot.txt").write_bytes(PNG)
    content = look(lab, "dot.txt")["content"]
    assert (content["kind"], content["media_type"]) == ("image", "image/png")
    assert base64.b64decode(content["base64"]) == PNG
    (team / "fake.png").write_text("<svg onload='alert(1)'/>")
    assert look(lab, "fake.png")["content"]["kind"] == "nothing"
    for name in ("x.svg", "x.html"):
        (team / name).write_text("<svg onload='alert(1)'/>")
        assert look(lab, name)["content"] == {"kind": "text", "text": "<svg onload='alert(1)'/>"}


def test_other_files_are_said_to_be_such(lab: LabServer, team: Path) -> None:
    (team / "empty").touch()
    (team / "bytes").write_bytes(bytes(range(256)))
    (team / "cut.txt").write_text("ä" * 200_000)
    assert look(lab, "empty")["content"]["sentence"] == "The file is empty."
    assert look(lab, "bytes")["content"]["kind"] == "nothing"
    cut = look(lab, "cut.txt")
    assert (cut["is_cut"], set(cut["content"]["text"])) == (True, {"ä"})


def test_an_upload_is_there_whole(lab: LabServer, team: Path) -> None:
    body = np.random.default_rng(1).bytes(1_500_000)
    (team / "up").mkdir()
    answer = put(lab, "up/data.bin", io.BytesIO(body))
    assert answer.status_code == 201, answer.text
    assert (answer.json()["size"], answer.json()["path"]) == (len(body), "up/data.bin")
    assert (team / "up/data.bin").read_bytes() == body
    assert files(team / "up") == {"data.bin"}
    status, sentence = refused(put(lab, "up/data.bin", b"new"))
    assert (status, "is there already" in sentence) == (409, True)
    assert (team / "up/data.bin").read_bytes() == body
    assert put(lab, "up/data.bin", b"new", overwrite="true").status_code == 201
    assert (team / "up/data.bin").read_bytes() == b"new"
    assert put(lab, "up/empty", b"").status_code == 201
    assert (team / "up/empty").read_bytes() == b""


def test_what_may_not_be_written_is_refused_with_a_sentence(lab: LabServer, team: Path) -> None:
    before = files(team)
    status, sentence = refused(put(lab, "x.bin", b"x", source="shared"))
    assert (status, "is read-only" in sentence) == (403, True)
    assert refused(put(lab, "nowhere/x.bin", b"x"))[0] == 404
    assert refused(put(lab, "x.bin", b"x", source="nobody-s"))[0] == 404
    assert refused(put(lab, "", b"x"))[0] == 400
    status, sentence = refused(
        put(lab, "large.bin", iter([b"x" * 1_000_000] * 3))
    )  # chunked: no length given
    assert (status, f"{MAX_UPLOAD} are possible" in sentence) == (413, True)
    assert files(team) == before


@pytest.mark.parametrize("token", ["", "wrong"])
def test_nobody_uploads_without_the_server_s_token(lab: LabServer, team: Path, token: str) -> None:
    before = files(team)
    answer = requests.put(
        f"{lab.url}capacity/lake/file",
        params={"source": "team", "path": "x.bin"},
        data=b"x",
        headers={"Authorization": f"token {token}"} if token else {},
        timeout=30,
    )
    assert answer.status_code == 403
    assert files(team) == before


def test_another_page_s_script_uploads_nothing_with_the_browser_s_cookie(lab: LabServer, team: Path) -> None:
    browser = requests.Session()
    browser.get(f"{lab.url}lab", params={"token": TOKEN}, timeout=30)
    place = {"source": "team", "path": "by-cookie.bin"}
    url = f"{lab.url}capacity/lake/file"
    last = {
        "Connection": "close"
    }  # as the server closes what it has not read, and may be slower than the next
    assert browser.put(url, params=place, data=b"x", headers=last, timeout=30).status_code == 403
    assert not (team / "by-cookie.bin").exists()
    xsrf = {"X-XSRFToken": browser.cookies["_xsrf"]}
    assert browser.put(url, params=place, data=b"x", headers=xsrf, timeout=30).status_code == 201


def test_an_upload_that_breaks_leaves_nothing(lab: LabServer, team: Path) -> None:
    (team / "broken").mkdir()
    host, _, port = lab.url.removeprefix("http://").rstrip("/").partition(":")
    with socket.create_connection((host, int(port.partition("/")[0]))) as connection:
        connection.sendall(
            b"PUT /capacity/lake/file?source=team&path=broken/x.bin HTTP/1.1\r\n"
            + f"Host: {host}:{port}\r\nAuthorization: token {TOKEN}\r\n".encode()
            + b"Content-Length: 1000000\r\n\r\n"
            + b"x" * 500_000
        )
        eventually(lambda: files(team / "broken"), "the upload has begun")
    eventually(lambda: not files(team / "broken"), "nothing of it is left")


def test_folders_are_made_and_files_deleted(lab: LabServer, team: Path) -> None:
    made = lab.ask("POST", "lake/folders", {"source": "team", "path": "new folder"})
    assert (made.status_code, made.json()["is_folder"]) == (201, True)
    assert refused(lab.ask("POST", "lake/folders", {"source": "team", "path": "new folder"}))[0] == 409
    put(lab, "new folder/x", b"x")
    assert refused(lab.ask("DELETE", "lake/file", source="team", path="new folder/x"))[0] == 400
    assert refused(lab.ask("DELETE", "lake/file", source="team", path="new folder", confirm="1"))[0] == 400
    assert refused(lab.ask("DELETE", "lake/file", source="shared", path="x", confirm="1"))[0] == 403
    assert lab.ask("DELETE", "lake/file", source="team", path="new folder/x", confirm="1").status_code == 204
    assert files(team / "new folder") == set()
    assert refused(lab.ask("DELETE", "lake/file", source="team", path="new folder/x", confirm="1"))[0] == 404


# ---- S3, through the notebook server's own session ----------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture(scope="module")
def s3_lab(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A notebook server that was told of two connections, as the service tells it."""
    root = tmp_path_factory.mktemp("s3-lab")
    views = [
        ConnectionView(
            name=name,
            title="",
            endpoint=s3.endpoint,
            bucket=s3.bucket,
            prefix=PREFIX,
            region=REGION,
            mode=mode,
        )
        for name, mode in (("raw", "rw"), ("frozen", "ro"))
    ]
    key = {"Version": 1, "AccessKeyId": s3.key_id, "SecretAccessKey": s3.secret}
    (root / "key.json").write_text(json.dumps(key))
    profiles = [f"[profile {view.name}]\ncredential_process = cat {root}/key.json\n" for view in views]
    (root / "aws-config").write_text("".join(profiles))
    (root / "sources.json").write_text(ConnectionsView(connections=tuple(views)).model_dump_json())
    env = {"AWS_CONFIG_FILE": str(root / "aws-config"), "LAKE_SOURCES": str(root / "sources.json")}
    with serving(FakeCapacity()) as fake, running_lab(root, fake.url, env) as lab:
        yield lab


def test_a_bucket_is_browsed_filled_and_looked_at(s3_lab: LabServer, s3: S3Server) -> None:
    s3.clear()
    found = s3_lab.ask("GET", "lake/sources").json()["sources"]
    assert [(source["name"], source["kind"], source["lacking"]) for source in found] == [
        ("raw", "s3", ""),
        ("frozen", "s3", ""),
    ]
    assert found[0]["place"] == f"s3://{s3.bucket}/{PREFIX}"
    assert s3_lab.ask("POST", "lake/folders", {"source": "raw", "path": "new"}).status_code == 201
    answer = put(s3_lab, "new/t.csv", b"a,b\n1,2\n", source="raw")
    assert (answer.status_code, answer.json()["place"]) == (201, f"s3://{s3.bucket}/{PREFIX}/new/t.csv")
    assert s3.get("new/t.csv") == b"a,b\n1,2\n"
    assert refused(put(s3_lab, "new/t.csv", b"x", source="raw"))[0] == 409
    page = s3_lab.ask("GET", "lake/list", source="frozen", path="new").json()
    assert [(entry["name"], entry["size"]) for entry in page["entries"]] == [("t.csv", 8)]
    shown = s3_lab.ask("GET", "lake/preview", source="frozen", path="new/t.csv").json()
    assert shown["content"]["rows"] == [["1", "2"]]
    assert refused(put(s3_lab, "x", b"x", source="frozen"))[0] == 403
    assert refused(s3_lab.ask("GET", "lake/list", source="raw", path="../.."))[0] == 400
    answers = [s3_lab.ask("GET", f"lake/{path}", source="raw").text for path in ("sources", "list")]
    assert not [text for text in answers if s3.secret in text or s3.key_id in text]
    assert s3_lab.ask("DELETE", "lake/file", source="raw", path="new/t.csv", confirm="1").status_code == 204
    assert s3.keys() == {f"{PREFIX}/new/"}


def test_a_broken_upload_leaves_nothing_in_a_bucket(s3_lab: LabServer, s3: S3Server) -> None:
    s3.clear()
    host, _, port = s3_lab.url.removeprefix("http://").rstrip("/").partition(":")
    part = 55 * 1024 * 1024  # more than one part of S3
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"PUT /capacity/lake/file?source=raw&path=x.bin HTTP/1.1\r\n"
            + f"Host: {host}:{port}\r\nAuthorization: token {TOKEN}\r\n".encode()
            + f"Content-Length: {2 * part}\r\n\r\n".encode()
            + b"x" * part
        )
        eventually(lambda: s3.keys() == {f"({PREFIX}/x.bin)"}, "the upload has begun")
    eventually(lambda: not s3.keys(), "nothing of it is left")
