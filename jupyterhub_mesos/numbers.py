"""Numbers (user and group ids) given out once and for ever, written down in a file.

A number is never given to a second name, not even when the first is forgotten:
files on disk still carry it.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

from jupyterhub_mesos.errors import BackendError


class NumberBook:
    """The numbers of a range, by name; one writer per file. `is_taken` says which others use already."""

    def __init__(self, path: Path, numbers: range, is_taken: Callable[[int], bool] = lambda _: False) -> None:
        self._path = path
        self._numbers = numbers
        self._is_taken = is_taken
        self._lock = threading.Lock()

    def number(self, name: str) -> int:
        """Return the number of `name`, giving it the next free one at the first call."""
        with self._lock:
            book = self._read()
            if name not in book:
                book[name] = self._next(set(book.values()))
                self._write(book)
            return book[name]

    def known(self, name: str) -> int | None:
        """Return the number that `name` has, if it has one."""
        return self._read().get(name)

    def _next(self, given: set[int]) -> int:
        first = max([*given, self._numbers.start - 1]) + 1
        for number in range(first, self._numbers.stop):
            if not self._is_taken(number):
                return number
        last = self._numbers.stop - 1
        raise BackendError(f"the range {self._numbers.start} to {last} of {self._path} is used up: widen it")

    def _read(self) -> dict[str, int]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        try:
            return {str(name): int(number) for name, number in json.loads(text).items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise BackendError(f"{self._path} is damaged ({error}): restore it from a backup") from error

    def _write(self, book: dict[str, int]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(book, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
