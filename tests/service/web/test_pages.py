from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from jupyterhub_mesos.service.web.pages import safe_next
from jupyterhub_mesos.service.web.resuming import Owner, Streams
from small_hub import Person, SmallHub
from web_cases import Web, notebook

DEADLINE_SECONDS = 10


@dataclass
class Browser:
    """As much of a browser as a login needs: cookies, redirects, Sec-Fetch-Mode."""

    web: Web
    cookies: dict[str, str] = field(default_factory=dict)

    async def fetch(
        self, url: str, mode: str = "navigate", method: str = "GET", body: object = None
    ) -> HTTPResponse:
        headers = {
            "Content-Type": "application/json",
            "Sec-Fetch-Mode": mode,
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
        }
        sent = None if method == "GET" else json.dumps(body)
        response = await AsyncHTTPClient().fetch(
            url, method=method, headers=headers, body=sent, follow_redirects=False, raise_error=False
        )
        for line in response.headers.get_list("Set-Cookie"):
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return response

    async def visit(self, path: str) -> HTTPResponse:
        url = self.web.service.url + path
        origin = url.split("/services")[0]
        self.web.hub.service_origin = origin
        response = await self.fetch(url)
        while response.code == 302:
            place = response.headers["Location"]
            response = await self.fetch(place if place.startswith("http") else origin + place)
        return response


def xsrf_of(page: HTTPResponse) -> str:
    found = re.search(rb'data-xsrf="([^"]+)"', page.body)
    assert found is not None
    return found[1].decode()


async def test_a_browser_is_led_through_the_login_back_to_its_page(web: Web) -> None:
    page = await Browser(web).visit("queue?x=1")
    assert page.code == 200
    assert page.effective_url.endswith("queue?x=1")
    assert b"<h1>Queue</h1>" in page.body
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


async def test_a_script_without_the_page_s_xsrf_is_nobody(web: Web) -> None:
    browser = Browser(web)
    xsrf = xsrf_of(await browser.visit(""))
    url = f"{web.service.url}api/v1/requests"
    for method in ("GET", "POST"):
        assert (await browser.fetch(url, "cors", method, notebook())).code == 401
    assert (await browser.fetch(f"{url}?_xsrf={xsrf}", "cors", "POST", notebook())).code == 201
    assert (await browser.fetch(f"{url}?_xsrf=x{xsrf}", "cors")).code == 401
    assert (await browser.fetch(f"{web.service.url}api/v1/events", "cors")).code == 401


async def test_names_from_elsewhere_are_escaped(web: Web, hub: SmallHub) -> None:
    hub.tokens["member"] = Person("<script>alert(1)</script>", ("vision",))
    page = await Browser(web).visit('?server="><img src=x>&next=javascript:alert(1)')
    assert b"<script>alert" not in page.body
    assert b"<img src=x>" not in page.body
    assert b"javascript:" not in page.body


async def test_who_is_in_no_team_is_told_what_to_do(web: Web) -> None:
    page = await web.ask("GET", "", "stranger")
    assert page.code == 200
    assert b"You are in no team yet" in page.body


async def test_who_may_not_use_the_service_sees_a_page_that_says_so(web: Web) -> None:
    page = await web.ask("GET", "", "outsider")
    assert page.code == 403
    assert b"may not use the capacity service" in page.body


async def test_a_request_page_shows_its_reason_and_is_nobody_else_s(web: Web) -> None:
    await web.api("POST", "requests", body=notebook("huge"))
    waiting = await web.api("POST", "requests", "colleague", notebook("huge"))
    page = await web.ask("GET", f"requests/{waiting['id']}", "colleague")
    assert b"1 of 1" in page.body
    assert b"not enough history yet" in page.body
    assert (await web.ask("GET", f"requests/{waiting['id']}", "member")).code == 404


