"""A file of the lake for `open_lake(…, "wb")`: there, whole, when its block ends well."""

from __future__ import annotations

import io
from types import TracebackType
from typing import IO, cast

from jupyterhub_mesos.lake.entries import Upload


class _WholeFile(io.RawIOBase):
    """Writes to an upload; a block that raises, or a file that is dropped unclosed, leaves nothing."""

    def __init__(self, upload: Upload, name: str) -> None:
        super().__init__()
        self._upload: Upload | None = upload
        self.name = name
        self._written = 0

    def writable(self) -> bool:
        """It is for writing only."""
        return True

    def tell(self) -> int:
        """Return how much was written."""
        return self._written

    def write(self, piece: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # Buffer is 3.12's
        """Add a piece."""
        if self._upload is None:
            raise ValueError("the file is closed")
        content = bytes(piece)
        self._upload.write(content)
        self._written += len(content)
        return len(content)

    def close(self) -> None:
        """Put the file in its place."""
        upload, self._upload = self._upload, None
        super().close()
        if upload is None:
            return
        try:
            upload.commit()
        except BaseException:
            upload.discard()
            raise

    def discard(self) -> None:
        """Leave nothing behind."""
        upload, self._upload = self._upload, None
        super().close()
        if upload is not None:
            upload.discard()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        self.discard()


def whole_file(upload: Upload, name: str) -> IO[bytes]:
    """Return an upload as a file that is open for writing."""
    return cast("IO[bytes]", _WholeFile(upload, name))
