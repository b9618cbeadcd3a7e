"""Everything that a principal could do at a moment: its permissions in order of risk, and the roles it could reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from ledger.policy.aws_actions import AccessLevel, access_level, actions_matching
from ledger.policy.decision import Match, Unknown, UnknownKind
from ledger.policy.evaluation import NEEDS_NO_PERMISSION
from ledger.policy.pattern_sets import Undecided
from ledger.record import format_time
from projections.permissions.reach.escalations import Escalation, escalations
from projections.permissions.reach.permitted import ALL_OF_IT, Part, Permitted, Said, overlap, somewhere
from projections.permissions.reach.reached import Hop, Reached, Roles, beyond, reached
from projections.permissions.reach.standing import Standing
from projections.permissions.telling import Answer, Teller, places_of, told_unknown

TARGETS_TOLD_MAX = 20
ANSWERS_KEPT_MAX = 1_024


class Risk(StrEnum):
    """What a permission comes to, the gravest first."""

    ADMINISTRATOR = "administrator"  # every action on every resource
    ESCALATES = "escalates"  # it can raise its own permission
    PERMISSIONS = "permissions"  # it manages those of others
    SECRETS = "secrets"  # it reads what is kept: secrets, parameters, objects, rows
    WRITE = "write"
    TAGGING = "tagging"
    READ = "read"
    LIST = "list"
    UNKNOWN = "unknown"  # no action that is known
    NOTHING = "nothing"


ORDER = {risk: number for number, risk in enumerate(Risk)}
_OF_LEVEL = {
    AccessLevel.PERMISSIONS: Risk.PERMISSIONS,
    AccessLevel.WRITE: Risk.WRITE,
    AccessLevel.TAGGING: Risk.TAGGING,
    AccessLevel.READ: Risk.READ,
    AccessLevel.LIST: Risk.LIST,
}
SECRETS = frozenset(
    action
    for pattern in (
        "secretsmanager:GetSecretValue",
        "secretsmanager:BatchGetSecretValue",
        "ssm:GetParameter*",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:Query",
        "dynamodb:Scan",
        "dynamodb:PartiQLSelect",
        "rds-data:ExecuteStatement",
        "redshift-data:GetStatementResult",
        "athena:GetQueryResults",
        "kms:Decrypt",
        "ec2:GetPasswordData",
        "lambda:GetFunction",
        "codecommit:GitPull",
        "logs:GetLogEvents",
        "sqs:ReceiveMessage",
    )
    for action in actions_matching(pattern)
)
"""Actions that hand out what is kept. `iam:` hands out none."""


@dataclass(frozen=True)
class Permission:
    """One Allow statement (or several with the same words) as it comes to bear on a principal."""

    part: Part
    risk: Risk
    possible: frozenset[str]  # the actions of it that are allowed on some resource
    withheld: Mapping[
        str, int
    ]  # how many of its actions never are, by what keeps them: boundary, session, deny
    bounded_by: tuple[Part, ...]
    denies: tuple[Part, ...]


@dataclass(frozen=True)
class Access:
    standing: Standing
    permissions: tuple[Permission, ...]
    escalations: tuple[Escalation, ...]

    @property
    def risk(self) -> Risk:
        return gravest(permission.risk for permission in self.permissions)


def gravest(risks: Iterable[Risk]) -> Risk:
    return min(risks, key=ORDER.__getitem__, default=Risk.NOTHING)


def access(standing: Standing, roles: Roles) -> Access:
    """What the principal's own policies allow it, judged together."""
    plain = permissions(standing.permitted, frozenset())
    if gravest(one.risk for one in plain) is Risk.ADMINISTRATOR:
        return Access(standing, plain, ())  # nothing is left to be raised
    own = gravest(one.risk for one in plain)

    def worse(other: Standing) -> bool:
        return ORDER[plain_risk(other, roles)] < ORDER[own]

    ways = tuple(escalations(standing, roles, worse))
    opening = frozenset(match for way in ways for match in way.matches)
    return Access(standing, permissions(standing.permitted, opening), ways)


