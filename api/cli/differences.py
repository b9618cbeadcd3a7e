"""What differs between two versions of an entity, told in lines that fit on a screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

VALUE_MAX = 90
LINES_MAX = 12


def changes(before: Any, after: Any) -> list[str]:
    """One line for each member that came (+), went (-) or changed."""
    if before is None and after is None:
        return []
    if before is None or after is None:
        return _outline(after if before is None else before)
    lines = list(_changes("", before, after))
    if len(lines) > LINES_MAX:
        lines[LINES_MAX:] = [f"… and {len(lines) - LINES_MAX} more"]
    return lines


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            below = f"{path}.{name}" if path else name
            if name not in after:
                yield f"- {below}: {brief(before[name])}"
            elif name not in before:
                yield f"+ {below}: {brief(after[name])}"
            else:
                yield from _changes(below, before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _members(path, before, after)
    else:
        yield f"{path}: {brief(before)} → {brief(after)}"


def _members(path: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    gone = [one for one in before if one not in after]
    new = [one for one in after if one not in before]
    if not gone and not new:
        yield f"{path}: in another order"
    named = {_name(one): one for one in new if _name(one) is not None}
    for one in gone:
        if _name(one) in named:
            after_it = named.pop(_name(one))
            new.remove(after_it)
            yield from _changes(f"{path}[{_name(one)}]", one, after_it)
        else:
            yield f"- {path}: {brief(one)}"
    for one in new:
        yield f"+ {path}: {brief(one)}"


def _name(member: Any) -> str | None:
    """What tells the members of a list apart: a key's id, a version's number, an inline policy's name."""
    if isinstance(member, dict):
        for name in ("AccessKeyId", "SerialNumber", "VersionId", "PolicyName", "PolicyArn", "Sid", "Key"):
            if isinstance(member.get(name), str):
                return str(member[name])
    return None


def _outline(document: Any) -> list[str]:
    """What is worth a line of something that has just come or gone: its ARN and what it may do."""
    if not isinstance(document, dict):
        return [brief(document)]
    shown = [
        f"{name}: {brief(value)}"
        for name, value in document.items()
        if value and isinstance(value, list | dict)
    ]
    return [f"Arn: {document['Arn']}", *shown][:6] if "Arn" in document else shown[:6]


def brief(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"
