"""The framing of Mesos' event streams: `<decimal length>\\n<bytes>`, record after record, nothing between.

Borders of what is received mean nothing: a master happens to send one record a chunk, a proxy does not.
Source: docs/recordio.md of apache/mesos, where a length is an unsigned number and never 0.
"""

from __future__ import annotations

from typing import Final

from jupyterhub_mesos.errors import BackendError

MAX_RECORD_BYTES: Final = 64 * 1024 * 1024
"""Far above any event (the longest recorded has 37 kB), and little enough to hold."""
MAX_LENGTH_DIGITS: Final = 20
"""Those of the greatest unsigned 64-bit number."""


class FramingError(BackendError):
    """What was received is no record; the stream cannot be read on, only opened anew."""

    code = "mesos-framing"


class RecordReader:
    """Takes bytes as they come, gives whole records; holds at most one that is not whole yet."""

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max = max_record_bytes
        self._held = bytearray()
        self._length: int | None = None

    def feed(self, received: bytes) -> list[bytes]:
        """Return the records that are whole now, in order.

        Raises FramingError at a bad length; records before it in the same `received` are lost with it.
        """
        self._held += received
        records: list[bytes] = []
        at = 0
        while True:
            if self._length is None:
                line_end = self._held.find(b"\n", at, at + MAX_LENGTH_DIGITS + 1)
                if line_end < 0:
                    self._refuse_endless_length(at)
                    break
                self._length = self._parse(bytes(self._held[at:line_end]))
                at = line_end + 1
            if len(self._held) - at < self._length:
                break
            records.append(bytes(self._held[at : at + self._length]))
            at += self._length
            self._length = None
        del self._held[:at]
        return records

    @property
    def is_between_records(self) -> bool:
        """Whether a stream that ends here ends cleanly."""
        return self._length is None and not self._held

    def _refuse_endless_length(self, at: int) -> None:
        start = bytes(self._held[at : at + MAX_LENGTH_DIGITS + 1])
        if start and (len(start) > MAX_LENGTH_DIGITS or not start.isdigit()):
            raise FramingError(_said(start))

    def _parse(self, line: bytes) -> int:
        if not line.isdigit() or len(line) > MAX_LENGTH_DIGITS or int(line) == 0:
            raise FramingError(_said(line))
        if int(line) > self._max:
            raise FramingError(
                f"Mesos announces a record of {int(line)} bytes; {self._max} are taken at most. "
                "Check that the address is that of a Mesos master."
            )
        return int(line)


def _said(start: bytes) -> str:
    return (
        f"the length of a record was expected from Mesos, {start!r} came: the answer is no event stream. "
        "Check that the address is that of a Mesos master, and what the proxy before it does."
    )


def encode(record: bytes) -> bytes:
    """Return the record as it stands in a stream."""
    return str(len(record)).encode() + b"\n" + record
