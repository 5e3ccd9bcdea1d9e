"""A changed copy is what `dataclasses.replace` makes, and a made value what its class makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.copying import copier, maker
from jupyterhub_mesos_quota.model import NodeId, Placement, Request, RequestStatus
from quota_cases import request, res


def test_a_changed_copy_equals_the_replaced_one_and_leaves_the_first_as_it_was() -> None:
    first = request("1", "a", 2, replicas=3, priority=1)
    copy = copier(Request, "status", "allocations")
    assert copy(first, RequestStatus.ACTIVE, 4) == replace(first, status=RequestStatus.ACTIVE, allocations=4)
    assert first == request("1", "a", 2, replicas=3, priority=1)


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="Request has no field 'state'"):
        copier(Request, "status", "state")


def test_a_made_value_equals_that_of_its_class_with_the_defaults_of_what_was_not_given() -> None:
    make = maker(Placement, "node", "replica", "resources")
    assert make(NodeId("n0"), 2, res(1)) == Placement(2, NodeId("n0"), res(1))


def test_a_field_without_a_default_that_is_not_given_is_refused() -> None:
    with pytest.raises(TypeError, match="Placement needs a value of its field 'node'"):
        maker(Placement, "replica", "resources")
