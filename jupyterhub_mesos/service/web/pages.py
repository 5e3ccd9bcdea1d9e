"""The pages: launch, one request, the queue, and what is shown when something is wrong.

They are rendered with everything that is known; a script keeps them live. A page
leads to the login where nobody is logged in; its scripts ask the API with the
page's XSRF token.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, Final, cast, get_args
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from jupyterhub.services.auth import (  # type: ignore[import-untyped]  # the hub ships no types
    HubOAuthCallbackHandler,
)
from tornado.web import HTTPError

from jupyterhub_mesos.configuration.teams import describe_window
from jupyterhub_mesos.errors import NotAllowed, NotFound
from jupyterhub_mesos.service.web.base import BaseHandler, WebContext, json_text
from jupyterhub_mesos.service.web.figures import hours, moment, wait
from jupyterhub_mesos.service.web.problems import headers_of, problem_of
from jupyterhub_mesos.wire import (
    BudgetUse,
    BudgetView,
    CapacityView,
    PipelineStep,
    PlacementModel,
    ProfileModel,
    ResourcesModel,
    TeamUseView,
)
from jupyterhub_mesos_quota.explain_rules import describe_rule
from jupyterhub_mesos_quota.resources import Unlimited, describe_amount

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
_ISOLATION_HEADING: Final = "isolation"


def environment() -> Environment:
    """Return the templates; everything put into them is escaped."""
    templates = Environment(
        loader=PackageLoader("jupyterhub_mesos.service.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"hours": hours, "wait": wait, "moment": moment}
    templates.filters["amounts"] = amounts
    templates.filters["ago"] = ago
    templates.filters["where"] = where
    templates.filters["budget"] = budget
    return templates


def amounts(resources: ResourcesModel) -> str:
    """Say resources in a person's words."""
    return str(resources.value())


def where(placement: PlacementModel) -> str:
    """Say a placement rule in a person's words."""
    told = describe_rule(placement.value()).strip()
    wish = f"zone {placement.prefer_zone} if it has room" if placement.prefer_zone else ""
    return ", ".join(part for part in (told, wish) if part)


def budget(view: BudgetView) -> str:
    """Say how a budget stands, e.g. `12.5 of 500 accelerator-hours used in 7 days`."""
    window = describe_window(view.window_seconds)
    told = [] if view.team is None else [_used(view.team, f"used in {window}")]
    if view.asker is not None:
        told.append(_used(view.asker, "by you" if told else f"used by you in {window}"))
    return "; ".join(told) or f"per user, in {window}"


def _used(use: BudgetUse, how: str) -> str:
    return f"{use.used_hours:g} of {use.hours} accelerator-hours {how}"


