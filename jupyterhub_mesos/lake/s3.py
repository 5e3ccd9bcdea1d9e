"""A bucket, or what stands below a prefix of it, as a source: over s3fs, with credentials that stay fresh.

The profile of the connection's name in the AWS configuration says how to get them: `lake/handout.py`
writes it for every task. Nothing is cached between two looks.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import IO, Any, Final, Literal, Protocol, cast

from jupyterhub_mesos.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from jupyterhub_mesos.lake.entries import MAX_LISTED, Entry, Listing, Upload, clean, file_path, uri_of
from jupyterhub_mesos.lake.local import read_only
from jupyterhub_mesos.wire import ConnectionView

CONFIG: Final = {
    "connect_timeout": 10,  # seconds; a source that is away is told while somebody still looks
    "read_timeout": 60,
    "retries": {"max_attempts": 2, "mode": "standard"},
}
LACKING: Final = "S3 sources need the package s3fs in this environment: pip install 'jupyterhub-mesos[lake]'"


class S3FileSystem(Protocol):
    """What we use of s3fs's file system."""

    def call_s3(self, method: str, **parameters: object) -> Mapping[str, Any]:
        """Make one call of the S3 API."""
        ...

    def open(self, path: str, mode: str) -> Any:
        """Open an object."""
        ...


def file_system(view: ConnectionView) -> S3FileSystem:
    """Return s3fs's file system for a connection; raises `Unavailable` where s3fs is not installed."""
    try:
        import s3fs  # type: ignore[import-untyped]  # noqa: PLC0415 - s3fs has no types, and may be missing
    except ImportError as error:
        raise Unavailable(LACKING) from error
    made = s3fs.S3FileSystem(  # pyright: ignore[reportUnknownMemberType]
        profile=view.name,
        endpoint_url=view.endpoint,
        client_kwargs={"region_name": view.region},
        config_kwargs=CONFIG,
        use_listings_cache=False,
    )
    return cast("S3FileSystem", made)


