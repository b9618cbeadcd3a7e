"""The course of an account: how it was at first, and step by step what entries made of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.account import codec
from ledger.account.account import Account
from ledger.account.entities import Entity, Group, Kind, Ref, Role, User
from ledger.log import Log
from ledger.log.rows import among
from ledger.log.schema import entries
from projections.history import account_number, entities, entity_ids, versions
from projections.permissions.accounts import Named, PastAccounts

PERMITTING = (Kind.USER, Kind.GROUP, Kind.ROLE, Kind.POLICY, Kind.SETTINGS)
"""What permissions rest on."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one entry changed, and the account before and after it."""

    time: int
    position: int
    before: Account
    after: Account
    touched: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    time: int
    position: int
    kind: Kind
    unique_id: str
    document: bytes | None

    @property
    def entry(self) -> tuple[int, int]:
        return self.time, self.position


class Course:
    """One account from a second on. `steps` can be walked once."""

    def __init__(self, start: Account, changes: Iterable[_Change]) -> None:
        self.start = start
        self._changes = changes

    def steps(self) -> Iterator[Step]:
        account = self.start
        for (time, position), made in groupby(self._changes, key=lambda change: change.entry):
            before, touched = account.settled(), []
            account = before
            for change in made:
                touched.append((change.kind, change.unique_id))
                if change.document is None:
                    account = account.drop(change.kind, change.unique_id)
                else:
                    account = account.put(codec.from_document(change.kind, orjson.loads(change.document)))
            yield Step(time, position, before, account, tuple(touched))


class Courses:
    """Courses of the accounts of one ledger. The runner has caught up before they are asked for."""

    def __init__(self, past: PastAccounts) -> None:
        self._past = past
        self._log: Log = past.log

    def whole(self, account_id: str, since: int, until: int) -> Course:
        """All that permissions rest on; steps from `since` on, up to and without `until`."""
        start = self._past.whole(account_id, since - 1)
        if until <= since:
            return Course(start, ())
        v, e = versions.c, entities.c
        with self._log.engine.connect() as connection:
            query = (
                _of_steps()
                .where(
                    v.account == account_number(connection, account_id),
                    v.since >= since,
                    v.since < until,
                    e.kind.in_([str(kind) for kind in PERMITTING]),
                )
                .order_by(v.since, v.step)
            )
            found = [_change(row) for row in connection.execute(query)]
        return Course(start, found)

    def about(self, account_id: str, named: Collection[Named], since: int, until: int) -> Course:
        """The users and roles that are ever called so, and what their permissions ever rested on until then."""
        with self._log.engine.connect() as connection:
            gathering = _Gathering(connection, account_id, until)
            for kind, name in named:
                gathering.take(kind, name)
            gathering.complete()
        found = sorted(gathering.found, key=lambda row: (row.since, row.step))
        start = Account.empty(account_id)
        for row in found:
            if row.since < since:
                kind = Kind(row.kind)
                if row.document is None:
                    start = start.drop(kind, row.unique_id)
                else:
                    start = start.put(codec.from_document(kind, orjson.loads(row.document)))
        return Course(start, [_change(row) for row in found if row.since >= since])

    def extent(self, account_id: str) -> tuple[int, int]:
        """The first second of which the account's versions tell, and the last of its log; zeros where there are none."""
        v, e = versions.c, entries.c
        with self._log.engine.connect() as connection:
            number = account_number(connection, account_id)
            first = sa.select(v.since).where(v.account == number).order_by(v.since).limit(1)
            last = sa.select(e.time).where(e.account == number).order_by(e.time.desc()).limit(1)
            return connection.execute(first).scalar() or 0, connection.execute(last).scalar() or 0


class _Gathering:
    """The versions of a few entities, and of what they ever referred to."""

    def __init__(self, connection: sa.Connection, account_id: str, until: int) -> None:
        self._connection = connection
        self._number = account_number(connection, account_id)
        self._until = until
        self._taken: set[int] = set()
        self.found: list[sa.Row[Any]] = []

    def take(self, kind: Kind, name: str) -> None:
        self._read(set(self._connection.scalars(entity_ids(self._number, str(kind), name))))

    def complete(self) -> None:
        """What they referred to: groups first, for these have policies too. Users also have the account's settings."""
        users = [entity for entity in self._entities() if isinstance(entity, User)]
        groups = {group for user in users for group in user.memberships}
        e, v = entities.c, versions.c
        of_kind = sa.select(e.id).where(e.account == self._number)
        if users:
            settings = of_kind.where(e.kind == str(Kind.SETTINGS))
            self._read(set(self._connection.scalars(settings)))
        if groups:
            of_groups = of_kind.where(e.kind == str(Kind.GROUP), e.unique_id.in_(sorted(groups)))
            self._read(set(self._connection.scalars(of_groups)))
        arns: set[str] = set()
        for entity in self._entities():
            if isinstance(entity, User | Role | Group):
                arns.update(entity.attached)
            if isinstance(entity, User | Role) and entity.boundary is not None:
                arns.add(entity.boundary.policy_arn)
        names = sorted({arn.rsplit("/", 1)[-1].casefold() for arn in arns})
        if names:
            so_named = sa.select(v.entity).where(v.account == self._number, v.folded_name.in_(names))
            of_policies = of_kind.where(e.kind == str(Kind.POLICY), e.id.in_(so_named))
            self._read(set(self._connection.scalars(of_policies)))

    def _read(self, ids: set[int]) -> None:
        fresh = ids - self._taken
        if fresh:
            self._taken |= fresh
            v = versions.c
            query = _of_steps().where(among(self._connection, v.entity, fresh), v.since < self._until)
            self.found += self._connection.execute(query).all()

    def _entities(self) -> Iterator[Entity]:
        for row in self.found:
            if row.document is not None:
                yield codec.from_document(Kind(row.kind), orjson.loads(row.document))


def _of_steps() -> sa.Select[Any]:
    v, e = versions.c, entities.c
    return sa.select(v.since, v.step, v.position, v.document, e.kind, e.unique_id).join(
        entities, e.id == v.entity
    )


def _change(row: sa.Row[Any]) -> _Change:
    return _Change(row.since, row.position, Kind(row.kind), row.unique_id, row.document)
