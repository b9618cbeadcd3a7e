"""What-if, slowly: the edited records go into a second ledger, and every call is judged there anew.

Whenever a call turns out not to have been possible that others may hang on, it is left out too, and all is begun
again. What hangs on what is told by the records alone: who made which user, key, policy, role and session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ledger.entry import Draft, Entry, Origin
from ledger.log import Log
from ledger.record import is_denial, read_record
from projections.investigation import Investigation
from projections.permissions.authorization import Authorization, Authorizations

Document = dict[str, Any]
Ledgers = Callable[[], Log]

MAKING = {
    "CreateUser": ("user", "userId"),
    "CreateRole": ("role", "roleId"),
    "CreateAccessKey": ("accessKey", "accessKeyId"),
    "CreatePolicy": ("policy", "arn"),
    "CreateGroup": ("group", "groupName"),
    "AssumeRole": ("credentials", "accessKeyId"),
}
NAMING = {"userName": "user", "roleName": "role", "groupName": "group", "policyArn": "policy"}


def plain_what_if(
    ledgers: Ledgers, records: list[Document], without: Iterable[str], added: list[Document]
) -> dict[str, str]:
    """The event ids of the calls with another outcome: `lost`, `impossible` or `allowed`."""
    was = _judged(ledgers(), records)
    left_out = set(without)
    lost: dict[str, str] = {}
    while True:
        kept = [one for one in records if one["eventID"] not in left_out and one["eventID"] not in lost]
        would = _judged(ledgers(), [*kept, *added])
        fresh: dict[str, str] = {}
        for one in sorted(records, key=lambda one: str(one["eventTime"])):
            name = one["eventID"]
            if name in left_out or name in lost:
                continue
            gone = [two for two in records if two["eventID"] in left_out | lost.keys() | fresh.keys()]
            outcome = _outcome(one, gone, added, was, would)
            if outcome is None:
                continue
            fresh[name] = outcome
            if outcome != "allowed" and (one["eventName"] in MAKING or one["eventSource"].startswith("iam")):
                break  # others may hang on it
        else:
            return lost | fresh
        lost |= {name: outcome for name, outcome in fresh.items() if outcome != "allowed"}


def _outcome(
    one: Document,
    gone: list[Document],
    added: list[Document],
    was: dict[str, tuple[Authorization, ...]],
    would: dict[str, tuple[Authorization, ...]],
) -> str | None:
    error = one.get("errorCode")
    if error is not None and not is_denial(error):
        return None
    if error is None and not _possible(one, gone, added):
        return "impossible"
    before, after = was[one["eventID"]], would[one["eventID"]]
    verdicts = [
        (old.decision.verdict, new.decision.verdict)
        for old, new in zip(before, after, strict=True)
        if old.decision is not None and new.decision is not None
    ]
    if error is None:
        lost = any(
            new != "allowed" and (old == "allowed" or (old == "implicitDeny" and new == "explicitDeny"))
            for old, new in verdicts
        )
        return "lost" if lost else None
    turned = not all(old == "allowed" for old, _ in verdicts) and all(new == "allowed" for _, new in verdicts)
    return "allowed" if verdicts and turned else None


def _possible(one: Document, gone: list[Document], added: list[Document]) -> bool:
    """Whether who calls, and by what, and what is changed, would have been there."""
    missing = {made for other in gone for made in _made(other) if other["eventTime"] < one["eventTime"]}
    identity = one["userIdentity"]
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    mine = {identity.get("principalId"), identity.get("accessKeyId"), issuer.get("principalId")}
    if missing & mine:
        return False
    stopped = [
        other["requestParameters"]["accessKeyId"]
        for other in added
        if other["eventName"] == "UpdateAccessKey" and other["eventTime"] <= one["eventTime"]
    ]
    if identity.get("accessKeyId") in stopped:
        return False
    request = one["requestParameters"] or {}
    named = {f"{noun}:{request[member]}" for member, noun in NAMING.items() if member in request}
    if one["eventName"] == "AssumeRole":
        named = {f"role:{request['roleArn'].rpartition('/')[2]}"}
    if one["eventName"] in MAKING and one["eventName"] != "CreateAccessKey" and "roleArn" not in request:
        return True
    return not named & missing


def _made(document: Document) -> set[str]:
    """What a record made, by every name that others have for it."""
    noun, member = MAKING.get(document["eventName"], ("", ""))
    told = (document["responseElements"] or {}).get(noun)
    if told is None or document.get("errorCode"):
        return set()
    made = {str(told[member])}
    for name, kind in NAMING.items():
        if kind == noun and name in told:
            made.add(f"{kind}:{told[name]}")
    if noun == "policy":
        made.add(f"policy:{told['arn']}")
    return made


def _judged(log: Log, records: list[Document]) -> dict[str, tuple[Authorization, ...]]:
    log.append([Draft.of(read_record(one), Origin("records.json")) for one in records])
    asked = Investigation(log)
    asked.runner.catch_up()
    authorizations = Authorizations(asked.permissions.past, asked.sessions)
    found: dict[str, tuple[Authorization, ...]] = {}
    for account_id in log.account_ids():
        entry: Entry
        for entry in log.read(account_id):
            found[entry.record.event_id] = authorizations.of(entry)
    log.engine.dispose()
    return found
