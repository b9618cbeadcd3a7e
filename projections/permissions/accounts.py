"""The account as it was at a moment: the whole of it, or as much as a question about one principal needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from ledger.account import codec
from ledger.account.account import MADE_ID, Account
from ledger.account.entities import Entity, Group, Kind, ManagedPolicy, Role, User
from ledger.entry import Entry
from ledger.iam import FOLDED_ACTIONS
from ledger.log import Log
from ledger.log.schema import accounts
from projections.history import account_number, documents_at, entities, entity_ids, versions
from projections.recent import Recent

WHOLE_KEPT_MAX = 4  # accounts; one of 5,000 entities takes some tens of megabytes

Named = tuple[Kind, str]
"""An entity by its kind and its name, its ARN or its unique id."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a second; or, with `step`, the moment within it before that step of the fold."""

    at: int
    step: int | None = None

    def condition(self) -> sa.ColumnElement[bool]:
        v = versions.c
        if self.step is None:
            return v.since <= self.at
        return sa.or_(v.since < self.at, sa.and_(v.since == self.at, v.step < self.step))


class PastAccounts:
    """Accounts at their moments. The runner has caught up before they are asked for."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._whole: Recent[tuple[str, int, int], Account] = Recent(WHOLE_KEPT_MAX)

    def known(self) -> frozenset[str]:
        """The accounts whose logs are here."""
        return frozenset(self.log.account_ids())

    def before(self, entry: Entry) -> Moment:
        """The moment before what the entry itself changed. That it shows somebody at work changes nothing."""
        record = entry.record
        if record.action not in FOLDED_ACTIONS or not record.succeeded:
            return Moment(entry.time)
        v = versions.c
        with self.log.engine.connect() as connection:
            number = account_number(connection, entry.account_id)
            first = connection.execute(
                sa.select(sa.func.min(v.step)).where(
                    v.account == number, v.since == entry.time, v.position == entry.position
                )
            ).scalar()
        return Moment(entry.time, first)

    def whole(self, account_id: str, at: int) -> Account:
        """Every entity at the end of a second."""
        with self.log.engine.connect() as connection:
            number = account_number(connection, account_id)
            head = connection.execute(sa.select(accounts.c.size).where(accounts.c.id == number)).scalar() or 0
            key = (account_id, at, head)
            known = self._whole.get(key)
            if known is not None:
                return known
            found = Account.from_documents(
                account_id,
                (
                    (kind, unique_id, orjson.loads(document))
                    for kind, unique_id, document in documents_at(connection, number, at)
                ),
            )
        self._whole.keep({key: found})
        return found

    def about(self, account_id: str, named: Iterable[Named], moment: Moment) -> Account:
        """The users and roles that are named, with the groups and the customer's policies that they have."""
        with self.log.engine.connect() as connection:
            reading = _Reading(connection, account_id, moment)
            for kind, name in named:
                reading.take(kind, name)
            reading.complete()
            return reading.account


class _Reading:
    """One account, read piece by piece from the versions of its entities."""

    def __init__(self, connection: sa.Connection, account_id: str, moment: Moment) -> None:
        self._connection = connection
        self._number = account_number(connection, account_id)
        self._moment = moment
        self.account = Account.empty(account_id)

    def take(self, kind: Kind, name: str) -> None:
        """The entity of that name, ARN or unique id, if there is one."""
        ids = self._connection.scalars(entity_ids(self._number, str(kind), name)).all()
        self._put(entity for entity in self._current(ids) if _is_called(entity, name))

    def complete(self) -> None:
        """What the users and roles that were taken have."""
        users = list(self.account.users.values())
        groups = {group_id for user in users for group_id in user.memberships}
        self._put(self._current(self._by_unique_id(Kind.GROUP, groups)))
        if users:  # the password policy may let them change their own
            self._put(self._current(self._by_unique_id(Kind.SETTINGS, {self.account.id})))
        holders: list[User | Role | Group] = [
            *users,
            *self.account.roles.values(),
            *self.account.groups.values(),
        ]
        arns = {arn for holder in holders for arn in holder.attached}
        arns |= {
            holder.boundary.policy_arn
            for holder in holders
            if not isinstance(holder, Group) and holder.boundary is not None
        }
        self._put(self.policies(arns))

    def policies(self, arns: Collection[str]) -> Iterator[Entity]:
        """The policies of these ARNs that the account keeps: the customer's, and what a snapshot told of AWS's own."""
        names = sorted({arn.rsplit("/", 1)[-1].casefold() for arn in arns})
        if not names:
            return
        e, v = entities.c, versions.c
        query = sa.select(v.entity).where(v.account == self._number, v.folded_name.in_(names))
        kept = sa.select(e.id).where(e.account == self._number, e.kind == str(Kind.POLICY), e.id.in_(query))
        for entity in self._current(set(self._connection.scalars(kept))):
            if isinstance(entity, ManagedPolicy) and entity.arn in arns:
                yield entity

    def _by_unique_id(self, kind: Kind, unique_ids: Collection[str]) -> set[int]:
        if not unique_ids:
            return set()
        e = entities.c
        query = sa.select(e.id).where(
            e.account == self._number, e.kind == str(kind), e.unique_id.in_(sorted(unique_ids))
        )
        return set(self._connection.scalars(query))

    def _current(self, ids: Collection[int]) -> Iterator[Entity]:
        """What these entities were at the moment, as far as they were there."""
        if not ids:
            return
        e, v = entities.c, versions.c
        current = (
            sa.select(v.document)
            .where(v.entity == e.id, self._moment.condition())
            .order_by(v.since.desc(), v.step.desc())
            .limit(1)
            .scalar_subquery()
        )
        query = sa.select(e.kind, current).where(e.id.in_(sorted(ids)))
        for kind, document in self._connection.execute(query).all():
            if document is not None:
                yield codec.from_document(Kind(kind), orjson.loads(document))

    def _put(self, found: Iterable[Entity]) -> None:
        for entity in found:
            self.account = self.account.put(entity)


def _is_called(entity: Entity, name: str) -> bool:
    """Whether it has the name now; an id that was made up here yields to the real one of a namesake."""
    told = getattr(entity, "name", "")
    same = name in (entity.id, getattr(entity, "arn", None)) or told.casefold() == name.casefold()
    return same or (entity.id.startswith(MADE_ID) and name.startswith("arn:") and name.endswith(f"/{told}"))
