"""The credential report: every user's password, keys, certificates and MFA, as a table.

Source: IAM user guide, "Generate credential reports for your AWS account". Whether there is a report, and as of when, is
told by the log: a report is asked for by a call, and calls are entries.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Final, TypeVar

import sqlalchemy as sa

from api.aws.answers.access_keys import NOT_APPLICABLE, shown_use
from api.aws.answers.reading import reads
from api.aws.answers.refusals import ReportExpired, ReportNotPresent
from ledger.account.account import Account
from ledger.account.entities import (
    AccessKey,
    Credential,
    CredentialKind,
    Owner,
    PasswordPolicy,
    User,
)
from ledger.iam.deciding import Answer, Call, Moment, anything
from ledger.iam.targets import arn
from ledger.log.schema import Kind, accounts, entries, strings
from projections.investigation import Investigation
from projections.permissions.accounts import PastAccounts

GENERATE: Final = "iam:GenerateCredentialReport"
EXPIRES_SECONDS: Final = 4 * 3_600
DAY_SECONDS: Final = 86_400
ROOT: Final = "<root_account>"
NO_INFORMATION: Final = "no_information"
NOT_SUPPORTED: Final = "not_supported"
COLUMNS: Final = (
    *("user", "arn", "user_creation_time"),
    *("password_enabled", "password_last_used", "password_last_changed", "password_next_rotation"),
    "mfa_active",
    *("access_key_1_active", "access_key_1_last_rotated"),
    *("access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service"),
    *("access_key_2_active", "access_key_2_last_rotated"),
    *("access_key_2_last_used_date", "access_key_2_last_used_region", "access_key_2_last_used_service"),
    *("cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated"),
)

One = TypeVar("One", bound=AccessKey | Credential)


@reads(GENERATE, on=anything)
def generate_credential_report(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    """The report is always of this moment: one is made whenever it is asked for, so it can be got at once. Where there was
    none, or only an expired one, AWS tells that one is begun.
    """
    generated = _last_generated(ledger, account.id)
    if generated is not None and moment.time - generated <= EXPIRES_SECONDS:
        return Answer({"State": "COMPLETE"})
    return Answer(
        {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
    )


@reads("iam:GetCredentialReport", on=anything)
def get_credential_report(ledger: Investigation, account: Account, call: Call, moment: Moment) -> Answer:
    """The report as of the end of the second in which it was last asked for."""
    generated = _last_generated(ledger, account.id)
    if generated is None:
        raise ReportNotPresent("")
    if moment.time - generated > EXPIRES_SECONDS:
        raise ReportExpired("")
    ledger.runner.catch_up()
    then = PastAccounts(ledger.log).whole(account.id, generated)
    content = report(ledger, then, generated)
    return Answer({"Content": content.encode(), "ReportFormat": "text/csv", "GeneratedTime": generated})


def report(ledger: Investigation, account: Account, at: int) -> str:
    """The table for an account as it was at the end of a second. Names stand as they are, as in AWS's."""
    users = sorted(account.users.values(), key=lambda user: user.name.casefold())
    signed_in = ledger.last_uses.sign_ins([account.id, *(user.id for user in users)], until=at + 1)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(COLUMNS)
    rows = _Rows(ledger, account, signed_in, at)
    table.writerow(rows.of_root())
    table.writerows(rows.of_user(user) for user in users)
    return written.getvalue().rstrip("\n")


class _Rows:
    """The rows of one report."""

    def __init__(self, ledger: Investigation, account: Account, signed_in: dict[str, int], at: int) -> None:
        self._ledger = ledger
        self._account = account
        self._signed_in = signed_in
        self._at = at

    def of_root(self) -> list[str]:
        root = self._account.settings
        last = self._signed_in.get(self._account.id)
        return [
            *(ROOT, arn(self._account, "root"), NO_INFORMATION),
            *(NOT_SUPPORTED, _date(last, NO_INFORMATION), NOT_SUPPORTED, NOT_SUPPORTED),
            *self._credentials(root),
        ]

    def of_user(self, user: User) -> list[str]:
        return [
            *(user.name, user.arn, _date(user.create_date)),
            *self._password(user),
            *self._credentials(user),
        ]

    def _password(self, user: User) -> list[str]:
        profile = user.login_profile
        if profile is None:
            return ["false", NOT_APPLICABLE, NOT_APPLICABLE, NOT_APPLICABLE]
        changed = profile.password_date if profile.password_date is not None else profile.create_date
        return [
            "true",
            _date(self._signed_in.get(user.id), NO_INFORMATION),
            _date(changed),
            _date(_next_rotation(changed, self._account.settings.password_policy)),
        ]

    def _credentials(self, owner: Owner) -> list[str]:
        certificates = [
            it for it in owner.credentials.values() if it.kind is CredentialKind.SIGNING_CERTIFICATE
        ]
        return [
            _truth(bool(owner.mfa_devices)),
            *(cell for key in _two(list(owner.access_keys.values())) for cell in self._key(key)),
            *(cell for it in _two(certificates) for cell in _certificate(it)),
        ]

    def _key(self, key: AccessKey | None) -> list[str]:
        if key is None:
            return ["false", *[NOT_APPLICABLE] * 4]
        use = shown_use(self._ledger.last_uses.of_key(key.id, until=self._at + 1))
        return [
            _truth(key.status == "Active"),
            _date(key.create_date),
            _date(use.get("LastUsedDate")),
            use["Region"],
            use["ServiceName"],
        ]


def _certificate(certificate: Credential | None) -> list[str]:
    if certificate is None:
        return ["false", NOT_APPLICABLE]
    return [_truth(certificate.status == "Active"), _date(certificate.create_date)]


def _next_rotation(changed: int | None, policy: PasswordPolicy | None) -> int | None:
    """When the password must be changed; None where passwords don't grow old."""
    if changed is None or policy is None or not policy.max_password_age:
        return None
    return changed + policy.max_password_age * DAY_SECONDS


def _last_generated(ledger: Investigation, account_id: str) -> int | None:
    e, s, a = entries.c, strings.c, accounts.c
    action = sa.select(s.id).where(s.kind == Kind.ACTION, s.text == GENERATE).scalar_subquery()
    account = sa.select(a.id).where(a.account_id == account_id).scalar_subquery()
    query = (
        sa.select(e.time)
        .where(e.action == action, e.account == account, e.error.is_(None))
        .order_by(e.time.desc())
        .limit(1)
    )
    with ledger.log.engine.connect() as connection:
        return connection.execute(query).scalar()


def _two(found: list[One]) -> tuple[One | None, One | None]:
    """The two eldest, and None for what there is not."""
    eldest = [*sorted(found, key=_age), None, None]
    return eldest[0], eldest[1]


def _age(one: AccessKey | Credential) -> tuple[int, str]:
    return one.create_date or 0, one.id


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _date(seconds: int | None, none: str = NOT_APPLICABLE) -> str:
    return none if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
