"""A spawner that starts nothing itself: it asks the capacity service, claims, and answers from it.

The server runs on the service's backend, so a restart of the hub touches
nothing, and every answer about it comes from the service. What is kept here
is a cache; the ledger knows.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from traitlets import Float, Unicode, default

from jupyterhub_mesos.errors import CapacityError, NotFound, Unavailable
from jupyterhub_mesos.wire import HubClaim, HubLaunch, HubServer
from jupyterhub_mesos_spawner.claims import claimed, given_grant, start_of
from jupyterhub_mesos_spawner.client import HubSide, Refusal
from jupyterhub_mesos_spawner.doors import (
    LaunchFailed,
    StartDenied,
    is_page,
    launch_page_form,
    options_from_form,
)
from jupyterhub_mesos_spawner.hub import Spawner
from jupyterhub_mesos_spawner.notifying import Notifying
from jupyterhub_mesos_spawner.pauses import Pauses

RELEASE_SECONDS: Final = 5.0
"""For giving back a claim whose start was cancelled; the service's own reconcile gets what is missed."""

LISTEN_SECONDS: Final = 0.3
LISTEN_PAUSE_SECONDS: Final = 0.02
"""A server listens within a second of its start, most in less than half of one."""

ANSWER_SECONDS: Final = 5.0
"""For one look at a server that is coming up."""

NOT_FOUND: Final = NotFound.status


