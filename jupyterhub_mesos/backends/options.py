"""Reading what an operator may say of a backend: each knows its own options, and reads them with these.

A backend's `create(state, options)` gets a mapping from names to values; what it does not know is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jupyterhub_mesos.errors import InvalidInput


def refuse_unknown(options: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise `InvalidInput` for an option that is not among `known`."""
    names = tuple(known)
    for name in options:
        if name not in names:
            raise InvalidInput(f"there is no backend option {name!r}: use {', '.join(names)}")


def flag(options: Mapping[str, object], name: str) -> bool:
    """Return the yes or no called `name`, no where it is left out."""
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise InvalidInput(f"{value!r} is neither yes nor no: use True or False", where=name)
    return value


def amount(options: Mapping[str, object], name: str) -> int | None:
    """Return the whole number above 0 called `name`, None where it is left out."""
    value = options.get(name)
    if value is not None and (not isinstance(value, int) or value <= 0):
        raise InvalidInput(f"{value!r} is no amount: use a whole number above 0, or leave it out", where=name)
    return value
