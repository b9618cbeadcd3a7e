"""The policies in force for a user or role of an account, each with the grants through which it came.

The same account, the same policies: what is made ready is kept for as long as the entities that it came from are
the same values, so that asking again and again while the account moves on costs little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.entities import (
    Attachment,
    Boundary,
    Group,
    InlinePolicy,
    PolicyDocument,
    PolicyVersion,
    Role,
    User,
)
from ledger.account.managed_policies import doubtful, known_until, managed_policy
from ledger.policy.decision import Grant, GrantKind, Layer, Source, Unknown, UnknownKind, Way
from ledger.policy.document import Policy, compile_policy
from ledger.policy.evaluation import NO_POLICIES, Policies, PolicySet
from ledger.policy.own_password import own_password_policy

AWS_MANAGED = ":iam::aws:policy/"
KEPT_MAX = 50_000
TRUSTING = frozenset(
    {
        "sts:assumerole",
        "sts:assumerolewithsaml",
        "sts:assumerolewithwebidentity",
        "sts:tagsession",
        "sts:setsourceidentity",
    }
)
"""Actions on a role that its trust policy has to allow."""

Holder = User | Role


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a user's or role's own policies are. `unknown` is what nobody told of them."""

    identity: PolicySet = NO_POLICIES
    boundary: PolicySet | None = None
    unknown: tuple[Unknown, ...] = ()
    _alone: Policies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_alone", Policies(self.identity, self.boundary))

    def policies(self, session: PolicySet | None = None, trust: PolicySet | None = None) -> Policies:
        """All that is in force with what limits the session, and for a role what its trust policy says.

        Where there is neither, as a rule, it is the same object, which knows what was asked before.
        """
        if session is None and trust is None:
            return self._alone
        return Policies(self.identity, self.boundary, session, trust, trust=trust is not None)


@dataclass(frozen=True, slots=True)
class _InForce:
    """A managed policy's version in force, and who made it so."""

    version: PolicyVersion
    ways: tuple[Grant, ...]


