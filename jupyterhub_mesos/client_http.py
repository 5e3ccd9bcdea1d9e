"""One HTTP call of the client: the token, time-outs, and a problem turned into our error."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from ipaddress import ip_address
from types import MappingProxyType
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from jupyterhub_mesos.errors import (
    BackendError,
    CapacityError,
    Conflict,
    InvalidInput,
    LedgerError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    Queued,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedMediaType,
    WorkloadError,
)

GET_ATTEMPTS: Final = 4
"""A service that restarts is back within about a second; a GET, or a write with a key, may be repeated."""
KEY_HEADER: Final = "Idempotency-Key"
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 2.0

_BY_STATUS: Final[dict[int, type[CapacityError]]] = {
    400: InvalidInput,
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: WorkloadError,
    429: TooMany,
}
_ALL: Final[tuple[type[CapacityError], ...]] = (*_BY_STATUS.values(), Unavailable, BackendError, LedgerError)
_BY_CODE: Final[dict[str, type[CapacityError]]] = {error.code: error for error in _ALL}


class _NoRedirects(HTTPRedirectHandler):
    """A redirect means a log-in page: the token is not carried there."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Transport:
    """Calls below `base_url` in the name of `token`."""

    def __init__(
        self, base_url: str, token: str, call_seconds: float, get_attempts: int = GET_ATTEMPTS
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidInput(
                f"{base_url!r} is no address of the service: it begins with http:// or https://"
            )
        self._base_url = base_url
        self._token = token
        self._call_seconds = call_seconds
        self._get_attempts = get_attempts
        self._opener = _opener(parts.hostname)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> bytes:
        """Return the answer's body; raise our error for anything but success.

        A GET is repeated for a short while when no connection comes about or it breaks, and so is a write
        that has a key (`KEY_HEADER`), which the service does once.
        """
        attempts = self._get_attempts if method == "GET" or KEY_HEADER in headers else 1
        for attempt in range(1, attempts + 1):
            try:
                return self._once(method, path, body, headers)
            except HTTPError as answer:
                with answer:
                    raise error_of(answer.code, answer.read()) from None
            except (URLError, HTTPException, OSError) as error:
                if attempt == attempts:
                    raise Unavailable(
                        f"the capacity service at {self._base_url} does not answer ({_reason(error)}): "
                        "try again, and tell an admin if it stays so"
                    ) from error
            time.sleep(min(FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1), LONGEST_PAUSE_SECONDS))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, method: str, path: str, body: bytes | None, more: Mapping[str, str]) -> bytes:
        headers = {"Authorization": f"token {self._token}", "Accept": "application/json", **more}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = Request(self._base_url + path, data=body, headers=headers, method=method)  # noqa: S310 - the scheme was checked
        with self._opener.open(request, timeout=self._call_seconds) as answer:
            content: bytes = answer.read()
            return content


def error_of(status: int, body: bytes) -> CapacityError:
    """Turn an answer that is no success into our error, with the service's sentence where it has one."""
    from pydantic import ValidationError  # noqa: PLC0415 - the lake's helper starts often, and rarely fails

    from jupyterhub_mesos.wire import Problem  # noqa: PLC0415 - as above

    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        return _unexplained(status)
    if problem.code == Queued.code:
        return Queued(problem.detail, request_id=problem.request_id or "", page_url=problem.page_url or "")
    kind = _BY_CODE.get(problem.code) or _BY_STATUS.get(status) or _other(status)
    return kind(problem.detail)


def _unexplained(status: int) -> CapacityError:
    if 300 <= status < 400:
        return NotAuthenticated("the service asks for a log-in: the token is missing, or not valid any more")
    kind = _BY_STATUS.get(status) or _other(status)
    return kind(f"the service answered {status} without a reason; its log, or the proxy's, says why")


def _other(status: int) -> type[CapacityError]:
    return Unavailable if status >= 500 else InvalidInput


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)


def _opener(host: str) -> OpenerDirector:
    """Build an opener that goes to this machine's own loopback without a proxy."""
    if _is_loopback(host):
        return build_opener(_NoRedirects, ProxyHandler({}))
    return build_opener(_NoRedirects)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
