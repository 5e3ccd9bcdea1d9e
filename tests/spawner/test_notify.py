"""The hub's clean-up after a server that is gone: over before the next start goes on, and never lost."""

from __future__ import annotations

import asyncio

from jupyterhub_mesos_spawner.local import LocalSpawner


class Gone(LocalSpawner):
    async def poll(self) -> int | None:
        return 0


async def test_a_start_waits_for_the_clean_up_that_the_timer_began() -> None:
    spawner = Gone()
    has_begun, may_end = asyncio.Event(), asyncio.Event()
    story: list[str] = []

    async def clean_up() -> None:
        story.append("clean-up began")
        has_begun.set()
        await may_end.wait()
        story.append("clean-up ended")

    async def start() -> None:
        await spawner.poll_and_notify()
        story.append("start goes on")

    spawner.add_poll_callback(clean_up)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(spawner.poll_and_notify())
        group.create_task(start())
        await has_begun.wait()
        may_end.set()
    assert story == ["clean-up began", "clean-up ended", "start goes on"]


async def test_a_clean_up_that_fails_is_tried_again_at_the_next_poll() -> None:
    spawner = Gone(poll_interval=1)
    story: list[str] = []
    was_called_again = asyncio.Event()

    async def clean_up(name: str) -> None:
        story.append(name)
        if len(story) == 1:
            raise TimeoutError("the proxy is away")
        was_called_again.set()

    spawner.add_poll_callback(clean_up, "eva")
    async with asyncio.timeout(10):
        assert await spawner.poll_and_notify() == 0
        await was_called_again.wait()  # by the timer, which goes on
    assert await spawner.poll_and_notify() == 0
    assert story == ["eva", "eva"]


async def test_a_clean_up_that_fails_is_dropped_where_the_server_was_started_anew() -> None:
    spawner = Gone()
    story: list[str] = []

    async def fails() -> None:
        story.append("old")
        spawner.add_poll_callback(again)
        raise TimeoutError("the proxy is away")

    async def again() -> None:
        story.append("new")

    spawner.add_poll_callback(fails)
    for _ in range(3):
        await spawner.poll_and_notify()
    assert story == ["old", "new"]
