"""`queue`, `node`, `session`, `reservation` and `user` against the real service."""

from __future__ import annotations

import asyncio
import time

import pytest

from jupyterhub_mesos.cli import main
from jupyterhub_mesos.client import Client
from jupyterhub_mesos_quota.model import RequestId
from service.web.test_levers import HOUR, add_node, running, session
from web_cases import Web, job

BOOK = (
    *("reservation", "book", "vision", "--from", "+2h", "--until", "+4h", "--reason", "a class"),
    *("--replicas", "2", "--cpu-millis", "1000", "--mem-mib", "1024"),
)


async def command(web: Web, *words: str, who: str = "admin") -> int:
    """Run the command as a script would, with `who`'s token."""
    return await asyncio.to_thread(main, [*words, "--url", web.service.url.rstrip("/"), "--token", who])


async def test_a_queue_is_paused_shown_and_resumed(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command(web, "queue", "pause", "vision", "--reason", "new disks", who="teamadmin") == 0
    told = capsys.readouterr().out
    assert told.startswith("The queue of team vision is paused since ")
    assert told.endswith("by tara: new disks\n")
    assert await command(web, "queue", "pause", "--all", "--reason", "a power cut") == 0
    capsys.readouterr()
    assert await command(web, "queue", "paused", who="member") == 0
    assert [line.partition(" since ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "The whole queue is paused",
        "The queue of team vision is paused",
    ]
    assert await command(web, "queue", "resume", "--all", "--reason", "done") == 0
    assert await command(web, "queue", "resume", "vision", "--reason", "done") == 0
    assert capsys.readouterr().out.endswith("No queue is paused.\n")
    assert web.service.ledger.machine.paused == frozenset()


async def test_a_node_is_cordoned_drained_listed_and_uncordoned(
    web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    name = (await web.api("POST", "requests", body=job()))["id"]
    await running(web, name)
    web.backend.stops_at_once = False
    assert await command(web, "node", "cordon", "memory", "--reason", "new disks") == 0
    held = f"1 still there: training {name} of mia (vision)"
    assert capsys.readouterr().out == f"Node memory takes nothing new; {held}.\n"
    assert await command(web, "node", "drain", "memory", "--reason", "now") == 0
    assert "is being emptied" in capsys.readouterr().out
    assert await command(web, "node", "list") == 0
    heads, row, holder = capsys.readouterr().out.splitlines()
    assert heads.split("  ")[0] == "node"
    assert row.split()[:2] == ["memory", "draining"]
    assert row.endswith("now (ada)")
    assert holder.strip() == f"training {name} of mia (vision)"
    assert await command(web, "node", "uncordon", "memory", "--reason", "done") == 0
    assert capsys.readouterr().out.startswith("Node memory takes new work")
    assert web.service.ledger.machine.cordoned == frozenset()


async def test_a_session_is_extended(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    name = await session(web)
    before = (await web.api("GET", f"requests/{name}/session"))["ends_at"]
    web.service.ledger.clock = lambda: time.time() + HOUR  # an hour of it has passed
    assert await command(web, "session", "extend", name, "--by", "30", "--reason", "x", who="teamadmin") == 0
    assert capsys.readouterr().out.startswith(f"Request {name} runs until ")
    assert await command(web, "session", "extend", name, "--until", "+3d", "--reason", "a paper") == 0
    after = (await web.api("GET", f"requests/{name}/session"))["ends_at"]
    assert after > before + 48 * HOUR


async def test_capacity_is_booked_listed_and_cancelled(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    await add_node(web, "second")
    assert await command(web, *BOOK, "--title", "group 2", who="teamadmin") == 0
    told = capsys.readouterr().out
    name = told.partition(":")[0]
    assert told.startswith(f"{name}: 2 x (1 CPU, 1 GiB) for team vision\nfrom ")
    assert await command(web, "reservation", "list", who="member") == 0
    heads, row = capsys.readouterr().out.splitlines()
    assert heads.split() == ["id", "state", "team", "from", "until", "booked", "by", "title"]
    assert row.startswith(f"{name}  coming  vision  ")
    assert row.endswith("2 x (1 CPU, 1 GiB)  tara  group 2")
    assert await command(web, "reservation", "cancel", name, "--reason", "moved") == 0
    assert "is cancelled" in capsys.readouterr().out
    assert await command(web, "reservation", "list") == 0
    assert "Nothing is booked" in capsys.readouterr().out
    assert await command(web, "reservation", "list", "--past") == 0
    assert f"{name}  cancelled  vision" in capsys.readouterr().out


async def test_a_user_is_renamed_and_let_go(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    name = (await web.api("POST", "requests", body=job()))["id"]
    await running(web, name)
    assert await command(web, "user", "rename", "mia", "maria k", "--reason", "married") == 2
    capsys.readouterr()
    assert await command(web, "user", "rename", "mia", "maria%20k", "--reason", "married") == 0
    assert capsys.readouterr().out == "What mia had is maria%20k's now: 0 waiting, 1 running.\n"
    assert await command(web, "user", "leave", "maria%20k", "--reason", "graduated") == 0
    assert "What waited of maria%20k is withdrawn" in capsys.readouterr().out
    await web.service.ledger.until(lambda: True if web.service.ledger.row(RequestId(name)) is None else None)


async def test_a_script_reads_the_queue_and_the_end_of_a_session(web: Web) -> None:
    client = Client(web.service.url, "teamadmin")
    name = await session(web)
    found = await asyncio.to_thread(client.session, name)
    assert found.ends_at is not None
    assert found.latest is not None
    await asyncio.to_thread(client.pause_queue, "vision", "new disks")
    waiting = (await web.api("POST", "requests", body=job()))["id"]
    queue = await asyncio.to_thread(client.queue)
    assert [(entry.id, entry.explanation.code) for entry in queue.items] == [(waiting, "paused")]


@pytest.mark.parametrize(
    ("words", "who", "said"),
    [
        (BOOK, "member", "An admin, or an admin of team vision"),
        ((*BOOK, "--replicas", "9"), "teamadmin", "team vision may hold 6 CPU at most"),
        ((*BOOK, "--replicas", "0"), "teamadmin", "replicas: Input should be greater than or equal to 1"),
        ((*BOOK, "--accelerator", "h200"), "teamadmin", "say FLAVOR=N, such as h200=2"),
        (("reservation", "cancel", "none", "--reason", "x"), "admin", "There is no reservation 'none'"),
        (("user", "leave", "nobody-s", "--reason", "x"), "admin", "Nobody called 'nobody-s'"),
        (("queue", "pause", "vision", "--reason", " "), "admin", "reason: String should have at least 1"),
        (("queue", "pause", "--all", "--reason", "x"), "teamadmin", "An admin pauses and resumes"),
        (("queue", "resume", "vision", "--reason", "x"), "admin", "is not paused"),
        (("node", "drain", "none", "--reason", "x"), "admin", "The nodes are memory"),
        (("node", "cordon", "memory", "--reason", "x"), "member", "Only an admin"),
        (("session", "extend", "rnone", "--by", "5", "--reason", "x"), "admin", "There is no request"),
        (("session", "extend", "rnone", "--by", "0", "--reason", "x"), "admin", "by_minutes"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(
    web: Web, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], who: str, said: str
) -> None:
    assert await command(web, *words, who=who) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert (len(shown.err.splitlines()), shown.out) == (1, "")
