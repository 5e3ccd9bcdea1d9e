"""Whether a reservation may be booked: every clash is refused, and says what is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from jupyterhub_mesos_quota.errors import (
    Overbooked,
    RefusedReservation,
    TreeError,
    UnknownReservation,
    UnknownTeam,
)
from jupyterhub_mesos_quota.events import ReservationBooked, ReservationCancelled, TeamsReplaced, TimePassed
from jupyterhub_mesos_quota.machine import QuotaMachine
from jupyterhub_mesos_quota.model import Node, Reservation, ReservationId, Team, TeamId, UserName
from jupyterhub_mesos_quota.moments import tell_moment
from quota_cases import Bench, MakeBench, node, res, team

HOUR = 3_600.0
START = 10 * HOUR
END = 12 * HOUR


def booking(
    id_: str = "class", team_: str = "a", cpu: int = 1, *, pieces: int = 1, **times: float
) -> Reservation:
    return Reservation(
        id=ReservationId(id_),
        team=TeamId(team_),
        resources=res(cpu),
        replicas=pieces,
        starts_at=times.get("starts_at", START),
        ends_at=times.get("ends_at", END),
        booked_by=UserName("ada"),
    )


def book(bench: Bench, reservation: Reservation) -> None:
    bench.handle(ReservationBooked(bench.tick(), reservation))


def refused(bench: Bench, reservation: Reservation) -> Overbooked:
    before = bench.machine.kept()
    with pytest.raises(Overbooked) as caught:
        book(bench, reservation)
    assert bench.machine.kept() == before
    return caught.value


def test_what_is_booked_can_be_read_and_is_gone_when_it_is_over(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 4)])
    book(made, booking(pieces=4))
    book(made, booking("earlier", starts_at=START - HOUR, ends_at=START))
    assert list(made.machine.reservations) == ["earlier", "class"]
    assert made.machine.reservations[ReservationId("class")].total == res(4)
    made.handle(TimePassed(START))
    assert list(made.machine.reservations) == ["class"]
    assert made.machine.next_deadline() == END
    made.handle(TimePassed(END))
    assert list(made.machine.reservations) == []
    assert made.machine.next_deadline() is None


def test_booking_a_known_id_again_changes_nothing(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 4)])
    book(made, booking(pieces=4))
    book(made, booking(pieces=1))
    assert made.machine.reservations[ReservationId("class")].replicas == 4


def test_what_is_cancelled_may_be_booked_by_another(bench: MakeBench) -> None:
    made = bench([team("a"), team("b")], [node("n", 4)])
    book(made, booking(pieces=4))
    other = booking("theirs", "b", pieces=4)
    refused(made, other)
    made.handle(ReservationCancelled(made.tick(), ReservationId("class")))
    book(made, other)
    with pytest.raises(UnknownReservation):
        made.handle(ReservationCancelled(made.tick(), ReservationId("class")))


def test_bookings_survive_a_restart(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 4)])
    book(made, booking(pieces=4))
    teams, nodes = made.machine.tree.teams.values(), made.machine.nodes.values()
    again = QuotaMachine.restore(teams, nodes, [], [], kept=made.machine.kept())
    assert dict(again.reservations) == dict(made.machine.reservations)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replicas": 0}, "0 pieces are to be booked"),
        ({"resources": res()}, "Nothing is to be booked"),
        ({"resources": res(-1)}, "an amount is 0 or more"),
        ({"ends_at": START}, "not after its begin 1970-01-01 10:00 UTC: name a later end"),
        ({"starts_at": 1.0}, "it is 1970-01-01 00:01 UTC already: name a later begin"),
        ({"ends_at": START + 32 * 24 * HOUR}, "longer than 31 days"),
        ({"starts_at": 400 * 24 * HOUR, "ends_at": 401 * 24 * HOUR}, "more than 366 days ahead"),
        ({"ends_at": float("inf")}, "at moments in Unix seconds"),
    ],
)
def test_a_booking_that_makes_no_sense_is_refused(
    bench: MakeBench, change: dict[str, object], words: str
) -> None:
    made = bench([team("a")], [node("n", 4)])
    made.now = 99.0
    with pytest.raises(RefusedReservation, match=words):
        book(made, replace(booking(), **change))  # type: ignore[arg-type]
    assert not made.machine.reservations


def test_a_booking_for_an_unknown_team_is_refused(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n", 4)])
    with pytest.raises(UnknownTeam):
        book(made, booking(team_="nobody"))


@pytest.mark.parametrize(
    ("teams", "nodes", "possible", "words"),
    [
        (
            [team("a", 1), team("b", 2)],
            [node("n", 4)],
            1_000,
            (
                "4 CPU to be booked; the nodes have 4 CPU, of which teams are guaranteed 3 CPU, "
                "so that 1 CPU of it, 1 piece is possible from 1970-01-01 10:00 UTC"
            ),
        ),
        (
            [team("org", limit=5), team("a", 2, parent="org"), team("b", 1, parent="org")],
            [node("n", 9)],
            2_000,
            "team org may hold 5 CPU at most and is guaranteed 3 CPU of it",
        ),
        ([team("a")], [], 0, "the nodes have 0 CPU"),
    ],
)
def test_a_booking_beside_guarantees_and_limits_is_refused_with_what_is_possible(
    bench: MakeBench, teams: Sequence[Team], nodes: Sequence[Node], possible: int, words: str
) -> None:
    error = refused(bench(teams, nodes), booking(pieces=4))
    assert error.clash.possible == possible
    assert words in str(error)


def test_two_bookings_clash_where_they_overlap_alone(bench: MakeBench) -> None:
    made = bench([team("a"), team("b")], [node("n", 4)])
    book(made, booking("first", "a", pieces=3))
    error = refused(made, booking("second", "b", pieces=2, starts_at=START - HOUR, ends_at=END + HOUR))
    assert (error.clash.at, error.clash.possible, error.clash.reservations) == (START, 1_000, ("first",))
    assert "first of team a until 1970-01-01 12:00 UTC" in str(error)
    book(made, booking("second", "b", pieces=1, starts_at=START - HOUR, ends_at=END + HOUR))
    book(made, booking("before", "b", pieces=3, starts_at=START - HOUR, ends_at=START))
    book(made, booking("after", "b", pieces=3, starts_at=END, ends_at=END + HOUR))


def test_pieces_that_no_node_holds_are_refused_though_the_sum_would_do(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n0", 3), node("n1", 3), node("n2", 3)])
    book(made, booking("small"))
    error = refused(made, booking("wide", cpu=2, pieces=4))
    assert "4 x (2 CPU) to be booked; the nodes, if empty, hold 3 of them" in str(error)
    assert error.clash.possible == 6_000


def test_a_booking_does_not_displace_those_before_it(bench: MakeBench) -> None:
    made = bench([team("a")], [node("n0", 3), node("n1", 3)])
    book(made, booking("two", cpu=2, pieces=2))
    assert "hold 0 of them" in str(refused(made, booking("one", cpu=2)))
    book(made, booking("two more", cpu=1, pieces=2))


def test_a_team_cannot_go_while_something_is_booked_for_it(bench: MakeBench) -> None:
    made = bench([team("a"), team("b")], [node("n", 4)])
    book(made, booking())
    with pytest.raises(TreeError, match="class is booked for it"):
        made.handle(TeamsReplaced(made.tick(), (team("b"),)))


def test_moments_are_told_as_a_calendar_tells_them() -> None:
    told = {0.0: "1970-01-01 00:00 UTC", 951_782_399.0: "2000-02-28 23:59 UTC"}
    told[951_782_400.0] = "2000-02-29 00:00 UTC"
    told[4_107_542_400.0] = "2100-03-01 00:00 UTC"
    assert {at: tell_moment(at) for at in told} == told
