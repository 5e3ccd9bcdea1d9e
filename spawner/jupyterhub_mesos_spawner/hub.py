"""What of JupyterHub we build on, with types: the hub ships none.

A type checker reads the declarations here; at run time the names are the
hub's own. `tests/spawner/test_hub_facts.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tornado.web import HTTPError, RequestHandler
from traitlets.config import LoggingConfigurable


class Group(Protocol):
    """A group of the hub."""

    name: str


class HubUser(Protocol):
    """A user of the hub, as a spawner sees it."""

    name: str
    groups: Iterable[Group]


if TYPE_CHECKING:

    class SpawnException(HTTPError):
        """A denied start (`jupyterhub.spawner`)."""

        def __init__(
            self,
            message: str,
            *,
            reason: str,
            log_message: str = "",
            message_html: str = "",
            status_code: int = 400,
        ) -> None: ...

    class APIHandler(RequestHandler):
        """A handler of the hub's REST API (`jupyterhub.apihandlers.base`)."""

    class Spawner(LoggingConfigurable):
        """Starts and stops a user's server (`jupyterhub.spawner`)."""

        user: HubUser
        name: str
        handler: RequestHandler | None
        user_options: Mapping[str, Any]
        ip: str
        port: int
        start_timeout: int
        cmd: list[str]
        _log_name: str
        _callbacks: list[Callable[[], Any]]

        def get_args(self) -> list[str]:
            """Return the arguments that follow `cmd`."""
            ...

        def get_env(self) -> dict[str, str | None]:
            """Return the environment, with the hub's tokens."""
            ...

        def get_state(self) -> dict[str, Any]:
            """Return what outlives a restart of the hub."""
            ...

        def load_state(self, state: dict[str, Any]) -> None:
            """Restore it."""
            ...

        def clear_state(self) -> None:
            """Forget it."""
            ...

        async def get_url(self) -> str:
            """Return where a server that runs stands; asked once, when the hub starts."""
            ...

        async def poll_and_notify(self) -> int | None:
            """Poll; where the server is gone, have the hub clean up and return its exit code."""
            ...

        def add_poll_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
            """Add what is called when the server is gone."""
            ...

        def start_polling(self) -> None:
            """Poll from time to time."""
            ...

        def stop_polling(self) -> None:
            """Poll no more."""
            ...

else:
    from jupyterhub.apihandlers.base import APIHandler
    from jupyterhub.spawner import Spawner, SpawnException

__all__ = ["APIHandler", "Group", "HubUser", "SpawnException", "Spawner"]
