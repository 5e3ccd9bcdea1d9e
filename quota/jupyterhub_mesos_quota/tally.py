"""A count of the entries that decisions look at: the cost of a decision without a clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """How many entries were touched: accounts, groups, nodes, and steps in an index.

    It is deterministic: the same events count the same, on any machine. Tests prove
    with it how the cost of a decision grows.
    """

    entries: int = 0
