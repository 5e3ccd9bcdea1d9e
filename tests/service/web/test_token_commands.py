"""`token make | list | revoke` against the real service."""

from __future__ import annotations

import asyncio
import time

import pytest

from jupyterhub_mesos.cli import main
from jupyterhub_mesos.client import Client
from web_cases import Web


async def command(web: Web, *words: str, who: str = "teamadmin") -> int:
    """Run the command as a script would, with `who`'s token."""
    return await asyncio.to_thread(
        main, ["token", *words, "--url", web.service.url.rstrip("/"), "--token", who]
    )


async def test_a_token_is_made_used_listed_and_revoked(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command(web, "make", "vision", "gitlab", "--days", "30") == 0
    token = capsys.readouterr().out.strip()
    client = Client.from_environment({"CAPACITY_TOKEN": token, "CAPACITY_API_URL": web.service.url})
    assert await asyncio.to_thread(lambda: list(client.requests())) == []

    assert await command(web, "list", "vision") == 0
    heads, row = capsys.readouterr().out.splitlines()
    assert heads.split("  ")[0] == "id"
    name = row.split()[0]
    assert row.split()[1:3] == ["gitlab", "tara"]
    assert "never" not in row
    assert time.strftime("%Y-%m-%d", time.gmtime()) in row
    assert token not in row

    assert await command(web, "revoke", "vision", name) == 0
    assert "is revoked" in capsys.readouterr().out
    assert await command(web, "list", "vision") == 0
    assert "has no token" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "who", "said"),
    [
        (("make", "vision", "two words"), "teamadmin", "a token 'two words' for 90 days asked for"),
        (("make", "vision", "x", "--days", "366"), "teamadmin", "1 to 365 days"),
        (("make", "vision", "x"), "member", "Only an admin of team vision"),
        (("list", "nobody-s"), "teamadmin", "There is no team 'nobody-s'"),
        (("revoke", "vision", "t00"), "teamadmin", "has no token 't00'"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(
    web: Web, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], who: str, said: str
) -> None:
    assert await command(web, *words, who=who) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert (len(shown.err.splitlines()), shown.out) == (1, "")