class ServiceSpawner(Notifying, Spawner):
    """Starts single-user servers through the capacity service."""

    service_url = Unicode(
        "http://127.0.0.1:8090/services/capacity/",
        help="URL, with its prefix, at which the hub reaches the capacity service directly (not through "
        "the proxy). Default: http://127.0.0.1:8090/services/capacity/.",
    ).tag(config=True)
    hub_key_file = Unicode(
        "",
        help="File with the secret that the hub shows to the capacity service. No default: without it "
        "nothing starts.",
    ).tag(config=True)
    service_name = Unicode(
        "capacity",
        help="Name of the capacity service in the hub; only its own requests may name a grant. "
        "Default: capacity.",
    ).tag(config=True)
    launch_page_url = Unicode(
        "/services/capacity/",
        help="Public path of the launch page, to which the hub's doors lead. Default: /services/capacity/.",
    ).tag(config=True)
    stop_timeout_seconds = Float(
        30.0,
        min=0.0,
        help="Seconds for which a stop waits until the server is gone; then the hub takes it as stopped "
        "while the service goes on stopping it. Default: 30.",
    ).tag(config=True)

    _request_id: str = ""
    _allocation_id: str = ""
    _releasing: asyncio.Future[None] | None = None
    _is_starting: bool = False
    _is_denied: bool = False
    """The last start got no allocation: nothing can run, so nobody has to be asked (nor stopped)."""

    @default("options_form")
    def _default_options_form(self) -> Any:
        return launch_page_form

    @default("options_from_form")
    def _default_options_from_form(self) -> Any:
        return options_from_form

    @property
    def hub_side(self) -> HubSide:
        """The service, as this hub reaches it."""
        return HubSide(self.service_url, Path(self.hub_key_file))

    # ---- the hub's calls -------------------------------------------------------------------------

    async def start(self) -> str:
        """Claim or ask, launch, and return the server's URL. Raises `StartDenied` where nothing starts."""
        self._is_denied = False
        self._is_starting = True
        try:
            claim = await self._claim()
            self.ip, self.port = claim.host, claim.port
            return await self._launched(claim)
        except StartDenied:
            raise
        except BaseException:  # a cancel above all: the hub then asks `poll`, which must find nothing
            await self._release()
            raise
        finally:
            self._is_starting = False

    async def poll(self) -> int | None:
        """Answer None while the server is alive or nobody can say; else its exit code. Never raises."""
        if self._is_denied:
            return 0
        try:
            server = await self._asked_server()
        except Refusal as refusal:
            if refusal.problem.status == NOT_FOUND:
                return 0
            self.log.warning("%s: the service refuses to say whether it runs: %s", self._log_name, refusal)
            return None
        except CapacityError as error:
            self.log.warning("%s: taken as running, as nobody can say: %s", self._log_name, error)
            return None
        if server.is_alive:
            return None
        return server.exit_code or 0

    async def get_url(self) -> str:
        """Return where the service says that the server stands; the hub asks when it starts.

        A hub that was killed while it started a server has only its first guess of the address, would look
        there in vain, and would stop the server: one that is still being launched is waited for.
        """
        pauses = Pauses()
        try:
            async with asyncio.timeout(self.start_timeout):
                while (server := await self._asked_server()).is_alive and server.url is None:
                    await pauses.wait()
        except (CapacityError, TimeoutError) as error:
            self.log.warning("%s: the address that the hub knows is taken: %s", self._log_name, error)
            return await super().get_url()
        return server.url or await super().get_url()

    async def stop(self, now: bool = False) -> None:
        """Ask for the end and wait until the server is gone; a queued request is left alone.

        Raises `Unavailable` when the service cannot be reached in time.
        """
        is_asked = False
        try:
            async with asyncio.timeout(self.stop_timeout_seconds):
                await self._stop_asked()
                is_asked = True
                await self._gone()
        except TimeoutError as error:
            if not is_asked:
                raise Unavailable(
                    "The capacity service does not answer: the server may still run."
                ) from error
            self.log.warning("%s: still stopping; the service goes on with it", self._log_name)

    async def delete_forever(self) -> None:
        """The server or its user is removed: nothing of it may start again."""
        try:
            await self.hub_side.withdraw(self.user.name, self.name)
        except Refusal as refusal:
            if refusal.problem.status != NOT_FOUND:
                raise

    async def progress(self) -> AsyncGenerator[dict[str, Any], None]:
        """Say what the service says while the server comes up; the hub ends it."""
        pauses, said = Pauses(), ""
        while True:
            message = await self._message()
            if message and message != said:
                said = message
                yield {"progress": 50, "message": message}
            await pauses.wait()

    # ---- state: a cache of the ledger ------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the ids, for logs after a restart of the hub; the ledger knows the rest."""
        state: dict[str, Any] = super().get_state()
        if self._allocation_id:
            state |= {"request_id": self._request_id, "allocation_id": self._allocation_id}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the cache."""
        super().load_state(state)
        self._request_id = str(state.get("request_id", ""))
        self._allocation_id = str(state.get("allocation_id", ""))

    def clear_state(self) -> None:
        """Forget the cache."""
        super().clear_state()
        self._request_id = self._allocation_id = ""

    # ---- steps -----------------------------------------------------------------------------------

    async def _asked_server(self) -> HubServer:
        """Ask what the service knows; a start that a hub was killed in is given back."""
        server = await self.hub_side.server(self.user.name, self.name, self._allocation_id)
        if server.is_alive and server.url is None and not self._is_starting:
            return await self.hub_side.recover(self.user.name, self.name)
        return server

    async def _claim(self) -> HubClaim:
        grant = given_grant(self.handler, self.service_name)
        ask = start_of(self.user, self.name, self.user_options, grant)
        try:
            claim = await claimed(self.hub_side, ask, is_page=is_page(self.handler))
        except StartDenied:
            self._is_denied = True
            raise
        self._request_id, self._allocation_id = claim.request_id, claim.allocation_id
        self.log.info("%s: claimed allocation %s", self._log_name, claim.allocation_id)
        return claim

    async def _launched(self, claim: HubClaim) -> str:
        env = {key: str(value) for key, value in self.get_env().items() if value is not None}
        launch = HubLaunch(argv=(*self.cmd, *self.get_args()), env=env)
        pauses = Pauses()
        while True:  # under the hub's start_timeout
            try:
                server = await self.hub_side.launch(claim.allocation_id, launch)
            except Unavailable as error:
                self.log.warning(
                    "%s: launch of %s asked again: %s", self._log_name, claim.allocation_id, error
                )
            except Refusal as refusal:
                raise LaunchFailed(str(refusal)) from refusal
            else:
                if not server.is_alive:
                    raise LaunchFailed(server.message or "The server ended while it was starting.")
                if server.url:
                    await self._answering(server.url)
                    return server.url
            await pauses.wait()

    async def _answering(self, url: str) -> None:
        """Wait until the server answers over HTTP; raise `LaunchFailed` as soon as it is gone.

        The hub's own wait after `start()` never asks whether there is anything left to wait for: a server
        stopped in that moment would keep its user's next start pending for the whole `http_timeout`.
        """
        pauses = Pauses()
        while True:
            await _listened_for(url, pauses.seconds)
            if await _answers(url):
                return
            if await self.poll() is not None:
                raise LaunchFailed("The server ended, or was stopped, while it was starting.")
            await pauses.wait()

    async def _release(self) -> None:
        """Give back what was claimed, in a short while that a second cancel does not cut."""
        self._releasing = asyncio.ensure_future(self._release_in_time())
        await asyncio.shield(self._releasing)

    async def _release_in_time(self) -> None:
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self.hub_side.stop(self.user.name, self.name)
        except (CapacityError, TimeoutError) as error:
            self.log.warning("%s: not given back now, left to the service: %s", self._log_name, error)

    async def _stop_asked(self) -> None:
        pauses = Pauses()
        while True:
            try:
                return await self.hub_side.stop(self.user.name, self.name)
            except Refusal as refusal:
                if refusal.problem.status == NOT_FOUND:
                    return None
                raise
            except Unavailable as error:
                self.log.warning("%s: stop asked again: %s", self._log_name, error)
            await pauses.wait()

    async def _gone(self) -> None:
        pauses = Pauses()
        while await self.poll() is None:
            await pauses.wait()

    async def _message(self) -> str:
        try:
            return (await self.hub_side.server(self.user.name, self.name)).message
        except CapacityError as error:
            return str(error)


async def _listened_for(url: str, seconds: float) -> None:
    """Wait until something listens there, for `seconds` and a moment: a look is cheap beside a call."""
    where = urlsplit(url)
    clock = asyncio.get_running_loop().time
    last = clock() + seconds + LISTEN_SECONDS
    while clock() < last:
        try:
            _, writer = await asyncio.open_connection(where.hostname, where.port)
        except OSError:
            await asyncio.sleep(LISTEN_PAUSE_SECONDS)
        else:
            writer.close()
            return


async def _answers(url: str) -> bool:
    """Say whether anything speaks HTTP there; a server that asks for the hub's certificate does."""
    request = HTTPRequest(
        url, follow_redirects=False, request_timeout=ANSWER_SECONDS, validate_cert=False, method="GET"
    )
    try:
        await AsyncHTTPClient().fetch(request, raise_error=False)
    except ssl.SSLError:
        return True
    except (HTTPClientError, OSError):
        return False
    return True
