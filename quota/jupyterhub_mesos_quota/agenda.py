"""What is booked and not over, by begin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from jupyterhub_mesos_quota.booking import check_booking
from jupyterhub_mesos_quota.errors import TreeError, UnknownReservation
from jupyterhub_mesos_quota.model import Node, NodeId, Reservation, ReservationId, UserName
from jupyterhub_mesos_quota.tree import TeamTree


class Agenda:
    """Every reservation that is booked and not over; `version` grows when one comes or goes."""

    def __init__(self) -> None:
        self.version = 0
        self._booked: dict[ReservationId, Reservation] = {}

    def __len__(self) -> int:
        return len(self._booked)

    @property
    def booked(self) -> Mapping[ReservationId, Reservation]:
        """The reservations by id, the next to begin first."""
        return MappingProxyType(self._booked)

    def restore(self, reservations: Iterable[Reservation]) -> None:
        """Take over what was booked before a restart."""
        self._set({each.id: each for each in reservations})

    def book(self, at: float, asked: Reservation, tree: TeamTree, nodes: Mapping[NodeId, Node]) -> None:
        """Book one more; one with a known id changes nothing. Raises what `check_booking` does."""
        if asked.id not in self._booked:
            check_booking(asked, at, tree, nodes, self._booked)
            self._set({**self._booked, asked.id: asked})

    def cancel(self, id_: ReservationId) -> None:
        """Drop one. Raises `UnknownReservation`."""
        if id_ not in self._booked:
            raise UnknownReservation(
                f"There is no reservation {id_!r}: it never was, it is over, or it was cancelled before."
            )
        self._set({other: each for other, each in self._booked.items() if other != id_})

    def advance(self, at: float) -> None:
        """Drop what is over."""
        if self._booked and any(each.ends_at <= at for each in self._booked.values()):
            self._set({id_: each for id_, each in self._booked.items() if each.ends_at > at})

    def rename(self, before: UserName, after: UserName) -> None:
        """Say that what one booked was booked by another name."""
        self._booked = {
            id_: replace(each, booked_by=after) if each.booked_by == before else each
            for id_, each in self._booked.items()
        }

    def check_teams(self, tree: TeamTree) -> None:
        """Refuse a tree that lacks a team for which something is booked."""
        for each in self._booked.values():
            if each.team not in tree:
                raise TreeError(
                    f"Team {each.team} would go while {each.id} is booked for it: "
                    "cancel its reservations first, or keep the team.",
                    team=each.team,
                    field="id",
                )

    def _set(self, booked: Mapping[ReservationId, Reservation]) -> None:
        self._booked = dict(sorted(booked.items(), key=lambda entry: (entry[1].starts_at, entry[0])))
        self.version += 1
