"""Tells quickly which records may hold a secret, so that `redaction` needs to look closely at these alone.

All canonical texts of a batch are searched in one pass for everything that redaction goes by: the names, and the
looks. Where it finds nothing, redaction would change nothing; a test holds the two together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

import re2

from ledger.redaction import DEPTH_MAX, HEADERS, SECRET_ENDINGS, SECRET_NAMES

# Redaction counts a level for each bracket, and one more where JSON stands in a string.
_BRACKETS_MAX: Final = DEPTH_MAX // 2
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"{[\n")
_BETWEEN: Final = "[-_]*"  # compared without
_LOOKS: Final = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----",
    r"YXdz|Jb3JpZ2lu",
    r"signature[=%]",
    r"ilt1_",
    # What a name may be hidden behind: an escape in JSON within a string, and the sign for kelvin, whose small
    # letter is a plain k.
    r"\\\\u",
    r"\xe2\x84\xaa",
)


def _pattern() -> Any:
    names = "|".join(_BETWEEN.join(name) for name in (*SECRET_NAMES, *SECRET_ENDINGS, *HEADERS))
    options = re2.Options()
    options.case_sensitive = False
    options.encoding = re2.Options.Encoding.LATIN1  # bytes are bytes
    options.never_capture = True
    return re2.compile("|".join((names, *_LOOKS)).encode(), options)


_SECRET: Final = _pattern()


def is_deep(text: bytes) -> bool:
    """Whether a JSON text may be nested as deep as redaction counts."""
    return len(text) >= 2 * _BRACKETS_MAX and text.count(b"{") + text.count(b"[") >= _BRACKETS_MAX


def suspects(texts: Sequence[bytes]) -> set[int]:
    """The indexes of those canonical records that redaction may have to change."""
    ends = list(accumulate(len(text) + 1 for text in texts))
    joined = b"\n".join(texts)
    brackets = joined.translate(None, _NO_BRACKETS).split(b"\n")
    found = {index for index, one in enumerate(brackets) if len(one) >= _BRACKETS_MAX}
    at = 0
    while hit := _SECRET.search(joined, at):
        index = bisect_right(ends, hit.start())
        found.add(index)
        at = ends[index]  # one is enough
    return found
