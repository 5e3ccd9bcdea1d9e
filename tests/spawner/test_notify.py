"""The hub's clean-up after a server that is gone is over before the next start goes on."""

from __future__ import annotations

import asyncio

from jupyterhub_mesos_spawner.local import LocalSpawner


class Gone(LocalSpawner):
    async def poll(self) -> int | None:
        return 0


async def test_a_start_waits_for_the_clean_up_that_the_timer_began() -> None:
    spawner = Gone()
    has_begun, may_end, story = asyncio.Event(), asyncio.Event(), []

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
