"""Lists a page at a time: MaxItems and Marker. Source: IAM API reference, "ListUsers" and the like."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ledger.iam.deciding import Call
from ledger.iam.refusals import ValidationError

ITEMS = 100

Item = TypeVar("Item")


def paged(
    call: Call, name: str, items: Iterable[Item], key: Callable[[Item], str], show: Callable[[Item], Any]
) -> dict[str, Any]:
    """The page that the call asks for, as members of its output: the list under `name`, IsTruncated, and Marker.

    Items come in the order of their keys, which are unique. The marker holds the key of the last item shown, so a page
    goes on where the one before ended, whatever was created or deleted in between.
    """
    ordered = sorted(items, key=key)
    after = _read(call.get("Marker"))
    if after is not None:
        ordered = [item for item in ordered if key(item) > after]
    limit = call.get("MaxItems", ITEMS)
    page = ordered[:limit]
    told: dict[str, Any] = {name: [show(item) for item in page], "IsTruncated": len(ordered) > limit}
    if len(ordered) > limit:
        told["Marker"] = base64.urlsafe_b64encode(b"\0" + key(page[-1]).encode()).decode()
    return told


def by_age(time: int | None, made_by: int | None, identifier: str) -> str:
    """A key for lists of what was made one after the other. What was there before any record comes first."""
    return f"{time or 0:012}.{-1 if made_by is None else made_by:020}.{identifier}"


def _read(marker: str | None) -> str | None:
    if marker is None:
        return None
    try:
        raw = base64.b64decode(marker.encode("ascii"), altchars=b"-_", validate=True)
        if raw[:1] == b"\0":
            return raw[1:].decode()
    except (binascii.Error, UnicodeError):
        pass
    raise ValidationError("Invalid Marker.")
