"""Policy documents as they come: objects, JSON text, and JSON text that is URL-encoded."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from ledger.account.entities import PolicyDocument


def read_policy(value: Any) -> PolicyDocument | None:
    """The JSON object; the text as it was where it is none; None where there is nothing."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or not value:
        return None
    for text in (value, unquote(value)) if value.lstrip().startswith("%") else (value,):
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict):
            return document
    return value
