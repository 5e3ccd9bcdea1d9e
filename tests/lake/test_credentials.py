"""The helper that AWS's libraries start: what it prints, what it refuses, and how little it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from jupyterhub_mesos.lake import credentials
from jupyterhub_mesos.wire import API_PREFIX, LakeCredentials

SESSION = LakeCredentials(
    access_key_id="ASIAX", secret_access_key="hush", session_token="token", expiration=2_000_000_000.0
)


class Service(BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []  # noqa: RUF012 - one list for the module's one server

    def do_POST(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        status, body = (200, SESSION.model_dump_json()) if "/data/" in self.path else (502, "<html>no</html>")
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's word
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/services/capacity/"
        server.shutdown()
        thread.join()


def helper(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-m", "jupyterhub_mesos.lake.credentials", *arguments],
        env={"PATH": os.defpath, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_session_is_printed_as_aws_specifies_it(url: str) -> None:
    done = helper("data", LAKE_TOKEN="mine", JUPYTERHUB_API_TOKEN="wide", CAPACITY_API_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "Version": 1,
        "AccessKeyId": "ASIAX",
        "SecretAccessKey": "hush",
        "SessionToken": "token",
        "Expiration": "2033-05-18T03:33:20+00:00",
    }
    assert Service.asked[-1] == ("/services/capacity/api/v1/lake/data/credentials", "token mine")


def test_a_notebook_asks_with_the_hub_s_token_where_it_has_no_other(url: str) -> None:
    assert helper("data", JUPYTERHUB_API_TOKEN="wide", CAPACITY_URL=f"{url}api/v1").returncode == 0
    assert Service.asked[-1] == ("/services/capacity/api/v1/lake/data/credentials", "token wide")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "LAKE_TOKEN or JUPYTERHUB_API_TOKEN is not set"),
        ({"LAKE_TOKEN": "mine"}, "CAPACITY_API_URL or CAPACITY_URL is not set"),
        ({"LAKE_TOKEN": "mine", "CAPACITY_URL": "http://127.0.0.1:9/"}, "does not answer"),
    ],
)
def test_what_is_missing_is_said_on_stderr(env: dict[str, str], words: str) -> None:
    done = helper("data", **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_answer_of_something_else_is_no_session(url: str) -> None:
    done = helper("other", LAKE_TOKEN="mine", CAPACITY_API_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "502" in done.stderr
    with pytest.raises(credentials.Unavailable, match="is no session"):
        credentials.process_output(b"<html>")
    assert helper().returncode == 2


def test_it_loads_little_and_says_the_api_s_own_prefix() -> None:
    program = "import sys, jupyterhub_mesos.lake.credentials; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert credentials.API_PREFIX == API_PREFIX
