"""Which packages this Python has, read from the names of their folders: no import of any, a few milliseconds.

The text of this module travels: a kernel of any Python runs it for a job's lock, and a worker runs it
as a script, which says once what differs from that lock and then becomes the job's own program. So it
needs the standard library alone.
"""

# pathlib would take several times as long as all of this, and a worker waits for it:
# ruff: noqa: PTH111, PTH123, PTH208

from __future__ import annotations

import os
import re
import sys

SHOWN = 5
"""Packages of each kind that the warning names."""
_INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist|egg)-info")


def locked(folders: list[str] | None = None) -> list[str]:
    """Return `name==version` of every distribution on the path, sorted; the first of a name counts."""
    found: dict[str, str] = {}
    for folder in sys.path if folders is None else folders:
        for entry in _entries(folder or "."):
            info = _INFO.fullmatch(entry)
            if info:
                name = re.sub(r"[-_.]+", "-", info["name"]).lower()
                found.setdefault(name, f"{name}=={info['version']}")
    return sorted(found.values())


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # a zip file, or nothing
        return []


def interpreter() -> str:
    """Return this Python's program as its owner sees it: `~/` for the home; empty where it is not known."""
    program, home = sys.executable or "", os.path.expanduser("~")
    if home != "/" and program.startswith(home + "/"):
        return "~" + program[len(home) :]
    return program


def version() -> str:
    """Return this Python's version, as a lock's line spells it."""
    return ".".join(str(part) for part in sys.version_info[:3])


def difference(wanted: list[str], present: list[str]) -> str:
    """Say in one line what `present` lacks of `wanted`, or has in another version; empty for nothing."""
    want, have = (dict(line.split("==", 1) for line in lines if "==" in line) for lines in (wanted, present))
    kinds = {
        "lacks": [f"{name} {want[name]}" for name in want if name not in have],
        "has": [
            f"{name} {have[name]} (not {want[name]})"
            for name in want
            if want[name] != have.get(name, want[name])
        ],
    }
    return " and ".join(f"{kind} {_some(names)}" for kind, names in kinds.items() if names)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more


def main(arguments: list[str]) -> None:
    """`LOCK PROGRAM ARGUMENT...`: compare with the file LOCK, then become this Python with the rest."""
    lock, *rest = arguments
    with open(lock, encoding="utf-8") as file:
        said = difference(file.read().split("\n"), [f"python=={version()}", *locked(sys.path[1:])])
    if said:
        sys.stderr.write(f"warning: this is not quite the Python that the job was sent from: it {said}\n")
        sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *rest])  # noqa: S606 - it is the program


if __name__ == "__main__":
    main(sys.argv[1:])
