"""Who may do everything, or make themselves somebody who may, without being called an administrator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ledger.account.entities import Role, User
from ledger.entry import Entry
from ledger.log.schema import entries
from ledger.policy.decision import Match, Way
from ledger.policy.entitlements import Entitlements
from projections.findings.evidence import REFERENCES_MAX, End, Evidence, Finding
from projections.findings.standing import first_told, of_aws, reasons, standing
from projections.permissions.accounts import PastAccounts
from projections.permissions.reach.access import Access, Risk, access
from projections.permissions.reach.reached import Roles
from projections.permissions.reach.standing import Standing, WholeWorld
from projections.permissions.telling import Teller, told_unknown

CALLED_SO = "admin"  # AdministratorAccess, Admins, NetworkAdmin
EVERYTHING = frozenset({"*", "*:*"})
LOOKED_AT_MAX = (
    500  # principals whose ways are judged: each is tried on every other, so the work grows by the square
)


@standing
def by_surprise(evidence: Evidence, end: End) -> Iterator[Finding]:
    """Question: who may do everything, or escalate to it, though no policy, group or name calls them an administrator,
    and by which path of grants? Source: Rhino Security's escalation methods; AWS's security reference, least privilege.

    A policy or group is an administrators' where its name has `admin` in it. `high` where everything is allowed at
    once, `medium` where a step lies between. An escalation that rests on what no record tells is not told.
    In an account of more than 500 principals escalations are not looked for, and an `info` finding says so: ask `access`.
    """
    world = WholeWorld(PastAccounts(evidence.log), Entitlements(), end.at)
    roles = Roles(world)
    teller = Teller(evidence.log)
    holders: list[User | Role] = [*end.account.users.values(), *end.account.roles.values()]
    asked = [
        holder
        for holder in sorted(holders, key=lambda one: one.arn)
        if has_policies(holder) and not (isinstance(holder, Role) and of_aws(holder))
    ]
    if many := len(asked) > LOOKED_AT_MAX:
        yield _not_looked(evidence, end, len(asked))
    for holder in asked:
        stands = world.standing_of(holder, end.account.id)
        if many and not _may_be_everything(stands):
            continue
        found = access(stands, roles)
        matches = _surprising(holder, found)
        if not matches:
            continue
        told = grants(evidence, matches) or first_told(evidence, end, holder.kind, holder.id)
        if told:
            yield _finding(teller, holder, found, matches, told)


def _may_be_everything(stands: Standing) -> bool:
    """Whether any statement speaks of everything: a look that costs nothing beside that at all it permits."""
    return any(
        EVERYTHING.intersection(statement.actions)
        for policy, _ in stands.entitlement.identity.entries
        for statement in policy.statements
    )


def _not_looked(evidence: Evidence, end: End, count: int) -> Finding:
    first = evidence.entries(entries.c.account == end.number, entries.c.time == end.told_from, limit=1)
    return Finding(
        "info",
        f"Account {end.account.id} has {count} principals: who of them could escalate was not looked at",
        end.arn_of_root,
        first,
        {"principals": count, "lookedAtMax": LOOKED_AT_MAX},
    )


def _finding(
    teller: Teller, holder: User | Role, found: Access, matches: list[Match], told: list[Entry]
) -> Finding:
    everything = found.risk is Risk.ADMINISTRATOR
    ways = [one.way.name for one in found.escalations if one.certain]
    title = f"{holder.name} may do everything" if everything else f"{holder.name} may escalate by {ways[0]}"
    more = len(ways) - 1
    detail: dict[str, Any] = {
        "principal": holder.arn,
        "risk": str(found.risk),
        "escalations": ways,
        "statements": [teller.statement(match) for match in matches],
        "unknown": [told_unknown(one) for one in found.standing.unknown],
        "assumed": reasons(holder.assumed),
    }
    return Finding(
        "high" if everything else "medium",
        title if everything or not more else f"{title} and {more} other way{'s' if more > 1 else ''}",
        holder.arn,
        told,
        detail,
    )


def has_policies(holder: User | Role) -> bool:
    """Whether it has any policy: of most principals that are only known by their calls none is known."""
    return bool(holder.attached or holder.inline or (isinstance(holder, User) and holder.memberships))


def _surprising(holder: User | Role, found: Access) -> list[Match]:
    """The statements that make an administrator of somebody who is not called one; none where that is no surprise."""
    if found.risk is Risk.ADMINISTRATOR:
        matches = [
            match
            for permission in found.permissions
            if permission.risk is Risk.ADMINISTRATOR
            for match in permission.part.matches
        ]
    else:
        matches = [match for one in found.escalations if one.certain for match in one.matches]
    if CALLED_SO in holder.name.lower() or any(_called_so(match) for match in matches):
        return []
    return list(dict.fromkeys(matches))


def _called_so(match: Match) -> bool:
    """Whether the policy, or a group or role by which it came, is called an administrators'."""
    source = match.source
    names = [source.name, source.arn or "", *(grant.about for way in source.ways for grant in way)]
    return any(CALLED_SO in name.rpartition("/")[2].lower() for name in names)


def grants(evidence: Evidence, matches: Iterable[Match]) -> list[Entry]:
    """The entries that made the grants, first the one that completed the first way."""
    ways = [way for match in matches for way in match.source.ways]
    places = {(grant.account, grant.made_by) for way in ways for grant in way if grant.made_by is not None}
    numbers = evidence.account_numbers
    known = {
        (entry.account_id, entry.position): entry
        for entry in evidence.at(sorted((numbers[account], position) for account, position in places))
    }
    completed = [entry for way in ways if (entry := _completing(known, way)) is not None]
    if not completed:
        return []
    first = min(completed, key=_when)
    others = sorted((entry for entry in known.values() if entry is not first), key=_when)
    return [first, *others][:REFERENCES_MAX]


def _completing(known: dict[tuple[str, int], Entry], way: Way) -> Entry | None:
    """The last grant of a way: with it the way was open."""
    made = [known[grant.account, grant.made_by] for grant in way if grant.made_by is not None]
    return max(made, key=_when, default=None)


def _when(entry: Entry) -> tuple[int, int]:
    return entry.time, entry.position
