"""Every entity's versions by time: the account or one entity at any T, and the difference of two times.

Each state that an entity was ever in is a row, which `projections.refolding` writes. What the account looked like at
T is then one look-up an entity, however long its history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.log import Log
from ledger.log.schema import accounts
from ledger.record import format_time
from projections.runner import metadata

LOAD_PAGE = 5_000
GONE = "deleted"  # the kind of what only reminds the fold of an id that was

entities = sa.Table(
    "history_entities",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("unique_id", sa.Text, nullable=False),
    sa.UniqueConstraint("account", "kind", "unique_id"),
)

versions = sa.Table(
    "history_versions",
    metadata,
    sa.Column("entity", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False, comment="seconds since 1970"),
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False, comment="order within the second"),
    sa.Column("account", sa.Integer, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False, comment="of the entry that made this version"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("folded_name", sa.Text, nullable=False, comment="names differ in more than case"),
    sa.Column("document", sa.LargeBinary, comment="JSON; none where the entity is gone"),
    sqlite_with_rowid=False,
)
sa.Index("history_versions_time", versions.c.account, versions.c.since)
sa.Index("history_versions_name", versions.c.account, versions.c.folded_name)

sightings = sa.Table(
    "history_sightings",
    metadata,
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("principal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("access_key", sa.Integer, primary_key=True, autoincrement=False, comment="0: none that lasts"),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    comment="the first time each principal of the account, and each lasting key, is seen at work",
)

STATE_KEYS = {
    "user": "users",
    "group": "groups",
    "role": "roles",
    "policy": "policies",
    "instance-profile": "instanceProfiles",
    "mfa-device": "mfaDevices",
    "saml-provider": "samlProviders",
    "oidc-provider": "openIDConnectProviders",
    "server-certificate": "serverCertificates",
    "workload": "workloads",
    "settings": "settings",
}


@dataclass(frozen=True, slots=True)
class Version:
    """An entity as it was from `since` on; `document` is None where it was gone."""

    kind: str
    unique_id: str
    name: str
    since: int
    position: int
    document: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """An entity that is not the same at two times."""

    kind: str
    unique_id: str
    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    positions: tuple[int, ...]  # the entries that made it, in order of time

    @property
    def change(self) -> str:
        if self.before is None:
            return "created"
        return "deleted" if self.after is None else "changed"


class History:
    """The questions about the account at a time. The runner has caught up before they are asked."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def state_bytes(self, account_id: str, at: int) -> bytes:
        """The whole account at a time as JSON, members named as GetAccountAuthorizationDetails names them."""
        members: dict[str, list[bytes]] = {key: [] for key in STATE_KEYS.values()}
        with self.log.engine.connect() as connection:
            account = account_number(connection, account_id)
            for kind, _, document in documents_at(connection, account, at):
                if kind in STATE_KEYS:
                    members[STATE_KEYS[kind]].append(document)
        settings = members.pop("settings")
        lists = b",".join(
            b'"%s":[%s]' % (key.encode(), b",".join(documents)) for key, documents in members.items()
        )
        return b'{"account":"%s","at":"%s",%s,"settings":%s}' % (
            account_id.encode(),
            format_time(at).encode(),
            lists,
            settings[0] if settings else b"{}",
        )

    def entity(self, account_id: str, kind: str, name: str, at: int) -> dict[str, Any] | None:
        """The entity of that name, ARN or unique id at a time; None where there was none."""
        v, e = versions.c, entities.c
        with self.log.engine.connect() as connection:
            ids = list(connection.scalars(entity_ids(account_number(connection, account_id), kind, name)))
            for entity in ids:
                query = (
                    sa.select(versions, e.kind, e.unique_id)
                    .join(entities, e.id == v.entity)
                    .where(v.entity == entity, v.since <= at)
                    .order_by(v.since.desc(), v.step.desc())
                    .limit(1)
                )
                row = connection.execute(query).first()
                if row is not None and row.document is not None and _called(_version(row), name):
                    return _version(row).document
        return None

    def named(self, account_id: str, kind: str, name: str) -> list[list[Version]]:
        """Every entity that ever had the name (or has the ARN or unique id), with all its versions."""
        with self.log.engine.connect() as connection:
            e, v = entities.c, versions.c
            ids = entity_ids(account_number(connection, account_id), kind, name)
            query = (
                sa.select(versions, e.kind, e.unique_id)
                .join(entities, e.id == v.entity)
                .where(v.entity.in_(ids))
                .order_by(v.entity, v.since, v.step)
            )
            found: dict[int, list[Version]] = {}
            for row in connection.execute(query):
                found.setdefault(row.entity, []).append(_version(row))
        return sorted(found.values(), key=lambda one: one[0].since)

    def differences(self, account_id: str, since: int, until: int) -> list[Difference]:
        """What differs between the account at `since` and at `until`, with the entries in between."""
        with self.log.engine.connect() as connection:
            account = account_number(connection, account_id)
            v, e = versions.c, entities.c
            rows = connection.execute(
                sa.select(versions, e.kind, e.unique_id)
                .join(entities, e.id == v.entity)
                .where(v.account == account, v.since > since, v.since <= until, e.kind != GONE)
                .order_by(v.entity, v.since, v.step)
            ).all()
            changed: dict[int, list[Version]] = {}
            for row in rows:
                changed.setdefault(row.entity, []).append(_version(row))
            before = dict(_documents_before(connection, account, since, list(changed)))
        found = []
        for entity, made in changed.items():
            old = orjson.loads(raw) if (raw := before.get(entity)) is not None else None
            if old != made[-1].document:
                found.append(
                    Difference(
                        kind=made[-1].kind,
                        unique_id=made[-1].unique_id,
                        name=made[-1].name,
                        before=old,
                        after=made[-1].document,
                        positions=tuple(dict.fromkeys(version.position for version in made)),
                    )
                )
        found.sort(key=lambda one: (one.positions[0], one.kind, one.name))
        return found

    def changes_by(self, account_id: str, position: int) -> list[Difference]:
        """What one entry changed: each entity just before it and just after."""
        found: list[Difference] = []
        for made in self.made_by(account_id, [position]):
            before = None
            for one in self.named(account_id, made.kind, made.unique_id):
                for version in one:
                    if version == made:
                        break
                    before = version.document
            found.append(Difference(made.kind, made.unique_id, made.name, before, made.document, (position,)))
        return found

    def made_by(self, account_id: str, positions: Sequence[int]) -> list[Version]:
        """The versions that these entries made."""
        with self.log.engine.connect() as connection:
            account = account_number(connection, account_id)
            v, e = versions.c, entities.c
            found: list[Version] = []
            for start in range(0, len(positions), LOAD_PAGE):
                query = (
                    sa.select(versions, e.kind, e.unique_id)
                    .join(entities, e.id == v.entity)
                    .where(
                        v.account == account,
                        v.position.in_(positions[start : start + LOAD_PAGE]),
                        e.kind != GONE,
                    )
                    .order_by(v.since, v.step)
                )
                found.extend(_version(row) for row in connection.execute(query))
        return found


