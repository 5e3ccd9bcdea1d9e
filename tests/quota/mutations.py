"""Break the core's rules one at a time and see that a test notices: `python tests/quota/mutations.py`.

Each mutation changes one line of a copy of the core; the tests named run
against the copy, the first that fails is the one that caught it. Not a test itself:
it takes some minutes. `docs/explanation/quota.md` has the table that it printed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "quota" / "jupyterhub_mesos_quota"
TESTS = (
    "test_reference.py",
    "test_order.py",
    "test_reclaim.py",
    "test_placement.py",
    "test_booking.py",
    "test_reservations.py",
    "test_reservations_taken_back.py",
    "test_preempt.py",
    "test_users.py",
    "test_domains.py",
    "test_strategies.py",
    "test_past.py",
    "test_expectation.py",
    "test_forecast.py",
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One rule, and how it is broken."""

    rule: str
    file: str
    line: str
    broken: str


MUTATIONS = (
    Mutation(
        "No team above its limit",
        "accounts.py",
        "used.get(name, 0) + amount > limit[name] for name, amount in total",
        "used.get(name, 0) > limit[name] for name, amount in total",
    ),
    Mutation(
        "A guarantee goes before a borrower",
        "admission.py",
        "for standings in _ONE_BY_ONE if by_promise else _ALL_TOGETHER:",
        "for standings in _ALL_TOGETHER:",
    ),
    Mutation(
        "A borrow cap binds",
        "accounts.py",
        "self.over(name) + amount > caps[name]",
        "self.over(name) > caps[name]",
    ),
    Mutation(
        "A lend cap keeps a reserve",
        "usage.py",
        "if left and idle > 0 and short > 0:",
        "if left and idle > 0 and short > amount:",
    ),
    Mutation(
        "The smaller share goes first",
        "strategies.py",
        "return (borrowed_share(account, yard) + account.past) // account.weight",
        "return -(borrowed_share(account, yard) + account.past) // account.weight",
    ),
    Mutation(
        "A weight divides the share",
        "strategies.py",
        "(borrowed_share(account, yard) + account.past) // account.weight",
        "(borrowed_share(account, yard) + account.past)",
    ),
    Mutation(
        "By lowest use the past is a part of the guarantee",
        "strategies.py",
        "return account.past * WHOLE // (max(promised, default=0) or 1)",
        "return account.past",
    ),
    Mutation(
        "The higher priority goes first",
        "line.py",
        "return Place(-request.priority, request.rank, request.id)",
        "return Place(request.priority, request.rank, request.id)",
    ),
    Mutation(
        "A gang is all or nothing",
        "placement.py",
        "if missing <= 0:",
        "if missing <= 1:",
    ),
    Mutation(
        "What is laid aside is not used",
        "admission.py",
        "return placements if not withheld else self.pool.place(size, withheld, where)",
        "return placements",
    ),
    Mutation(
        "Room is left under a shared limit for a claim",
        "claims.py",
        "account.claimed = most",
        "account.claimed = {}",
    ),
    Mutation(
        "A claim that ends lets others go",
        "line.py",
        "self._stand_at(group, None)",
        "group.lane.stand(group, None)",
    ),
    Mutation(
        "Only what is lent is taken",
        "rights.py",
        "is_lent = is_above(victim, self._taker, held, self._outlook.over)",
        "is_lent = bool(held)",
    ),
    Mutation(
        "Nothing is taken in vain",
        "room.py",
        "if not (is_made and right.suffices(size.total, job.chosen.values())):",
        "if False:",
    ),
    Mutation(
        "Nobody is taken before it ran its time",
        "rights.py",
        "if ripe_at <= self._now or allocation.state is AllocationState.WARNED:",
        "if True:",
    ),
    Mutation(
        "Nothing is taken for who would borrow",
        "reclaim.py",
        "if not outlook.is_inside(account, size.total):",
        "if False:",
    ),
    Mutation(
        "The team furthest above gives first",
        "rights.py",
        "return tuple(-outlook.strategic_share(above) for above in reversed(lower))",
        "return ()",
    ),
    Mutation(
        "A notebook has its grace",
        "taking.py",
        "elif allocation.warned_until <= at:",
        "else:",
    ),
    Mutation(
        "Who was taken waits again",
        "events.py",
        "return GoneReason.PREEMPTED if self in",
        "return self if self in",
    ),
    Mutation(
        "A resource is free only when it is gone",
        "book.py",
        "self._actions.append(StopAllocation(at, id_, reason))",
        "del self.live[self.allocations[id_].request_id]",
    ),
    Mutation(
        "Nobody is passed for ever",
        "admission.py",
        "if starved is not None:",
        "if False:",
    ),
    Mutation(
        "A label binds",
        "rules.py",
        "return set(self.labels) <= set(labels)",
        "return True",
    ),
    Mutation(
        "A spread is even",
        "rules.py",
        "if len(larger) < rest or any(cost(zone, fewer) is None for zone in smaller):",
        "if len(larger) < rest:",
    ),
    Mutation(
        "A gang takes few nodes",
        "packing.py",
        "if self._holds(limit):",
        "if limit == 1:",
    ),
    Mutation(
        "Room is laid aside where the rule allows",
        "claims.py",
        "if members is not None and node not in members:",
        "if False:",
    ),
    Mutation(
        "Room is made where the rule allows",
        "room.py",
        "for node in known if node in members",
        "for node in known",
    ),
    Mutation(
        "Zones that changed let a rule be tried anew",
        "line.py",
        "lane for lane in self.lanes.values() if lane.size.rule is not None",
        "lane for lane in self.lanes.values() if False",
    ),
    Mutation(
        "Who waits still is not left out of the expected start",
        "forecast.py",
        "curve = Curve.of([*self._past.get(kind, ()), *still])",
        "curve = Curve.of([*self._past.get(kind, ())])",
    ),
    Mutation(
        "The expected start is of those still to come",
        "expectation.py",
        "beyond = max(0.0, 1 - WITHIN * (later + 1) / later)",
        "beyond = MEDIAN",
    ),
    Mutation(
        "Past use fades",
        "past.py",
        "return (past * left + now * (ONE - left)) // ONE",
        "return past + now * (ONE - left) // ONE",
    ),
    Mutation(
        "A booking that clashes is refused",
        "booking.py",
        "if taken.get(name, 0) + amount > has.get(name, 0):",
        "if amount > has.get(name, 0):",
    ),
    Mutation(
        "Before a booking begins only who ends in time uses it",
        "bookings.py",
        "if ask.limit is not None and now + ask.limit <= self.cleared_at(booked):",
        "if ask.limit is not None:",
    ),
    Mutation(
        "Before a booking opens who borrows leaves it",
        "bookings.py",
        "return self._min_runtime is None or now + self._min_runtime > opens_at",
        "return False",
    ),
    Mutation(
        "What is booked is promised while it is on",
        "desk.py",
        "promised = with_reservations(tree, admission.bookings.open_at(admission.now))",
        "promised = tree",
    ),
    Mutation(
        "What is in the way of a booking is taken back in time",
        "reclaim.py",
        "is_whole = not self._takes_back or self._keep_all()",
        "is_whole = True",
    ),
    Mutation(
        "Only a strictly lower priority makes way",
        "rights.py",
        "is_lower = self._requests[allocation.request_id].priority < self._taker.priority",
        "is_lower = self._requests[allocation.request_id].priority <= self._taker.priority",
    ),
    Mutation(
        "A priority takes of its own team alone",
        "preempt.py",
        "return next((above for above in account.path if any(above.guarantee.values())), account)",
        "return account.path[-1]",
    ),
    Mutation(
        "Room that is made for a priority is its own",
        "admission.py",
        "withheld = both(withheld, kept_for_takers(self.takers, group))",
        "pass",
    ),
    Mutation(
        "A new name has what the old one spent",
        "budgets.py",
        "self._meters[team, after] = meter",
        "pass",
    ),
    Mutation(
        "Of who left nothing runs on",
        "users.py",
        'end_request(self._desk, at, id_, "its user left", StopReason.USER_LEFT)',
        "continue",
    ),
)


def caught_by(mutation: Mutation) -> str:
    """Return the test that fails with the rule broken, or "nothing"."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / CORE.name
        shutil.copytree(CORE, copy)
        file = copy / mutation.file
        text = file.read_text()
        if text.count(mutation.line) != 1:
            raise SystemExit(f"{mutation.rule}: {mutation.file} has {mutation.line!r} not exactly once")
        file.write_text(text.replace(mutation.line, mutation.broken))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += [str(ROOT / "tests" / "quota" / name) for name in TESTS]
        run = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": folder, "QUOTA_HISTORIES": "160"},
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"^(?:FAILED|ERROR) tests/quota/(\S+)", run.stdout, re.MULTILINE)
        return found.group(1) if run.returncode and found else "nothing"


def main() -> int:
    """Print which test caught each; the exit status says whether each was caught."""
    wanted = sys.argv[1:]
    missed = 0
    for mutation in MUTATIONS:
        if wanted and not any(word in mutation.rule for word in wanted):
            continue
        test = caught_by(mutation)
        missed += test == "nothing"
        sys.stdout.write(f"| {mutation.rule} | `{test}` |\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
