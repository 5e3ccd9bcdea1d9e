from __future__ import annotations

import pytest

from jupyterhub_mesos_quota.errors import TreeError, UnknownTeam
from jupyterhub_mesos_quota.model import Team, TeamId
from jupyterhub_mesos_quota.tree import TeamTree
from quota_cases import bounds, res, team


@pytest.mark.parametrize(
    ("teams", "where", "field", "words"),
    [
        ([team("a"), team("a")], "a", "id", "twice"),
        ([team("a", parent="b")], "a", "parent", "not there"),
        ([team("a", parent="b"), team("b", parent="a")], "a", "parent", "under itself"),
        ([team("a", parent="a")], "a", "parent", "under itself"),
        ([team("a", weight=0)], "a", "weight", "1 or more"),
        ([team("a", -1)], "a", "guarantee", "0 or more"),
        ([team("a", limit=-1)], "a", "limit", "0 or more"),
        ([team("a", 1, lend=-1)], "a", "lend", "0 or more"),
        ([team("a", borrow=-2)], "a", "borrow", "0 or more"),
        ([team("a", 3, limit=2)], "a", "limit", "guaranteed 3 CPU, but its limit is 2 CPU"),
        (
            [team("p", 4), team("a", 3, parent="p"), team("b", 2, parent="p")],
            "p",
            "guarantee",
            "guaranteed 5 CPU together; p itself is guaranteed 4 CPU: lower theirs to 4 CPU or less",
        ),
        ([team("p", limit=2), team("a", 3, parent="p")], "p", "limit", "raise the limit of p to 3 CPU"),
        ([team("p", 4), team("a", parent="p", h200=1)], "p", "guarantee", "1 h200 together"),
    ],
)
def test_a_tree_that_does_not_hold_is_refused_with_team_field_and_cure(
    teams: list[Team], where: str, field: str, words: str
) -> None:
    with pytest.raises(TreeError, match=words) as caught:
        TeamTree(teams)
    assert (caught.value.team, caught.value.field) == (where, field)


def test_a_guarantee_is_checked_below_a_folder_too() -> None:
    with pytest.raises(TreeError) as caught:
        TeamTree([team("top", 4), team("folder", parent="top"), team("a", 5, parent="folder")])
    assert caught.value.team == "top"


def test_a_folder_has_what_its_children_have_together() -> None:
    tree = TeamTree([team("p"), team("a", 3, parent="p"), team("b", 2, parent="p", h200=1)])
    assert dict(tree.guarantee(TeamId("p"))) == dict(res(5, h200=1).amounts())


def test_children_may_be_written_before_their_parent() -> None:
    tree = TeamTree([team("leaf", parent="mid"), team("mid", parent="top"), team("top")])
    assert tree.path(TeamId("leaf")) == ("leaf", "mid", "top")


def test_a_limit_may_equal_the_guarantee() -> None:
    assert TeamTree([team("a", 2, limit=2)])[TeamId("a")].limit == bounds(2)


def test_an_unknown_team_is_told_with_those_that_are_there() -> None:
    with pytest.raises(UnknownTeam, match="The teams are a, b"):
        TeamTree([team("b"), team("a")])[TeamId("c")]
