"""Small traces whose outcome can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.simulate.delays import Delays
from jupyterhub_mesos_quota.model import WorkloadKind
from jupyterhub_mesos_quota.policy import Policy, Reclaim
from simulate_cases import job, owner, play, pool

TWO_TEAMS = owner("a", 2), owner("b", 2)


def test_a_job_waits_until_there_is_room_and_runs_for_its_duration() -> None:
    _, diary = play([job("x", 0, 10, 4), job("y", 3, 5, 4)], pool(4, *TWO_TEAMS, policy=Policy()))
    assert diary.of("started") == {"x": 0, "y": 10}
    assert diary.of("ended") == {"x": 10, "y": 15}


def test_a_gang_waits_for_room_for_all_of_it() -> None:
    trace = [job("x", 0, 10, 3), job("gang", 1, 5, 2, replicas=2), job("z", 2, 1, 1)]
    _, diary = play(trace, pool(4, owner("a", 4)))
    assert diary.of("started") == {"x": 0, "z": 2, "gang": 10}


def test_what_ends_makes_room_for_who_comes_in_the_same_moment() -> None:
    _, diary = play([job("x", 0, 10, 4), job("y", 10, 5, 4)], pool(4, *TWO_TEAMS))
    assert diary.of("started") == {"x": 0, "y": 10}
    assert diary.of("evicted") == {}


def test_what_ends_in_one_moment_makes_room_together() -> None:
    trace = [job("x", 0, 10, 2), job("y", 0, 10, 2), job("large", 1, 5, 4), job("small", 2, 5, 1)]
    _, diary = play(trace, pool(4, owner("a", 4)))
    assert diary.of("started") == {"x": 0, "y": 0, "large": 10, "small": 15}


def test_a_borrower_is_evicted_for_a_guarantee_and_keeps_its_progress_less_a_restart() -> None:
    trace = [job("lent", 0, 500, 4, of="a"), job("owner", 200, 100, 2, of="b")]
    _, diary = play(trace, pool(4, *TWO_TEAMS))
    assert diary.of("evicted") == {"lent": 200}
    # 200 s done, 60 s of them lost: 360 s are left when it starts again behind the owner.
    assert diary.of("started") == {"owner": 200, "lent": 300}
    assert diary.of("ended") == {"owner": 300, "lent": 660}


def test_no_more_progress_is_lost_than_was_made() -> None:
    trace = [job("lent", 0, 500, 4, of="a"), job("owner", 20, 100, 2, of="b")]
    _, diary = play(trace, pool(4, *TWO_TEAMS))
    assert diary.of("ended")["lent"] == 120 + 500


def test_a_launch_and_a_stop_take_their_time() -> None:
    setting = replace(pool(4, *TWO_TEAMS), delays=Delays(launch_s=5, stop_s=7, restart_s=0))
    trace = [job("lent", 0, 500, 4, of="a"), job("owner", 105, 100, 2, of="b")]
    _, diary = play(trace, setting)
    # 100 s of work are done at 105; the owner has room 7 s later, and its own launch takes 5.
    assert diary.of("started") == {"owner": 112, "lent": 217}
    assert diary.of("ended") == {"owner": 217, "lent": 217 + 5 + 400}


def test_nobody_is_evicted_before_the_time_that_the_policy_grants() -> None:
    policy = Policy(reclaim=Reclaim(min_runtime_seconds=600, grace_seconds=0))
    trace = [job("lent", 0, 1000, 4, of="a"), job("owner", 200, 100, 2, of="b")]
    _, diary = play(trace, pool(4, *TWO_TEAMS, policy=policy))
    assert diary.of("started")["owner"] == 600


def test_a_notebook_has_its_grace() -> None:
    policy = Policy(reclaim=Reclaim(min_runtime_seconds=0, grace_seconds=300))
    trace = [
        job("lent", 0, 1000, 4, of="a", kind=WorkloadKind.NOTEBOOK),
        job("owner", 200, 100, 2, of="b"),
    ]
    _, diary = play(trace, pool(4, *TWO_TEAMS, policy=policy))
    assert diary.of("evicted") == {"lent": 500}


def test_a_time_limit_ends_a_job() -> None:
    _, diary = play([job("x", 0, 100, 1, max_seconds=30.0)], pool(4, *TWO_TEAMS))
    assert diary.of("ended") == {"x": 30}


def test_the_cells_of_a_session_keep_the_time_between_them() -> None:
    trace = [
        job("busy", 0, 100, 4),
        job("cell 1", 10, 5, 4, session="s"),
        job("cell 2", 20, 5, 4, session="s"),
        job("cell 3", 300, 5, 4, session="s"),
    ]
    _, diary = play(trace, pool(4, *TWO_TEAMS, policy=Policy()))
    # Cell 1 ends 90 s later than in the trace: so do those after it come.
    assert diary.of("submitted") == {"busy": 0, "cell 1": 10, "cell 2": 110, "cell 3": 390}


def test_a_job_that_could_never_start_is_refused_and_the_rest_goes_on() -> None:
    setting = pool(4, owner("a", 2, limit=2))
    trace = [job("large", 0, 10, 3), job("stranger", 1, 10, of="nobody"), job("x", 2, 10, 2)]
    _, diary = play(trace, setting)
    assert diary.of("ended") == {"x": 12}
    said = {id_: what for _, what, id_ in diary.lines if what.startswith("refused")}
    assert "may hold" in said["large"]
    assert "nobody" in said["stranger"]


def test_a_job_that_no_node_can_hold_waits_for_ever_and_the_replay_ends() -> None:
    simulation, diary = play([job("large", 0, 10, 5), job("x", 1, 10, 4)], pool(4, owner("a", 4)))
    assert diary.of("ended") == {"x": 11}
    assert simulation.waiting == 1


def test_a_trace_out_of_order_is_refused_with_the_job() -> None:
    with pytest.raises(InvalidInput, match="job late came at 3 s, after job x of 5 s"):
        play([job("x", 5, 1), job("late", 3, 1)], pool(4, owner("a", 4)))


def test_a_job_that_comes_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="job x came twice"):
        play([job("x", 0, 9), job("x", 3, 1)], pool(4, owner("a", 4)))


def test_the_same_trace_gives_the_same_replay() -> None:
    trace = [job(str(n), n * 7 % 50 + n, 30 + n % 17, 1 + n % 4, of="ab"[n % 2]) for n in range(200)]
    trace.sort(key=lambda each: each.submit_s)
    first, second = (play(trace, pool(6, owner("a", 3), owner("b", 3)))[1] for _ in range(2))
    assert first.lines == second.lines
    assert len(first.of("ended")) == 200
    assert first.of("evicted")
