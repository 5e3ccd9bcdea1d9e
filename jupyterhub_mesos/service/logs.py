"""The form of the service's log: a line for people, or a JSON object for a log store.

Each record is one line either way. In JSON: `time` (UTC), `level`, `logger`,
`message`, `error` with a traceback where there is one, and the id that the
message begins with (`allocation`, `request` or `task`) as a field of its own.
Nothing else of a record is written, so that no attribute that a library adds
(a request, its headers) comes along.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_SUBJECT: Final = re.compile(r"(allocation|request|task) ([A-Za-z0-9._-]+)(?=[:, ])")


class LogStyle(StrEnum):
    """In which form the log is written."""

    TEXT = "text"  # for people
    JSON = "json"  # one object a line, for a log store


class JsonLines(logging.Formatter):
    """One JSON object a line; what breaks lines is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        message = record.getMessage()
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if subject := _SUBJECT.match(message):
            fields[subject[1]] = subject[2]
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def begin() -> None:
    """Write the log as text, until the configuration says otherwise."""
    logging.basicConfig(level=logging.INFO, format=TEXT)


def write_as(style: LogStyle) -> None:
    """Write the log in this form from now on."""
    formatter = JsonLines() if style is LogStyle.JSON else logging.Formatter(TEXT)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)
