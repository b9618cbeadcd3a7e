"""Services that somebody may use and did not use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import sqlalchemy as sa

from ledger.account.entities import Role, User
from ledger.calls.action_names import PREFIXES
from ledger.log.rows import among
from ledger.log.schema import entries, principals, strings
from ledger.policy.decision import Match
from ledger.policy.entitlements import Entitlements
from ledger.record import format_time
from projections.findings.administrators import grants, has_policies
from projections.findings.evidence import DAY, End, Evidence, Finding
from projections.findings.standing import first_told, of_aws, reasons, standing
from projections.permissions.accounts import PastAccounts
from projections.permissions.reach.access import Permission, permissions
from projections.permissions.reach.standing import WholeWorld
from projections.permissions.telling import told_unknown

UNUSED = 90 * DAY
NAMED_MAX = 3  # services in a title; the detail has them all


@standing
def unneeded(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: which services may a user or role use that it called nothing of in 90 days? Source: IAM's last accessed
    information, IAM Access Analyzer's unused access.

    Told of grants that have stood, in an account whose log tells of, that whole time. What no trail records (reads of
    objects and rows, unless data events are logged) counts as not used; a refused call is a use, for it was tried.
    """
    since = end.silent_from - UNUSED
    if end.told_from > since:
        return
    used = _used(evidence, end, since)
    world = WholeWorld(PastAccounts(evidence.log), Entitlements(), end.at)
    holders: list[User | Role] = [*end.account.users.values(), *end.account.roles.values()]
    for holder in sorted(holders, key=lambda one: one.arn):
        if not has_policies(holder) or (isinstance(holder, Role) and of_aws(holder)):
            continue
        what = world.standing_of(holder, end.account.id)
        calls = used.get(holder.id, {}) | used.get(holder.arn, {})
        granted = _by_service(permissions(what.permitted, frozenset()))
        unused = {service: matches for service, matches in granted.items() if service not in calls}
        told = grants(evidence, dict.fromkeys(match for found in unused.values() for match in found))
        told = told or first_told(evidence, end, holder.kind, holder.id)
        if not unused or not told or told[0].time > since:
            continue
        yield Finding(
            "low",
            f"{holder.name} has not used {_names(sorted(unused))} in {UNUSED // DAY} days",
            holder.arn,
            told,
            {
                "principal": holder.arn,
                "days": UNUSED // DAY,
                "unused": sorted(unused),
                "used": {service: format_time(last) for service, last in sorted(calls.items())},
                "unknown": [told_unknown(one) for one in what.unknown],
                "assumed": reasons(holder.assumed),
            },
        )


def _names(services: list[str]) -> str:
    named = ", ".join(services[:NAMED_MAX])
    more = len(services) - NAMED_MAX
    return f"{named} and {more} other service{'s' if more > 1 else ''}" if more > 0 else named


def _by_service(allowed: tuple[Permission, ...]) -> dict[str, list[Match]]:
    """The services of which any action is allowed, with the statements that allow it."""
    found: dict[str, list[Match]] = defaultdict(list)
    for one in allowed:
        for service in {action.partition(":")[0] for action in one.possible}:
            found[service] += one.part.matches
    return found


def _used(evidence: Evidence, end: End, since: int) -> dict[str, dict[str, int]]:
    """By unique id, and by ARN, the services that somebody called, and when last: one pass over the account's rows.

    No body is read. A call whose action goes by several prefixes is a use of each.
    """
    e, p = entries.c, principals.c
    query = (
        sa.select(e.principal, e.action, sa.func.max(e.time))
        .where(e.account == end.number, e.time > since, e.time <= end.at)
        .group_by(e.principal, e.action)
    )
    rows = evidence.connection.execute(query).all()
    named = sa.select(strings.c.id, strings.c.text).where(
        among(evidence.connection, strings.c.id, {row[1] for row in rows})
    )
    actions: dict[int, str] = dict(evidence.connection.execute(named).all())
    people = sa.select(p.id, p.unique_id, p.arn)
    names = {number: (unique_id, arn) for number, unique_id, arn in evidence.connection.execute(people)}
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for principal, action, last in rows:
        source = actions[action].partition(":")[0].lower()
        for name in filter(None, names[principal]):
            for service in PREFIXES.get(source, (source,)):
                found[name][service] = max(last, found[name].get(service, 0))
    return found