def plain_risk(standing: Standing, roles: Roles) -> Risk:
    """The gravest that a principal may do, without a look at the roles that it may assume in turn."""
    arn = standing.caller.arn
    if arn in roles.risks:
        return Risk(roles.risks[arn])
    found = gravest(one.risk for one in permissions(standing.permitted, frozenset()))
    if found is not Risk.ADMINISTRATOR and escalations(standing, roles):
        found = Risk.ESCALATES
    roles.risks[arn] = found
    return found


def permissions(what: Permitted, opening: frozenset[Match]) -> tuple[Permission, ...]:
    """The Allow statements that allow anything, in order of risk; `opening` are those that open an escalation."""
    found = [
        one for part in what.allows if (one := _permission(what, part, opening)).risk is not Risk.NOTHING
    ]
    return tuple(sorted(found, key=lambda one: (ORDER[one.risk], -len(one.possible), one.part.actions)))


def withheld(what: Permitted) -> tuple[Permission, ...]:
    """The Allow statements that allow nothing, for something keeps all of it."""
    found = (_permission(what, part, frozenset()) for part in what.allows)
    return tuple(one for one in found if one.risk is Risk.NOTHING)


def possible_actions(what: Permitted) -> dict[str, str]:
    """Every known or named action that is allowed on some resource, with one such resource."""
    found: dict[str, str] = {}
    for action, said in what.sayings().items():
        resource = somewhere(said)
        if resource is not None:
            found[action] = resource
    return found


def _permission(what: Permitted, part: Part, opening: frozenset[Match]) -> Permission:
    possible, kept = _possible(Permitted((part,), what.boundary, what.session, what.denies))
    bounded = tuple(
        one for one in what.boundary or () if one.meant & part.meant and overlap(one.scope, part.scope)
    )
    denies = tuple(one for one in what.denies if one.meant & part.meant and overlap(one.scope, part.scope))
    return Permission(part, _risk(part, possible, kept, opening), possible, kept, bounded, denies)


@lru_cache(maxsize=ANSWERS_KEPT_MAX)
def _possible(what: Permitted) -> tuple[frozenset[str], Mapping[str, int]]:
    """The actions that are allowed somewhere, and how many of the others each thing keeps."""
    kept: Counter[str] = Counter()
    possible: set[str] = set()
    for action, said in what.sayings().items():
        keeps = _keeper(said)
        if keeps is None:
            possible.add(action)
        else:
            kept[keeps] += 1
    return frozenset(possible), kept


@lru_cache(maxsize=65_536)
def _keeper(said: Said) -> str | None:
    """What keeps an action from being allowed anywhere; None where it is allowed somewhere."""
    try:
        if somewhere(said) is not None:
            return None
        without = said._replace(denies=frozenset())
        if somewhere(without) is not None:
            return "deny"
        return "boundary" if somewhere(without._replace(boundary=None)) is not None else "session"
    except Undecided:
        return None


def _risk(part: Part, possible: frozenset[str], kept: Mapping[str, int], opening: frozenset[Match]) -> Risk:
    if not possible:
        # A pattern that no known action matches may yet mean one that AWS has added since.
        return Risk.NOTHING if part.meant else Risk.UNKNOWN
    if _everything(part) and not {"boundary", "session"} & kept.keys() and possible >= _IAM:
        return Risk.ADMINISTRATOR
    if any(match in opening for match in part.matches):
        return Risk.ESCALATES
    if possible & SECRETS:
        least = [Risk.SECRETS]
    else:
        least = []
    levels = {level for action in possible if (level := access_level(action)) is not None}
    return gravest([*least, *(_OF_LEVEL[level] for level in levels)] or [Risk.UNKNOWN])


_IAM = frozenset(actions_matching("iam:*"))


def _everything(part: Part) -> bool:
    return (
        part.scope == ALL_OF_IT.scope and not part.all_actions_but and bool({"*", "*:*"} & set(part.actions))
    )


# ---- telling


