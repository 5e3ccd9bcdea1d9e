"""A changed copy is what `dataclasses.replace` makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.copying import copier
from jupyterhub_mesos_quota.model import Request, RequestStatus
from quota_cases import request


def test_a_changed_copy_equals_the_replaced_one_and_leaves_the_first_as_it_was() -> None:
    first = request("1", "a", 2, replicas=3, priority=1)
    copy = copier(Request, "status", "allocations")
    assert copy(first, RequestStatus.ACTIVE, 4) == replace(first, status=RequestStatus.ACTIVE, allocations=4)
    assert first == request("1", "a", 2, replicas=3, priority=1)


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="Request has no field 'state'"):
        copier(Request, "status", "state")
