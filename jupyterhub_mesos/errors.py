"""The errors of everything outside the decision core, one tree.

```
CapacityError                 every error of ours; `status` is the HTTP status the web layer answers
 ├─ InvalidInput        400   something a person wrote; says what was asked, what is possible, what to do
 ├─ NotAuthenticated    401
 ├─ NotAllowed          403   known who, not allowed
 ├─ NotFound            404   also for what the asker may not know of
 ├─ Conflict            409   the thing moved on, or exists already
 │   └─ Queued          409   a start that has to wait; carries the request
 ├─ PreconditionFailed  412   what the asker saw is not what is there any more
 ├─ TooLarge            413
 ├─ UnsupportedMediaType 415
 ├─ TooMany             429   more than one person may ask for; says what is possible and when
 ├─ Unavailable         503   a part we need does not answer; retry
 │   ├─ BackendError          the cluster refused or failed
 │   └─ LedgerError           the ledger could not be written
 │       ├─ OutcomeUnknown    its connection broke in a commit: nobody can say now whether that was made
 │       └─ TakenOver         another service has opened it: this one has to end
 ├─ KeyReused           422   an idempotency key that was used for another write
 └─ WorkloadError       422   a notebook, job or model that cannot be handed off as it is
```

The refusals of `jupyterhub_mesos_quota.errors` stand beside this tree; the web
layer maps both to problem+json in one place (`service/web/problems.py`).
"""

from __future__ import annotations

from typing import ClassVar


class CapacityError(Exception):
    """An error of ours: the text is for people, `code` for machines, `status` for HTTP."""

    code: ClassVar[str] = "capacity-error"
    status: ClassVar[int] = 500


class InvalidInput(CapacityError):
    """Something a person wrote does not hold; `where` names the file and line, or the field."""

    code = "invalid-input"
    status = 400

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class NotAuthenticated(CapacityError):
    """Nobody is logged in, or the token is not valid."""

    code = "not-authenticated"
    status = 401


class NotAllowed(CapacityError):
    """The asker is known and may not do this."""

    code = "not-allowed"
    status = 403


class NotFound(CapacityError):
    """There is no such thing, or none that the asker may know of."""

    code = "not-found"
    status = 404


class Conflict(CapacityError):
    """The thing moved on in the meantime, or exists already."""

    code = "conflict"
    status = 409


class Queued(Conflict):
    """A start that has to wait: the request stands in the queue."""

    code = "queued"

    def __init__(self, message: str, *, request_id: str, page_url: str) -> None:
        super().__init__(message)
        self.request_id = request_id
        self.page_url = page_url


class PreconditionFailed(CapacityError):
    """What the asker saw (`If-Match`) is not what is there any more; nothing was changed."""

    code = "precondition-failed"
    status = 412


class UnsupportedMediaType(CapacityError):
    """The body is not of the type that this route reads."""

    code = "unsupported-media-type"
    status = 415


class TooLarge(CapacityError):
    """More bytes than this route takes."""

    code = "too-large"
    status = 413


class KeyReused(CapacityError):
    """The `Idempotency-Key` was used for another write; nothing was changed."""

    code = "idempotency-key-reused"
    status = 422


class TooMany(CapacityError):
    """More than one person may ask for; `retry_seconds` is when to ask again, where waiting is enough."""

    code = "too-many"
    status = 429

    def __init__(self, message: str, *, retry_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class WorkloadError(CapacityError):
    """A notebook, job or model cannot be handed off as it is; `cell` and `line` count from 1."""

    code = "workload-invalid"
    status = 422

    def __init__(self, message: str, *, cell: int | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.cell = cell
        self.line = line


class Unavailable(CapacityError):
    """A part that we need does not answer; the same call may succeed later."""

    code = "unavailable"
    status = 503


class BackendError(Unavailable):
    """The cluster refused or failed."""

    code = "backend-error"


class LedgerError(Unavailable):
    """The ledger could not be read or written."""

    code = "ledger-error"


class OutcomeUnknown(LedgerError):
    """A connection broke in a commit, and the database cannot be asked whether that was made."""


class TakenOver(LedgerError):
    """Another capacity service has opened the ledger: nothing can be written from here any more."""
