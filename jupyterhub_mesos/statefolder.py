"""The folder in which one installation keeps what it must not lose, and what its processes share.

```
<state>/  ledger.sqlite   0600; the service's ledger
          secrets/        0700; one secret per file, 0600
          ports.json      the loopback ports, chosen once
          hub/            0700; the hub's database and working folder
          logs/           0700; hub.log, service.log, proxy.log
          run/            0700; which processes `up` started
          home/ lake/ local/   of the local backend and the lake, which make them
```

The root itself can be passed through but not listed (0711), because homes of
other system accounts stand below it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from jupyterhub_mesos.errors import InvalidInput

PASS_THROUGH: Final = 0o711
PRIVATE: Final = 0o700
PRIVATE_FILE: Final = 0o600
SECRET_BYTES: Final = 32
"""As long as the hub's own tokens; also the least that it takes for a cookie secret."""

PASSWORD_LENGTH: Final = 14
"""With the 31 signs below 69 bits: more than anybody guesses through a log-in form."""

EASY_TO_READ: Final = "abcdefghjkmnpqrstuvwxyz23456789"

STATE_VARIABLE: Final = "JUPYTERHUB_MESOS_STATE"
"""Environment variable that names the state folder for every process of an installation."""

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """The TCP ports of one installation; people only ever see `public`."""

    public: int = 8000
    proxy_api: int = 8001
    hub: int = 8081
    service: int = 8090


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The state folder at `root` (absolute)."""

    root: Path

    @classmethod
    def at(cls, path: Path | str) -> StateFolder:
        """Name the state folder at `path`, made absolute; nothing is created."""
        return cls(Path(path).expanduser().resolve())

    @property
    def ledger(self) -> Path:
        """The service's ledger."""
        return self.root / "ledger.sqlite"

    @property
    def secrets(self) -> Path:
        """One secret per file."""
        return self.root / "secrets"

    @property
    def hub(self) -> Path:
        """The hub's database and working folder."""
        return self.root / "hub"

    @property
    def logs(self) -> Path:
        """What hub, service and proxy say."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Which processes `up` started, and its lock."""
        return self.root / "run"

    def prepare(self) -> None:
        """Make the folders that no single process owns."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(PASS_THROUGH)
        for folder in (self.secrets, self.hub, self.logs, self.run):
            folder.mkdir(exist_ok=True)
            folder.chmod(PRIVATE)
        # an empty file is an empty database; what SQLite lays beside it gets the same mode
        self.ledger.touch(mode=PRIVATE_FILE)
        self.ledger.chmod(PRIVATE_FILE)

    def secret_file(self, name: str) -> Path:
        """Return the file of a secret, made with mode 0600 where it is missing."""
        path = self.secrets / name
        if not path.exists():
            path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            _create_once(path, secrets.token_hex(SECRET_BYTES) + "\n")
        return path

    def secret(self, name: str) -> str:
        """Return a secret, made where it is missing."""
        return self.secret_file(name).read_text(encoding="ascii").strip()

    def password(self, name: str, length: int = PASSWORD_LENGTH) -> str:
        """Return a password that a person can type, made where it is missing."""
        path = self.secrets / f"password_{name}"
        if not path.exists():
            path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            _create_once(path, "".join(secrets.choice(EASY_TO_READ) for _ in range(length)) + "\n")
        return path.read_text(encoding="ascii").strip()

    def ports(self) -> Ports:
        """Return the ports chosen for this installation, or the defaults where none were chosen."""
        try:
            text = (self.root / "ports.json").read_text(encoding="ascii")
        except FileNotFoundError:
            return Ports()
        try:
            return Ports(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"it does not hold the four ports {', '.join(Ports.__dataclass_fields__)}: "
                "remove it to have them chosen anew",
                where=str(self.root / "ports.json"),
            ) from error

    def choose_ports(self, public: int | None = None, pick: Callable[[], int] | None = None) -> Ports:
        """Return the ports: free ones, chosen once; a `public` other than 0 replaces the public one."""
        path = self.root / "ports.json"
        if not path.exists():
            free = list(_distinct(pick or _free_port, 4))
            _create_once(path, _written(Ports(public or free[0], *free[1:])))
        ports = self.ports()
        if public and public != ports.public:
            ports = replace(ports, public=public)
            path.unlink()
            _create_once(path, _written(ports))
        return ports


def _written(ports: Ports) -> str:
    return json.dumps(asdict(ports)) + "\n"


def _distinct(pick: Callable[[], int], count: int) -> set[int]:
    found: set[int] = set()
    while len(found) < count:
        found.add(pick())
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def _create_once(path: Path, text: str) -> None:
    """Write `path` (0600) whole or not at all; where two processes race, the first one's text stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # the other process was first
    finally:
        draft.unlink()
