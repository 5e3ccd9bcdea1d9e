"""The team tree while reservations are open: what is booked stands beside the guarantees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jupyterhub_mesos_quota.model import Reservation, TeamId
from jupyterhub_mesos_quota.resources import AmountName, Resources, Unlimited
from jupyterhub_mesos_quota.tree import Amounts, TeamTree


def with_reservations(tree: TeamTree, booked: Iterable[Reservation]) -> TeamTree:
    """Return the tree in which the teams of what is booked, and those above, are guaranteed it too.

    A limit that was lowered under what is booked binds: no more than it is promised.
    """
    guarantees: dict[TeamId, Amounts] = {}
    for each in booked:
        path = tree.path(each.team)
        for above in path:
            guarantees.setdefault(above, dict(tree.guarantee(above)))
        for name, amount in each.total.amounts():
            rooms = [_room(tree, above, name, guarantees[above]) for above in path]
            more = max(0, min([amount, *(room for room in rooms if room is not None)]))
            for above in path:
                guarantees[above][name] = guarantees[above].get(name, 0) + more
    if not guarantees:
        return tree
    return TeamTree(
        replace(team, guarantee=Resources.from_amounts(guarantees[id_])) if id_ in guarantees else team
        for id_, team in tree.teams.items()
    )


def _room(tree: TeamTree, team: TeamId, name: AmountName, promised: Amounts) -> int | None:
    limit = tree[team].limit.get(name)
    return None if isinstance(limit, Unlimited) else limit - promised.get(name, 0)
