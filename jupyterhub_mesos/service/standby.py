"""One active service per ledger: waiting for it, and keeping watch over it while it is ours.

While it waits, a service that can listen already answers `/health` (200) and
nothing else (503). It begins when the ledger's lock is free. A holder that lost
its lock believes its memory no more until it has the lock again; where another
one has it, or nobody can be asked for long, the holder ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.metadata import version
from typing import Final, TypeVar

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.errors import Conflict, LedgerError, TakenOver, Unavailable
from jupyterhub_mesos.service.ledger import Ledger
from jupyterhub_mesos.service.ownership import Holder, Lock, lock_of
from jupyterhub_mesos.service.settings import CapacitySettings
from jupyterhub_mesos.service.web.problems import MEDIA_TYPE, RETRY_SECONDS, problem_of
from jupyterhub_mesos.wire import Health

log: Final = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS: Final = 1.0
"""Between two looks at the lock: of who waits for it, and of who holds it."""
LOOK_TIMEOUT_SECONDS: Final = 3.0
"""For an answer; a server that was cut off frees the lock after 4 s (`databases.SESSION`) at the earliest."""
HANDOVER_SECONDS: Final = 2.0
"""From the lock to the first act of who waited for it; until then a holder that lost it has noticed."""
GIVE_UP_SECONDS: Final = 30.0
"""A holder that could not ask for so long whether it is one ends; it would show what is long over."""
PATIENCE_SECONDS: Final = 2.0
"""How long `--no-wait` waits: for a predecessor's connection to end that was killed just now."""


class EndedWaiting(Exception):
    """The service was told to end before the ledger was free."""


class Ownership:
    """The lock of one ledger, in a thread of its own."""

    def __init__(self, database: Database) -> None:
        self._lock: Lock = lock_of(database)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ownership")

    async def take(self) -> Holder | None:
        """Take the lock; returns who holds it, where another service does."""
        return await self._run(self._lock.take)

    async def wait(self, holder: Holder | None, stopped: asyncio.Event, *, is_patient: bool) -> None:
        """Wait until the lock is ours.

        Raises `Conflict` where it is soon not and we are not patient, `EndedWaiting` when `stopped`.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        log.info("service: standby, another one has the ledger: %s", holder)
        while holder is not None:
            if not is_patient and time.monotonic() > deadline:
                raise Conflict(
                    f"another capacity service has the ledger: {holder}. Stop it, name another ledger, or "
                    "leave --no-wait out to wait as its standby"
                )
            await _until(stopped, LOOK_SECONDS)
            holder = await self._again(holder)
        if self._lock.can_be_lost:
            await _until(stopped, HANDOVER_SECONDS)
        log.info("service: the ledger is free, taking over")

    async def watch(self, ledger: Ledger) -> None:
        """Look whether the ledger is still ours, for as long as it is."""
        sure_at = time.monotonic()
        while self._lock.can_be_lost and not ledger.is_taken_over:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with asyncio.timeout(LOOK_TIMEOUT_SECONDS):
                    await self._run(self._lock.look)
            except TakenOver as error:
                ledger.doubt(error)
            except (LedgerError, TimeoutError) as error:
                since = time.monotonic() - sure_at
                said = str(error) or "no answer"
                log.warning("service: whether the ledger is ours is not known for %.0f s: %s", since, said)
                lost = since > GIVE_UP_SECONDS
                ledger.doubt(TakenOver(_GIVEN_UP) if lost else LedgerError(_UNSURE))
            else:
                sure_at = time.monotonic()
                ledger.trust()

    async def release(self) -> None:
        """Let the lock go."""
        await self._run(self._lock.release)
        self._thread.shutdown(wait=False)

    async def _again(self, holder: Holder) -> Holder | None:
        """Try again; a server that does not answer is one that may still be another's."""
        try:
            found = await self._run(self._lock.take)
        except LedgerError as error:
            log.warning("service: standby: %s", error)
            return holder
        if found is not None and found != holder:
            log.info("service: standby, now another one has the ledger: %s", found)
        return found

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


_UNSURE: Final = "the connection that holds the ledger does not answer"
_GIVEN_UP: Final = (
    f"for {GIVE_UP_SECONDS:.0f} s nobody could be asked whether the ledger is still this service's"
)


@asynccontextmanager
async def owning(settings: CapacitySettings, stopped: asyncio.Event) -> AsyncGenerator[Ownership]:
    """Hold the ledger while the context is open; waits for it as a standby."""
    ownership = Ownership(settings.database)
    try:
        if (holder := await ownership.take()) is not None:
            with _waiting_room(settings):
                await ownership.wait(holder, stopped, is_patient=settings.waits)
        yield ownership
    finally:
        await ownership.release()


async def _until(stopped: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
            raise EndedWaiting


@contextmanager
def _waiting_room(settings: CapacitySettings) -> Generator[None]:
    """Answer who asks while the service waits, where its port is free: on one machine it is the holder's."""
    server = HTTPServer(
        Application(
            [(settings.prefix + "health", _Health, {"backend": settings.backend}), (r".*", _NotYet)],
            log_function=_no_access_log,
        )
    )
    try:
        if settings.port:  # a port that is chosen later is known to nobody yet
            server.add_sockets(bind_sockets(settings.port, settings.ip))
    except OSError as error:
        log.info("service: answers nobody while it waits: %s", error)
    try:
        yield
    finally:
        server.stop()


def _no_access_log(_: RequestHandler) -> None:
    """Keep paths, which may name people, out of the log."""


class _Room(RequestHandler):
    """What every answer of a standby has in common."""

    def send(self, media_type: str, text: str) -> None:
        """Send the body and end the answer."""
        self.set_header("Content-Type", media_type)
        self.finish(text)  # pyright: ignore[reportUnknownMemberType]  # tornado's types name a bare dict


class _Health(_Room):
    """`/health` of a standby: it is well."""

    def initialize(self, backend: str) -> None:
        """Keep the backend's name."""
        self._backend = backend

    def get(self) -> None:
        """Say that it waits; who holds the ledger is for the log."""
        health = Health(
            status="standby",
            version=version("jupyterhub-mesos"),
            backend=self._backend,
            ledger="held by another service",
            waiting=0,
            active=0,
            message="waits for the ledger, which another capacity service holds",
        )
        self.send("application/json", health.model_dump_json())


class _NotYet(_Room):
    """Everything else of a standby."""

    def prepare(self) -> None:
        """Refuse for now."""
        problem = problem_of(Unavailable("this capacity service is a standby: another one is at work"))
        self.set_status(problem.status)
        self.set_header("Retry-After", str(RETRY_SECONDS))
        self.send(MEDIA_TYPE, problem.model_dump_json(exclude_none=True))
