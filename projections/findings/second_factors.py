"""MFA devices that came and went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.entry import Entry
from projections.findings.evidence import Evidence, Finding, by, is_own, one, refs, target_user
from projections.findings.sign_ins import had_mfa, signed_in_as, used_mfa
from projections.lines import ref


def removed(evidence: Evidence) -> Iterator[Finding]:
    """Question 21: whose MFA was removed, by whom, and who signed in without it then? Source: Elastic's
    impact_iam_deactivate_mfa, AWS's incident response guides.

    `hadMfa` of each sign-in says whether the user had a device then.
    """
    for entry in evidence.calls("iam:DeactivateMFADevice"):
        user, serial = target_user(entry), _serial(entry)
        sign_ins = signed_in_as(evidence, entry.account_id, user, entry.time) if user else []
        told = [
            {
                **ref(one),
                "mfaUsed": used_mfa(one),
                "hadMfa": had_mfa(evidence, entry.account_id, user, one.time),
            }
            for one in sign_ins
        ]
        own = is_own(entry.record.identity, user)
        bare = any(not one["mfaUsed"] for one in told)
        deleted = next(
            (
                later
                for later in evidence.later_calls(
                    "iam:DeleteVirtualMFADevice", account=entry.account_id, since=entry.time
                )
                if _serial(later) == serial
            ),
            None,
        )
        yield Finding(
            "high" if bare else "low" if own else "medium",
            f"MFA of {user or 'root'} was removed" + (", and a sign-in without it followed" if bare else ""),
            user or f"arn:aws:iam::{entry.account_id}:root",
            [one for one in (entry, deleted, *sign_ins) if one is not None],
            {
                **by(evidence, entry),
                "user": user,
                "serialNumber": serial,
                "hadMfaBefore": had_mfa(evidence, entry.account_id, user, entry.time - 1),
                "hadMfaAfter": had_mfa(evidence, entry.account_id, user, entry.time),
                "deactivated": ref(entry),
                "deleted": one(deleted),
                "signIns": told,
            },
        )


def added(evidence: Evidence) -> Iterator[Finding]:
    """Question 22: who got a new MFA device, and who gave it them? Source: Elastic, Sigma, AIRP q3."""
    for entry in evidence.calls("iam:EnableMFADevice"):
        user, serial = target_user(entry), _serial(entry)
        own = is_own(entry.record.identity, user)
        created = [
            before
            for before in evidence.later_calls("iam:CreateVirtualMFADevice", account=entry.account_id)
            if before.time <= entry.time and _created_serial(before) == serial
        ]
        yield Finding(
            "low" if own else "medium",
            f"{user or 'root'} got a new MFA device" + ("" if own else " from somebody else"),
            serial or user or "root",
            [*created[-1:], entry],
            {**by(evidence, entry), "user": user, "serialNumber": serial, "own": own},
        )


def new_serial_used(evidence: Evidence) -> Iterator[Finding]:
    """Question 22: which session was opened with the code of a new MFA device? Source: Elastic's
    sts_assume_role_with_new_mfa. New is a device that the log saw being enabled, before.
    """
    enabled: dict[str, Entry] = {}
    for account in evidence.account_numbers:
        for entry in evidence.later_calls("iam:EnableMFADevice", account=account):
            enabled.setdefault(_serial(entry), entry)
    used: dict[str, list[Entry]] = {}
    for entry in [*evidence.role_openings, *evidence.calls("sts:GetSessionToken")]:
        serial = _serial(entry)
        if serial in enabled and enabled[serial].time <= entry.time:
            used.setdefault(serial, []).append(entry)
    for serial, calls in used.items():
        calls.sort(key=lambda entry: (entry.time, entry.position))
        detail: dict[str, Any] = {
            "serialNumber": serial,
            "enabled": ref(enabled[serial]),
            "enabledBy": enabled[serial].record.identity.label,
            "usedIn": refs(calls),
        }
        yield Finding("medium", "A new MFA device opened sessions", serial, calls, detail)


def _serial(entry: Entry) -> str:
    return str(entry.record.request.get("serialNumber") or "")


def _created_serial(entry: Entry) -> str:
    made = entry.record.response.get("virtualMFADevice")
    return str(made.get("serialNumber", "")) if isinstance(made, dict) else ""
