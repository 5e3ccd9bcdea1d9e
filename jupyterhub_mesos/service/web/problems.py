"""The one place that turns an error into an HTTP status and a problem (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from tornado.web import HTTPError

from jupyterhub_mesos.errors import CapacityError, InvalidInput, Queued
from jupyterhub_mesos.service.team_operations import TeamsMoved
from jupyterhub_mesos.wire import ClashView, Problem
from jupyterhub_mesos_quota.errors import (
    Clash,
    IllegalMove,
    Overbooked,
    QuotaError,
    RefusedRename,
    RefusedRequest,
    RefusedReservation,
    TreeError,
    UnknownAllocation,
    UnknownRequest,
    UnknownReservation,
    UnknownTeam,
)

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 5
"""What `Retry-After` says where waiting helps; a page or a spawner asks again then."""

_QUOTA_STATUS: Final[tuple[tuple[type[QuotaError], HTTPStatus], ...]] = (
    (UnknownTeam, HTTPStatus.NOT_FOUND),  # before RefusedRequest, which it is
    (RefusedRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TreeError, HTTPStatus.BAD_REQUEST),
    (UnknownRequest, HTTPStatus.NOT_FOUND),
    (UnknownAllocation, HTTPStatus.NOT_FOUND),
    (Overbooked, HTTPStatus.CONFLICT),  # before RefusedReservation, which it is
    (RefusedReservation, HTTPStatus.BAD_REQUEST),
    (UnknownReservation, HTTPStatus.NOT_FOUND),
    (RefusedRename, HTTPStatus.CONFLICT),
    (IllegalMove, HTTPStatus.CONFLICT),
)
INTERNAL_CODE: Final = "internal-error"
HTTP_CODES: Final = {
    400: "invalid-input",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
}
"""Of what tornado refuses by itself."""
_TITLES: Final = {422: "Unprocessable Content", 413: "Content Too Large"}
_M = TypeVar("_M", bound=BaseModel)


def problem_of(error: BaseException) -> Problem:
    """Return what is answered for `error`; an unexpected one says nothing of itself."""
    match error:
        case CapacityError():
            return _problem(error.status, str(error), error.code).model_copy(update=_facts(error))
        case Overbooked():
            problem = _problem(quota_status(type(error)), str(error), error.code)
            return problem.model_copy(update={"clash": _clash(error.clash)})
        case TreeError():
            problem = _problem(quota_status(type(error)), _quota_text(error), error.code)
            return problem.model_copy(update={"where": f"teams.{error.team}.{error.field}"})
        case QuotaError():
            return _problem(quota_status(type(error)), _quota_text(error), error.code)
        case HTTPError():
            return _problem(error.status_code, _http_text(error), _http_code(error.status_code))
        case _:
            return _problem(
                500,
                "The service failed at this; its log says why. Try again, and tell an admin if it stays.",
                INTERNAL_CODE,
            )


def headers_of(problem: Problem) -> dict[str, str]:
    """Return the headers that go with a problem."""
    headers: dict[str, str] = {}
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE or problem.code == Queued.code:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if problem.page_url is not None:
        headers["Link"] = f'<{problem.page_url}>; rel="related"'
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="jupyterhub"'
    return headers


def parse(model: type[_M], body: bytes) -> _M:
    """Read a JSON body; raises `InvalidInput` that names the field and what is wrong with it."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> InvalidInput:
    """Say what is wrong with the first field that does not hold, and how many more there are."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    more = f" ({len(errors) - 1} more fields do not hold either)" if len(errors) > 1 else ""
    return InvalidInput(f"{text}{more}", where=where or "body")


def _problem(status: int, detail: str, code: str) -> Problem:
    return Problem(title=title_of(status), status=int(status), detail=detail, code=code)


def _facts(error: CapacityError) -> Mapping[str, object]:
    """Return what a problem says beside its sentence."""
    match error:
        case InvalidInput() if error.where:
            return {"where": error.where}
        case Queued():
            return {"request_id": error.request_id, "page_url": error.page_url}
        case TeamsMoved():
            return {"changes": error.changes, "revision": error.revision}
        case _:
            return {}


def _clash(clash: Clash) -> ClashView:
    return ClashView(
        at=clash.at,
        amount=clash.name,
        asked=clash.asked,
        possible=clash.possible,
        team=clash.team,
        reservations=clash.reservations,
    )


def title_of(status: int) -> str:
    """Return the phrase of an HTTP status."""
    try:
        return _TITLES.get(status, HTTPStatus(status).phrase)
    except ValueError:
        return "Error"


def quota_status(error: type[QuotaError]) -> int:
    """Return the status of a refusal of the decision core."""
    return next((int(status) for kind, status in _QUOTA_STATUS if issubclass(error, kind)), 409)


def _quota_text(error: QuotaError) -> str:
    if isinstance(error, TreeError):
        return f"teams.{error.team}.{error.field}: {error}"
    if isinstance(error, IllegalMove):  # its story is for the log
        return "This moved on in the meantime: reload and look again."
    return str(error)


def _http_text(error: HTTPError) -> str:
    if error.status_code >= 500:
        return "A part that the service needs does not answer; try again in a moment."
    if error.log_message:
        return error.log_message % error.args if error.args else error.log_message
    return error.reason or title_of(error.status_code)


def _http_code(status: int) -> str:
    return HTTP_CODES.get(status, f"http-{status}")
