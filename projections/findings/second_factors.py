"""MFA devices that came and went, and who has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.entry import Entry
from projections.findings.evidence import End, Evidence, Finding, by, is_own, one, refs, target_user
from projections.findings.sign_ins import (
    MFA_DEACTIVATED,
    MFA_ENABLED,
    SIGN_IN,
    had_mfa,
    signed_in_as,
    used_mfa,
)
from projections.findings.standing import made, reasons, standing
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


# -- who has none -----------------------------------------------------------------------------------------------

ROOT = ""
PASSWORDS_GONE = "iam:DeleteLoginProfile"
UNTOLD = "no record tells whether they had a device from before the log"


@dataclass(slots=True)
class _Signs:
    """What the log shows of somebody's password and second factor, up to the end; None: nothing."""

    factor: bool | None = None
    shown: Entry | None = None  # what shows whether there is a second factor
    first_sign_in: Entry | None = None  # since there was last no password


@standing
def console_without_mfa(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: which users have a console password and no MFA device? Source: CIS AWS Foundations Benchmark 1.10.

    A password is told by the record that set it, or by a sign-in with it. AWS asks everybody who has a device for its
    code, so a sign-in without one shows that there was none. Of users from before the log, of whom nothing shows
    either, `mfa` is null and the finding `low`.
    """
    signs = _signs(evidence, end)
    for user in sorted(end.account.users.values(), key=lambda one: one.arn):
        shown = signs.get(user.name.casefold(), _Signs())
        profile = user.login_profile
        if user.mfa_devices or shown.factor or (profile is None and shown.first_sign_in is None):
            continue
        told = made(
            evidence,
            end,
            None if profile is None else profile.made_by,
            shown.first_sign_in.position if shown.first_sign_in else None,
            shown.shown.position if shown.shown else None,
        )
        if not told:
            continue
        known = shown.factor is False or not user.assumed
        yield Finding(
            "medium" if known else "low",
            f"{user.name} may sign in to the console without MFA",
            user.arn,
            told,
            {
                "user": user.name,
                "mfa": False if known else None,
                "password": one(told[0]),
                "signedIn": one(shown.first_sign_in),
                "shownBy": one(shown.shown),
                "assumed": [*reasons(user.assumed), *([] if known else [UNTOLD])],
            },
        )


@standing
def root_without_mfa(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: has root no MFA device? Source: CIS AWS Foundations Benchmark 1.5.

    Of an account that began in this ledger every device is known. Of an imported one a sign-in of root, with a code or
    without, or a change of its devices has to show it; where none does, nothing is told.
    """
    settings = end.account.settings
    shown = _signs(evidence, end).get(ROOT, _Signs())
    begun = settings.email is not None and settings.login_profile is not None
    if settings.mfa_devices or shown.factor or (shown.factor is None and not begun):
        return
    told = [shown.shown] if shown.shown is not None else _beginning(evidence, end)
    if told:
        yield Finding(
            "high",
            f"Root of {end.account.id} has no MFA device",
            end.arn_of_root,
            told,
            {"shownBy": one(told[0]), "assumed": []},
        )


def _beginning(evidence: Evidence, end: End) -> list[Entry]:
    profile = end.account.settings.login_profile
    return [] if profile is None else made(evidence, end, profile.made_by)


def _signs(evidence: Evidence, end: End) -> Mapping[str, _Signs]:
    """By name in lower case, and `ROOT`: one pass over the records that tell, in order of time.

    A device that is taken away after the end, with nothing before, was there at the end.
    """
    born = {user.name.casefold(): user.create_date or 0 for user in end.account.users.values()}
    found: dict[str, _Signs] = {}
    entries = [
        entry
        for action in (MFA_ENABLED, MFA_DEACTIVATED, SIGN_IN, PASSWORDS_GONE)
        for entry in evidence.later_calls(action, account=end.account.id)
    ]
    entries.sort(key=lambda entry: (entry.time, entry.record.action == SIGN_IN, entry.position))
    for entry in entries:
        who = _whose(entry)
        if who is None or entry.time < born.get(who, 0):
            continue
        signs = found.setdefault(who, _Signs())
        action = entry.record.action
        if entry.time > end.at:
            if action == MFA_DEACTIVATED and signs.factor is None:
                signs.factor = True
        elif action == PASSWORDS_GONE:
            signs.first_sign_in = None
        elif action == SIGN_IN:
            signs.first_sign_in = signs.first_sign_in or entry
            signs.factor, signs.shown = used_mfa(entry), entry
        else:
            signs.factor, signs.shown = action == MFA_ENABLED, entry
    return found


def _whose(entry: Entry) -> str | None:
    """The user in lower case, or `ROOT`; None for a session, which has no password."""
    if entry.record.action == SIGN_IN:
        identity = entry.record.identity
        name = {"Root": ROOT, "IAMUser": identity.name}.get(identity.kind)
        return None if name is None else name.casefold()
    return (target_user(entry) or ROOT).casefold()
