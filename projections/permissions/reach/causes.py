"""Which entry gave somebody a statement, and which took it away, in an interval of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ledger.account.entities import Kind
from ledger.policy.decision import Grant, GrantKind, Match, Way
from ledger.record import format_time
from projections.history import History, Version
from projections.permissions.telling import Answer, Teller

Document = Mapping[str, Any]
Holds = Callable[[Document], bool]

_INLINE = ("UserPolicyList", "GroupPolicyList", "RolePolicyList")
_KINDS = {"user": Kind.USER, "group": Kind.GROUP, "role": Kind.ROLE, "policy": Kind.POLICY}


class Causes:
    """Looks for the entries of one account between two moments, the first excluded."""

    def __init__(self, history: History, teller: Teller, account_id: str, since: int, until: int) -> None:
        self._history = history
        self._teller = teller
        self._account_id = account_id
        self._since, self._until = since, until
        self._versions: dict[tuple[str, str], list[Version]] = {}

    def came(self, matches: Iterable[Match]) -> Answer | None:
        """The entry that completed the first way by which the statements came; None where none is known to have."""
        completed = [when for match in matches for way in match.source.ways if (when := self._completed(way))]
        return self._told(min(completed)[1]) if completed else None

    def went(self, matches: Iterable[Match]) -> Answer | None:
        """The entry that ended the last way by which the statements came; None where none is known to have."""
        ended = [when for match in matches for way in match.source.ways if (when := self._ended(way))]
        return self._told(max(ended)[1]) if ended else None

    def boundary(self, holder_arn: str, policy_arns: Iterable[str]) -> Answer | None:
        """The last entry that changed what bounds somebody: the boundary itself, or the text of its policy."""
        found = [
            *self._changes(holder_arn, _boundary),
            *(
                one
                for arn in policy_arns
                for one in self._changes(arn, lambda document: document.get("DefaultVersionId"))
            ),
        ]
        return self._told(max(found)[1]) if found else None

    def trust(self, role_arn: str) -> Answer | None:
        """The last entry that changed a role's trust policy, or made or ended the role."""
        found = self._changes(role_arn, lambda document: document.get("AssumeRolePolicyDocument"))
        return self._told(max(found)[1]) if found else None

    def profile(self, name: str, role_id: str) -> Answer | None:
        """The last entry that put a role into an instance profile or took it out."""
        found = self._changes_of(
            Kind.INSTANCE_PROFILE,
            name,
            lambda document: any(one.get("RoleId") == role_id for one in document.get("Roles") or ()),
        )
        return self._told(max(found)[1]) if found else None

    def _told(self, position: int) -> Answer:
        return self._teller.entry(self._account_id, position)

    def _completed(self, way: Way) -> tuple[int, int] | None:
        """When the last grant of a way was made, if that was in the interval."""
        times = [when for grant in way if (when := self._made(grant)) is not None]
        return max(times) if times else None

    def _made(self, grant: Grant) -> tuple[int, int] | None:
        if grant.made_by is None:
            return None
        told = self._teller.entry(grant.account, grant.made_by)["eventTime"]
        within = told is not None and format_time(self._since) < told <= format_time(self._until)
        if not within:
            return None
        found = [one for one in self._of(grant) if one.position == grant.made_by]
        return (found[0].since, grant.made_by) if found else (self._until, grant.made_by)

    def _ended(self, way: Way) -> tuple[int, int] | None:
        """When the first grant of a way was no more."""
        ends = []
        for grant in way:
            holds = _holding(grant)
            for version in self._of(grant) if holds is not None else ():
                assert holds is not None
                if self._within(version) and (version.document is None or not holds(version.document)):
                    ends.append((version.since, version.position))
                    break
        return min(ends) if ends else None

    def _changes(self, arn: str, of: Callable[[Document], object]) -> list[tuple[int, int]]:
        kind = _kind(arn)
        return [] if kind is None else self._changes_of(kind, arn, of)

    def _changes_of(self, kind: Kind, name: str, of: Callable[[Document], object]) -> list[tuple[int, int]]:
        """The versions in the interval in which something is not what it was in the version before."""
        found, before = [], None
        for version in self._named(kind, name):
            now = None if version.document is None else of(version.document)
            if self._within(version) and now != before:
                found.append((version.since, version.position))
            before = now
        return found

    def _of(self, grant: Grant) -> list[Version]:
        kind = _kind(grant.holder)
        return [] if kind is None else self._named(kind, grant.holder)

    def _named(self, kind: Kind, name: str) -> list[Version]:
        key = (str(kind), name)
        if key not in self._versions:
            found = self._history.named(self._account_id, str(kind), name)
            self._versions[key] = [version for one in found for version in one]
        return self._versions[key]

    def _within(self, version: Version) -> bool:
        return self._since < version.since <= self._until


def _kind(arn: str) -> Kind | None:
    """The kind of entity that an ARN of IAM names; AWS's own policies have no history here."""
    if ":iam::aws:" in arn:
        return None
    return _KINDS.get(arn.split(":", 5)[-1].partition("/")[0])


def _holding(grant: Grant) -> Holds | None:
    """Whether the grant is still there in a version of its holder; None where that can't be seen."""
    about, made_by = grant.about, grant.made_by
    match grant.kind:
        case GrantKind.MEMBERSHIP:
            name = about.rsplit("/", 1)[-1]
            return lambda document: name in (document.get("GroupList") or ())
        case GrantKind.ATTACHMENT:
            return lambda document: any(
                one.get("PolicyArn") == about for one in document.get("AttachedManagedPolicies") or ()
            )
        case GrantKind.INLINE_POLICY:
            return lambda document: any(
                one.get("PolicyName") == about and one.get("MadeBy") == made_by
                for name in _INLINE
                for one in document.get(name) or ()
            )
        case GrantKind.POLICY_VERSION | GrantKind.DEFAULT_VERSION:
            return lambda document: document.get("DefaultVersionId") == about
    return None


def _boundary(document: Document) -> object:
    return (document.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
