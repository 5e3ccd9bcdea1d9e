"""Why a placement rule keeps a request waiting: labels that no node has, zones that do not hold it."""

from __future__ import annotations

from collections.abc import Iterable

from jupyterhub_mesos_quota.domains import Domains
from jupyterhub_mesos_quota.model import Node
from jupyterhub_mesos_quota.rules import PlacementRule, Zones
from jupyterhub_mesos_quota.sizes import Size, size_of

Told = tuple[str, str, str]
"""Code, sentence, cure."""


def describe_rule(rule: PlacementRule | None) -> str:
    """Say a rule in a person's words, to follow on an amount; nothing where there is none."""
    if rule is None:
        return ""
    zones = {Zones.ANY: "", Zones.ONE: " in one zone", Zones.SPREAD: " spread over the zones"}[rule.zones]
    return zones + (f" on nodes with {_labels(rule.labels)}" if rule.labels else "")


def nodes_with(pool: Domains, rule: PlacementRule | None) -> list[Node]:
    """Return all nodes, closed ones too, that have the labels of a rule."""
    return [node for node in pool.nodes.values() if rule is None or rule.matches(node.labels)]


def without_zones(size: Size) -> Size:
    """Return the same with the labels alone."""
    rule = None if size.rule is None else PlacementRule(size.rule.labels)
    return size_of(size.resources, size.replicas, rule)


def explain_labels(pool: Domains, size: Size) -> Told | None:
    """Say that no node has the labels asked for, and what there is instead."""
    rule = size.rule
    if rule is None or nodes_with(pool, rule):
        return None
    keys = {key for key, _ in rule.labels}
    known = sorted({label for node in pool.nodes.values() for label in node.labels if label[0] in keys})
    has = f"nodes have {_labels(known)}" if known else "no node has a label of that name"
    return (
        "no-node-with-labels",
        f"Nodes with {_labels(rule.labels)} asked for; there are none: {has}.",
        "Withdraw it and ask for labels that a node has, or ask an admin to label a node.",
    )


def explain_small_zones(pool: Domains, size: Size, asked: str) -> Told | None:
    """Say that the zones could not hold a request as its rule says, though the nodes together could."""
    if size.rule is None or not pool.could_ever_hold(without_zones(size)):
        return None
    most = pool.most_replicas_when_empty(size)
    zones = _zones(pool.domains(size))
    what = (
        f"the largest of {zones} could hold {most} of {size.replicas}"
        if size.rule.zones is Zones.ONE
        else f"{zones} could hold {most} in numbers that differ by one at most"
    )
    return (
        "no-zone-that-large",
        f"{asked} asked for; {what}, even if empty.",
        f"Withdraw it and ask for {most} at most or for any zone, or wait until an admin adds nodes.",
    )


def explain_zones(pool: Domains, size: Size, asked: str) -> Told | None:
    """Say that only the zones stand in the way: with the labels alone there would be room."""
    if size.rule is None or size.rule.zones is Zones.ANY or pool.place(without_zones(size)) is None:
        return None
    domains = pool.domains(size)
    if size.rule.zones is Zones.ONE:
        return (
            "no-zone-with-room",
            f"{asked} asked for; there is room in sum, but none of {_zones(domains)} has all of it.",
            "It starts when enough is freed in one zone; asked for in any zone it may start at once.",
        )
    fewer = size.replicas // len(domains)
    lacking = [zone for zone in domains if pool.room_in(zone, size) < max(1, fewer)]
    where = _zones(lacking) if lacking else f"too few of {_zones(domains)}"
    verb = "has" if len(lacking) == 1 else "have"
    return (
        "no-zone-with-room",
        f"{asked} asked for; there is room in sum, but {where} {verb} no room for its part.",
        "It starts when enough is freed there; asked for in any zone it may start at once.",
    )


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels)


def _zones(zones: Iterable[str]) -> str:
    names = [zone or "(no name)" for zone in zones]
    if len(names) == 1:
        return f"zone {names[0]}"
    return f"zones {', '.join(names[:-1])} and {names[-1]}" if names else "no zone"
