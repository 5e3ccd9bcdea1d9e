"""An upload between the browser's connection and the lake: pieces in order, one end."""

from __future__ import annotations

import threading

from jupyterhub_mesos.errors import CapacityError, Conflict, TooLarge
from jupyterhub_mesos.lake.entries import Upload


def check_size(size: int, most: int) -> None:
    """Raise `TooLarge` for more than may be uploaded."""
    if size > most:
        raise TooLarge(
            f"the file has {size} bytes or more; {most} are possible from the browser: write a larger one "
            "from a notebook, with jupyterhub_mesos.lake.open_lake"
        )


class Receiving:
    """Takes pieces in one thread while another may have to take everything back."""

    def __init__(self, upload: Upload, most: int) -> None:
        self._upload: Upload | None = upload
        self._most = most
        self._received = 0
        self._failure: CapacityError | None = None
        self._lock = threading.Lock()  # a browser goes away while a piece is being written

    def take(self, piece: bytes) -> None:
        """Write a piece; what fails is told by `commit`, when the browser can be answered."""
        with self._lock:
            if self._upload is None or self._failure is not None:
                return
            self._received += len(piece)
            try:
                check_size(self._received, self._most)
                self._upload.write(piece)
            except CapacityError as error:
                self._failure = error
                self._give_up()

    def commit(self) -> None:
        """Put the file in its place; raises what went wrong on the way."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._upload is None:
                raise Conflict("the upload was given up")
            try:
                self._upload.commit()
            except BaseException:
                self._give_up()
                raise
            self._upload = None

    def discard(self) -> None:
        """Leave nothing behind of what is not committed."""
        with self._lock:
            self._give_up()

    def _give_up(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.discard()
