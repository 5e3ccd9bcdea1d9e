"""Addresses of git repositories: a password in one would travel into command lines, files and views."""

from __future__ import annotations

import re
from typing import Final

_USERINFO: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)@")
_LOGIN_SCHEMES: Final = frozenset({"ssh", "git+ssh", "ssh+git"})  # `git@` is an account there, not a secret

REFUSAL: Final = (
    "the repository's address holds a user name or password, which others would see: leave it out, "
    "and let a git credential helper hand it over (git help credentials)"
)


def holds_secret(address: str) -> bool:
    """Say whether an address carries a user name or password that git would log in with."""
    found = _USERINFO.match(address.strip())
    if found is None:
        return False
    return found[1].lower() not in _LOGIN_SCHEMES or ":" in found[2]
