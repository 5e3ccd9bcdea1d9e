"""Names of people and teams are any text; this makes them names of folders, without a collision."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_OTHER: Final = re.compile(r"[^A-Za-z0-9._@+-]+")
_MARK: Final = "~"  # never in a plain name, so that a made-up name is nobody's plain one
_SHOWN_LENGTH: Final = 40
_DIGEST_LENGTH: Final = 16  # 64 bits: nobody finds two texts of the same digest by trying names


def safe_name(text: str) -> str:
    """Return `text` where it is plain, else what is plain of it and a digest; never `.`, `..` or empty."""
    if _PLAIN.fullmatch(text):
        return text
    shown = _OTHER.sub("_", text).strip("._")[:_SHOWN_LENGTH]
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return f"{shown}{_MARK}{digest}"
