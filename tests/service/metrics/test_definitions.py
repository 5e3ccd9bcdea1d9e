"""The reference page and the dashboard name the metrics that there are, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jupyterhub_mesos.service.metrics.counting import Measures
from jupyterhub_mesos.service.metrics.definitions import METRICS, PREFIX, Metric, MetricKind
from project.repository import ROOT, text

DASHBOARD = ROOT / "config" / "grafana" / "jupyterhub-mesos.json"
BY_SERIES = {series: metric for metric in METRICS for series in [metric.name]} | {
    metric.name + part: metric
    for metric in METRICS
    if metric.kind is MetricKind.HISTOGRAM
    for part in ("_bucket", "_sum", "_count")
}


def row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.says} |"


def queries() -> Iterator[str]:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query")


def test_the_reference_has_every_metric_as_it_is_defined_and_no_other() -> None:
    rows = re.findall(r"^\| `jupyterhub_mesos_.*$", text("docs/reference/metrics.md"), re.MULTILINE)
    assert rows == [row(metric) for metric in METRICS]


def test_names_follow_the_convention_of_their_kind() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"jupyterhub_mesos(_[a-z]+){3,}", metric.name) or metric.name.count("_") >= 3
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert bool(metric.buckets) == (metric.kind is MetricKind.HISTOGRAM)


def test_no_label_can_have_as_many_values_as_there_are_people() -> None:
    labels = {label for metric in METRICS for label in metric.labels}
    assert not labels & {"user", "request", "allocation", "node", "server", "path"}


def test_what_counts_is_registered_under_its_name() -> None:
    names = {sample for metric in METRICS if metric.kind is not MetricKind.GAUGE for sample in [metric.name]}
    assert {
        family.name + ("_total" if family.type == "counter" else "")
        for family in Measures().registry.collect()
    } == names


def test_every_series_that_the_dashboard_asks_for_exists_with_those_labels() -> None:
    for query in queries():
        series = re.findall(rf"{PREFIX}\w+", query)
        assert series, query
        for name in series:
            assert name in BY_SERIES, query
        known = {label for name in series for label in BY_SERIES[name].labels} | {"le"}
        asked = {
            label.strip() for part in re.findall(r"by \(([^)]*)\)", query) for label in part.split(",")
        } | set(re.findall(r"(\w+)=", query))
        assert asked <= known, query


def test_the_dashboard_shows_every_metric() -> None:
    every_query = " ".join(queries())
    missing = [metric.name for metric in METRICS if metric.name not in every_query]
    assert missing == []
