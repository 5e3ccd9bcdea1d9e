"""What `/health` says of the parts that the service needs: each is noted where it is used.

Sentences here are for everybody, so they name no address and quote no error; the log does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jupyterhub_mesos.errors import Unavailable


@dataclass(slots=True)
class Vitals:
    """When the backend and the hub answered last; times in Unix seconds.

    `bound_seconds`: for how long a silent backend is believed in, and a watch that broke off is told of.
    """

    clock: Callable[[], float]
    bound_seconds: float
    is_hub_silent: bool = False
    _answered_at: float | None = None
    _broke_at: float | None = None
    _is_watching: bool = False

    def backend_answered(self) -> None:
        """Note that the backend reported its nodes."""
        self._answered_at = self.clock()

    @contextmanager
    def watch(self) -> Generator[None]:
        """Note one watch of the backend; it is meant to have no end."""
        self._is_watching = True
        try:
            yield
        finally:
            self._is_watching, self._broke_at = False, self.clock()

    @contextmanager
    def hub(self) -> Generator[None]:
        """Note one slow look at the hub."""
        try:
            yield
        except Unavailable:
            self.is_hub_silent = True
            raise
        self.is_hub_silent = False

    def backend_complaints(self) -> Iterator[str]:
        """Say whether the backend has not told of its nodes for long."""
        silent_seconds = 0.0 if self._answered_at is None else self.clock() - self._answered_at
        if silent_seconds > self.bound_seconds:
            yield f"the backend has not answered for {silent_seconds:.0f} s"

    def complaints(self) -> Iterator[str]:
        """Say what is not as it should be."""
        now = self.clock()
        yield from self.backend_complaints()
        if self._broke_at is not None and (
            not self._is_watching or now - self._broke_at <= self.bound_seconds
        ):
            yield "the watch of the backend broke off"
        if self.is_hub_silent:
            yield "the hub does not answer"
