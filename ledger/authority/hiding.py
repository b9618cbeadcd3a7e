"""What the record of a live call must not hold, though no member's name says so: secrets in the wrong place, texts without
end.

A private key that is pasted where a certificate belongs, a session token that stands in a path: they are known by their
looks (`ledger.redaction`). What the account is folded from stays as it was answered; whoever decides such a call has to
refuse what holds a secret. Lengths are CloudTrail's. Source: CloudTrail record contents, "errorMessage" (1 KB),
"requestParameters" (100 KB).
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from ledger.iam import FOLDED_ACTIONS, SESSION_ACTIONS
from ledger.redaction import redact

MESSAGE_BYTES_MAX: Final = 1024
REQUEST_BYTES_MAX: Final = 100 * 1024
OMITTED: Final = {"omitted": True}  # in place of what is too long, as CloudTrail says it

_TOLD_TO_THE_FOLD: Final = FOLDED_ACTIONS | SESSION_ACTIONS


def kept(document: dict[str, Any], action: str) -> dict[str, Any]:
    """The record of a call of `action` as it may be kept."""
    if "errorCode" not in document and action in _TOLD_TO_THE_FOLD:
        return document
    clean = redact(document)
    message, request = clean.get("errorMessage"), clean.get("requestParameters")
    if message is not None and len(message) > MESSAGE_BYTES_MAX // 4:
        clean = {**clean, "errorMessage": message.encode()[:MESSAGE_BYTES_MAX].decode(errors="ignore")}
    if request is not None and len(orjson.dumps(request)) > REQUEST_BYTES_MAX:
        clean = {**clean, "requestParameters": OMITTED}
    return clean
