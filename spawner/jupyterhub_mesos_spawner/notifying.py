"""The hub's clean-up after a server that is gone: one at a time, and again until it is through.

Two faults of the hub's own (6.1.1, `Spawner.poll_and_notify`) are mended here, for any spawner:

- It is not safe against itself. Its timer's call takes the callbacks along, so the call of a start that comes
  meanwhile returns at once, and the clean-up of the old server then meets the new one half-way and takes its
  address away.
- It stops its timer and drops its callbacks before it calls them. One that fails (the proxy is away for
  longer than the half minute for which the hub tries) is never called again, and the server is shown as
  running for ever though it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from traitlets import Instance, default
from traitlets.config import LoggingConfigurable

if TYPE_CHECKING:
    from jupyterhub_mesos_spawner.hub import Spawner as Base
else:
    Base = LoggingConfigurable  # the hub refuses a subclass of its spawner that starts nothing


class Notifying(Base):
    """For a spawner (named before it among the bases) of whose end the hub hears without fail."""

    _notifying = Instance(asyncio.Lock)
    _to_repeat: tuple[Callable[[], Any], ...] = ()

    @default("_notifying")
    def _default_notifying(self) -> asyncio.Lock:
        return asyncio.Lock()

    def add_poll_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Add what the hub does when the server is gone; it is called again where it fails."""

        async def called() -> None:
            try:
                await callback(*args, **kwargs)
            except BaseException:
                self._to_repeat += (called,)
                raise

        super().add_poll_callback(called)

    async def poll_and_notify(self) -> int | None:
        """Poll, and have the hub clean up after a server that is gone; return its exit code.

        What failed is tried again at the next poll, unless the server was started anew meanwhile.
        """
        async with self._notifying:
            try:
                return await super().poll_and_notify()
            finally:
                self._again()

    def _again(self) -> None:
        failed, self._to_repeat = self._to_repeat, ()
        if not failed or self._callbacks:
            return
        for callback in failed:
            super().add_poll_callback(callback)
        self.start_polling()
