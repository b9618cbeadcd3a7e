"""What an investigator should look at: each kind of finding is a question of its own, asked of the whole ledger.

A finding says what happened, or what stands, and rests on entries; whether it was somebody's duty or an intrusion, it
can't know.
Severities say how seldom honest work looks so: `high`, `medium`, `low`, and `info` for what only completes the
picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ledger.log import Log
from projections.findings import (
    access_keys,
    addresses,
    administrators,
    lasting_keys,
    open_doors,
    roles,
    root,
    second_factors,
    sign_ins,
    silences,
    tokens,
    trails,
    unneeded,
    users,
)
from projections.findings.evidence import Evidence, Finding, finding
from projections.history import History
from projections.sessions import Sessions
from projections.vocabulary import BadFilter

KINDS: Mapping[str, Callable[[Evidence], Iterator[Finding]]] = {
    "key-created-for-another": access_keys.created_for_another,
    "key-created-for-oneself": access_keys.created_for_oneself,
    "keys-quarantined": access_keys.quarantined,
    "key-from-several-addresses": addresses.several_addresses,
    "instance-credential-outside": addresses.instance_credential_outside,
    "key-outlived": tokens.used_after_end,
    "session-opened-by-user": tokens.opened_by_user,
    "root-used": root.used,
    "root-signed-in": root.signed_in,
    "root-has-key": root.has_key,
    "root-password-set": root.password_set,
    "sign-in-without-mfa": sign_ins.without_mfa,
    "sign-ins-failed": sign_ins.failed,
    "password-spraying": sign_ins.spraying,
    "mfa-removed": second_factors.removed,
    "mfa-added": second_factors.added,
    "new-mfa-used": second_factors.new_serial_used,
    "password-set-for-another": users.password_set_for_another,
    "user-created-unusually": users.created_unusually,
    "user-short-lived": users.short_lived,
    "principals-guessed": roles.principals_guessed,
    "service-role-taken": roles.taken_from_service,
    "account-crossed": roles.crossed_accounts,
    "role-put-into-profile": roles.put_into_profile,
    "trust-widened": roles.trust_widened,
    "boundary-removed": roles.boundary_removed,
    "trail-changed": trails.changed,
    "logging-gap": trails.gaps,
    "log-silent": silences.silences,
    "watcher-turned-off": trails.watchers_turned_off,
    "root-without-mfa": second_factors.root_without_mfa,
    "console-without-mfa": second_factors.console_without_mfa,
    "key-old": lasting_keys.old,
    "key-unused": lasting_keys.unused,
    "permissions-unused": unneeded.unneeded,
    "administrator-by-surprise": administrators.by_surprise,
    "trust-open": open_doors.open_trust,
    "resource-open": open_doors.open_resource,
}


def findings(
    log: Log,
    history: History,
    sessions: Sessions,
    *,
    kind: str | None = None,
    account: str | None = None,
    since: int | None = None,
    until: int | None = None,
    now: int | None = None,
) -> list[dict[str, Any]]:
    """Every finding, or those of one kind, in order of time; raises BadFilter.

    `account`, `since` and `until` say where a finding begins; what it led to is told whenever and wherever it was.
    What stands is told as of `until`; without it as of `now` (seconds since 1970) for accounts that are kept here, and
    as of the end of the log for imported ones.
    """
    if kind is not None and kind not in KINDS:
        raise BadFilter("kind", f"{kind!r} is none of {', '.join(KINDS)}")
    with log.engine.connect() as connection:
        evidence = Evidence(
            log, history, sessions, connection, account=account, since=since, until=until, now=now
        )
        found = [
            finding(name, one)
            for name, find in KINDS.items()
            if kind is None or name == kind
            for one in find(evidence)
        ]
    return sorted(found, key=lambda one: one["time"])
