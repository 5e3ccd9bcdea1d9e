"""Framing: any borders, bad lengths, and the recorded streams of a real master."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_mesos.backends.mesos.recordio import FramingError, RecordReader, encode

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.jsonl"))


def _in_pieces(body: bytes, borders: list[int]) -> list[bytes]:
    cuts = [0, *sorted({border % (len(body) + 1) for border in borders}), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(cuts)]


@given(st.lists(st.binary(min_size=1, max_size=200)), st.lists(st.integers(min_value=0)))
def test_records_come_out_as_they_went_in_at_any_borders(records: list[bytes], borders: list[int]) -> None:
    reader = RecordReader()
    pieces = _in_pieces(b"".join(map(encode, records)), borders)
    assert [record for piece in pieces for record in reader.feed(piece)] == records
    assert reader.is_between_records


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0)))
def test_any_bytes_are_records_or_one_clear_error_and_what_is_held_is_bounded(
    received: bytes, borders: list[int]
) -> None:
    reader = RecordReader(max_record_bytes=100)
    with contextlib.suppress(FramingError):
        for piece in _in_pieces(received, borders):
            assert all(0 < len(record) <= 100 for record in reader.feed(piece))
            assert len(reader._held) <= 100  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    "received", [b"0\n", b"-1\n", b"+1\nx", b" 1\nx", b"1_0\n", b"x", b"\n", b"<html>", b"9" * 21]
)
def test_a_bad_length_is_an_error_at_once(received: bytes) -> None:
    with pytest.raises(FramingError, match="Check that the address"):
        RecordReader().feed(received)


def test_a_huge_record_is_refused_by_its_length_before_its_bytes_come() -> None:
    with pytest.raises(FramingError, match="101 bytes; 100 are taken"):
        RecordReader(max_record_bytes=100).feed(b"101\n")


def test_a_stream_that_ends_within_a_record_is_told_from_one_that_ends_after_it() -> None:
    reader = RecordReader()
    assert reader.feed(b"3\nab") == []
    assert not reader.is_between_records
    assert reader.feed(b"c") == [b"abc"]
    assert reader.is_between_records


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name[:2])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_recorded_streams_cut_anew_give_the_recorded_events(recording: Path, size: int) -> None:
    streams: dict[int, bytes] = defaultdict(bytes)
    events: dict[int, list[object]] = defaultdict(list)
    for line in recording.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "chunk":
            streams[entry["conn"]] += (
                entry["text"].encode() if "text" in entry else base64.b64decode(entry["b64"])
            )
        elif entry["kind"] == "record":
            events[entry["conn"]].append(entry["event"])
    assert events
    for conn, body in streams.items():
        reader = RecordReader()
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        assert [json.loads(record) for piece in pieces for record in reader.feed(piece)] == events[conn]
