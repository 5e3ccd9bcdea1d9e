"""schemathesis asks the running service what openapi.json says can be asked, and looks at each answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyterhub_mesos.backends.faulty import MemoryBackend
from jupyterhub_mesos.service.app import Parts, serving
from jupyterhub_mesos.service.controller import ControllerSettings
from small_hub import SmallHub
from web_cases import HUB_KEY, LAKE_ENVIRONMENT, NoLake, Web, connections, settings_for

SECONDS = 14  # each of the four, in all under a minute
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,unsupported_method,ignored_auth"
)
TUNNEL = r"/serving/\{id\}/v2/"
"""Answered by the model server behind it, or 503 where that is not up: as the document says, and no fault."""
WHO = {
    "admin": "Authorization: Bearer admin",
    "member": "Authorization: Bearer member",
    "hub": f"Authorization: Bearer {HUB_KEY}",
    "nobody": None,
}


@pytest.fixture
async def unlimited(hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Web]:
    """A service that counts no writes, and whose event streams end at once."""
    for name, value in LAKE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings = replace(settings_for(hub, tmp_path), writes_per_minute=0, max_live_requests_per_user=0)
    backend = MemoryBackend()
    parts = Parts(backend, NoLake(), ControllerSettings(connections=connections()))
    async with serving(settings, parts) as service:
        service.context.feed.close()
        yield Web(service, hub, backend)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("who", list(WHO))
async def test_whatever_is_asked_is_answered_as_the_document_says(
    unlimited: Web, who: str, tmp_path: Path
) -> None:
    header = WHO[who]
    checks = CHECKS if header is not None else CHECKS.removesuffix(",ignored_auth")
    command = [
        *(str(Path(sys.executable).with_name("st")), "run", f"{unlimited.service.url}api/openapi.json"),
        *("--checks", checks, "--generation-deterministic"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--max-time", str(SECONDS)),
        *("--exclude-path-regex", TUNNEL),
        *("--no-color", "--continue-on-failure", "--no-shrink", "--warnings", "off"),
        *(() if header is None else ("-H", header)),
    ]
    run = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await run.communicate()
    assert run.returncode == 0, told.decode()[-8000:]
