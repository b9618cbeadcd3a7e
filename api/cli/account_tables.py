"""Accounts, their entities and their principals as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from api.cli.differences import changes
from api.cli.event_tables import parameters
from api.cli.printing import cell, clock, pairs, plain, short, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Told = Mapping[str, Any]

NAMES = ("UserName", "GroupName", "RoleName", "PolicyName", "InstanceProfileName", "SerialNumber", "Arn")
HELD = ("GroupList", "AttachedManagedPolicies", "UserPolicyList", "GroupPolicyList", "RolePolicyList")


def account(told: Told) -> Iterator[RenderableType]:
    """One line an entity; the documents are for `state KIND NAME` and for --format json."""
    yield cell(f"account {told['account']}", "bold")
    for member, entities in told.items():
        if not isinstance(entities, list) or not entities:
            continue
        yield ""
        made = table(member, "since", "holds", fold=("holds",))
        for one in entities:
            made.add_row(cell(name_of(one)), cell(clock(_since(one))), cell(holds(one)))
        yield made


def name_of(entity: Told) -> str:
    return next((str(entity[name]) for name in NAMES if entity.get(name)), "–")


def _since(entity: Told) -> str | None:
    made = entity.get("CreateDate") or entity.get("EnableDate")
    return None if made is None else str(made)[:19]


def holds(entity: Told) -> str:
    """In a line: groups, policies, keys, and what else makes it matter."""
    parts: list[str] = []
    for member in HELD:
        parts.extend(_label(one) for one in entity.get(member) or [])
    for key in entity.get("AccessKeys") or []:
        parts.append(f"{key.get('AccessKeyId')} {key.get('Status', '')}".strip())
    if entity.get("LoginProfile"):
        parts.append("console password")
    parts.extend(f"mfa {short(_serial(one))}" for one in entity.get("MFADevices") or [])
    if boundary := entity.get("PermissionsBoundary"):
        parts.append(f"boundary {short(boundary.get('PermissionsBoundaryArn'))}")
    if entity.get("DefaultVersionId"):
        parts.append(f"default {entity['DefaultVersionId']} of {len(entity.get('PolicyVersionList') or [])}")
    parts.extend(f"role {_label(one)}" for one in entity.get("Roles") or [])
    return ", ".join(parts) or "–"


def _serial(device: Any) -> str:
    return str(device.get("SerialNumber", "")) if isinstance(device, dict) else str(device)


def _label(one: Any) -> str:
    return name_of(one) if isinstance(one, dict) else str(one)


def entity(kind: str, document: Told) -> Iterator[RenderableType]:
    yield cell(f"{kind} {name_of(document)}", "bold")
    yield pairs(
        {
            name: parameters(value) if isinstance(value, dict | list) else value
            for name, value in document.items()
        }
    )


def history(told: Told) -> Iterator[RenderableType]:
    yield cell(f"{told['kind']} {told['name']} ({plain(told['id'])})", "bold")
    made = table("since", "change", "what", "by", "event", fold=("what", "event"))
    before = None
    for version in told["versions"]:
        entry = version.get("entry") or {}
        lines = changes(before, version["document"])
        what = cell("")
        for number, line in enumerate(lines or ["–"]):
            what.append("\n" * bool(number) + plain(line))
        made.add_row(
            clock(version["since"]),
            cell(version["change"]),
            what,
            cell(short(entry.get("actor"))),
            cell(entry.get("eventName")),
        )
        before = version["document"]
    yield made


def principals(found: Iterable[Told]) -> Table:
    made = table("who", "type", "account", "calls", "denied", "first seen", "last seen", "keys")
    for one in found:
        made.add_row(
            cell("root" if one["type"] == "Root" else short(one["arn"] or one["name"] or one["id"])),
            cell(one["type"]),
            cell(one["account"]),
            str(one["calls"]),
            str(one["denied"]),
            clock(one["firstSeen"])[:16],
            clock(one["lastSeen"])[:16],
            str(len(one["keys"])),
        )
    return made if made.row_count else table("nobody has called yet")


def accounts(found: Iterable[Told]) -> Table:
    made = table("account", "entries", "first event", "last event")
    for one in found:
        made.add_row(
            cell(one["account"]), str(one["entries"]), clock(one["firstEvent"]), clock(one["lastEvent"])
        )
    return made if made.row_count else table("the ledger is empty")
