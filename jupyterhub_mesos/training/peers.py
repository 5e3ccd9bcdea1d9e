"""Averaging over a job's workers, for training scripts: standard library and numpy, nothing to install.

```python
with Peers.from_environment() as peers:
    weights = peers.average(weights)
```

The worker with index 0 listens on its address in `JOB_PEERS` and the others
call it. It is a star, not a ring: right for models of megabytes. A peer that
dies or falls silent raises `LostPeer` everywhere; let it end the process, so
that the generation ends and the next one resumes from the checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np

from jupyterhub_mesos.training.arrays import Array
from jupyterhub_mesos.training.frames import (
    answer,
    generation_key,
    introduce,
    receive_arrays,
    send_arrays,
)

MEET_SECONDS: Final = 120.0
"""Until all workers have found each other: imports on a busy node take a while."""
SILENCE_SECONDS: Final = 600.0
"""How long a peer may compute before it is taken for lost."""
HANDSHAKE_SECONDS: Final = 5.0
"""A caller that takes longer is no worker of ours and holds up the others."""
_RETRY_SECONDS: Final = 0.1


class LostPeer(ConnectionError):
    """A worker of this generation is gone, silent or unreachable."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this worker stands among its peers; `addresses` are `host:port` by index."""

    index: int
    addresses: tuple[str, ...]
    key: bytes
    meet_seconds: float = MEET_SECONDS
    silence_seconds: float = SILENCE_SECONDS


class Peers:
    """The workers of one generation; made by `meet` or `from_environment`, which wait for all of them."""

    def __init__(self, place: Place, sockets: Mapping[int, socket.socket]) -> None:
        self._place = place
        self._sockets = dict(sorted(sockets.items()))
        for sock in self._sockets.values():
            sock.settimeout(place.silence_seconds)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Peers:
        """Find the peers named in the job's environment; outside a job this is a group of one."""
        env = os.environ if environ is None else environ
        key = generation_key(
            env.get("JOB_SECRET", ""), env.get("JOB_NAME", ""), int(env.get("JOB_GENERATION", "1"))
        )
        addresses = tuple(env.get("JOB_PEERS", "localhost:0").split(","))
        return cls.meet(Place(int(env.get("JOB_INDEX", "0")), addresses, key))

    @classmethod
    def meet(cls, place: Place) -> Peers:
        """Connect to the others; raise `LostPeer` when somebody is missing after the deadline."""
        if len(place.addresses) == 1:
            return cls(place, {})
        return cls(place, _gather(place) if place.index == 0 else {0: _call(place)})

    @property
    def index(self) -> int:
        """This worker's index, from 0."""
        return self._place.index

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self._place.addresses)

    @property
    def is_first(self) -> bool:
        """Whether this worker is the one that writes checkpoints and reports."""
        return self.index == 0

    def average(self, arrays: Sequence[Array], weight: float = 1.0) -> list[Array]:
        """Return the mean over all workers of each array, weighted (by a worker's number of examples, say).

        All workers call it with arrays of the same shapes and get the very same bytes back. The
        sums are taken in double precision in the order of the indices; the dtype is kept.
        """
        if not self.is_first:
            self._send(0, [np.asarray(weight, dtype=np.float64), *arrays])
            return self._receive(0)
        totals = [np.asarray(array, dtype=np.float64) * weight for array in arrays]
        weights = weight
        for index in self._sockets:
            theirs, *others = self._receive(index)
            _check_shapes(index, totals, others)
            weights += float(theirs)
            totals = [total + other * float(theirs) for total, other in zip(totals, others, strict=True)]
        means = [(total / weights).astype(array.dtype) for total, array in zip(totals, arrays, strict=True)]
        return self._spread(means)

    def broadcast(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the first worker's arrays on every worker; what the others pass is ignored."""
        return self._spread(arrays) if self.is_first else self._receive(0)

    def close(self) -> None:
        """Let go of the peers."""
        for sock in self._sockets.values():
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spread(self, arrays: Sequence[Array]) -> list[Array]:
        for index in self._sockets:
            self._send(index, arrays)
        return list(arrays)

    def _send(self, index: int, arrays: Sequence[Array]) -> None:
        try:
            send_arrays(self._sockets[index], arrays)
        except OSError as error:
            raise self._lost(index, error) from error

    def _receive(self, index: int) -> list[Array]:
        try:
            return receive_arrays(self._sockets[index])
        except OSError as error:
            raise self._lost(index, error) from error

    def _lost(self, index: int, error: OSError) -> LostPeer:
        return LostPeer(f"worker {index} at {self._place.addresses[index]} is lost: {error}")


def _check_shapes(index: int, mine: Sequence[Array], theirs: Sequence[Array]) -> None:
    if [array.shape for array in mine] != [array.shape for array in theirs]:
        raise ValueError(
            f"worker {index} sent shapes {[array.shape for array in theirs]} where worker 0 has "
            f"{[array.shape for array in mine]}: all workers average the same arrays"
        )


# ---- meeting ---------------------------------------------------------------------------------------


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _gather(place: Place) -> dict[int, socket.socket]:
    """Take the calls of all other workers; strangers are sent away."""
    deadline = time.monotonic() + place.meet_seconds
    found: dict[int, socket.socket] = {}
    missing = set(range(1, len(place.addresses)))
    with socket.create_server(split_address(place.addresses[0])) as server:
        while missing:
            server.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                caller, _ = server.accept()
            except TimeoutError as error:
                for sock in found.values():
                    sock.close()
                raise LostPeer(
                    f"workers {sorted(missing)} did not call within {place.meet_seconds:g} s"
                ) from error
            index = _admitted(caller, place.key, missing)
            if index is not None:
                found[index] = caller
                missing.remove(index)
    return found


def _admitted(caller: socket.socket, key: bytes, missing: set[int]) -> int | None:
    """Return the caller's index when it is one that is missing; else hang up."""
    caller.settimeout(HANDSHAKE_SECONDS)
    with contextlib.suppress(OSError):
        index = answer(caller, key)
        if index in missing:
            return index
    caller.close()
    return None


def _call(place: Place) -> socket.socket:
    """Call the first worker until it answers, or the deadline has passed."""
    deadline = time.monotonic() + place.meet_seconds
    while True:
        try:
            return _called(place)
        except OSError as error:
            if time.monotonic() > deadline:
                raise LostPeer(
                    f"worker 0 at {place.addresses[0]} did not answer in {place.meet_seconds:g} s: {error}"
                ) from error
        time.sleep(_RETRY_SECONDS)


def _called(place: Place) -> socket.socket:
    sock = socket.create_connection(split_address(place.addresses[0]), timeout=HANDSHAKE_SECONDS)
    try:
        if sock.getsockname() == sock.getpeername():
            # TCP's simultaneous open: a free local port, called often enough, answers itself.
            raise ConnectionRefusedError("nobody listens there yet")
        introduce(sock, place.key, place.index)
    except BaseException:
        sock.close()
        raise
    return sock
