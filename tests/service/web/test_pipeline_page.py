"""A pipeline's page in a real Chromium: its steps live, what it asked for, and the ways on from its end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from browser.conftest import ARGUMENTS, CHROMIUM
from jupyterhub_mesos.tasks import TaskId
from jupyterhub_mesos_quota.model import RequestId
from requirements import require
from web_cases import Web, job, pipeline

EVIL = "<img src=x onerror=\"document.title='taken'\">"
ROWS = [
    ["form", "accuracy", "size", "latency", "kept"],
    ["float32", "0.972", "118 kB", "0.21 ms", ""],
    ["dynamic int8", "0.969", "34 kB", "0.12 ms", "kept"],
    ["float16", EVIL, "60 kB", "0.25 ms", ""],
]


@dataclass
class Viewer:
    """A browser of mia's at a pipeline's page."""

    web: Web
    page: Page

    async def open(self, request_id: str) -> None:
        self.web.hub.service_origin = self.web.service.url.split("/services")[0]
        await self.page.goto(f"{self.web.service.url}requests/{request_id}")

    async def sees_step(self, name: str, *words: str) -> None:
        line = self.page.locator(f"li[data-step={name}]")
        for word in words:
            await expect(line).to_contain_text(word)


@pytest.fixture
async def viewer(web: Web) -> AsyncIterator[Viewer]:
    require("Chromium", CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1000, "height": 1400})
        yield Viewer(web, page)
        await browser.close()


async def run(web: Web, **payload: Any) -> tuple[str, TaskId]:
    view = await web.api("POST", "requests", body=pipeline(payload=payload))
    task = TaskId(f"{view['id']}-1-g1-pipeline-0")
    await web.service.ledger.until(lambda: True if task in web.backend.launches else None)
    return view["id"], task


def say(web: Web, task: TaskId, step: str, state: str, **more: Any) -> None:
    number = ("train", "test", "optimise", "store", "verify", "serve").index(step) + 1
    event = {"event": "step", "step": step, "number": number, "of": 6, "state": state, **more}
    web.backend.write(task, json.dumps(event) + "\n")


async def ended(web: Web, name: str) -> None:
    ledger = web.service.ledger
    await ledger.until(lambda: True if ledger.row(RequestId(name)) is None else None)


async def test_the_steps_are_shown_as_they_go_with_the_job_and_the_table(web: Web, viewer: Viewer) -> None:
    name, task = await run(web, ref="refs/heads/main")
    await viewer.open(name)
    page = viewer.page
    await expect(page.get_by_text("No step has begun yet.")).to_be_visible()
    await expect(page.locator("#steps li")).to_have_count(6)
    await viewer.sees_step("serve", "To come")
    await expect(page.get_by_text("~/digits.git")).to_be_visible()
    await expect(page.get_by_text("abababababab of main")).to_be_visible()

    token = web.backend.spec(task).env["CAPACITY_TOKEN"]
    child = (await web.api("POST", "requests", token, job()))["id"]
    say(web, task, "train", "running", request=child)
    await viewer.sees_step("train", "Running", "Its job")
    await expect(page.get_by_role("link", name="Training digits")).to_be_visible()
    say(web, task, "train", "done", request=child, seconds=75.2, result="Generation 1, accuracy 0.97")
    say(web, task, "test", "skipped", result="Its result of an earlier run stands.")
    say(web, task, "optimise", "done", seconds=3.14, result=f"dynamic int8 is kept. {EVIL}", rows=ROWS)
    await viewer.sees_step("train", "Done", "1 min 15 s", "Generation 1")
    await viewer.sees_step("test", "Skipped", "earlier run")
    await expect(page.get_by_role("cell", name="dynamic int8")).to_be_visible()
    await expect(page.get_by_role("cell", name=EVIL)).to_be_visible()
    assert await page.title() == "digits · JupyterHub"

    await page.get_by_role("link", name="Its job").click()
    await expect(page.get_by_role("heading", name="Training digits")).to_be_visible()
    await page.get_by_role("link", name=f"request {name}").click()
    await expect(page.get_by_role("heading", name="Pipeline digits")).to_be_visible()


async def test_a_pipeline_that_failed_says_at_which_step_and_is_run_again(web: Web, viewer: Viewer) -> None:
    name, task = await run(web, steps=["train", "test", "store"])
    await viewer.open(name)
    page = viewer.page
    await expect(page.locator("#steps li")).to_have_count(3)
    say(web, task, "train", "done", seconds=2)
    say(web, task, "test", "failed", seconds=1, result="cell 9, line 3: accuracy 0.4 is not above 0.9")
    web.backend.finish(task, 1)
    await expect(page.locator("#sentence")).to_have_text(
        "Step test failed: cell 9, line 3: accuracy 0.4 is not above 0.9"
    )
    await expect(page.locator("#state")).to_have_text("Failed")
    await viewer.sees_step("test", "Failed", "cell 9, line 3")
    await viewer.sees_step("store", "Not run")
    await page.get_by_role("button", name="Run again").click()
    await expect(page.locator("#state")).not_to_have_text("Failed")
    assert name not in page.url
    again = await web.api("GET", f"requests/{page.url.rpartition('/')[2]}")
    first = await web.api("GET", f"requests/{name}")
    assert (again["payload"], again["resources"]) == (first["payload"], first["resources"])


async def test_a_pipeline_is_cancelled_and_what_it_was_at_is_said(web: Web, viewer: Viewer) -> None:
    name, task = await run(web)
    await viewer.open(name)
    say(web, task, "train", "running")
    await viewer.sees_step("train", "Running")
    await viewer.page.get_by_role("button", name="Cancel").click()
    await expect(viewer.page.locator("#state")).to_have_text("Stopped")
    await viewer.sees_step("train", "Cut off")
    await viewer.sees_step("test", "Not run")
    await expect(viewer.page.get_by_role("button", name="Run again")).to_be_visible()


async def test_a_service_that_is_away_is_said_and_the_steps_go_on_when_it_is_back(
    web: Web, viewer: Viewer
) -> None:
    name, task = await run(web)
    await viewer.open(name)
    say(web, task, "train", "running")
    await viewer.sees_step("train", "Running")
    await viewer.page.route("**/progress*", lambda route: route.abort())
    await expect(viewer.page.get_by_text("The steps cannot be read at the moment")).to_be_visible()
    say(web, task, "train", "done", seconds=1)
    await viewer.page.unroute("**/progress*")
    await viewer.sees_step("train", "Done")
    await expect(viewer.page.get_by_text("The steps cannot be read")).to_have_count(0)


async def test_the_page_of_somebody_else_s_pipeline_offers_no_second_run(web: Web, viewer: Viewer) -> None:
    web.hub.browser = "teamadmin"
    name, task = await run(web)
    web.backend.finish(task, 0)
    await ended(web, name)
    await viewer.open(name)
    await expect(viewer.page.locator("#state")).to_have_text("Finished")
    await expect(
        viewer.page.get_by_text("It said nothing of its steps, or its output is not kept any more.")
    ).to_be_visible()
    await expect(viewer.page.get_by_role("button", name="Run again")).to_be_hidden()