async def test_a_login_that_comes_back_twice_leads_on(web: Web) -> None:
    page = await web.ask("GET", "oauth_callback?code=x&state=y", None)
    assert page.code == 403
    assert b"Two tabs" in page.body


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/user/mia/lab?x=1#y", "/user/mia/lab?x=1#y"),
        ("//evil.example/", ""),
        ("/\\evil.example", ""),
        ("https://evil.example/", ""),
        ("javascript:alert(1)", ""),
        ("/\t/evil.example", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_next_page_is_a_path_of_this_origin(given: str | None, kept: str) -> None:
    assert safe_next(given) == kept


# ---- events --------------------------------------------------------------------------------------


@dataclass
class Stream:
    """Reads an event stream and waits for an event that holds."""

    text: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, chunk: bytes) -> None:
        self.text += chunk.decode()
        self.news.set()

    async def until(self, name: str, holds: Mapping[str, object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not self._has(name, holds):
                self.news.clear()
                await self.news.wait()

    def _has(self, name: str, holds: Mapping[str, object]) -> bool:
        found = re.findall(rf"event: {name}\ndata: (.*)\n\n", self.text)
        read = [json.loads(data) for data in found]
        flat = [item for data in read for item in (data if isinstance(data, list) else [data])]
        return any(all(item.get(key) == value for key, value in holds.items()) for item in flat)


async def test_events_tell_of_every_change_and_end_with_the_service(web: Web) -> None:
    stream = Stream()
    request = HTTPRequest(
        f"{web.service.url}api/v1/events",
        headers={"Authorization": "token member"},
        streaming_callback=stream.take,
        request_timeout=60,
    )
    reading = asyncio.ensure_future(AsyncHTTPClient().fetch(request))
    await stream.until("capacity", {"waiting": 0})
    await web.api("POST", "requests", "colleague", notebook("huge"))
    mine = await web.api("POST", "requests", body=notebook("huge"))
    await stream.until("requests", {"id": mine["id"], "status": "queued"})
    await stream.until("capacity", {"waiting": 1})
    assert "cora" not in stream.text
    web.service.context.feed.close()
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await reading).code == 200
    assert web.service.context.feed.listeners == 0


@asynccontextmanager
async def streaming(
    web: Web, last: str = "", who: str = "member", by: str = "header"
) -> AsyncIterator[Stream]:
    """Open a stream that goes on after an event."""
    stream = Stream()
    header = {"Last-Event-ID": last} if last and by == "header" else {}
    query = f"?last_event_id={last}" if last and by == "query" else ""
    client = SimpleAsyncHTTPClient(force_instance=True)
    request = HTTPRequest(
        f"{web.service.url}api/v1/events{query}",
        headers={"Authorization": f"token {who}", **header},
        streaming_callback=stream.take,
        request_timeout=60,
    )
    reading = asyncio.ensure_future(client.fetch(request, raise_error=False))
    try:
        yield stream
    finally:
        client.close()
        reading.cancel()


def told(stream: Stream) -> list[tuple[str, str]]:
    """Return the ids and names of what a stream has told."""
    return re.findall(r"id: (\S+)\nevent: (\w+)\ndata: .*\n\n", stream.text)


@pytest.mark.parametrize("by", ["header", "query"])
async def test_a_stream_that_was_cut_off_is_told_what_is_otherwise_now(web: Web, by: str) -> None:
    async with streaming(web) as stream:
        await stream.until("capacity", {"waiting": 0})
    last = told(stream)[-1][0]
    await web.api("POST", "queue/pause", "admin", {"reason": "new disks"})
    async with streaming(web, last, by=by) as resumed:
        await resumed.until("pauses", {})
    assert [name for _, name in told(resumed)] == ["resumed", "pauses"]
    before_pauses = told(resumed)[0][0]
    async with streaming(web, before_pauses, by=by) as again:  # cut off before it had heard of the pause
        await again.until("pauses", {})
    assert [name for _, name in told(again)] == ["resumed", "pauses"]


async def test_a_stream_that_nobody_remembers_is_told_everything(web: Web) -> None:
    async with streaming(web) as stream:
        await stream.until("capacity", {"waiting": 0})
    whole = [name for _, name in told(stream)]
    last = told(stream)[-1][0]
    name, _, number = last.partition(".")
    for event_id, who in ((last, "colleague"), (f"{name}.{int(number) + 1}", "member"), ("none", "member")):
        async with streaming(web, event_id, who) as anew:
            await anew.until("capacity", {"waiting": 0})
        assert [event for _, event in told(anew)][: len(whole)] == ["resync", *whole][: len(whole)]


def test_only_so_many_streams_are_remembered() -> None:
    streams, owner = Streams(most=2), Owner("user:mia", None)
    first, *_ = told_of = [streams.begin(owner) for _ in range(3)]
    assert streams.resume(owner, first.id) is None
    resumed = streams.resume(owner, told_of[-1].id)
    assert resumed is not None
    assert list(resumed.news({"capacity": "1"})) == [("capacity", "1")]
    assert list(resumed.news({"capacity": "1"})) == []