def told_access(teller: Teller, found: Access, roles: Roles) -> Answer:
    """Everything, as an answer."""
    standing = found.standing
    there = reached(roles, standing)
    teller.learn(_places(found, there))
    denies = standing.permitted.denies
    unknown = (*standing.unknown, Unknown(UnknownKind.RESOURCE_POLICY, "*"))
    boundary = None if standing.principal.entity is None else standing.principal.entity.boundary
    return {
        "principal": standing.caller.arn,
        "account": standing.principal.account_id,
        "at": format_time(standing.world.at),
        "risk": told_risk(found.risk, standing),
        "permissions": [_told_permission(teller, one, denies) for one in found.permissions],
        "denies": [told_part(teller, part) for part in denies],
        "withheld": [_told_permission(teller, one, denies) for one in withheld(standing.permitted)],
        "boundary": None if boundary is None else boundary.policy_arn,
        "always": sorted(NEEDS_NO_PERMISSION),
        "escalations": [told_escalation(teller, one) for one in found.escalations],
        "roles": [_told_reached(teller, one, roles) for one in there],
        "beyond": beyond([standing, *(one.standing for one in there if one.standing is not None)]),
        "unknown": [told_unknown(one) for one in unknown],
    }


def told_part(teller: Teller, part: Part) -> Answer:
    """A statement in its own words, and under which policies it stands."""
    told = part.told
    return {
        "effect": str(part.effect),
        "actions": _listed(told.get("Action")),
        "notActions": _listed(told.get("NotAction")),
        "resources": _listed(told.get("Resource", None if "NotResource" in told else "*")),
        "notResources": _listed(told.get("NotResource")),
        "condition": told.get("Condition"),
        "statements": [teller.statement(match) for match in part.matches],
    }


def told_levels(actions: Iterable[str]) -> dict[str, int]:
    """How many actions there are, by access level; those that the reference does not know under `Unknown`."""
    counted = Counter(str(access_level(action) or "Unknown") for action in actions)
    return {level: counted[level] for level in (*map(str, AccessLevel), "Unknown") if counted[level]}


def told_escalation(teller: Teller, escalation: Escalation) -> Answer:
    way, targets = escalation.way, escalation.targets
    return {
        "name": way.name,
        "does": way.does,
        "actions": [*way.actions, *(" or ".join(group) for group in way.besides)],
        "certain": escalation.certain,
        "targets": [
            {
                "arn": one.arn,
                "certain": one.certain,
                "unknown": [told_unknown(doubt) for doubt in one.unknown],
            }
            for one in targets[:TARGETS_TOLD_MAX]
        ],
        "targetCount": len(targets),
        "statements": [teller.statement(match) for match in escalation.matches],
    }


def _told_permission(teller: Teller, one: Permission, denies: tuple[Part, ...]) -> Answer:
    return {
        "risk": str(one.risk),
        **told_part(teller, one.part),
        "knownActions": told_levels(one.possible),
        "withheld": dict(one.withheld),
        "boundedBy": [_short(match) for part in one.bounded_by for match in part.matches],
        "deniedBy": [denies.index(part) for part in one.denies],
    }


def _short(match: Match) -> Answer:
    source = match.source
    return {
        "policyArn": source.arn,
        "version": source.version,
        "index": match.index,
        "sid": match.sid,
    }


def _told_reached(teller: Teller, one: Reached, roles: Roles) -> Answer:
    return {
        "role": one.role_arn,
        "certain": one.certain,
        "risk": None if one.standing is None else told_risk(plain_risk(one.standing, roles), one.standing),
        "hops": [_told_hop(teller, hop) for hop in one.hops],
    }


def told_risk(risk: Risk, standing: Standing) -> str | None:
    """How grave what a principal may do is; None where nobody told what that is."""
    return None if risk is Risk.NOTHING and standing.unknown else str(risk)


def _told_hop(teller: Teller, hop: Hop) -> Answer:
    decision = hop.judgement.decision
    return {
        "from": hop.source,
        "to": hop.role_arn,
        "certain": hop.certain,
        "unknown": [told_unknown(one) for one in hop.unknown],
        "statements": [teller.statement(match) for match in (*decision.statements, *decision.possible)],
    }


def _places(found: Access, there: list[Reached]) -> set[tuple[str, int]]:
    """The entries behind all that is told, to be read at once."""
    what = found.standing.permitted
    return places_of(_matches(what, found, there))


def _matches(what: Permitted, found: Access, there: list[Reached]) -> Iterator[Match]:
    for part in what.parts:
        yield from part.matches
    for way in found.escalations:
        yield from way.matches
    for one in there:
        for hop in one.hops:
            yield from (*hop.judgement.decision.statements, *hop.judgement.decision.possible)


def _listed(value: Any) -> list[str] | None:
    return None if value is None else list(value) if isinstance(value, list) else [value]
