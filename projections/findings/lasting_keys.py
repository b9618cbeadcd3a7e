"""Access keys that stay: how old they are, and whether anybody uses them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from ledger.account.entities import AccessKey, Settings, User
from ledger.entry import Entry
from ledger.log.rows import among
from ledger.log.schema import entries
from ledger.record import format_time
from projections.attribution import key_numbers
from projections.findings.evidence import DAY, End, Evidence, Finding, Use, one
from projections.findings.standing import made, reasons, standing

OLD = 90 * DAY  # CIS AWS Foundations Benchmark 3.0, 1.14: rotated every 90 days or less
UNUSED = 90 * DAY


@dataclass(frozen=True, slots=True)
class _Held:
    """An active key, who has it, and its use up to the end."""

    owner: User | Settings
    key: AccessKey
    use: Use | None
    since: int  # when it was made; where no record tells, when it was first used: it is at least as old

    @property
    def name(self) -> str:
        return "root" if isinstance(self.owner, Settings) else self.owner.name

    def subject(self) -> str:
        return f"{self.name}/{self.key.id}"


@standing
def old(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: which active keys are older than 90 days? Source: CIS AWS Foundations Benchmark 1.14.

    Of a key that no record shows being made it is the first use that counts: it is older than that.
    """
    for held in _held(evidence, end):
        age = end.at - held.since
        if age > OLD and (told := _entries(evidence, end, held)):
            yield Finding(
                "low",
                f"The key {held.key.id} of {held.name} is {age // DAY} days old",
                held.subject(),
                told,
                {**_detail(held, told), "ageDays": age // DAY},
            )


@standing
def unused(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: which active keys did nobody use for 90 days, or ever? Source: CIS AWS Foundations Benchmark
    1.12, AWS's credential report.

    The days count from the last use, the making, or the first record of the account's log, whichever came last: what
    was before the log nobody tells. Nor does the log tell of calls that no trail recorded, such as reads of objects.
    """
    for held in _held(evidence, end):
        begin = max(held.use.last if held.use else held.since, end.told_from)
        idle = end.silent_from - begin
        if idle >= UNUSED and (told := _entries(evidence, end, held)):
            yield Finding(
                "low",
                f"The key {held.key.id} of {held.name} was not used for {idle // DAY} days"
                if held.use
                else f"The key {held.key.id} of {held.name} was never used",
                held.subject(),
                told,
                {**_detail(held, told), "unusedDays": idle // DAY},
            )


def _held(evidence: Evidence, end: End) -> Iterator[_Held]:
    owners: list[User | Settings] = [end.account.settings, *end.account.users.values()]
    active = [
        (owner, key) for owner in owners for key in owner.access_keys.values() if key.status == "Active"
    ]
    uses = _uses(evidence, end, [key.id for _, key in active])
    for owner, key in active:
        use = uses.get(key.id)
        since = key.create_date if key.create_date is not None else use.first if use else None
        if since is None:
            (entry,) = made(evidence, end, key.made_by) or (None,)
            since = entry.time if entry else end.told_from
        yield _Held(owner, key, use, since)


def _uses(evidence: Evidence, end: End, keys: list[str]) -> dict[str, Use]:
    """First and last use up to the end, by the index of keys."""
    e = entries.c
    names = {number: key for key, number in key_numbers(evidence.connection, keys).items()}
    query = (
        sa.select(e.access_key, sa.func.min(e.time), sa.func.max(e.time), sa.func.count())
        .where(among(evidence.connection, e.access_key, names), e.time <= end.at)
        .group_by(e.access_key)
    )
    return {
        names[number]: Use(first, last, count)
        for number, first, last, count in evidence.connection.execute(query)
    }


def _entries(evidence: Evidence, end: End, held: _Held) -> list[Entry]:
    """What made the key, what last changed its status, and its last use, or its first where nothing shows more."""
    found = made(evidence, end, held.key.made_by, held.key.status_made_by)
    times = [] if held.use is None else [held.use.last] if found else [held.use.first, held.use.last]
    of_key = evidence.with_keys([held.key.id])
    for time in dict.fromkeys(times):
        found += evidence.entries(of_key, entries.c.time == time, limit=1)
    return found


def _detail(held: _Held, told: list[Entry]) -> dict[str, object]:
    created = next((entry for entry in told if entry.position == held.key.made_by), None)
    return {
        "user": held.name,
        "accessKey": held.key.id,
        "created": one(created),
        "createDate": None if held.key.create_date is None else format_time(held.key.create_date),
        "lastUsed": None if held.use is None else format_time(held.use.last),
        "calls": held.use.count if held.use else 0,
        "assumed": reasons(held.key.assumed),
    }
