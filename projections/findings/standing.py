"""What stands at the end of the interval asked of: each account whole, and from when to when its log tells of it.

Other kinds of finding tell what happened; these tell what is so, as of `--to`. Without it that is now for an account
whose last entry was written here, for then nothing happens that is not written down, and the end of the log for an
imported one, beyond which nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import wraps

import sqlalchemy as sa

from ledger.account.entities import Kind, Role
from ledger.entry import Entry
from ledger.log.schema import entries
from ledger.record import format_time
from projections.findings.evidence import End, Evidence, Finding
from projections.permissions.accounts import PastAccounts

SERVICE_PATH = "/aws-service-role/"  # of roles that belong to AWS; nobody but AWS changes what they may


Standing = Callable[[Evidence, End], Iterator[Finding]]


def standing(find: Standing) -> Callable[[Evidence], Iterator[Finding]]:
    """A kind of finding, asked of each account at its end. `since` holds for what it began with, as for all kinds."""

    @wraps(find)
    def every(evidence: Evidence) -> Iterator[Finding]:
        for end in ends(evidence):
            for one in find(evidence, end):
                if evidence.since is None or one.entries[0].time >= evidence.since:
                    yield replace(one, detail={**one.detail, "asOf": format_time(end.at)})

    return every


def ends(evidence: Evidence) -> list[End]:
    """The accounts that are asked of, each at its end; those whose logs begin later are left out."""
    if evidence.ends is None:
        past = PastAccounts(evidence.log)
        found = (
            _end(evidence, past, account_id, number)
            for account_id, number in sorted(evidence.account_numbers.items())
            if evidence.account in (None, account_id)
        )
        evidence.ends = [one for one in found if one is not None]
    return evidence.ends


def _end(evidence: Evidence, past: PastAccounts, account_id: str, number: int) -> End | None:
    e = entries.c
    first = evidence.connection.execute(sa.select(sa.func.min(e.time)).where(e.account == number)).scalar()
    newest = sa.select(e.position).where(e.account == number).order_by(e.position.desc()).limit(1)
    position = evidence.connection.execute(newest).scalar()
    if first is None or position is None:
        return None
    last = evidence.connection.execute(sa.select(sa.func.max(e.time)).where(e.account == number)).scalar_one()
    native = evidence.at([(number, position)])[0].origin.native
    told_until = max(last, evidence.now or 0) if native else last
    at = told_until if evidence.until is None else evidence.until - 1
    return End(past.whole(account_id, at), number, at, first, told_until) if at >= first else None


def made(evidence: Evidence, end: End, *positions: int | None) -> list[Entry]:
    """The entries at these positions of the account, as far as they are known, in order of time."""
    places = [(end.number, position) for position in dict.fromkeys(positions) if position is not None]
    return sorted(evidence.at(places), key=lambda entry: (entry.time, entry.position))


def first_told(evidence: Evidence, end: End, kind: Kind, unique_id: str) -> list[Entry]:
    """The entry that first told of an entity: that made it, or that shows it at work."""
    for versions in evidence.history.named(end.account.id, str(kind), unique_id):
        for version in versions[:1]:
            return made(evidence, end, version.position)
    return []


def of_aws(role: Role) -> bool:
    return role.path.startswith(SERVICE_PATH)


def reasons(assumed: Iterable[object]) -> list[str]:
    return [str(reason) for reason in assumed]