def ago(at: float, now: float | None = None) -> str:
    """Say how long ago a moment was, in its largest unit."""
    seconds = max(0, int((time.time() if now is None else now) - at))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def safe_next(text: str | None) -> str:
    """Return a path of the same origin, or nothing: never somebody else's page, never a script."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")):
        return ""
    if any(ord(char) < 0x20 for char in text) or "\\" in text:
        return ""
    parts = urlsplit(text)
    return "" if parts.scheme or parts.netloc else text


class PageHandler(BaseHandler):
    """A page for people: leads to the login, and says in words what is wrong."""

    def set_default_headers(self) -> None:
        """Let a page load its own style and scripts, nothing else."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CSP)

    async def prepare(self) -> None:
        """Learn who looks; lead to the login where nobody is logged in."""
        await self.identify()
        if self._identity is None:
            login_url: str = self.get_login_url()  # pyright: ignore[reportUnknownVariableType]
            self.redirect(login_url)  # pyright: ignore[reportUnknownArgumentType]  # untyped base

    def render_page(self, template: str, **values: Any) -> None:
        """Send a page with what every page shows."""
        settings = self.context.settings
        who = self._identity
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.send(
            self.context.templates.get_template(template).render(
                prefix=settings.prefix,
                hub_home=f"{settings.hub.public_host}{settings.hub.base_url}hub/home",
                hub_logo=f"{settings.hub.public_host}{settings.hub.base_url}hub/logo",
                logout_url=f"{settings.hub.public_host}{settings.hub.base_url}hub/logout",
                user=who.name if who else "",
                sees_audit=who is not None and who.is_admin,
                xsrf=self._page_xsrf() if who else "",
                json_text=json_text,
                **values,
            )
        )

    def _page_xsrf(self) -> str:
        token = cast("str | bytes", self.xsrf_token)  # pyright: ignore[reportUnknownMemberType]  # untyped base
        return token.decode("ascii") if isinstance(token, bytes) else token

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Show what is wrong, and what to do."""
        error = kwargs.get("exc_info", (None, HTTPError(status_code), None))[1]
        problem = problem_of(error or HTTPError(status_code))
        self.set_status(problem.status, problem.title)
        for name, value in headers_of(problem).items():
            self.set_header(name, value)
        self.render_page("problem.html", problem=problem)


class LaunchPage(PageHandler):
    """Where people land: what is free, Start, and what they run already."""

    async def get(self) -> None:
        """Show profiles, teams and the asker's own requests."""
        teams = self.context.teams.teams(self.identity).teams
        own = [team for team in teams if team.is_member]
        profiles = self.context.teams.profiles(self.identity).profiles
        chosen = next((view.name for view in profiles if view.profile.is_default), None)
        mine = await self.context.operations.mine(self.identity)
        self.render_page(
            "launch.html",
            teams=[(team, quota_left(team)) for team in own],
            profiles=profiles,
            chosen=chosen or (profiles[0].name if profiles else ""),
            fits={
                f"{team.id}/{view.name}": self.context.teams.outlook(team.id, view.profile.resources)
                for view in profiles
                for team in own
                if team.id in view.teams
            },
            waits={
                f"{team.id}/{view.name}": self._expected(team.id, view.profile)
                for view in profiles
                for team in own
                if team.id in view.teams
            },
            pauses=self.context.levers.queues.pauses(self.identity),
            mine=mine,
            mine_data=[view.model_dump(mode="json") for view in mine],
            server=self.get_query_argument("server", ""),
            next=safe_next(self.get_query_argument("next", None)),
            **self.capacity_values(),
        )

    def _expected(self, team: str, profile: ProfileModel) -> str:
        """Say how long a start that has to wait may wait; nothing where nobody can know."""
        expected = self.context.operations.expectations.of_next(team, profile.resources.value())
        return expected.sentence if expected.median_seconds is not None else ""

    def capacity_values(self) -> dict[str, Any]:
        """Return what the capacity bar and the banner show."""
        capacity = self.context.teams.capacity()
        return {
            "capacity": capacity,
            "bars": bars(capacity),
            "warnings": [fact for fact in capacity.facts if not fact.holds],
        }


class RequestPage(PageHandler):
    """One request, live: its place and reason while it waits, its tasks and output when it runs."""

    async def get(self, request_id: str) -> None:
        """Show a request that the asker may see."""
        view = await self.context.operations.get(self.identity, request_id)
        self.render_page(
            "request.html",
            request=view,
            next=safe_next(self.get_query_argument("next", None)),
            is_owner=view.user == self.identity.name,
            steps=get_args(PipelineStep),
        )


class QueuePage(LaunchPage):
    """Who waits for what, in order."""

    async def get(self) -> None:
        """Show the queue of the asker's teams."""
        levers = self.context.levers.queues
        self.render_page(
            "queue.html",
            queue=self.context.operations.queue(self.identity),
            pauses=levers.pauses(self.identity),
            pausable=levers.pausable(self.identity),
            **self.capacity_values(),
        )