class Entitlements:
    """Makes policies ready to be asked, and remembers them."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[object, ...], Entitlement]] = {}

    def of(self, account: Account, holder: Holder, at: int) -> Entitlement:
        """The policies in force for a user or role of the account, at a second (which AWS's own depend on)."""
        needed = tuple(rests_on(account, holder, at))
        kept = self._kept.get(holder.id)
        if kept is not None and len(kept[0]) == len(needed) and all(map(_same, kept[0], needed)):
            return kept[1]
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        found = entitlement(account, holder, at)
        self._kept[holder.id] = (needed, found)
        return found


def entitlement(account: Account, holder: Holder, at: int) -> Entitlement:
    """The policies in force for a user or role of the account, at a second."""
    gathering = _Gathering(account, at)
    gathering.take(holder, ())
    if Reason.UNSEEN_CREATION in holder.assumed or Reason.UNSEEN_GRANTS in holder.assumed:
        gathering.unknown[Unknown(UnknownKind.EARLIER_GRANTS, holder.arn)] = None
    if isinstance(holder, User):
        for membership in holder.memberships.values():
            group = account.groups.get(membership.group_id)
            if group is None:
                continue
            joined = Grant(GrantKind.MEMBERSHIP, group.arn, holder.arn, account.id, membership.made_by)
            gathering.take(group, (joined,))
            if Reason.UNSEEN_CREATION in group.assumed:
                gathering.unknown[Unknown(UnknownKind.EARLIER_GRANTS, group.arn)] = None
    own_password = own_password_policy(account, holder)
    boundary = None if holder.boundary is None else gathering.boundary(holder, holder.boundary)
    identity = PolicySet([*gathering.entries(), *own_password])
    return Entitlement(identity, boundary, tuple(gathering.unknown))


def group_policies(account: Account, group: Group, at: int) -> PolicySet:
    """The policies that a group has for its members, whether or not it has any."""
    gathering = _Gathering(account, at)
    gathering.take(group, ())
    return PolicySet(gathering.entries())


def trust_of(role: Role, account_id: str) -> tuple[PolicySet | None, tuple[Unknown, ...]]:
    """A role's trust policy; None and what is not known where no record told its text."""
    if role.trust is None or not isinstance(role.trust.document, Mapping):
        return None, (Unknown(UnknownKind.TRUST_POLICY, role.arn),)
    grant = Grant(GrantKind.TRUST_POLICY, role.arn, role.arn, account_id, role.trust.made_by)
    source = Source(Layer.TRUST, "trust", role.arn, None, ((grant,),))
    return PolicySet([(compile_policy(role.trust.document), source)]), ()


def session_policies(
    document: PolicyDocument | None,
    arns: tuple[str, ...],
    account: Account,
    at: int,
    *,
    session: str,
    made_by: tuple[str, int] | None,
) -> tuple[PolicySet | None, tuple[Unknown, ...]]:
    """The policies that were passed when a session was opened by the entry `made_by`; None where there were none."""
    if document is None and not arns:
        return None, ()
    entries: list[tuple[Policy, Source]] = []
    unknown: list[Unknown] = []
    opener, position = made_by if made_by is not None else (account.id, None)
    if document is not None:
        grant = Grant(GrantKind.SESSION_POLICY, "session:Policy", session, opener, position)
        if isinstance(document, Mapping):
            source = Source(Layer.SESSION, "session:Policy", None, None, ((grant,),))
            entries.append((compile_policy(document), source))
        else:
            unknown.append(Unknown(UnknownKind.SESSION_POLICY, session))
    gathering = _Gathering(account, at)
    for arn in arns:
        grant = Grant(GrantKind.SESSION_POLICY, arn, session, opener, position)
        in_force = gathering.in_force(arn)
        if in_force is not None and isinstance(in_force.version.document, Mapping):
            name = f"session:{arn.rsplit('/', 1)[-1]}"
            source = Source(Layer.SESSION, name, arn, in_force.version.version_id, ((*in_force.ways, grant),))
            entries.append((compile_policy(in_force.version.document), source))
    return PolicySet(entries), (*unknown, *gathering.unknown)


class _Gathering:
    """Policies as they are found, each once, with every way by which it was found."""

    def __init__(self, account: Account, at: int) -> None:
        self._account = account
        self._at = at
        self._found: dict[
            tuple[str, str], tuple[Mapping[str, Any], str, str | None, str | None, list[Way]]
        ] = {}
        self.unknown: dict[Unknown, None] = {}

    def take(self, holder: User | Group | Role, joined: Way) -> None:
        """The inline and attached policies of a holder, which reach the principal by what it joined."""
        for inline in holder.inline.values():
            self._inline(holder, inline, joined)
        for attachment in holder.attached.values():
            self._attached(holder, attachment, joined)

    def entries(self) -> Iterator[tuple[Policy, Source]]:
        for document, name, arn, version, ways in self._found.values():
            source = Source(Layer.IDENTITY, name, arn, version, tuple(ways))
            yield compile_policy(document), source

    def _inline(self, holder: User | Group | Role, inline: InlinePolicy, joined: Way) -> None:
        if not isinstance(inline.document, Mapping):
            self.unknown[Unknown(UnknownKind.POLICY_TEXT, f"{holder.arn} {inline.name}")] = None
            return
        grant = Grant(GrantKind.INLINE_POLICY, inline.name, holder.arn, self._account.id, inline.made_by)
        ways = self._ways((holder.arn, inline.name), inline.document, inline.name, None, None)
        ways.append((grant, *joined))

    def _attached(self, holder: User | Group | Role, attachment: Attachment, joined: Way) -> None:
        arn = attachment.policy_arn
        in_force = self.in_force(arn)
        if in_force is None or not isinstance(in_force.version.document, Mapping):
            return
        grant = Grant(GrantKind.ATTACHMENT, arn, holder.arn, self._account.id, attachment.made_by)
        version = in_force.version
        ways = self._ways(
            ("", arn), in_force.version.document, attachment.policy_name, arn, version.version_id
        )
        ways.append((*in_force.ways, grant, *joined))

    def _ways(
        self,
        key: tuple[str, str],
        document: Mapping[str, Any],
        name: str,
        arn: str | None,
        version: str | None,
    ) -> list[Way]:
        return self._found.setdefault(key, (document, name, arn, version, []))[4]

    def boundary(self, holder: Holder, boundary: Boundary) -> PolicySet:
        """The boundary; one whose text nobody knows permits nothing, and is among what is unknown."""
        arn = boundary.policy_arn
        in_force = self.in_force(arn)
        if in_force is None or not isinstance(in_force.version.document, Mapping):
            return NO_POLICIES
        grant = Grant(GrantKind.BOUNDARY, arn, holder.arn, self._account.id, boundary.made_by)
        source = Source(
            Layer.BOUNDARY, "boundary", arn, in_force.version.version_id, ((*in_force.ways, grant),)
        )
        return PolicySet([(compile_policy(in_force.version.document), source)])

    def in_force(self, arn: str) -> _InForce | None:
        """A managed policy's version in force. What can't be told is noted."""
        policy = self._account.policy(arn)
        if policy is None:
            return self._of_aws(arn)
        version = policy.default_version
        if version is None or not isinstance(version.document, Mapping):
            self.unknown[Unknown(UnknownKind.POLICY_TEXT, arn)] = None
            return None
        account_id = self._account.id
        ways = [Grant(GrantKind.POLICY_VERSION, version.version_id, arn, account_id, version.made_by)]
        if policy.default is not None and policy.default.made_by != version.made_by:
            chosen = policy.default
            ways.append(Grant(GrantKind.DEFAULT_VERSION, chosen.version_id, arn, account_id, chosen.made_by))
        return _InForce(version, tuple(ways))

    def _of_aws(self, arn: str) -> _InForce | None:
        version = managed_policy(arn, self._at) if AWS_MANAGED in arn else None
        if version is None:
            self.unknown[Unknown(UnknownKind.POLICY_TEXT, arn)] = None
            return None
        if doubtful(arn, self._at):
            self.unknown[Unknown(UnknownKind.POLICY_VERSION, arn)] = None
        return _InForce(version, (Grant(GrantKind.POLICY_VERSION, version.version_id, arn, "aws", None),))


def rests_on(account: Account, holder: Holder, at: int) -> Iterator[object]:
    """All values that a holder's policies are made from: where these are the same, so are the policies."""
    yield holder
    if isinstance(holder, User):
        yield account.settings.password_policy
    arns = list(holder.attached)
    if holder.boundary is not None:
        arns.append(holder.boundary.policy_arn)
    if isinstance(holder, User):
        for group_id in holder.memberships:
            group = account.groups.get(group_id)
            yield group
            if group is not None:
                arns += group.attached
    for arn in arns:
        policy = account.policy(arn)
        if policy is not None:
            yield policy
        elif (version := managed_policy(arn, at)) is not None:
            yield from (version, at > known_until())  # with which `doubtful` begins


def _same(one: object, other: object) -> bool:
    return one is other
