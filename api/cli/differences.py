"""What differs between two versions of an entity, told in lines that fit on a screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

VALUE_MAX = 72
LINES_MAX = 12
NAMES = (
    "AccessKeyId",
    "SerialNumber",
    "VersionId",
    "PolicyName",
    "PolicyArn",
    "PermissionsBoundaryArn",
    "GroupName",
    "RoleName",
    "InstanceProfileName",
    "ClientID",
    "Sid",
    "Key",
)
BOOKKEEPING = ("MadeBy", "LastVersion", "CreateDate")  # the entries behind it are told beside it


def changes(before: Any, after: Any) -> list[str]:
    """One line for each member that came (+), went (-) or changed; an entity that is new or gone in outline."""
    if before is None and after is None:
        return []
    if before is None or after is None:
        lines = list(_outline("+ " if before is None else "- ", after if before is None else before))
    else:
        lines = list(_changes("", before, after))
    if len(lines) > LINES_MAX:
        lines[LINES_MAX:] = [f"… and {len(lines) - LINES_MAX} more"]
    return lines


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            if name.endswith(BOOKKEEPING):
                continue
            below = f"{path}.{name}" if path else name
            if name not in after:
                yield from _outline("- ", {below: before[name]})
            elif name not in before:
                yield from _outline("+ ", {below: after[name]})
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
            counterpart = named.pop(_name(one))
            new.remove(counterpart)
            yield from _changes(f"{path}[{_name(one)}]", one, counterpart)
        else:
            yield f"- {path}: {brief(one)}"
    for one in new:
        yield f"+ {path}: {brief(one)}"


def _outline(sign: str, document: Any) -> Iterator[str]:
    """What something consists of that has come or gone, but for what its name says already."""
    if not isinstance(document, dict):
        yield sign + brief(document)
        return
    for name, value in document.items():
        if name.endswith(BOOKKEEPING) or not value:
            continue
        if isinstance(value, list):
            for one in value:
                yield f"{sign}{name}: {brief(one)}"
        elif isinstance(value, dict) or len(document) == 1:
            yield f"{sign}{name}: {brief(value)}"


def _name(member: Any) -> str | None:
    """What tells the members of a list apart: a key's id, a version's number, an inline policy's name."""
    if isinstance(member, dict):
        for name in NAMES:
            if isinstance(member.get(name), str):
                return str(member[name])
    return None


def brief(value: Any) -> str:
    """A value in a few words: a statement as a sentence, a thing by its name."""
    if isinstance(value, Mapping):
        if "Effect" in value:
            return _cut(_statement(value))
        if statements := _statements(value):
            return _cut("; ".join(map(_statement, statements)))
        if name := _name(value):
            return _cut(" ".join(filter(None, (name, value.get("Status"), _text_of(value)))))
        kept = {name: one for name, one in value.items() if not str(name).endswith(BOOKKEEPING)}
        if not any(isinstance(one, list | dict) for one in kept.values()):
            return _cut(", ".join(f"{name} {one}" for name, one in kept.items()))
    return _cut(value if isinstance(value, str) else orjson.dumps(value, default=str).decode())


def _text_of(value: Mapping[str, Any]) -> str:
    """The policy that a thing with a name brings along."""
    document = value.get("PolicyDocument", value.get("Document"))
    found = _statements(document) if isinstance(document, Mapping) else []
    return f"({'; '.join(map(_statement, found))})" if found else ""


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = document.get("Statement")
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if isinstance(one, Mapping)]


def _statement(told: Mapping[str, Any]) -> str:
    """`Allow sts:AssumeRole for arn:aws:iam::998877665544:root`."""
    parts = [str(told.get("Effect"))]
    for name, word in (
        ("Action", ""),
        ("NotAction", "all but "),
        ("Resource", "on "),
        ("NotResource", "not on "),
    ):
        if told.get(name) is not None:
            parts.append(word + _listed(told[name]))
    for name, word in (("Principal", "for "), ("NotPrincipal", "not for ")):
        if told.get(name) is not None:
            parts.append(word + _listed(told[name]))
    if told.get("Condition"):
        parts.append("if …")
    return " ".join(parts)


def _listed(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_listed(one) for one in value.values())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"
