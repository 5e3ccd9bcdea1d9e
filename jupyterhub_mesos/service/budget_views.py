"""How the budgets of accelerator-hours stand, for those who may see the team."""

from __future__ import annotations

from jupyterhub_mesos.wire import BudgetModel, BudgetUse, BudgetView
from jupyterhub_mesos_quota.budgets import MS_PER_HOUR
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import TeamId, UserName


def budget_view(
    machine: QuotaMachine, team: str, budget: BudgetModel | None, asker: str | None, now: float
) -> BudgetView | None:
    """Return what the team, and the asker where one is named, used of the team's budget up to `now`."""
    if budget is None:
        return None
    return BudgetView(
        window_seconds=budget.window_seconds,
        team=_use(machine, budget.team_hours, (TeamId(team), None), now),
        asker=None
        if asker is None
        else _use(machine, budget.user_hours, (TeamId(team), UserName(asker)), now),
    )


def _use(
    machine: QuotaMachine, hours: int | str, whose: tuple[TeamId, UserName | None], now: float
) -> BudgetUse | None:
    if not isinstance(hours, int):
        return None
    used_ms, stops_at = machine.enforcing.use_of(whose, now)
    used = round(used_ms / MS_PER_HOUR, 2)
    return BudgetUse(
        hours=hours, used_hours=used, left_hours=max(0.0, round(hours - used, 2)), stops_at=stops_at
    )
