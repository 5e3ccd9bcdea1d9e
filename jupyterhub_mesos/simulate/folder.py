"""The folder of a run: what was asked for, what is finished, and where the rest was stopped.

```
run.json          what was asked for, and what it was asked of
finished-1.json   what was seen of the first scenario, from its begin to its end
state.json        where the next one was stopped
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, cast

from jupyterhub_mesos.errors import Conflict, InvalidInput
from jupyterhub_mesos.simulate.observers import Json
from jupyterhub_mesos.simulate.scenarios import Scenario

VERSION: Final = 1
"""Of the files; another one is not read."""


def digest_of(scenario: Scenario) -> str:
    """Name a scenario by its contents: the same teams under the same policy."""
    policy = scenario.policy
    said = [(field.name, getattr(policy, field.name)) for field in fields(policy) if field.name != "strategy"]
    text = repr((scenario.title, scenario.teams, policy.strategy.name, said))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder at `path`."""

    path: Path

    def begin(self, asked: Mapping[str, Json], of: Mapping[str, Json]) -> None:
        """Note a new run: what was asked for, and what the answer depends on.

        Raises `Conflict` where the folder holds another run that was stopped.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.path, error) from error
        if (self.path / "state.json").exists():
            raise Conflict(
                f"{self.path} holds a run that was stopped: go on with it (--resume {self.path}), "
                "or remove the folder"
            )
        for old in self.path.glob("finished-*.json"):
            old.unlink()
        self._write("run.json", {"version": VERSION, "asked": dict(asked), "of": dict(of)})

    def asked(self) -> Mapping[str, Json]:
        """Return what was asked for. Raises `InvalidInput` where there is no run."""
        return cast("dict[str, Json]", self._run()["asked"])

    def check(self, of: Mapping[str, Json]) -> None:
        """Raise `Conflict` where what the answer depends on is not the same any more."""
        before = cast("dict[str, Json]", self._run()["of"])
        changed = [name for name in before if before[name] != of.get(name)]
        if changed:
            raise Conflict(
                f"{' and '.join(changed)} changed since the run was stopped: "
                "begin anew with another --out, or put back what it was"
            )

    def _run(self) -> dict[str, Json]:
        found = self._read("run.json")
        if not isinstance(found, dict) or found.get("version") != VERSION:
            raise InvalidInput(
                "there is no run of this version to go on with: name the --out of one that was stopped",
                where=str(self.path),
            )
        return found

    def finish(self, number: int, seen: Json) -> None:
        """Keep what was seen of a scenario that is done; its state is not needed any more."""
        self._write(f"finished-{number}.json", seen)
        (self.path / "state.json").unlink(missing_ok=True)

    def finished(self, number: int) -> Json:
        """Return what was seen of a scenario, None where it is not done."""
        return self._read(f"finished-{number}.json")

    def stop(self, number: int, state: Json) -> None:
        """Keep where a scenario was stopped."""
        self._write("state.json", {"number": number, "state": state})

    def stopped(self, number: int) -> Json:
        """Return where a scenario was stopped, None where it was not begun."""
        found = self._read("state.json")
        return found["state"] if isinstance(found, dict) and found["number"] == number else None

    def _read(self, name: str) -> Json:
        path = self.path / name
        try:
            return cast("Json", json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InvalidInput(f"cannot be read: {error}", where=str(path)) from error

    def _write(self, name: str, content: Json) -> None:
        """Write a file whole or not at all."""
        draft = self.path / f".{name}.new"
        try:
            draft.write_text(json.dumps(content), encoding="utf-8")
            draft.replace(self.path / name)
        except OSError as error:
            raise unwritable(self.path, error) from error


def unwritable(folder: Path, error: OSError) -> InvalidInput:
    """Say that a folder takes no file."""
    return InvalidInput(
        f"cannot be written to ({error.strerror or error}): make room, or name another, --out DIR",
        where=str(folder),
    )
