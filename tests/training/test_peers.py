from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deadlines import DEADLINE_SECONDS
from jupyterhub_mesos.training.checkpoint import Checkpoint
from jupyterhub_mesos.training.frames import MAX_FRAME_BYTES, generation_key, receive_arrays, send_arrays
from jupyterhub_mesos.training.peers import LostPeer, Peers, Place


def free_addresses(count: int) -> tuple[str, ...]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = tuple(f"127.0.0.1:{sock.getsockname()[1]}" for sock in sockets)
    for sock in sockets:
        sock.close()
    return addresses


def together(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each piece of work in a thread; return results or errors, in order."""
    results: list[Any] = [None] * len(works)

    def run(number: int) -> None:
        try:
            results[number] = works[number]()
        except (OSError, ValueError) as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
    return results


def place(index: int, addresses: tuple[str, ...], *, key: bytes = b"k", seconds: float = 10) -> Place:
    return Place(index, addresses, key, meet_seconds=seconds, silence_seconds=10)


def test_an_average_is_weighted_and_the_same_everywhere() -> None:
    addresses = free_addresses(3)

    def work(index: int) -> list[Any]:
        arrays = [np.full((2, 2), float(index), np.float32), np.array([1.0, index])]
        with Peers.meet(place(index, addresses)) as peers:
            return peers.average(arrays, weight=index + 1)

    first, *others = together([lambda i=i: work(i) for i in range(3)])
    expected = (0 * 1 + 1 * 2 + 2 * 3) / 6
    np.testing.assert_allclose(first[0], np.full((2, 2), expected), rtol=1e-6)
    assert first[0].dtype == np.float32
    np.testing.assert_allclose(first[1], [1.0, expected])
    for other in others:
        assert [array.tobytes() for array in other] == [array.tobytes() for array in first]


def test_the_first_workers_arrays_are_broadcast() -> None:
    addresses = free_addresses(2)

    def work(index: int) -> list[Any]:
        with Peers.meet(place(index, addresses)) as peers:
            return peers.broadcast([np.array([index])])

    assert [result[0].tolist() for result in together([lambda: work(0), lambda: work(1)])] == [[0], [0]]


def test_outside_a_job_a_worker_is_alone() -> None:
    with Peers.from_environment({}) as peers:
        assert (peers.index, peers.count, peers.is_first) == (0, 1, True)
        assert peers.average([np.array([3.0])])[0].tolist() == [3.0]


def test_different_shapes_are_refused_with_both() -> None:
    addresses = free_addresses(2)

    def work(index: int) -> list[Any]:
        with Peers.meet(place(index, addresses)) as peers:
            return peers.average([np.zeros(index + 1)])

    first, second = together([lambda: work(0), lambda: work(1)])
    assert isinstance(first, ValueError)
    assert "(2,)" in str(first)
    assert isinstance(second, LostPeer)


def test_a_missing_worker_is_named_after_the_deadline() -> None:
    with pytest.raises(LostPeer, match=r"workers \[1\] did not call"):
        Peers.meet(place(0, free_addresses(2), seconds=0.1))
    with pytest.raises(LostPeer, match=r"worker 0 at .* did not answer"):
        Peers.meet(place(1, free_addresses(2), seconds=0.1))


def test_a_stranger_is_sent_away_and_the_worker_still_gets_in() -> None:
    addresses = free_addresses(2)
    has_failed = threading.Event()

    def stranger() -> object:
        try:
            Peers.meet(place(1, addresses, key=b"other", seconds=0.5))
        finally:
            has_failed.set()
        return None

    def late() -> object:
        has_failed.wait(DEADLINE_SECONDS)
        with Peers.meet(place(1, addresses)) as peers:
            return peers.broadcast([])

    def first() -> object:
        with Peers.meet(place(0, addresses)) as peers:
            return peers.broadcast([])

    results = together([first, stranger, late])
    assert isinstance(results[1], LostPeer)
    assert (results[0], results[2]) == ([], [])


def test_each_generation_has_a_key_of_its_own() -> None:
    keys = {generation_key(s, n, g) for s in ("", "s") for n in ("a", "b") for g in (1, 2)}
    assert len(keys) == 8


@contextmanager
def a_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_a_pickled_array_is_never_loaded() -> None:
    with a_pair() as (left, right):
        with pytest.raises(ValueError, match="Python objects"):
            send_arrays(left, [np.array([object()])])
        content = _pickled()
        left.sendall(len(content).to_bytes(8, "big") + content)
        with pytest.raises(ValueError, match="allow_pickle"):
            receive_arrays(right)


def _pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, np.array([{"a": 1}], dtype=object))
    return buffer.getvalue()


def test_a_frame_that_is_too_long_is_refused_before_it_is_read() -> None:
    with a_pair() as (left, right):
        left.sendall((MAX_FRAME_BYTES + 1).to_bytes(8, "big"))
        with pytest.raises(ConnectionError, match="at most"):
            receive_arrays(right)


# ---- checkpoint -----------------------------------------------------------------------------------


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "new" / "folder")
    assert checkpoint.load() is None
    for step in (1, 2):
        checkpoint.save(step, {"w": np.full(3, step), "file": np.zeros(1), "step": np.zeros(2)})
    saved = checkpoint.load()
    assert saved is not None
    assert (saved.step, saved.arrays["w"].tolist()) == (2, [2, 2, 2])
    assert set(saved.arrays) == {"w", "file", "step"}
    with pytest.raises(ValueError, match="Python objects"):
        checkpoint.save(3, {"w": np.array([object()])})
    assert [path.name for path in checkpoint.folder.iterdir()] == ["checkpoint.npz"]


# ---- real processes -------------------------------------------------------------------------------

WORKER = """
import sys
import numpy as np
from jupyterhub_mesos.training.checkpoint import Checkpoint
from jupyterhub_mesos.training.peers import Peers
from jupyterhub_mesos.training.progress import progress

checkpoint = Checkpoint.from_environment()
saved = checkpoint.load()
start, total = (saved.step, saved.arrays["total"]) if saved else (0, np.zeros(1))
with Peers.from_environment() as peers:
    for epoch in range(start + 1, 7):
        total = total + peers.average([np.array([float(peers.index)])])[0]
        if peers.is_first:
            checkpoint.save(epoch, {"total": total})
        progress(epoch, 6, resumed_from=start or None, total=total[0])
        sys.stdin.readline()  # the test lets each worker go on
"""


class Worker:
    """A worker process that goes one epoch further each time it is told."""

    def __init__(self, index: int, addresses: tuple[str, ...], generation: int, folder: Path) -> None:
        env = {
            **os.environ,
            "JOB_INDEX": str(index),
            "JOB_PEERS": ",".join(addresses),
            "JOB_GENERATION": str(generation),
            "JOB_CHECKPOINT": str(folder),
            "JOB_SECRET": "secret",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, errors


@contextmanager
def a_generation(number: int, folder: Path, count: int = 2) -> Iterator[list[Worker]]:
    addresses = free_addresses(count)
    workers = [Worker(index, addresses, number, folder) for index in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.communicate()


def test_a_killed_worker_ends_its_generation_and_the_next_resumes_from_the_checkpoint(tmp_path: Path) -> None:
    with a_generation(1, tmp_path) as workers:
        for epoch in (1, 2, 3):
            for worker in workers:
                assert f'"epoch": {epoch}' in worker.line()
                if epoch < 3:
                    worker.go_on()
        workers[1].process.send_signal(signal.SIGKILL)
        workers[0].go_on()
        code, errors = workers[0].end()
        assert code == 1
        assert "LostPeer: worker 1" in errors
    with a_generation(2, tmp_path) as workers:
        for epoch in (4, 5, 6):
            for worker in workers:
                line = worker.line()
                assert f'"epoch": {epoch}' in line
                assert '"resumed_from": 3' in line
                worker.go_on()
        assert [worker.end()[0] for worker in workers] == [0, 0]
    saved = Checkpoint(tmp_path).load()
    assert saved is not None
    assert (saved.step, saved.arrays["total"].tolist()) == (6, [3.0])
