"""The codes of problems, as the table of docs/reference/api.md: made from the errors themselves.

`python -m jupyterhub_mesos.service.web.codes` prints it; a test fails when the page has another one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, NamedTuple, TypeVar

from jupyterhub_mesos.errors import CapacityError
from jupyterhub_mesos.service.web.problems import HTTP_CODES, INTERNAL_CODE, quota_status, title_of
from jupyterhub_mesos_quota.errors import QuotaError

RETRIED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Where `Retry-After` says when to ask again, if waiting is enough."""
E = TypeVar("E", bound=Exception)
_HEADS: Final = ("status", "code", "when")


class Code(NamedTuple):
    """A code with the status it comes with, and when it does."""

    status: int
    code: str
    when: str


def codes() -> tuple[Code, ...]:
    """Return every code that an answer may have, by status."""
    found = {Code(one.status, one.code, _when(one)) for one in _below(CapacityError)}
    found |= {Code(quota_status(one), one.code, _when(one)) for one in _below(QuotaError)}
    found.add(Code(405, HTTP_CODES[405], "The route has no such method; `Allow` names those that it has."))
    found.add(Code(500, INTERNAL_CODE, "The service failed at this; its log says why."))
    return tuple(sorted(_first_of_each(found)))


def table() -> str:
    """Lay the codes out in Markdown."""
    rows = [(str(one.status), f"`{one.code}`", one.when) for one in codes()]
    return "\n".join(f"| {' | '.join(row)} |" for row in (_HEADS, ("---",) * 3, *rows))


def statuses() -> dict[int, str]:
    """Return the statuses of problems, each with its codes in words."""
    found: dict[int, list[str]] = {}
    for one in codes():
        found.setdefault(one.status, []).append(one.code)
    return {status: f"{title_of(status)}: {', '.join(names)}" for status, names in found.items()}


def _below(base: type[E]) -> Iterator[type[E]]:
    for one in base.__subclasses__():
        if one.__module__ != base.__module__:
            continue  # a part's own error, which no answer of the service is
        yield one
        yield from _below(one)


def _first_of_each(found: set[Code]) -> Iterator[Code]:
    """Yield one row per code: a subclass without a code of its own says its base's."""
    seen: set[tuple[int, str]] = set()
    for one in sorted(found, key=lambda one: (one.status, one.code, len(one.when))):
        if (one.status, one.code) not in seen:
            seen.add((one.status, one.code))
            yield one


def _when(error: type[Exception]) -> str:
    return " ".join((error.__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
