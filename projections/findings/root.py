"""What was done as root, who of all may do anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log.schema import Kind, entries, principals, strings
from ledger.record import format_time
from projections.findings.access_keys import created_key
from projections.findings.evidence import (
    REFERENCES_MAX,
    Evidence,
    Finding,
    as_address,
    one,
    refs,
    target_user,
)
from projections.findings.sign_ins import SIGN_IN, used_mfa

BY_AWS = "AWS on root's behalf"
NO_KEY = "no key"


def used(evidence: Evidence) -> Iterator[Finding]:
    """Question 19: what was root used for, with which credential, and with MFA? Source: AWS's incident response
    guides, Sigma, CIS benchmark 1.7. One finding a credential: a key, a console session, or AWS itself.
    """
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in evidence.within(evidence.by_kind("Root")):
        groups.setdefault((entry.account_id, _credential(entry)), []).append(entry)
    for (account, credential), calls in groups.items():
        mfa = {entry.record.identity.mfa for entry in calls}
        if credential == BY_AWS:
            severity, title = "info", f"AWS acted as root of {account}"
        else:
            severity = "high" if credential.startswith("AKIA") or False in mfa else "medium"
            title = f"Root of {account} was used with {credential}"
        yield Finding(
            severity,
            title,
            f"arn:aws:iam::{account}:root",
            calls,
            {
                "credential": credential,
                "calls": len(calls),
                "last": format_time(calls[-1].time),
                "mfa": None if mfa == {None} else False not in mfa,
                "addresses": sorted({str(entry.document.get("sourceIPAddress")) for entry in calls}),
                "actions": sorted({entry.record.action for entry in calls}),
            },
        )


def _credential(entry: Entry) -> str:
    identity = entry.record.identity
    if identity.access_key_id:
        return identity.access_key_id
    told = str(entry.document.get("sourceIPAddress"))
    return BY_AWS if identity.invoked_by or as_address(told) is None else NO_KEY


def signed_in(evidence: Evidence) -> Iterator[Finding]:
    """Question 19: when did root sign in to the console, with MFA or without, and who tried in vain?"""
    for entry in evidence.within(evidence.by_kind("Root"), evidence.action(SIGN_IN)):
        mfa = used_mfa(entry)
        if not entry.record.succeeded:
            severity, title = "medium", "Somebody failed to sign in as root"
        elif mfa:
            severity, title = "medium", "Root signed in with MFA"
        else:
            severity, title = "high", "Root signed in without MFA"
        yield Finding(
            severity,
            title,
            f"arn:aws:iam::{entry.account_id}:root",
            [entry],
            {
                "succeeded": entry.record.succeeded,
                "mfaUsed": mfa,
                "address": entry.document.get("sourceIPAddress"),
                "message": entry.document.get("errorMessage"),
            },
        )


def has_key(evidence: Evidence) -> Iterator[Finding]:
    """Question 19: had root an access key, when was it made and deleted, and what was it used for?"""
    e, p, k = entries.c, principals.c, strings.c
    made = {
        created_key(entry): entry
        for entry in evidence.calls("iam:CreateAccessKey")
        if target_user(entry) is None and entry.record.identity.kind == "Root"
    }
    roots = sa.select(p.id).where(p.kind == "Root")
    used_keys = evidence.scoped(sa.select(e.access_key).where(e.principal.in_(roots)).distinct())
    seen = sa.select(k.text).where(k.kind == Kind.KEY, k.text.like("AKIA%"), k.id.in_(used_keys))
    for key in sorted({*made, *evidence.connection.scalars(seen)}):
        calls = evidence.entries(evidence.with_keys([key]), limit=REFERENCES_MAX)
        first, use = made.get(key) or calls[0], evidence.uses([key]).get(key)
        deleted = next(
            (
                entry
                for entry in evidence.later_calls(
                    "iam:DeleteAccessKey", account=first.account_id, since=first.time
                )
                if entry.record.request.get("accessKeyId") == key
            ),
            None,
        )
        yield Finding(
            "high",
            f"Root of {first.account_id} has had the access key {key}",
            key,
            [entry for entry in (made.get(key), *calls, deleted) if entry is not None],
            {
                "accessKey": key,
                "created": one(made.get(key)),
                "deleted": one(deleted),
                "calls": use.count if use else 0,
                "used": refs(calls),
            },
        )


def password_set(evidence: Evidence) -> Iterator[Finding]:
    """Question 19: did anybody make root a password by IAM? A CreateLoginProfile by root that names no user does.

    Source: Elastic's rule on CreateLoginProfile of root.
    """
    for entry in evidence.calls("iam:CreateLoginProfile", "iam:UpdateLoginProfile"):
        if entry.record.identity.kind == "Root" and target_user(entry) is None:
            detail: dict[str, Any] = {"address": entry.document.get("sourceIPAddress")}
            yield Finding(
                "high", "Root's password was set", f"arn:aws:iam::{entry.account_id}:root", [entry], detail
            )
