"""The work queue: each key once, one worker per key, back-off with a cap."""

from __future__ import annotations

import asyncio

from jupyterhub_mesos.service.workqueue import WorkQueue


def queue() -> WorkQueue[str]:
    return WorkQueue(0.001, 0.004, lambda: 1.0)


async def test_a_key_added_twice_is_worked_on_once() -> None:
    keys = queue()
    keys.add("a")
    keys.add("a")
    keys.add("b")
    assert [await keys.get(), await keys.get()] == ["a", "b"]


async def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.add("a")
    keys.add("b")
    assert await keys.get() == "b"  # not "a": somebody has it
    keys.done("a")
    assert await keys.get() == "a"


async def test_back_off_doubles_up_to_its_cap_and_good_work_ends_it() -> None:
    keys = queue()
    keys.add("a")
    waits = [keys.failed(await keys.get()) for _ in range(4)]
    assert waits == [0.001, 0.002, 0.004, 0.004]
    keys.done(await keys.get())
    keys.add("a")
    assert keys.failed(await keys.get()) == 0.001


async def test_new_evidence_ends_a_wait_and_the_earlier_of_two_times_counts() -> None:
    keys = queue()
    keys.add_after("a", 3600)
    keys.add_after("b", 3600)
    keys.add_after("b", 0.001)
    keys.add("a")
    async with asyncio.timeout(10):
        assert [await keys.get(), await keys.get()] == ["a", "b"]
    keys.clear()


async def test_a_cleared_queue_gives_nothing_out() -> None:
    keys = queue()
    keys.add("a")
    keys.add_after("b", 0.0)
    keys.clear()
    keys.add("c")
    assert await keys.get() == "c"
