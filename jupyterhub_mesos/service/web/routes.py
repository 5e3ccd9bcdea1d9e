"""Every route, as data: method, path below the prefix, handler, and who may ask.

`docs/reference/api.md` describes each of them; a test fails when one is missing there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tornado.web import Application, RequestHandler, StaticFileHandler

from jupyterhub_mesos.service.metrics.counting import Measures
from jupyterhub_mesos.service.metrics.definitions import HTTP_ANSWERED
from jupyterhub_mesos.service.web import (
    api_audit,
    api_batches,
    api_hub,
    api_lake,
    api_levers,
    api_requests,
    api_reservations,
    api_team_edits,
    api_teams,
    api_tokens,
    api_usage,
    events,
    metrics,
    openapi,
    pages,
    record_pages,
    serving_proxy,
)
from jupyterhub_mesos.service.web.base import UnknownRouteHandler, WebContext

API: Final = "api/v1/"
STATIC: Final = Path(__file__).parent / "static"
_ID: Final = r"([A-Za-z0-9._-]+)"
_SEGMENT: Final = r"([^/]+)"


class Access(StrEnum):
    """Who may ask a route at all; what they see there is up to the operations."""

    EVERYBODY = "everybody"  # no token
    HUB = "hub"  # the hub's key
    USER = "user"  # a token or cookie of a user with access to the service


@dataclass(frozen=True, slots=True)
class Route:
    """A path (as documented, and as a pattern) with the methods that its handler answers."""

    path: str
    pattern: str
    methods: tuple[str, ...]
    handler: type[RequestHandler]
    access: Access = Access.USER


def _api(path: str, pattern: str, methods: str, handler: type[RequestHandler]) -> Route:
    access = Access.HUB if path.startswith("hub/") else Access.USER
    return Route(API + path, API + pattern, tuple(methods.split()), handler, access)


ROUTES: Final = (
    Route("health", "health", ("GET",), api_teams.HealthHandler, Access.EVERYBODY),
    Route("metrics", "metrics", ("GET",), metrics.MetricsHandler),
    Route("ready", "ready", ("GET",), api_teams.ReadyHandler, Access.EVERYBODY),
    Route("api/openapi.json", r"api/openapi\.json", ("GET",), openapi.OpenApiHandler, Access.EVERYBODY),
    _api("requests", "requests", "GET POST", api_requests.RequestsHandler),
    _api("requests/batch", "requests/batch", "POST", api_batches.SubmitHandler),
    _api("requests/batch/cancel", "requests/batch/cancel", "POST", api_batches.CancelHandler),
    _api("requests/ID", f"requests/{_ID}", "GET DELETE", api_requests.RequestHandler),
    _api("requests/ID/confirm", f"requests/{_ID}/confirm", "POST", api_requests.ConfirmHandler),
    _api("requests/ID/start", f"requests/{_ID}/start", "PUT", api_requests.StartHandler),
    _api("requests/ID/logs", f"requests/{_ID}/logs", "GET", api_requests.LogsHandler),
    _api("requests/ID/progress", f"requests/{_ID}/progress", "GET", api_requests.ProgressHandler),
    _api("requests/ID/session", f"requests/{_ID}/session", "GET", api_levers.SessionHandler),
    _api("requests/ID/extend", f"requests/{_ID}/extend", "POST", api_levers.ExtendHandler),
    _api("queue", "queue", "GET", api_requests.QueueHandler),
    _api("queue/pauses", "queue/pauses", "GET", api_levers.PausesHandler),
    _api("queue/pause", "queue/pause", "POST", api_levers.PauseHandler),
    _api("queue/resume", "queue/resume", "POST", api_levers.ResumeHandler),
    _api("nodes", "nodes", "GET", api_levers.NodesHandler),
    _api("nodes/ID/cordon", f"nodes/{_ID}/cordon", "POST", api_levers.CordonHandler),
    _api("nodes/ID/uncordon", f"nodes/{_ID}/uncordon", "POST", api_levers.UncordonHandler),
    _api("reservations", "reservations", "GET POST", api_reservations.ReservationsHandler),
    _api("reservations/ID/cancel", f"reservations/{_ID}/cancel", "POST", api_reservations.CancelHandler),
    _api("usage", "usage", "GET", api_usage.UsageHandler),
    _api("usage.csv", r"usage\.csv", "GET", api_usage.UsageCsvHandler),
    _api("audit.csv", r"audit\.csv", "GET", api_audit.AuditCsvHandler),
    _api("audit", "audit", "GET", api_audit.AuditHandler),
    _api("users/USER/rename", f"users/{_SEGMENT}/rename", "POST", api_reservations.RenameHandler),
    _api("users/USER/leave", f"users/{_SEGMENT}/leave", "POST", api_reservations.LeaveHandler),
    _api("capacity", "capacity", "GET", api_teams.CapacityHandler),
    _api("profiles", "profiles", "GET", api_teams.ProfilesHandler),
    _api("teams", "teams", "GET PUT", api_teams.TeamsHandler),
    _api("teams/TEAM", f"teams/{_ID}", "PUT DELETE", api_team_edits.TeamHandler),
    _api("team-edits", "team-edits", "GET", api_team_edits.EditsHandler),
    _api("team-edits/REVISION/undo", r"team-edits/(\d{1,9})/undo", "POST", api_team_edits.UndoHandler),
    _api("teams/TEAM/tokens", f"teams/{_ID}/tokens", "GET POST", api_tokens.TokensHandler),
    _api("teams/TEAM/tokens/ID", f"teams/{_ID}/tokens/{_ID}", "DELETE", api_tokens.TokenHandler),
    _api("lake", "lake", "GET", api_lake.ConnectionsHandler),
    _api("lake/NAME/credentials", f"lake/{_ID}/credentials", "POST", api_lake.SessionHandler),
    _api("events", "events", "GET", events.EventsHandler),
    _api("serving/ID/v2/PATH", rf"serving/{_ID}/(v2(?:/.*)?)", "GET POST", serving_proxy.ServingHandler),
    _api("hub/starts", "hub/starts", "POST", api_hub.StartsHandler),
    _api("hub/allocations/ID/launch", f"hub/allocations/{_ID}/launch", "PUT", api_hub.LaunchHandler),
    _api(
        "hub/servers/USER/SERVER", f"hub/servers/{_SEGMENT}/{_SEGMENT}", "GET DELETE", api_hub.ServerHandler
    ),
    _api(
        "hub/servers/USER/SERVER/recover",
        f"hub/servers/{_SEGMENT}/{_SEGMENT}/recover",
        "POST",
        api_hub.RecoverHandler,
    ),
    _api(
        "hub/servers/USER/SERVER/stop", f"hub/servers/{_SEGMENT}/{_SEGMENT}/stop", "POST", api_hub.StopHandler
    ),
    Route("", "", ("GET",), pages.LaunchPage),
    Route("requests/ID", f"requests/{_ID}", ("GET",), pages.RequestPage),
    Route("queue", "queue", ("GET",), pages.QueuePage),
    Route("capacity", "capacity", ("GET",), pages.CapacityPage),
    Route("reservations", "reservations", ("GET",), pages.ReservationsPage),
    Route("usage", "usage", ("GET",), record_pages.UsagePage),
    Route("audit", "audit", ("GET",), record_pages.AuditPage),
    Route("teams", "teams", ("GET",), pages.TeamsPage),
    Route("oauth_callback", "oauth_callback", ("GET",), pages.CallbackPage, Access.EVERYBODY),
)


_PATHS: Final = {route.handler: route.path or "/" for route in ROUTES}
OTHER: Final = "other"
"""What is no route or method of ours: counted as one, however many are asked for."""


def _counting(measures: Measures) -> Callable[[RequestHandler], None]:
    """Count answers, and log none: paths and queries may name people."""

    def answered(handler: RequestHandler) -> None:
        asked = handler.request.method or ""
        method = asked if asked in handler.SUPPORTED_METHODS else OTHER
        measures.count(HTTP_ANSWERED, method, _PATHS.get(type(handler), OTHER), str(handler.get_status()))

    return answered


def application(context: WebContext) -> Application:
    """Return the tornado application with every route."""
    prefix = context.settings.prefix
    with_context = {"context": context}
    own: dict[type[RequestHandler], dict[str, Any]] = {
        serving_proxy.ServingHandler: {"door": serving_proxy.ModelDoor()},
        openapi.OpenApiHandler: {"text": json.dumps(openapi.document(ROUTES, prefix))},
    }
    rules: list[Any] = [
        (prefix + route.pattern, route.handler, {**with_context, **own.get(route.handler, {})})
        for route in ROUTES
    ]
    rules += [
        (prefix + r"static/(.*)", StaticFileHandler, {"path": str(STATIC)}),
        (prefix + r"api/.*", UnknownRouteHandler, with_context),
        (r".*", pages.MissingPage, with_context),
    ]
    return Application(
        rules,
        cookie_secret=context.settings.cookie_secret,
        login_url=context.identities.oauth.login_url,
        log_function=_counting(context.measures),
    )