class CapacityPage(LaunchPage):
    """How each node stands, and an admin's levers on it."""

    async def get(self) -> None:
        """Show the nodes."""
        nodes = self.context.levers.nodes.nodes(self.identity)
        self.render_page(
            "capacity.html", nodes=nodes, is_admin=self.identity.is_admin, **self.capacity_values()
        )


class ReservationsPage(PageHandler):
    """What is booked, and the levers of those who may book."""

    async def get(self) -> None:
        """Show the reservations of the asker's teams."""
        levers = self.context.levers.reservations
        self.render_page(
            "reservations.html",
            reservations=await levers.listed(self.identity),
            bookable=levers.bookable(self.identity),
            flavors=sorted(self.context.teams.capacity().total.accelerators),
        )


class TeamsPage(PageHandler):
    """What each team has and holds, and its admins' levers."""

    async def get(self) -> None:
        """Show the teams that the asker may see."""
        seen, capacity = self.context.teams.teams(self.identity), self.context.teams.capacity()
        self.render_page(
            "teams.html",
            teams=[team.model_dump(mode="json") for team in seen.teams],
            revision=seen.revision,
            edits=any(team.is_admin for team in seen.teams) or self.identity.is_admin,
            flavors=sorted(capacity.total.accelerators),
            bars=sorted(bars(capacity), key=lambda bar: not bar["key"].startswith("accelerator/")),
            pauses=self.context.levers.queues.pauses(self.identity),
            is_admin=self.identity.is_admin,
        )


class MissingPage(PageHandler):
    """Everything that is no page."""

    async def prepare(self) -> None:
        """Answer everybody alike."""
        raise NotFound(f"There is no page {self.request.path}.")


class CallbackPage(HubOAuthCallbackHandler, PageHandler):  # type: ignore[misc]  # untyped base
    """Where the hub's login comes back."""

    async def prepare(self) -> None:
        """Look who is logged in already without blocking, for a login that came back twice."""
        self._model: Any = await self.hub_auth.get_user(self, sync=False)

    def get_current_user(self) -> Any:
        """Return the hub's answer, which the hub's own handler asks for."""
        return self._model

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say that a login did not work, with the way back."""
        if status_code == HTTPStatus.FORBIDDEN:
            said = "Two tabs logged in at the same moment, or this login is old. Continue on the launch page."
            kwargs["exc_info"] = (NotAllowed, NotAllowed(said), None)
        super().write_error(status_code, **kwargs)


def quota_left(team: TeamUseView) -> str:
    """Say what a team may still take, in a person's words."""
    used = dict(team.used.value().amounts())
    limits: dict[str, int | str] = {
        "cpu_millis": team.team.limit.cpu_millis,
        "mem_mib": team.team.limit.mem_mib,
    }
    limits |= {f"accelerator/{flavor}": bound for flavor, bound in team.team.limit.accelerators.items()}
    left = [
        describe_amount(name, max(0, bound - used.get(name, 0)))  # type: ignore[arg-type, call-overload]
        for name, bound in limits.items()
        if not isinstance(bound, str | Unlimited)
    ]
    return ", ".join(left) or "no limit"


def bars(capacity: CapacityView) -> list[dict[str, Any]]:
    """Return used and total per amount, with what is said of them."""
    total, free = capacity.total.value(), capacity.free.value()
    return [
        {
            "name": str(name).removeprefix("accelerator/"),
            "label": {"cpu_millis": "CPU", "mem_mib": "Memory"}.get(name, str(name).partition("/")[2]),
            "key": name,
            "used": amount - free.get(name),
            "total": amount,
            "text": f"{describe_amount(name, free.get(name))} of {describe_amount(name, amount)} free",
        }
        for name, amount in total.amounts()
    ]


__all__ = [
    "CallbackPage",
    "CapacityPage",
    "LaunchPage",
    "MissingPage",
    "QueuePage",
    "RequestPage",
    "ReservationsPage",
    "TeamsPage",
    "WebContext",
    "environment",
]