def entity_ids(account: int, kind: str, name: str) -> sa.CompoundSelect[int]:
    """The entities that ever had the name, or have the ARN or unique id."""
    e, v = entities.c, versions.c
    short = name.rsplit("/", 1)[-1] if name.startswith("arn:") else name
    return sa.union(
        sa.select(e.id).where(e.account == account, e.kind == kind, e.unique_id == name),
        sa.select(v.entity)
        .join(entities, e.id == v.entity)
        .where(v.account == account, v.folded_name == short.casefold(), e.kind == kind),
    )


def documents_at(connection: sa.Connection, account: int, at: int) -> Iterator[tuple[str, str, bytes]]:
    """Kind, unique id and document of every entity that was there: one look-up an entity."""
    v = versions.c
    current = (
        sa.select(v.document)
        .where(v.entity == entities.c.id, v.since <= at)
        .order_by(v.since.desc(), v.step.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        sa.select(entities.c.kind, entities.c.unique_id, current)
        .where(entities.c.account == account)
        .order_by(entities.c.kind, entities.c.unique_id)
    )
    for kind, unique_id, document in connection.execute(query):
        if document is not None:
            yield kind, unique_id, bytes(document)


def _documents_before(
    connection: sa.Connection, account: int, at: int, wanted: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    v = versions.c
    for start in range(0, len(wanted), LOAD_PAGE):
        few = wanted[start : start + LOAD_PAGE]
        query = (
            sa.select(v.entity, v.document)
            .where(v.entity.in_(few), v.since <= at)
            .order_by(v.entity, v.since, v.step)
        )
        last: dict[int, bytes | None] = {}
        for entity, document in connection.execute(query):
            last[entity] = document
        yield from ((entity, bytes(raw)) for entity, raw in last.items() if raw is not None)


def _called(version: Version, name: str) -> bool:
    """Whether the entity has this name, ARN or unique id now, and not only at another time."""
    document = version.document or {}
    return name in (version.unique_id, document.get("Arn")) or version.name.casefold() == name.casefold()


def account_number(connection: sa.Connection, account_id: str) -> int:
    """The account's number; 0, which no account has, where the ledger has no such account."""
    query = sa.select(accounts.c.id).where(accounts.c.account_id == account_id)
    return connection.execute(query).scalar() or 0


def _version(row: sa.Row[Any]) -> Version:
    return Version(
        kind=row.kind,
        unique_id=row.unique_id,
        name=row.name,
        since=row.since,
        position=row.position,
        document=orjson.loads(row.document) if row.document is not None else None,
    )
