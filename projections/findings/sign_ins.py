"""Signing in to the console: without a second factor, in vain, or with a list of names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ledger.entry import Entry
from ledger.record import format_time
from projections.findings.evidence import DAY, PERSONS, Evidence, Finding, is_own, refs, target_user

SIGN_IN = "signin:ConsoleLogin"
MFA_ENABLED, MFA_DEACTIVATED = "iam:EnableMFADevice", "iam:DeactivateMFADevice"
SPRAYED_NAMES_MIN = 10
SPRAYING_SECONDS = DAY


def without_mfa(evidence: Evidence) -> Iterator[Finding]:
    """Question 20: who signed in to the console without MFA? Source: Sigma, Panther, CIS benchmark 4.2.

    For a session that came from elsewhere (a role by SAML, a federated user) AWS can't know of a second factor;
    such a sign-in is `low`. `hadMfa` says whether the user had a device at that time.
    """
    for entry in evidence.calls(SIGN_IN):
        if used_mfa(entry):
            continue
        identity = entry.record.identity
        user = identity.name if identity.kind == "IAMUser" else None
        had = had_mfa(evidence, entry.account_id, user, entry.time)
        severity = {"Root": "high", "IAMUser": "medium"}.get(identity.kind, "low")
        yield Finding(
            severity,
            f"{identity.name or identity.label} signed in without MFA",
            identity.label,
            [entry],
            {
                "type": identity.kind,
                "hadMfa": had,
                "address": entry.document.get("sourceIPAddress"),
                "userAgent": entry.document.get("userAgent"),
            },
        )


def failed(evidence: Evidence) -> Iterator[Finding]:
    """Question 20: from which address did how many sign-ins fail, and under which names?"""
    for address, attempts in _failures(evidence).items():
        for account in sorted({entry.account_id for entry in attempts}):
            mine = [entry for entry in attempts if entry.account_id == account]
            yield Finding(
                "low",
                f"{len(mine)} sign-ins from {address} failed",
                address,
                mine,
                {"address": address, **_attempts(mine)},
            )


def spraying(evidence: Evidence) -> Iterator[Finding]:
    """Question 20: which address tried many names? Source: Sigma; MITRE T1110.003.

    Ten names from one address in 24 hours: what Sumo Logic's rule for password spraying counts
    (THRESHOLD-S00095). AWS hides all names that no user has under one, so it counts as one. `succeeded` lists the
    sign-ins from the address that did not fail.
    """
    for address, attempts in _failures(evidence).items():
        sprayed = _crowded(attempts)
        if not sprayed:
            continue
        succeeded = evidence.entries(
            evidence.action(SIGN_IN), evidence.coming_from(address), evidence.without_error()
        )
        yield Finding(
            "high" if succeeded else "medium",
            f"{address} tried {len({_name(entry) for entry in sprayed})} names",
            address,
            sprayed,
            {"address": address, **_attempts(sprayed), "succeeded": refs(succeeded)},
        )


def _failures(evidence: Evidence) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in evidence.calls(SIGN_IN, succeeded=False):
        found.setdefault(str(entry.document.get("sourceIPAddress")), []).append(entry)
    return found


def _crowded(attempts: list[Entry]) -> list[Entry]:
    """The attempts that lie within any window with enough names."""
    crowded: set[int] = set()
    names: Counter[str] = Counter()
    start = 0
    for end, entry in enumerate(attempts):
        names[_name(entry)] += 1
        while entry.time - attempts[start].time >= SPRAYING_SECONDS:
            names -= Counter([_name(attempts[start])])
            start += 1
        if len(names) >= SPRAYED_NAMES_MIN:
            crowded.update(range(start, end + 1))
    return [attempts[index] for index in sorted(crowded)]


def _attempts(attempts: list[Entry]) -> dict[str, Any]:
    return {
        "attempts": len(attempts),
        "names": dict(sorted(Counter(_name(entry) for entry in attempts).items())),
        "first": format_time(attempts[0].time),
        "last": format_time(attempts[-1].time),
    }


def _name(entry: Entry) -> str:
    identity = entry.record.identity
    return identity.name or identity.label


def signed_in_as(evidence: Evidence, account: str, user: str, since: int) -> list[Entry]:
    """The successful sign-ins of a user from a time on."""
    return [
        entry
        for entry in evidence.later_calls(SIGN_IN, account=account, since=since)
        if entry.record.identity.kind in PERSONS and entry.record.identity.name == user
    ]


def used_mfa(entry: Entry) -> bool:
    extra = entry.document.get("additionalEventData")
    return isinstance(extra, dict) and str(extra.get("MFAUsed")).lower() == "yes"


def had_mfa(evidence: Evidence, account: str, user: str | None, at: int) -> bool | None:
    """Whether a user had an MFA device at a time; root where there is no name. None: nothing tells.

    The account as it was tells of the devices that the log saw being enabled. Of one from before the log tell the
    sign-ins with it, and in the end that it was taken away.
    """
    entity = evidence.history.entity(account, "user", user, at) if user is not None else None
    if user is None:
        entity = evidence.history.entity(account, "settings", account, at)
    if entity is not None and entity.get("MFADevices"):
        return True
    signs = [
        entry
        for action in (MFA_ENABLED, MFA_DEACTIVATED, SIGN_IN)
        for entry in evidence.later_calls(action, account=account)
        if _is_about(entry, user) and (entry.record.action != SIGN_IN or used_mfa(entry))
    ]
    signs.sort(key=lambda entry: (entry.time, entry.record.action != MFA_DEACTIVATED))
    before = [entry for entry in signs if entry.time <= at]
    after = [entry for entry in signs if entry.time > at]
    if after and after[0].record.action == MFA_DEACTIVATED:
        return True
    if before:
        return before[-1].record.action != MFA_DEACTIVATED
    return None if entity is None or entity.get("CreatedBy") is None else False


def _is_about(entry: Entry, user: str | None) -> bool:
    if entry.record.action == SIGN_IN:
        return is_own(entry.record.identity, user)
    return target_user(entry) == user
