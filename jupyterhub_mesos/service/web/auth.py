"""Who asks: the hub's answer about a token or cookie, a token of our own, and the hub's own key.

- People and notebooks: a token of the hub in `Authorization`, or the cookie of
  an OAuth login; the cookie counts for a `fetch` only with its XSRF token.
- Pipelines and CI: a token that this service made, in `Authorization` alone; the hub never hears of it.
- The hub's spawners: `Authorization: Bearer <hub key>`, compared in constant time.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

from jupyterhub.httpclient import JupyterHubHTTPClient  # type: ignore[import-untyped]  # the hub ships no types
from jupyterhub.services.auth import HubOAuth  # type: ignore[import-untyped]  # as above
from pydantic import BaseModel, ConfigDict, ValidationError
from tornado.web import HTTPError, RequestHandler

from jupyterhub_mesos.errors import NotAllowed, NotAuthenticated, Unavailable
from jupyterhub_mesos.service.identity import Identity
from jupyterhub_mesos.service.settings import CapacitySettings
from jupyterhub_mesos.service.tokens import ServiceTokens, is_ours

_SCHEMES: Final = frozenset({"bearer", "token"})


class _HubModel(BaseModel):
    """What we read of the hub's `GET /user`; the rest of its answer is not ours."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    kind: str = "user"
    groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class _Closing(Protocol):
    """What we use of the hub's client."""

    async def close(self) -> None: ...


class HubIdentities:
    """Asks the hub who holds a token, and remembers the answer for a short while.

    `own` says who holds a token that this service made.
    """

    def __init__(self, settings: CapacitySettings, own: ServiceTokens) -> None:
        self._own = own
        hub = settings.hub
        self.oauth: Any = HubOAuth(
            api_url=hub.api_url,
            api_token=hub.api_token,
            base_url=settings.prefix,
            hub_prefix=f"{hub.base_url}hub/",
            hub_host=hub.public_host,
            oauth_client_id=hub.client_id,
            access_scopes={"access:services", f"access:services!service={hub.name}"},
            cache_max_age=settings.identity_seconds,
        )
        self._admin_scope = settings.admin_scope

    async def of(self, handler: RequestHandler) -> Identity | None:
        """Return who asks, or None for nobody that the hub knows.

        Raises `NotAllowed` for somebody who may not use this service, `NotAuthenticated` for a token of
        ours that is not valid, and `Unavailable` while the hub does not answer.
        """
        shown = _shown(handler.request.headers.get("Authorization", ""))
        if is_ours(shown):
            return await self._own.identity(shown)
        try:
            model: Mapping[str, Any] | None = await self.oauth.get_user(handler, sync=False)
        except HTTPError as error:
            raise Unavailable(
                "The hub does not answer, so nobody can be identified; try again in a moment."
            ) from error
        return None if not model else self._identity(model)

    async def close(self) -> None:
        """Close the connections to the hub."""
        client = cast("_Closing", JupyterHubHTTPClient.loop_instance())
        await client.close()

    def _identity(self, model: Mapping[str, Any]) -> Identity:
        try:
            known = _HubModel.model_validate(model)
        except ValidationError as error:
            raise Unavailable("The hub's answer about this token cannot be read.") from error
        if not self.oauth.check_scopes(self.oauth.access_scopes, {"scopes": known.scopes}):
            raise NotAllowed(
                f"{known.name} may not use the capacity service: an admin of the hub has to grant "
                "the scope access:services for it."
            )
        return Identity(
            name=known.name,
            groups=frozenset(known.groups),
            scopes=frozenset(known.scopes),
            kind=known.kind,
            is_admin=self._admin_scope in known.scopes,
        )


def check_hub_key(authorization: str, hub_key: str) -> None:
    """Let only the hub's own spawners pass; raises `NotAuthenticated`."""
    scheme, _, shown = authorization.partition(" ")
    is_bearer = scheme.lower() == "bearer"
    if not is_bearer or not hmac.compare_digest(shown.strip().encode(), hub_key.encode()):
        raise NotAuthenticated("This route is the hub's: show its key in `Authorization: Bearer KEY`.")


def _shown(authorization: str) -> str:
    """Return the token that a header shows; empty for none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() in _SCHEMES else ""
