"""What a repeated write is answered: what the first one was, as far as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyterhub_mesos.errors import Conflict
from jupyterhub_mesos.service.rows import KeyRow
from jupyterhub_mesos.service.web.contract import Contract
from jupyterhub_mesos.wire import RequestView

KEY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotent-Replayed"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is ready to be sent, and to be kept."""

    status: int
    body: str
    location: str | None


def kept_answer(kept: KeyRow) -> Answer | None:
    """Return the first answer, None where it is not kept."""
    if kept.status is None or kept.answer is None:
        return None
    return Answer(kept.status, kept.answer, kept.location)


def remade_id(kept: KeyRow, written: Contract) -> str | None:
    """Return the request that the answer is made from anew, where it was lost and can be."""
    is_one = written.answers is RequestView and len(kept.subjects) == 1
    return kept.subjects[0] if is_one and not written.is_secret else None


def lost(kept: KeyRow, written: Contract) -> Conflict:
    """Say that the write was done, and that its answer is not kept."""
    if written.is_secret:
        return Conflict(
            "This was done already with this key, and its answer held a secret, which nobody keeps: look at "
            "what is there, revoke what you cannot use, and ask again with a new key."
        )
    about = f" It was about {', '.join(kept.subjects[:10])}." if kept.subjects else ""
    return Conflict(
        f"This was done already with this key, but the service ended before it had answered.{about} "
        "Look at what is there now; nothing was done twice."
    )
