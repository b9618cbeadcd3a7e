"""Text within XML, so that any parser reads back what was written. Source: XML 1.0, 2.2 Characters and 2.11 Line ends.

Most control characters, halves of surrogate pairs, U+FFFE and U+FFFF can't stand in XML, not even escaped; the
replacement character stands for each. A carriage return is escaped, since parsers turn a bare one into a line feed.
"""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_SPELT: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#xD;"}
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def escaped(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _SPELT.get(found[0], _REPLACEMENT), text)
