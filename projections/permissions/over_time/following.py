"""One principal through time: whoever has the name at each moment, and what its permissions rest on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ledger.account.account import MADE_ID, Account
from ledger.account.entities import Kind, Role, User
from ledger.policy.callers import holder_named
from ledger.policy.request import BadCaller, CallerKind, caller_of
from projections.activity import Activity, Question
from projections.permissions.accounts import Named, PastAccounts
from projections.permissions.naming import Principal, principal_of
from projections.permissions.over_time.courses import Course, Courses
from projections.permissions.over_time.turning import Subject
from projections.sessions import Sessions
from projections.vocabulary import BadFilter, UnknownName

KEY = re.compile(r"(AKIA|ASIA)\w+", re.ASCII)
_UNIQUE_ID = re.compile(r"A(IDA|ROA)\w+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Followed:
    """Whom a question follows: by which name, in which account; the key, where the question named one."""

    account_id: str
    named: tuple[Named, ...]  # the first that was ever there is meant; none for root
    subject: Subject
    access_key: str | None = None


class Following:
    """Finds whom a question names, at whatever time they were there."""

    def __init__(self, past: PastAccounts, sessions: Sessions) -> None:
        self._past = past
        self._sessions = sessions
        self._courses = Courses(past)
        self._activity = Activity(past.log)

    def follow(self, named: str, account_id: str | None) -> Followed:
        """Raises UnknownName where nobody ever had the name, BadFilter where it can't be one."""
        if KEY.fullmatch(named):
            owner, owner_account = self._owner(named)
            return replace(self._named(owner, owner_account), access_key=named)
        return self._named(named, account_id)

    def courses(self, followed: Followed, role_arn: str | None, since: int, until: int) -> dict[str, Course]:
        """What the principal's permissions rest on; with the role, where one is to be assumed."""
        own = list(followed.named)
        found: dict[str, Course] = {}
        if role_arn is not None:
            there = role_arn.split(":")[4]
            if there == followed.account_id:
                own.append((Kind.ROLE, role_arn))
            elif there in self._past.known():
                found[there] = self._courses.about(there, [(Kind.ROLE, role_arn)], since, until)
        return {
            followed.account_id: self._courses.about(followed.account_id, own, since, until),
            **found,
        }

    def _owner(self, key: str) -> tuple[str, str | None]:
        """Whose key it is: of a session whom it acts as, of a lasting one whoever used it, or has it now."""
        opening = self._sessions.opened([key]).get(key)
        if opening is not None and opening.principal_arn is not None:
            return opening.principal_arn, None
        used = self._activity.page(Question(access_key=key, order="oldest", limit=1)).entries
        if used:
            identity = used[0].record.identity
            if identity.kind == "IAMUser" and identity.unique_id is not None:
                return identity.unique_id, used[0].account_id
            if identity.arn is not None:
                return identity.arn, None
        for account_id in sorted(self._past.known()):
            owner = self._past.whole(account_id, self._courses.extent(account_id)[1]).key_owner(key)
            if owner is not None:
                return owner.id if isinstance(owner, User) else f"arn:aws:iam::{account_id}:root", account_id
        raise UnknownName(f"nobody ever used an access key {key!r}, and nobody has it")

    def _named(self, named: str, account_id: str | None) -> Followed:
        if named.startswith("arn:"):
            return self._by_arn(named)
        if account_id is None:
            known = sorted(self._past.known())
            if len(known) != 1:
                raise BadFilter("account", f"the ledger has several; say which: {', '.join(known)}")
            account_id = known[0]
        if named == "root":
            return self._by_arn(f"arn:aws:iam::{account_id}:root")
        kinds = [Kind.USER, Kind.ROLE]
        if _UNIQUE_ID.fullmatch(named):
            kinds = [Kind.USER if named.startswith("AIDA") else Kind.ROLE]
        for kind in kinds:
            if self._ever(account_id, kind, named):
                return _followed(account_id, kind, named)
        raise UnknownName(f"account {account_id} never had a user or a role {named!r}")

    def _by_arn(self, arn: str) -> Followed:
        try:
            caller = caller_of(arn)
        except BadCaller as error:
            raise BadFilter("principal", str(error)) from None
        if caller.account_id is None:
            raise BadFilter("principal", f"{arn!r} is of no account")
        if caller.account_id not in self._past.known():
            raise UnknownName(f"the ledger has no account {caller.account_id!r}")
        if caller.kind is CallerKind.ROOT:
            principal = Principal(caller, None, caller.account_id, None)
            return Followed(caller.account_id, (), Subject(caller.account_id, "root", lambda _: principal))
        holder = holder_named(caller)
        if holder is None:
            raise BadFilter("principal", f"{arn!r} is neither a user nor a role")
        kind, name = holder
        if not self._ever(caller.account_id, kind, name):
            raise UnknownName(f"there never was a {kind} {name!r}")
        return _followed(caller.account_id, kind, name)

    def _ever(self, account_id: str, kind: Kind, name: str) -> bool:
        course = self._courses.about(account_id, [(kind, name)], 0, self._courses.extent(account_id)[1] + 1)
        return any(
            ref_kind is kind and _found(step.after, kind, name) is not None
            for step in course.steps()
            for ref_kind, _ in step.touched
        )


def _followed(account_id: str, kind: Kind, name: str) -> Followed:
    def find(account: Account | None) -> Principal | None:
        found = None if account is None else _found(account, kind, name)
        return None if found is None else principal_of(found, account_id)

    return Followed(account_id, ((kind, name),), Subject(account_id, str(kind), find))


def _found(account: Account, kind: Kind, name: str) -> User | Role | None:
    """Who is called so now: by unique id, by name, or by an ARN, of which a session's has no path."""
    shelf: Mapping[str, User | Role] = account.users if kind is Kind.USER else account.roles
    short = name.rsplit("/", 1)[-1]
    entity = shelf.get(name) or (
        account.user_named(short) if kind is Kind.USER else account.role_named(short)
    )
    if entity is None or (_UNIQUE_ID.fullmatch(name) and entity.id != name):
        return None
    exact = name.startswith("arn:") and not entity.id.startswith(MADE_ID)
    return None if exact and entity.arn != name and f"{kind}/{short}" != name.split(":", 5)[-1] else entity
