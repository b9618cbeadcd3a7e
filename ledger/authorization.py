"""The authorization of a call: the decision that was made on it, and all that it takes to make it again.

It stands in the body of the entry (`Draft.authorization`), as canonical JSON that the leaf commits to. Whatever
follows from the log, such as the policies and the tags of the principal, is not in it: that is folded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from ledger.account.account import Account
from ledger.account.entities import Kind, Role, User
from ledger.iam.sessions import Session
from ledger.policy.callers import holder_of
from ledger.policy.decision import (
    SEMANTICS,
    Decision,
    Effect,
    Grant,
    GrantKind,
    Layer,
    Match,
    Source,
    Unknown,
    UnknownKind,
    Verdict,
    Way,
)
from ledger.policy.entitlements import TRUSTING, Entitlement, Entitlements, session_policies, trust_of
from ledger.policy.evaluation import Policies, PolicySet, evaluate
from ledger.policy.request import Caller, CallerKind, Request, account_in, caller_of, request_of
from ledger.policy.session_limits import with_limits
from ledger.record import canonical, format_time, parse_time

Holder = tuple[Kind, str]
"""Whose policies a caller acts with: a user or role by its unique id, or its ARN."""

MFA_OF_ROOT = "mfa"
"""What is missing, beside the layers of policies, where root has an MFA device and did not use it."""

OF_MFA_ITSELF = frozenset(
    {
        "iam:createvirtualmfadevice",
        "iam:enablemfadevice",
        "iam:resyncmfadevice",
        "iam:listmfadevices",
        "iam:listvirtualmfadevices",
        "iam:getmfadevice",
        "sts:getsessiontoken",
    }
)

LAYERS = {layer: place for place, layer in enumerate(Layer)}


class NotAnAuthorization(ValueError):
    """These bytes are no authorization of this version of the rules."""


class Authorization(NamedTuple):
    """`positions` tell the state of each account that was asked: the fold of the entries before that position.

    `context` are the condition keys, in lower case, that came with the call. `session` is the position of the entry,
    in the principal's account, that opened the session which called. `statements` are all that matched, in an order
    of their own: that in which an account keeps its policies is not the same in every process.
    """

    principal: Caller
    holder: Holder | None
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]]
    at: int  # seconds since 1970
    positions: Mapping[str, int]
    session: int | None
    verdict: Verdict
    statements: tuple[Match, ...]
    missing: tuple[str, ...]
    unknown: tuple[Unknown, ...]
    semantics: int = SEMANTICS

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOWED

    def to_document(self) -> dict[str, Any]:
        return {
            "principal": {
                "arn": self.principal.arn,
                "roleArn": self.principal.role_arn,
                "uniqueId": self.principal.unique_id,
                "holder": None if self.holder is None else {"kind": self.holder[0], "id": self.holder[1]},
            },
            "action": self.action,
            "resource": self.resource,
            "context": {key: list(values) for key, values in self.context.items()},
            "at": format_time(self.at),
            "positions": dict(self.positions),
            "session": self.session,
            "decision": str(self.verdict),
            "statements": [_told_match(match) for match in self.statements],
            "missing": list(self.missing),
            "unknown": [{"kind": str(one.kind), "about": one.about} for one in self.unknown],
            "semantics": self.semantics,
        }

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical(self.to_document())

    def around(self) -> tuple[bytes, bytes, bytes]:
        """What stands in `to_bytes` before the positions, between them and the resource, and behind that."""
        begun, rest = self._replace(positions={}, resource="").to_bytes().split(b'"positions":{}')
        between, ended = rest.split(b'"resource":""')
        return begun + b'"positions":', between + b'"resource":', ended

    @staticmethod
    def from_bytes(raw: bytes) -> Authorization:
        """Raises NotAnAuthorization where `to_bytes` would not give the very same bytes."""
        try:
            told = orjson.loads(raw)
            found = _read(told)
            if found.to_bytes() == raw:
                return found
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise NotAnAuthorization(f"no authorization: {error!r}") from error
        raise NotAnAuthorization("no authorization: it has members of another kind")


def semantics_of(raw: bytes) -> int | None:
    """By which version of the rules the decision was made; None where that can't be read."""
    try:
        told = orjson.loads(raw)
    except ValueError:
        return None
    found = told.get("semantics") if isinstance(told, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


class Acting(NamedTuple):
    """Who asks at a second, and by which policies: what is the same whatever they ask, while the account is."""

    caller: Caller
    holder: Holder | None
    session: Session | None
    at: int  # seconds since 1970
    entitlement: Entitlement
    limits: PolicySet | None  # of the session
    policies: Policies  # all of them, but for what a role says of who may assume it
    tags: Mapping[str, tuple[str, ...]]  # condition keys
    unknown: tuple[Unknown, ...]


def acting(
    account: Account,
    caller: Caller,
    holder: Holder | None,
    *,
    at: int,
    session: Session | None = None,
    entitlements: Entitlements | None = None,
) -> Acting:
    """By the account as it stands; `entitlements` remembers policies from one caller and second to the next."""
    found = _acting(account, caller, holder)
    entitlement, unknown = Entitlement(), list[Unknown]()
    if found is not None:
        entitlement = (entitlements or Entitlements()).of(account, found, at)
        unknown += entitlement.unknown
    elif caller.account_id is not None and caller.kind is not CallerKind.ROOT:
        unknown.append(Unknown(UnknownKind.PRINCIPAL, caller.arn))
    limits, untold = _limits(account, caller, session, at)
    return Acting(
        caller,
        holder,
        session,
        at,
        entitlement,
        limits,
        entitlement.policies(limits),
        _tags(found, session),
        (*unknown, *untold),
    )


def authorize(
    account: Account,
    caller: Caller,
    holder: Holder | None,
    action: str,
    resource: str,
    context: Mapping[str, Sequence[str]],
    position: int,
    *,
    at: int,
    session: Session | None = None,
    entitlements: Entitlements | None = None,
    there: tuple[Account, int] | None = None,
) -> Authorization:
    """As `decide`, in a context whose keys are spelt in any case."""
    by = acting(account, caller, holder, at=at, session=session, entitlements=entitlements)
    told = {key.lower(): tuple(values) for key, values in sorted(context.items())}
    return decide(account, by, action, resource, told, position, there=there)


def decide(
    account: Account,
    by: Acting,
    action: str,
    resource: str,
    context: Mapping[str, tuple[str, ...]],
    position: int,
    *,
    there: tuple[Account, int] | None = None,
) -> Authorization:
    """Decide by the account as it was when its log had `position` entries; the keys of the context are in lower case.

    `there` is the same of the account whose role the resource is, where that is another.

    A condition key that is neither in the context nor follows from the caller, the session or the account is absent.
    """
    policies, unknown, positions = by.policies, by.unknown, {account.id: position}
    if action.lower() in TRUSTING:
        whose = account
        if there is not None and account_in(resource) == there[0].id:
            whose, positions[there[0].id] = there
        trust, untold = _trust(whose, resource)
        policies, unknown = by.entitlement.policies(by.limits, trust), unknown + untold
    request = request_of(by.caller, action, resource, {**by.tags, **context} if by.tags else context)
    decision = evaluate(request, policies)
    if decision.allowed and _root_without_mfa(account, request):
        decision = decision._replace(verdict=Verdict.IMPLICIT_DENY, missing=(MFA_OF_ROOT,))
    return Authorization(
        principal=by.caller,
        holder=by.holder,
        action=action,
        resource=resource,
        context=context,
        at=by.at,
        positions=positions,
        session=None if by.session is None else by.session.position,
        verdict=decision.verdict,
        statements=_in_order(decision),
        missing=decision.missing,
        unknown=tuple(sorted({*unknown, *decision.unknown})) if unknown or decision.unknown else (),
    )


def _root_without_mfa(account: Account, request: Request) -> bool:
    """No policy limits root, so this does: once root has an MFA device, nothing goes without it but MFA itself."""
    return (
        request.caller.kind is CallerKind.ROOT
        and bool(account.settings.mfa_devices)
        and request.values.get("aws:multifactorauthpresent") != ("true",)
        and request.action not in OF_MFA_ITSELF
    )


def _acting(account: Account, caller: Caller, holder: Holder | None) -> User | Role | None:
    """The user or role whose policies the caller acts with, if it is of this account and there."""
    if holder is None or caller.account_id != account.id or caller.kind is CallerKind.ROOT:
        return None
    return holder_of(account, holder)


def _tags(found: User | Role | None, session: Session | None) -> dict[str, tuple[str, ...]]:
    """The condition keys that the principal's tags and the session's give."""
    own = {} if found is None else {tag.key: tag.value for tag in found.tags.values()}
    passed = {} if session is None else dict(session.tags)
    return {f"aws:principaltag/{key.lower()}": (value,) for key, value in (own | passed).items()}


def _limits(
    account: Account, caller: Caller, session: Session | None, at: int
) -> tuple[PolicySet | None, tuple[Unknown, ...]]:
    if session is None:
        return None, ()
    passed, unknown = session_policies(
        session.policy,
        session.policy_arns,
        account,
        at,
        session=session.session_arn or caller.arn,
        made_by=(account.id, session.position),
    )
    return with_limits(passed, session.action), unknown


def _trust(account: Account, role_arn: str) -> tuple[PolicySet | None, tuple[Unknown, ...]]:
    role = holder_of(account, (Kind.ROLE, role_arn))
    if not isinstance(role, Role) or role.arn != role_arn:
        return None, (Unknown(UnknownKind.TRUST_POLICY, role_arn),)
    return trust_of(role, account.id)


# ---- the order of statements, and JSON


def _in_order(decision: Decision) -> tuple[Match, ...]:
    told = decision.statements
    if len(told) == 1 and len(told[0].source.ways) < 2:  # as a rule
        return told
    return tuple(sorted(map(_with_ways_in_order, told), key=_place))


def _with_ways_in_order(match: Match) -> Match:
    source = match.source
    if len(source.ways) < 2:
        return match
    return replace(match, source=replace(source, ways=tuple(sorted(source.ways, key=_way))))


def _place(match: Match) -> tuple[Any, ...]:
    source = match.source
    return LAYERS[source.layer], source.arn or "", source.name, [*map(_way, source.ways)], match.index


def _way(way: Way) -> list[tuple[str, str, str, str, int]]:
    return [
        (grant.kind, grant.about, grant.holder, grant.account, -1 if grant.made_by is None else grant.made_by)
        for grant in way
    ]


def _told_match(match: Match) -> dict[str, Any]:
    source = match.source
    return {
        "layer": str(source.layer),
        "policy": source.name,
        "policyArn": source.arn,
        "version": source.version,
        "index": match.index,
        "sid": match.sid,
        "effect": str(match.effect),
        "ways": [[_told_grant(grant) for grant in way] for way in source.ways],
    }


def _told_grant(grant: Grant) -> dict[str, Any]:
    return {
        "kind": str(grant.kind),
        "about": grant.about,
        "holder": grant.holder,
        "account": grant.account,
        "entry": grant.made_by,
    }


def _read(told: Any) -> Authorization:
    who, holder = told["principal"], told["principal"]["holder"]
    return Authorization(
        principal=caller_of(_text(who["arn"]), _optional(who["roleArn"]), _optional(who["uniqueId"])),
        holder=None if holder is None else (Kind(holder["kind"]), _text(holder["id"])),
        action=_text(told["action"]),
        resource=_text(told["resource"]),
        context={key: tuple(map(_text, values)) for key, values in told["context"].items()},
        at=parse_time(told["at"]),
        positions={account: _number(position) for account, position in told["positions"].items()},
        session=None if told["session"] is None else _number(told["session"]),
        verdict=Verdict(told["decision"]),
        statements=tuple(map(_read_match, told["statements"])),
        missing=tuple(map(_text, told["missing"])),
        unknown=tuple(Unknown(UnknownKind(one["kind"]), _text(one["about"])) for one in told["unknown"]),
        semantics=_number(told["semantics"]),
    )


def _read_match(told: Any) -> Match:
    source = Source(
        Layer(told["layer"]),
        _text(told["policy"]),
        _optional(told["policyArn"]),
        _optional(told["version"]),
        tuple(tuple(_read_grants(way)) for way in told["ways"]),
    )
    return Match(source, _number(told["index"]), _optional(told["sid"]), Effect(told["effect"]))


def _read_grants(way: Iterable[Any]) -> Iterable[Grant]:
    for told in way:
        made_by = None if told["entry"] is None else _number(told["entry"])
        about, holder, account = _text(told["about"]), _text(told["holder"]), _text(told["account"])
        yield Grant(GrantKind(told["kind"]), about, holder, account, made_by)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _optional(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no number of entries")
    return value
