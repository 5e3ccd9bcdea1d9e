"""Who sees which usage, as JSON, CSV and page; the audit's table."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest

from jupyterhub_mesos.service.web.charts import REST, stacked
from jupyterhub_mesos.service.web.csv_text import csv_text
from web_cases import Web, job


async def used(web: Web) -> None:
    """A job of mia's (vision) and one of sam's (speech), both ended."""
    ledger = web.service.ledger
    for who in ("member", "speaker"):
        name = (await web.api("POST", "requests", who, job()))["id"]
        await ledger.until(lambda name=name: ((row := ledger.row(name)) and row.request.allocations) or None)
        await web.api("DELETE", f"requests/{name}", who)


async def rows(web: Web, who: str, query: str = "by=team,user") -> list[Any]:
    return (await web.api("GET", f"usage?{query}", who))["items"]


async def test_everybody_sees_the_own_use_a_team_s_admins_the_team_s_and_admins_all(web: Web) -> None:
    await used(web)
    seen = {
        who: sorted((row["team"], row["user"], row["starts"]) for row in await rows(web, who))
        for who in ("member", "colleague", "speaker", "teamadmin", "labadmin", "admin")
    }
    mia, sam = ("vision", "mia", 1), ("speech", "sam", 1)
    assert seen == {
        "member": [mia],
        "colleague": [],
        "speaker": [sam],
        "teamadmin": [mia],
        "labadmin": [sam, mia],
        "admin": [sam, mia],
    }


async def test_usage_is_filtered_and_told_by_page(web: Web) -> None:
    await used(web)
    assert [row["team"] for row in await rows(web, "admin", "team=lab&user=sam")] == ["speech"]
    first = await web.api("GET", "usage?by=user&limit=1", "admin")
    rest = await web.api("GET", f"usage?by=user&limit=1&cursor={first['next_cursor']}", "admin")
    assert {first["items"][0]["user"], rest["items"][0]["user"]} == {"mia", "sam"}
    assert first["total"]["starts"] == 2
    later = "by=day&since=2099-01-01T00:00:00Z&until=2099-01-02T00:00:00Z"
    assert await rows(web, "admin", later) == []


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("by=size", "by"),
        ("by=team,team", "by"),
        ("zone=Europe/Nowhere", "zone"),
        ("zone=../../etc/passwd", "zone"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
        ("since=2020-01-01T00:00:00Z", "since"),
    ],
)
async def test_what_cannot_be_asked_is_said_with_its_place(web: Web, query: str, where: str) -> None:
    answer = await web.ask("GET", f"api/v1/usage?{query}", "admin")
    problem = json.loads(answer.body)
    assert (answer.code, problem["where"]) == (400, where)


async def test_usage_and_audit_are_tables_that_run_nothing(web: Web) -> None:
    await used(web)
    answer = await web.ask("GET", "api/v1/usage.csv?by=team", "admin")
    assert answer.headers["Content-Type"].startswith("text/csv")
    table = list(csv.DictReader(answer.body.decode().splitlines()))
    assert sorted(row["team"] for row in table) == ["speech", "vision"]
    assert float(table[0]["cpu_hours"]) >= 0
    audit = (await web.ask("GET", "api/v1/audit.csv?what=granted", "admin")).body.decode()
    assert len(list(csv.DictReader(audit.splitlines()))) == 2
    assert csv_text(("a", "b"), [("=1+1", -1), ("-x", None)]) == "a,b\r\n'=1+1,-1\r\n'-x,\r\n"


async def test_the_pages_say_what_is_wrong_with_a_filter_and_keep_it(web: Web) -> None:
    for path in ("usage", "audit"):
        page = (
            await web.ask("GET", f"{path}?since=yesterday&user=%3Cb%3E&who=%3Cb%3E", "admin")
        ).body.decode()
        assert "is no day: write one as 2026-11-26" in page
        assert 'value="yesterday"' in page
        assert "&lt;b&gt;" in page
        assert "<b>" not in page


async def test_the_audit_s_page_is_an_admin_s_or_about_a_request_of_one_s_own(web: Web) -> None:
    view = await web.api("POST", "requests", "member", job())
    assert "granted" in (await web.ask("GET", "audit", "admin")).body.decode()
    assert "Only admins look at the whole audit" in (await web.ask("GET", "audit", "member")).body.decode()
    assert "queued" in (await web.ask("GET", f"audit?subject={view['id']}", "member")).body.decode()
    assert "queued" not in (await web.ask("GET", f"audit?subject={view['id']}", "speaker")).body.decode()


def test_a_chart_s_bars_stand_on_each_other_and_are_as_high_as_their_values() -> None:
    chart = stacked(["mon", "tue"], {("mon", "a"): 3.0, ("mon", "b"): 1.0, ("tue", "a"): 2.0}, "hours")
    by = {(piece.series, piece.x): piece for piece in chart.pieces}
    assert chart.series == ("a", "b")
    assert chart.ticks[-1] == (0.0, "4")
    a, b = sorted((piece for piece in chart.pieces if piece.x < 500), key=lambda piece: piece.series)
    assert (a.height, b.height) == (165.0, 55.0)
    assert (a.y + a.height, b.y + b.height) == (chart.height, a.y)
    assert len(by) == 3


def test_many_series_come_together_as_the_rest_and_nothing_is_a_chart_too() -> None:
    chart = stacked(["d"], {("d", f"t{n}"): float(n) for n in range(1, 21)}, "hours")
    assert chart.series[-1] == REST
    assert sum(piece.height for piece in chart.pieces) == pytest.approx(chart.height * 210 / 240, abs=0.1)
    assert stacked([], {}, "hours").pieces == ()
