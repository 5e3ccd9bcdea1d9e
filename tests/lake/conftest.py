from __future__ import annotations

from collections.abc import Iterator

import pytest

from s3_server import S3Server, running_s3


@pytest.fixture(scope="session")
def running_server() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(running_server: S3Server) -> S3Server:
    running_server.clear()
    return running_server
