"""What a request must be before it may wait, and a tree before it may be in force: possible, and whole."""

from __future__ import annotations

from collections.abc import Iterable

from jupyterhub_mesos_quota.bars import counted
from jupyterhub_mesos_quota.errors import OverLimit, RefusedRequest, TreeError
from jupyterhub_mesos_quota.model import Request, TeamId
from jupyterhub_mesos_quota.moves import TERMINAL_STATUSES
from jupyterhub_mesos_quota.resources import Unlimited, describe_amount
from jupyterhub_mesos_quota.rules import check_rule
from jupyterhub_mesos_quota.tree import TeamTree


def check_teams_in_use(tree: TeamTree, requests: Iterable[Request]) -> None:
    """Refuse a tree that lacks the team of a request that is not over. Raises `TreeError`."""
    for request in requests:
        if request.team not in tree and request.status not in TERMINAL_STATUSES:
            raise TreeError(
                f"Team {request.team} would go while its request {request.id} is {request.status}: "
                "end the team's requests first, or keep the team.",
                team=request.team,
                field="id",
            )


def check_submission(tree: TeamTree, request: Request) -> None:
    """Refuse a request that could never be granted.

    Raises `UnknownTeam`, `OverLimit`, or `RefusedRequest` for amounts that make no sense
    or stand above what the team may ever borrow. Nodes come and go: they refuse nothing.
    """
    team = tree[request.team]
    if request.replicas < 1:
        raise RefusedRequest(
            f"{request.replicas} replicas asked for; 1 or more are possible: ask for at least 1."
        )
    if request.rule is not None:
        check_rule(request.rule)
    amounts = request.resources.amounts()
    if not amounts:
        raise RefusedRequest(
            "Nothing was asked for; a replica needs some CPU, memory or accelerator: name an amount."
        )
    for name, amount in amounts:
        if amount < 0:
            raise RefusedRequest(f"{amount} asked for of {name}; an amount is 0 or more: ask for 0 or more.")
    if tree.is_bounded(team.id):
        _check_bounds(tree, team.id, request)


def _check_bounds(tree: TeamTree, team: TeamId, request: Request) -> None:
    for above in tree.path(team):
        for name, asked, limit in tree[above].limit.exceeded_by(request.total):
            raise OverLimit(team, above, name, asked, limit)
    for above in tree.path(team):
        _check_borrow_cap(tree, above, request)
        _check_user_cap(tree, above, request)


def _check_borrow_cap(tree: TeamTree, above: TeamId, request: Request) -> None:
    for name, amount in request.total.amounts():
        cap = tree[above].borrow.get(name)
        if isinstance(cap, Unlimited):
            continue
        most = tree.guarantee(above).get(name, 0) + cap
        if amount > most:
            asked, possible = describe_amount(name, amount), describe_amount(name, most)
            raise RefusedRequest(
                f"{asked} asked for by team {request.team}; team {above} may hold {possible} at most, "
                f"its guarantee and what it may borrow: ask for {possible} or less, "
                f"or ask an admin to raise the borrow cap of {above}."
            )


def _check_user_cap(tree: TeamTree, above: TeamId, request: Request) -> None:
    for name, amount in counted(request):
        cap = tree[above].per_user.get(name)
        if not isinstance(cap, Unlimited) and amount > cap:
            asked, possible = describe_amount(name, amount), describe_amount(name, cap)
            raise RefusedRequest(
                f"{asked} asked for; one user may hold {possible} in team {above} at most: "
                f"ask for {possible} or less, or ask an admin to raise what a user of {above} may hold."
            )
