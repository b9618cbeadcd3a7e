"""What came of a key, a session or a principal: what it created, what those went on to create, what is left of it.

Every part of the account remembers the entry that made it, so what an entry made is found by looking for that
entry in the versions it brought about, and what is left of it by looking for it in the account as it is now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ledger.log import Log
from ledger.log.schema import HAS_RECORD, accounts, entries, principals, strings
from ledger.record import format_time
from projections import vocabulary
from projections.attribution import key_numbers
from projections.history import History, Version, versions
from projections.lines import ref
from projections.refolding import action_numbers
from projections.sessions import Sessions
from projections.vocabulary import UnknownName

Answer = dict[str, Any]

# Where an entity's document keeps its parts, what such a part is, and what it is called by.
PARTS: Mapping[str, tuple[str, str]] = {
    "AccessKeys": ("access-key", "AccessKeyId"),
    "MFADevices": ("mfa-device", "SerialNumber"),
    "AttachedManagedPolicies": ("attachment", "PolicyArn"),
    "UserPolicyList": ("inline-policy", "PolicyName"),
    "GroupPolicyList": ("inline-policy", "PolicyName"),
    "RolePolicyList": ("inline-policy", "PolicyName"),
    "Memberships": ("membership", "GroupName"),
    "PolicyVersionList": ("policy-version", "VersionId"),
    "Roles": ("role-in-profile", "RoleName"),
    "ClientIDList": ("client-id", "ClientID"),
    "Credentials": ("credential", "Id"),
    "Preferences": ("preference", "Name"),
}
SINGLE_PARTS: Mapping[str, tuple[str, str]] = {
    "PermissionsBoundary": ("boundary", "PermissionsBoundaryArn"),
    "PasswordPolicy": ("password-policy", ""),
    "AccountAlias": ("alias", "AccountAlias"),
    "LoginProfile": ("login-profile", ""),
}
MARKS: Mapping[str, str] = {
    "AssumeRolePolicyMadeBy": "trust-policy",
    "DefaultVersionMadeBy": "default-version",
    "MetadataMadeBy": "metadata",
    "ThumbprintsMadeBy": "thumbprints",
}
DOERS = ("user", "role", "access-key")


@dataclass(frozen=True, slots=True)
class Part:
    """Something that an entry made: the entity itself (`name` is empty), or a part of it."""

    kind: str
    name: str
    made_by: int


@dataclass(slots=True)
class _Doer:
    """Whose calls are looked at: by principal numbers, by access keys, or by both."""

    principals: set[int] = field(default_factory=set)
    keys: set[int] = field(default_factory=set)


def parts_of(version: Version) -> Iterator[Part]:
    """Every part of an entity whose maker is known."""
    document = version.document or {}
    if isinstance(made_by := document.get("CreatedBy"), int):
        yield Part(version.kind, "", made_by)
    for member, kind in MARKS.items():
        if isinstance(made_by := document.get(member), int):
            yield Part(kind, "", made_by)
    for member, (kind, called) in SINGLE_PARTS.items():
        part = document.get(member)
        if isinstance(part, Mapping):
            yield from _marks(part, kind, str(part.get(called, "")))
    for member, (kind, called) in PARTS.items():
        for part in document.get(member) or ():
            yield from _marks(
                part, kind, str(part.get(called) or part.get("GroupId") or part.get("RoleId") or "")
            )


def _marks(part: Mapping[str, Any], kind: str, name: str) -> Iterator[Part]:
    if isinstance(made_by := part.get("MadeBy"), int):
        yield Part(kind, name, made_by)
    if isinstance(made_by := part.get("StatusMadeBy"), int) and made_by != part.get("MadeBy"):
        yield Part(f"{kind}-status", name, made_by)
    if isinstance(made_by := part.get("PasswordMadeBy"), int) and made_by != part.get("MadeBy"):
        yield Part("password", name, made_by)


def lineage(
    log: Log,
    history: History,
    sessions: Sessions,
    named: str,
    *,
    since: int | None = None,
    until: int | None = None,
) -> Answer:
    """Everything a key, session or principal made and changed, and so on. Raises UnknownName."""
    with log.engine.connect() as connection:
        tracing = _Tracing(log, history, sessions, connection, since, until)
        doer = tracing.resolve(named)
        if not doer.principals and not doer.keys:
            raise UnknownName(
                f"nobody called {named!r} is in the ledger: no principal, session or access key"
            )
        made, changed = tracing.follow(doer)
        return {
            "root": {"name": named, **tracing.use(doer)},
            "made": made,
            "changed": changed,
        }


class _Tracing:
    def __init__(
        self,
        log: Log,
        history: History,
        sessions: Sessions,
        connection: sa.Connection,
        since: int | None,
        until: int | None,
    ) -> None:
        self.log, self.history, self.sessions, self.connection = log, history, sessions, connection
        self.since, self.until = since, until
        self._actions = action_numbers(connection)
        self._followed: set[tuple[str, int]] = set()
        self._versions: dict[tuple[str, str, str], list[Version]] = {}

    def resolve(self, named: str) -> _Doer:
        """Who goes by the name: an access key, a session's ARN, a principal's ARN, id or name."""
        doer = _Doer()
        keys = vocabulary.keys(self.connection, named)
        if keys:
            doer.keys = keys | self._keys_from([named])
            return doer
        if ":assumed-role/" in named or ":federated-user/" in named:
            found = vocabulary.identities_of_session(self.connection, named)
            e = entries.c
            query = (
                sa.select(e.access_key)
                .distinct()
                .where(e.principal.in_(set(found.values())), e.identity.in_(list(found)))
                .where(e.access_key.is_not(None))
            )
            doer.keys = set(self.connection.scalars(query))
            doer.keys |= self._keys_from(self._key_names(doer.keys))
            return doer
        self._add_principals(doer, vocabulary.principals_named(self.connection, named))
        return doer

    def _add_principals(self, doer: _Doer, numbers: set[int]) -> None:
        doer.principals |= numbers
        ids = self.connection.scalars(
            sa.select(principals.c.unique_id).where(principals.c.id.in_(numbers)).distinct()
        )
        opened = [
            one for unique_id in ids if unique_id for one in self.sessions.opened_by_principal(unique_id)
        ]
        names = [one.access_key for one in opened]
        doer.keys |= set(key_numbers(self.connection, names).values()) | self._keys_from(names)

    def _keys_from(self, names: list[str]) -> set[int]:
        descendants = self.sessions.descendants(names)
        return set(key_numbers(self.connection, [one.access_key for one in descendants]).values())

    def _key_names(self, numbers: set[int]) -> list[str]:
        return list(self.connection.scalars(sa.select(strings.c.text).where(strings.c.id.in_(numbers))))

    def follow(self, doer: _Doer) -> tuple[list[Answer], list[Answer]]:
        """What these callers made, with what came of that, and what else they changed."""
        made: list[Answer] = []
        changed: list[Answer] = []
        for account_id in self.log.account_ids():
            positions = [
                position
                for position in self._changes(account_id, doer)
                if (account_id, position) not in self._followed
            ]
            self._followed.update((account_id, position) for position in positions)
            refs = {entry.position: ref(entry) for entry in self.log.entries_at(account_id, positions)}
            for version in self.history.made_by(account_id, positions):
                new = [part for part in parts_of(version) if part.made_by == version.position]
                for part in new:
                    made.append(self._made(account_id, version, part, refs))
                if not new:
                    changed.append(
                        {
                            "kind": version.kind,
                            "name": version.name,
                            "id": version.unique_id,
                            "change": "deleted" if version.document is None else "changed",
                            "entry": refs[version.position],
                        }
                    )
        for one in made:
            if one["kind"] in DOERS:
                child = self._child(one)
                one.update(self.use(child))
                one["made"], more = self.follow(child)
                changed.extend(more)
        return made, changed

    def _child(self, one: Answer) -> _Doer:
        doer = _Doer()
        if one["kind"] == "access-key":
            doer.keys = vocabulary.keys(self.connection, one["part"]) | self._keys_from([one["part"]])
        else:
            self._add_principals(doer, vocabulary.principals_named(self.connection, one["id"]))
        return doer

    def _made(self, account_id: str, version: Version, part: Part, refs: dict[int, Answer]) -> Answer:
        later = self._later(account_id, version)
        ended = next((one for one in later if part not in set(parts_of(one))), None)
        ending = list(self.log.entries_at(account_id, [ended.position])) if ended is not None else []
        document = version.document or {}
        return {
            "kind": part.kind,
            "name": version.name if not part.name else f"{version.name}/{part.name}",
            "of": version.kind,
            "id": version.unique_id,
            "part": part.name or None,
            "account": account_id,
            "entry": refs[version.position],
            "exists": ended is None,
            "endedBy": ref(ending[0]) if ending else None,
            "assumed": document.get("Assumed", []),
            "made": [],
        }

    def _later(self, account_id: str, version: Version) -> list[Version]:
        known = (account_id, version.kind, version.unique_id)
        if known not in self._versions:
            found = self.history.named(account_id, version.kind, version.unique_id)
            self._versions[known] = found[0] if found else []
        every = self._versions[known]
        return every[every.index(version) + 1 :]

    def _changes(self, account_id: str, doer: _Doer) -> list[int]:
        """The positions of the calls by these callers that changed the account."""
        e, v = entries.c, versions.c
        query = (
            sa.select(e.position)
            .join(accounts, accounts.c.id == e.account)
            .where(
                accounts.c.account_id == account_id,
                self._by(doer),
                e.action.in_(self._actions),
                sa.exists().where(v.account == e.account, v.position == e.position, v.since == e.time),
            )
            .order_by(e.time, e.position)
        )
        if self.since is not None:
            query = query.where(e.time >= self.since)
        if self.until is not None:
            query = query.where(e.time < self.until)
        return list(self.connection.scalars(query))

    def use(self, doer: _Doer) -> Answer:
        """How many calls these callers made, and when."""
        e = entries.c
        row = self.connection.execute(
            sa.select(sa.func.count(), sa.func.min(e.time), sa.func.max(e.time)).where(
                self._by(doer), HAS_RECORD
            )
        ).one()
        return {
            "calls": row[0],
            "firstUsed": format_time(row[1]) if row[0] else None,
            "lastUsed": format_time(row[2]) if row[0] else None,
        }

    @staticmethod
    def _by(doer: _Doer) -> sa.ColumnElement[bool]:
        e = entries.c
        return sa.or_(e.principal.in_(sorted(doer.principals)), e.access_key.in_(sorted(doer.keys)))
