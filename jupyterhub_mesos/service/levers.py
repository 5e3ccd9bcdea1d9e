"""The levers of admins, together: what pages and routes of them need."""

from __future__ import annotations

from dataclasses import dataclass

from jupyterhub_mesos.service.lever_notes import LeverNotes
from jupyterhub_mesos.service.node_levers import NodeLevers
from jupyterhub_mesos.service.operations import Operations
from jupyterhub_mesos.service.queue_levers import QueueLevers
from jupyterhub_mesos.service.reservations import Reservations
from jupyterhub_mesos.service.session_levers import SessionLevers
from jupyterhub_mesos.service.user_levers import UserLevers


@dataclass(frozen=True, slots=True)
class Levers:
    """Queues, nodes, sessions, reservations and users; `notes` says who pulled what."""

    notes: LeverNotes
    queues: QueueLevers
    nodes: NodeLevers
    sessions: SessionLevers
    reservations: Reservations
    users: UserLevers

    @classmethod
    def over(cls, operations: Operations) -> Levers:
        """Build them over the operations on requests."""
        ledger = operations.ledger
        notes = operations.notes
        return cls(
            notes,
            QueueLevers(ledger, notes),
            NodeLevers(ledger, notes),
            SessionLevers(ledger, notes, operations),
            Reservations(ledger, notes),
            UserLevers(ledger, notes),
        )
