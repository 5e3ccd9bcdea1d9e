"""The job spec: what a distributed training job runs, and where it came from."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from jupyterhub_mesos.wire.base import Name, ResourcesModel, Text, Wire
from jupyterhub_mesos.wire.placement import PlacementModel

MAX_REPLICAS: Final = 1024
MAX_SOURCE_BYTES: Final = 8 * 1024 * 1024
"""All files of one job's source together; larger data belongs into the lake."""
MAX_DIFF_CHARACTERS: Final = 1024 * 1024
"""Of a dirty notebook's difference to its commit; a longer one is cut, and says so in its last line."""


_NO_NAMES: Final = frozenset({"", ".", ".."})
MAX_NAME_BYTES: Final = 255
"""Of one file or folder; Linux's NAME_MAX."""


def _stays_inside(path: str) -> str:
    parts = path.split("/")
    if "\0" in path or not _NO_NAMES.isdisjoint(parts):
        raise ValueError(
            f"{path!r} is no file of the job's folder: name a relative path without '.', '..' or empty parts"
        )
    if any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise ValueError(f"{path!r} has a part of more than {MAX_NAME_BYTES} bytes: shorten it")
    return path


def _is_variable(name: str) -> str:
    if not name or "=" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of an environment variable: it is empty or has '=' or NUL")
    return name


def _has_no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} has a zero byte, which no process can be given")
    return text


Argument = Annotated[str, AfterValidator(_has_no_nul)]
"""One argument or one variable's value of a process."""
Variables = dict[Annotated[str, AfterValidator(_is_variable)], Argument]


def _is_interpreter(path: str) -> str:
    if (path and not path.startswith(("/", "~/"))) or "\0" in path:
        raise ValueError(f"{path!r} is no interpreter's place: name an absolute path, or one below ~/")
    return path


class SourceFile(Wire):
    """One file that travels with a job; `path` is relative and stays inside the job's folder.

    `text` is its text in UTF-8 or, where `is_base64`, its bytes in base64.
    """

    path: Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_stays_inside)]
    text: str
    is_base64: bool = False

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        try:
            self.content()
        except (binascii.Error, UnicodeError) as error:
            raise ValueError(
                f"{self.path!r} is not {'base64' if self.is_base64 else 'UTF-8'}: {error}"
            ) from None
        return self

    def content(self) -> bytes:
        """Return the file's bytes."""
        return base64.b64decode(self.text, validate=True) if self.is_base64 else self.text.encode()

    @classmethod
    def of(cls, path: str, content: bytes) -> Self:
        """Carry any bytes: as text where they are, else in base64."""
        try:
            return cls(path=path, text=content.decode())
        except UnicodeDecodeError:
            return cls(path=path, text=base64.b64encode(content).decode(), is_base64=True)


class Source(Wire):
    """What the job runs and where it came from; `sha256` is that of the notebook file.

    `diff` is what of the travelling files differs from `commit` (unified, as git prints it); `data` names
    what the code reads of the lake: it stays there, and only the reference travels.
    """

    notebook: Text = ""
    commit: str = ""
    is_dirty: bool = False
    diff: Annotated[str, StringConstraints(max_length=MAX_DIFF_CHARACTERS)] = ""
    sha256: str = ""
    data: tuple[Text, ...] = ()
    files: tuple[SourceFile, ...] = ()

    @model_validator(mode="after")
    def _each_its_own_place(self) -> Self:
        paths = [file.path for file in self.files]
        folders = {path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}
        seen: set[str] = set()
        for path in paths:
            if path in seen:
                raise ValueError(f"{path!r} is given twice: name each file once")
            if path in folders:
                raise ValueError(f"{path!r} is given as a file and as a folder of others: rename one")
            seen.add(path)
        return self

    @model_validator(mode="after")
    def _small_enough(self) -> Self:
        size = sum(len(file.text.encode()) for file in self.files)
        if size > MAX_SOURCE_BYTES:
            raise ValueError(
                f"the job's files are {size} bytes together; at most {MAX_SOURCE_BYTES} travel with a job: "
                "put data into the lake and name its path"
            )
        return self


class Environment(Wire):
    """The Python that a job's code was written in.

    `packages` is its lock (`name==version`, sorted); `interpreter` is the path of its program as the
    owner sees it (`~/` for the home), used instead of the node's own; empty means the node's own.
    """

    python: Annotated[str, StringConstraints(max_length=64)] = ""
    interpreter: Annotated[Text, AfterValidator(_is_interpreter)] = ""
    packages: tuple[Annotated[str, StringConstraints(max_length=255)], ...] = ()


class Role(Wire):
    """`replicas` processes that run the same `argv`; `{job}` in it stands for the job's source folder."""

    name: Name = "worker"
    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 1
    argv: Annotated[tuple[Argument, ...], Field(min_length=1)]
    env: Variables = Field(default_factory=dict)
    resources: ResourcesModel = Field(default_factory=ResourcesModel)
    ports: tuple[Name, ...] = ("peer",)


class Restart(Wire):
    """How a failed generation is followed by the next: `max_restarts` is 0 for never."""

    policy: Literal["gang"] = "gang"
    max_restarts: Annotated[int, Field(ge=0, le=100)] = 3
    backoff_seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0


class Job(Wire):
    """A distributed training job, shaped like TorchX's AppDef.

    One role in this version (the gang is `role.replicas` equal processes);
    `roles` is a tuple so that chief, worker and ps fit in later.
    `checkpoint_uri` is a path under the owner's home or lake mounts.
    """

    name: Name
    source: Source = Field(default_factory=Source)
    environment: Environment = Field(default_factory=Environment)
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=1)]
    framework: Literal["torch", "tensorflow", "jax", "generic"] = "generic"
    restart: Restart = Field(default_factory=Restart)
    checkpoint_uri: str | None = None
    time_limit_seconds: Annotated[int, Field(ge=1)] | None = None
    placement: PlacementModel | None = None

    @model_validator(mode="after")
    def _restarts_need_a_checkpoint(self) -> Self:
        if self.restart.max_restarts and self.checkpoint_uri is None:
            raise ValueError(
                f"{self.restart.max_restarts} restarts asked for without a checkpoint_uri, so each would "
                "begin at the first step: name a place in the lake (for instance "
                "~/lake/team/checkpoints/NAME), or set restart.max_restarts to 0"
            )
        return self
