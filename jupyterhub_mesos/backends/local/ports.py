"""Free ports of the loopback, none handed out twice within some minutes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from jupyterhub_mesos.errors import BackendError

HOST: Final = "127.0.0.1"
KEPT_SECONDS: Final = 300.0
"""Longer than a start takes: until the task listens, the kernel does not know that the port is meant."""
_TRIES: Final = 1000


class Ports:
    """The ports handed out of late; `clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._given: dict[int, float] = {}

    def take(self) -> int:
        """Return a port that is free now and was not handed out of late."""
        now = self._clock()
        self._given = {port: at for port, at in self._given.items() if now - at < KEPT_SECONDS}
        for _ in range(_TRIES):
            with socket.socket() as trial:
                trial.bind((HOST, 0))
                port = int(trial.getsockname()[1])
            if port not in self._given:
                self._given[port] = now
                return port
        raise BackendError("no port is free on the loopback: end some tasks, or widen ip_local_port_range")