@dataclass(frozen=True, slots=True)
class S3Source:
    """What a connection shows."""

    view: ConnectionView
    fs: S3FileSystem = field(repr=False)
    kind: Literal["s3"] = "s3"

    @property
    def name(self) -> str:
        """The connection's name."""
        return self.view.name

    @property
    def title(self) -> str:
        """What people call it."""
        return self.view.title or self.view.name

    @property
    def is_writable(self) -> bool:
        """Whether it takes files."""
        return self.view.mode == "rw"

    def place(self, path: str) -> str:
        """Return the object's own URI."""
        return f"s3://{self.view.bucket}/{self._key(path)}".rstrip("/")

    def list(self, path: str) -> Listing:
        """Return what stands below a path, up to the next `/`."""
        folder = clean(path)
        with self.explained(path):
            found = list(islice(self._entries(folder), MAX_LISTED + 1))
            if not found and folder and not self._is_folder(folder):
                raise NotFound(f"there is no folder {uri_of(self.name, path)}")
        entries = sorted(found[:MAX_LISTED], key=lambda entry: entry.name)
        return Listing(entries, len(found) > MAX_LISTED)

    def stat(self, path: str) -> Entry:
        """Return one object, or the folder of that name."""
        cleaned = clean(path)
        with self.explained(path):
            if not cleaned:
                return Entry("", is_folder=True)
            try:
                head = self._call("head_object", Key=self._key(cleaned))
            except FileNotFoundError:
                if self._is_folder(cleaned):
                    return Entry(cleaned, is_folder=True)
                raise
            return Entry(cleaned, False, int(head["ContentLength"]), _seconds(head["LastModified"]))

    def open(self, path: str) -> IO[bytes]:
        """Open an object for reading; pieces are fetched as they are asked for."""
        with self.explained(path):
            if self.stat(path).is_folder:
                raise InvalidInput(f"{uri_of(self.name, path)} is no file")
            return cast("IO[bytes]", self.fs.open(f"{self.view.bucket}/{self._key(path)}", "rb"))

    def upload(self, path: str, *, may_replace: bool = False) -> Upload:
        """Begin to write an object; it is there when all of it has arrived."""
        self._check_writable()
        key = self._key(file_path(path))
        with self.explained(path):
            if not may_replace:
                self._check_free(path)
            file = self.fs.open(f"{self.view.bucket}/{key}", "wb" if may_replace else "xb")
        return _Written(self, path, file)

    def make_folder(self, path: str) -> Entry:
        """Put the empty object that stands for a folder, as the consoles of S3 do."""
        self._check_writable()
        key = self._key(file_path(path))
        with self.explained(path):
            self._check_free(path)
            self._call("put_object", Key=f"{key}/", Body=b"")
        return Entry(clean(path), is_folder=True)

    def delete(self, path: str) -> None:
        """Remove one object."""
        self._check_writable()
        if self.stat(file_path(path)).is_folder:
            raise InvalidInput(f"{uri_of(self.name, path)} is a folder; only single files are deleted here")
        with self.explained(path):
            self._call("delete_object", Key=self._key(path))

    # --------------------------------------------------------------------------------------------

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self.view.prefix.strip("/"), clean(path)) if part)

    def _call(self, method: str, **parameters: object) -> Mapping[str, Any]:
        return self.fs.call_s3(method, Bucket=self.view.bucket, **parameters)

    def _entries(self, folder: str) -> Generator[Entry]:
        key = self._key(folder)
        beginning = f"{key}/" if key else ""
        more: dict[str, object] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=beginning, Delimiter="/", **more)
            for found in page.get("CommonPrefixes", ()):
                yield Entry(_below(folder, found["Prefix"], beginning), is_folder=True)
            for found in page.get("Contents", ()):
                if found["Key"] != beginning:  # the object that stands for the folder itself
                    path = _below(folder, found["Key"], beginning)
                    yield Entry(path, False, int(found["Size"]), _seconds(found["LastModified"]))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _is_folder(self, path: str) -> bool:
        found = self._call("list_objects_v2", Prefix=f"{self._key(path)}/", MaxKeys=1)
        return bool(found.get("KeyCount", len(found.get("Contents", ()))))

    def _check_free(self, path: str) -> None:
        try:
            there = self.stat(path)
        except NotFound:
            return
        kind = "a folder" if there.is_folder else "there already"
        raise Conflict(f"{uri_of(self.name, path)} is {kind}: choose another name, or replace it")

    def _check_writable(self) -> None:
        if not self.is_writable:
            raise read_only(self.title)

    @contextmanager
    def explained(self, path: str) -> Generator[None]:
        """Say of a path what went wrong with it, in our errors."""
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # noqa: PLC0415 - as s3fs

        try:
            yield
        except FileNotFoundError as error:
            raise NotFound(f"there is no {uri_of(self.name, path)}") from error
        except PermissionError as error:
            raise NotAllowed(
                f"{self.title} does not let you do this to {uri_of(self.name, path)}: ask an admin whether "
                "the connection's key may"
            ) from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            if _is_taken(error):
                raise Conflict(
                    f"{uri_of(self.name, path)} is there already: replace it, or rename"
                ) from error
            raise Unavailable(f"{self.title} does not answer as it should: {_said(error)}") from error


class _Written:
    """An object that is being sent, in parts where it is large."""

    def __init__(self, source: S3Source, path: str, file: Any) -> None:
        self._source = source
        self._path = path
        self._file = file
        self._is_over = False

    def write(self, piece: bytes) -> None:
        """Add a piece; it is sent when a part is full."""
        with self._source.explained(self._path):
            self._file.write(piece)

    def commit(self) -> None:
        """Send the rest and put the object in its place."""
        with self._source.explained(self._path):
            self._file.close()
        self._is_over = True

    def discard(self) -> None:
        """Take the parts back."""
        if self._is_over:
            return
        self._is_over = True
        try:
            with self._source.explained(self._path):
                self._file.discard()
        finally:
            self._file.closed = True  # else its destructor would send it after all


def _below(folder: str, key: str, beginning: str) -> str:
    name = key.removeprefix(beginning).rstrip("/")
    return f"{folder}/{name}" if folder else name


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _is_taken(error: BaseException) -> bool:
    return isinstance(error, FileExistsError) or "PreconditionFailed" in str(error)


def _said(error: BaseException) -> str:
    """Return an error's first line: what our helper says of credentials is in it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
