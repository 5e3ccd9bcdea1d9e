"""What the decision core asks to be kept beside the rows, as rows of `kept`: one per value, by kind and key.

A commit writes what changed alone. A new field of the core's `Kept` is one more
line in `_KINDS`; stored JSON is validated as it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter

from jupyterhub_mesos.service.rows import KeptDoc, KeptKey
from jupyterhub_mesos_quota.budgets import Spent
from jupyterhub_mesos_quota.kept import NOTHING_KEPT, Kept
from jupyterhub_mesos_quota.model import NodeId, Reservation, TeamId, UserName
from jupyterhub_mesos_quota.past import PastUse

V = TypeVar("V")
Written = Mapping[str, Mapping[str, KeptDoc]]
"""What stands in the ledger, by kind and key."""


@dataclass(frozen=True, slots=True)
class _Kind(Generic[V]):
    """One field of `Kept`: how its values are told apart and laid out.

    `is_by_change`: the core tells of it only what changed, so that what it leaves out stands.
    `left_out`: fields that are worked out of others.
    """

    adapter: TypeAdapter[V]
    key: Callable[[V], str]
    is_by_change: bool = False
    left_out: Mapping[str, set[str]] | None = None


_Stop = tuple[TeamId, UserName | None, float]


def _whose(team: str, user: str | None) -> str:
    return team if user is None else f"{team}/{user}"  # no team's name has a slash


_KINDS: Final[Mapping[str, _Kind[Any]]] = {
    "past": _Kind(TypeAdapter(PastUse), lambda past: past.team, is_by_change=True),
    "spent": _Kind(TypeAdapter(Spent), lambda spent: _whose(spent.team, spent.user), is_by_change=True),
    "budget_stops": _Kind(TypeAdapter(_Stop), lambda stop: _whose(stop[0], stop[1])),
    "paused": _Kind(TypeAdapter(TeamId | None), lambda team: team or ""),
    "cordoned": _Kind(TypeAdapter(NodeId), str),
    "reservations": _Kind(
        TypeAdapter(Reservation), lambda booked: booked.id, left_out={"resources": {"_pairs"}}
    ),
}
_MOMENT: Final = KeptKey("at", "")
"""The row of the last moment that was told of: it goes with every commit while something is booked."""
_SETS: Final = frozenset(name for name in _KINDS if isinstance(getattr(NOTHING_KEPT, name), frozenset))


def kept_of(written: Written) -> Kept:
    """Read back what the core is handed at its restore."""
    fields: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        docs = written.get(name, {}).values()
        values = [kind.adapter.validate_python(doc.json, strict=False) for doc in docs]
        fields[name] = frozenset(values) if name in _SETS else tuple(values)
    moment = written.get(_MOMENT.kind, {}).get(_MOMENT.key)
    return Kept(**fields, at=0.0 if moment is None else float(moment.json))


def changes(
    kept: Kept, before: Kept, written: Written, *, is_whole: bool
) -> Iterator[tuple[KeptKey, KeptDoc | None]]:
    """Yield the rows that are otherwise than they were written; None for one that is no more.

    `kept` and `before` are what the core told now and last. `is_whole`: it told everything, not only what
    changed, so that what it left out is no more.
    """
    for name, kind in _KINDS.items():
        if not is_whole and not kind.is_by_change and getattr(kept, name) == getattr(before, name):
            continue  # not laid out again: there may be many
        told, known = _docs(kind, getattr(kept, name)), written.get(name, {})
        for key, doc in told.items():
            if key not in known or known[key] != doc:
                yield KeptKey(name, key), doc
        if is_whole or not kind.is_by_change:
            yield from ((KeptKey(name, key), None) for key in known if key not in told)
    if kept.reservations:
        yield _MOMENT, KeptDoc(kept.at)


def is_news(key: KeptKey) -> bool:
    """Say whether a row is worth a commit by itself; that time has passed is not."""
    return key != _MOMENT


def _docs(kind: _Kind[V], values: Iterable[V]) -> Mapping[str, KeptDoc]:
    def doc(value: V) -> KeptDoc:
        return KeptDoc(kind.adapter.dump_python(value, mode="json", exclude=kind.left_out))

    return {kind.key(value): doc(value) for value in values}
