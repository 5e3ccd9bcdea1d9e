"""The inventory as the service sees it: asked in a thread, with a time-out, for drivers hang."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Final

from jupyterhub_mesos.backends.gpus.flavors import Flavors
from jupyterhub_mesos.backends.gpus.inventory import Inventory, Standing
from jupyterhub_mesos.backends.gpus.nodes import DEV, MIG_MINORS
from jupyterhub_mesos.backends.gpus.session import Session

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 30.0
"""For one look. Waking 8 sleeping GPUs takes some 15 s; one that fell off the bus may block for ever."""


class Gpus:
    """The GPUs of this machine. `inventory` is what the last look found; `look` asks again.

    `flavors`: exceptions to the rule that names a flavor (see `flavors.Flavors`).
    Raises `InvalidInput` where one is no flavor. `dev` and `mig_minors` are where
    the driver's files stand.
    """

    def __init__(
        self,
        flavors: Mapping[str, str] | None = None,
        *,
        dev: Path = DEV,
        mig_minors: Path = MIG_MINORS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.inventory = Inventory()
        self.dev = dev
        self._session = Session(Flavors.of(flavors or {}), mig_minors)
        self._answer_seconds = answer_seconds
        self._asked: asyncio.Future[Inventory] | None = None

    async def look(self) -> Inventory:
        """Ask the driver; where it does not answer in time, what was known stands and says so.

        Never two threads at a time in the driver: who comes meanwhile waits for the same answer.
        """
        asked = self._asked = self._asked or self._ask()
        try:
            async with asyncio.timeout(self._answer_seconds):
                found = await asyncio.shield(asked)
        except TimeoutError:
            message = f"the NVIDIA driver does not answer within {self._answer_seconds:g} s"
            cure = "ask the kernel's log for Xid; a hanging GPU needs a reset or a reboot"
            self._take(replace(self.inventory, standing=Standing.SILENT, message=message, cure=cure))
            return self.inventory
        finally:
            if self._asked is asked and asked.done():
                self._asked = None
        self._take(found)
        return self.inventory

    def _ask(self) -> asyncio.Future[Inventory]:
        """Start a look in a thread of its own, which no end of the service waits for."""
        answer: Future[Inventory] = Future()
        answer.set_running_or_notify_cancel()
        threading.Thread(target=self._look, args=(answer,), name="nvml", daemon=True).start()
        return asyncio.wrap_future(answer)

    def _look(self, answer: Future[Inventory]) -> None:
        try:
            answer.set_result(self._session.read())
        except BaseException as error:
            answer.set_exception(error)
            raise

    def _take(self, found: Inventory) -> None:
        if found.fact() != self.inventory.fact():
            log.log(logging.INFO if found.fact().holds else logging.WARNING, "GPUs: %s", found.fact().detail)
        self.inventory = found

    async def close(self) -> None:
        """Let the driver go, unless it hangs."""
        asked, self._asked = self._asked, None
        if asked is None or asked.done():
            await asyncio.to_thread(self._session.close)
        else:
            asked.cancel()
