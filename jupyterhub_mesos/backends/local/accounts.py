"""Which account of the machine a user's tasks run under."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub_mesos.numbers import NumberBook

ACCOUNT_UIDS: Final = range(20_000, 30_000)
"""Ids of users who have no account on this machine; distributions leave this range to the admin."""
FIRST_PERSON_UID: Final = 1000
"""Below it are the machine's own services: a user named `postgres` is not that one."""
NOBODY_UID: Final = 65534


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group id with all the groups that a task belongs to."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def with_groups(self, groups: Sequence[int]) -> Account:
        """Return the account with further groups."""
        return Account(self.name, self.uid, self.gid, tuple(dict.fromkeys((*self.groups, *groups))))


def own_account() -> Account:
    """Return the account that this process runs under."""
    return Account("", os.getuid(), os.getgid(), tuple(os.getgroups()))


class Accounts:
    """The accounts by user: an id of a range, for ever.

    With `use_machine_accounts` the machine's own where a person has one: only right where
    the hub's users *are* the machine's, for a name is all that the two have in common.
    """

    def __init__(self, path: Path, uids: range = ACCOUNT_UIDS, *, use_machine_accounts: bool = False) -> None:
        self._book = NumberBook(path, uids, _is_uid_of_machine)
        self._use_machine_accounts = use_machine_accounts

    def account(self, user: str) -> Account:
        """Return the user's account; an id that was given stays, even if the machine gets the name later."""
        uid = self._book.known(user)
        if uid is None:
            existing = _account_of_machine(user) if self._use_machine_accounts else None
            if existing is not None:
                return existing
            uid = self._book.number(user)
        return Account(user, uid, uid)


def _account_of_machine(user: str) -> Account | None:
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError, UnicodeEncodeError):
        return None
    if entry.pw_uid < FIRST_PERSON_UID or entry.pw_uid == NOBODY_UID or entry.pw_gid == 0:
        return None
    return Account(user, entry.pw_uid, entry.pw_gid)  # never its further groups: `docker` is as good as root


def _is_uid_of_machine(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
