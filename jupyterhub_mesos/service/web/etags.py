"""The ETags of the team tree: `"r7.HASH"`, or `"r7"`: revision 7 of the tree.

`If-Match` looks at the revision alone: what the teams hold changes all the time, and is nobody's edit.
Every other GET has the hash of its answer, and answers 304 to an `If-None-Match` that has it.
"""

from __future__ import annotations

import re
from typing import Final

from jupyterhub_mesos.errors import InvalidInput

IF_MATCH: Final = (("If-Match", r'^"r[0-9]{1,18}"$'),)
"""What an edit's contract says of the header."""
_ANY: Final = "*"
_ONE: Final = re.compile(r'(?:W/)?"r([0-9]{1,18})(?:\.[0-9a-f]*)?"', re.ASCII)


def revision_tag(revision: int, content: str | None = None) -> str:
    """Return the ETag of a revision, with the (quoted) hash of the answer that shows it."""
    return f'"r{revision}"' if content is None else f'"r{revision}.{content.strip(chr(34))}"'


def revisions_of(if_match: str | None) -> frozenset[int] | None:
    """Return the revisions that an `If-Match` allows, None for any; raises `InvalidInput`."""
    if if_match is None or if_match.strip() == _ANY:
        return None
    found = [_ONE.fullmatch(part.strip()) for part in if_match.split(",")]
    if None in found:
        raise InvalidInput(
            f'{if_match!r} is no ETag of the teams: pass on what GET answered, such as "r7"', where="If-Match"
        )
    return frozenset(int(one.group(1)) for one in found if one is not None)
