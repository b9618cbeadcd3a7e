"""One entry derived again from its stored bytes: the record, the commitment, the leaf hash, and every column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import sqlalchemy as sa

from ledger.entry import NATIVE, SALT_BYTES, Leaf, body_bytes, commit
from ledger.log.bodies import (
    WHOLE,
    Coding,
    Compression,
    event_id_of,
    join,
    prefix_bytes,
    split,
    without_authorization,
)
from ledger.log.erasing import ERASE, ERASED_ENTRY, records_erased
from ledger.log.preparation import content_of, event_number, uuid_number
from ledger.log.schema import Kind as StringKind
from ledger.log.schema import entries
from ledger.merkle.trees import HASH_BYTES
from ledger.record import canonical, read_record
from ledger.resources import resources_of
from ledger.verification.names import UNREADABLE, Known

_OPTIONAL: Final = frozenset(column.name for column in entries.columns if column.nullable)
_BYTES: Final = frozenset(
    column.name for column in entries.columns if isinstance(column.type, sa.LargeBinary)
)


@dataclass(slots=True)
class Rederived:
    """What an entry's stored bytes give. `leaf` is None where they can't be put together, and `wrong` says why."""

    leaf: Leaf | None = None
    content: bytes = b""  # what tells duplicates, where it is asked for
    resources: list[str] = field(default_factory=list)
    wrong: str | None = None
    edited: list[str] = field(default_factory=list)  # the columns that do not follow from the body
    names: Mapping[int, str | None] | None = None  # what an erasure names: positions, and event ids
    bodiless: bool = False  # whether an erasure says so is told when the whole log is known


class Rederiving:
    """Derives entries again, of StoredRows. `known` has learned what they name."""

    def __init__(self, compression: Compression, known: Known) -> None:
        self._compression = compression
        self._known = known
        self._usual: set[tuple[type, ...]] = set()

    def again(self, row: Any, account_id: str, *, with_content: bool = False) -> Rederived:
        try:
            return self._again(row, account_id, with_content=with_content)
        except UNREADABLE as error:
            return Rederived(wrong=f"{type(error).__name__}: {str(error)[:200]}")

    def _again(self, row: Any, account_id: str, *, with_content: bool) -> Rederived:
        # SQLite keeps in a column whatever somebody puts there, and 5.0 would do for 5.
        kinds = tuple(map(type, row))
        if kinds not in self._usual:
            _check_types(row)
            self._usual.add(kinds)
        (
            _,
            position,
            time,
            event_head,
            event_tail,
            frame_id,
            action,
            error_id,
            identity_id,
            principal,
            back,
            key_id,
            began,
            address_id,
            agent_id,
            arrival_id,
            lag,
            coding,
            leaf_hash,
            salt,
            body,
        ) = row  # as the table has them
        if not body:
            return self._of_leaf(row, account_id)
        if len(salt) != SALT_BYTES or len(leaf_hash) != HASH_BYTES:
            raise ValueError("the salt or the leaf hash has another length")
        dictionary, layout, authorized = Coding.of(coding)
        split_at = prefix_bytes(layout)
        rest = self._compression.decompress(dictionary, body, split_at)
        authorization = None
        if authorized:
            authorization, rest = without_authorization(rest)
        known = self._known
        frame, identity = known.frames[frame_id], known.identities[identity_id]
        arrived, origin = known.arrivals[arrival_id]
        key = self._text(StringKind.KEY, key_id)
        address = self._text(StringKind.ADDRESS, address_id)
        agent = self._text(StringKind.AGENT, agent_id)
        if layout == WHOLE:
            document = orjson.loads(rest)
        else:
            document = join(
                layout,
                frame=frame.document,
                identity=identity.document,
                event_id=event_id_of(event_head, event_tail),
                seconds=time,
                key=key,
                began=began,
                address=address,
                agent=agent,
                prefix=body[:split_at],
                rest=rest,
            )
        canonical_record = canonical(document)
        leaf = Leaf(
            account_id=account_id,
            position=position,
            recorded_at=arrived + lag,
            principal=identity.pseudonym,
            previous=None if back is None else position - back,
            commitment=commit(salt, body_bytes(canonical_record, origin, authorization)),
        )
        record = read_record(document, account_id=account_id)
        parts = split(record, canonical_record)
        stored = (
            time,
            (event_head, event_tail),
            frame.raw,
            action,
            self._text(StringKind.ERROR, error_id),
            identity.document,
            principal,
            key,
            began,
            address,
            agent,
            layout,
            body[:split_at],
            rest,
        )
        derived = (
            record.time,
            uuid_number(record.event_id) if parts.layout else event_number(record.event_id),
            parts.frame,
            frame.action,
            parts.error,
            parts.identity,
            identity.principal,
            parts.key,
            parts.began,
            parts.address,
            parts.agent,
            parts.layout,
            parts.prefix,
            parts.rest,
        )
        return Rederived(
            leaf=leaf,
            content=content_of(canonical_record, authorization) if with_content else b"",
            resources=resources_of(document, account_id),
            edited=[] if stored == derived else _edited(stored, derived),
            names=records_erased(record, native=origin == NATIVE.to_bytes())
            if record.action == ERASE
            else None,
            wrong=None
            if record.account_id == account_id
            else f"the record is of account {record.account_id}",
        )

    def _of_leaf(self, row: Any, account_id: str) -> Rederived:
        """Of an entry without a body: what is left of it has to give the leaf."""
        kept = self._known.erasures.get((row.account, row.position))
        if kept is None:
            return Rederived(wrong="its body is missing, and nothing is left of it", bodiless=True)
        leaf = Leaf(
            account_id=account_id,
            position=row.position,
            recorded_at=self._known.arrivals[row.arrival].recorded_at + row.lag,
            principal=self._known.pseudonyms[row.principal],
            previous=None if row.back is None else row.position - row.back,
            commitment=kept.commitment,
        )
        edited = [name for name, blank in ERASED_ENTRY.items() if getattr(row, name) != blank]
        return Rederived(leaf=leaf, edited=edited, bodiless=True)

    def _text(self, kind: StringKind, number: int | None) -> str | None:
        if number is None:
            return None
        found, text = self._known.strings[number]
        if found != kind:
            raise LookupError(f"string {number} is no {kind.name.lower()}")
        return text


DERIVED: Final = (
    "time",
    "event id",
    "frame",
    "action",
    "error",
    "identity",
    "principal",
    "access_key",
    "session_began",
    "address",
    "agent",
    "coding",
    "body",
    "body",
)


def _edited(stored: tuple[Any, ...], derived: tuple[Any, ...]) -> list[str]:
    return [name for name, one, told in zip(DERIVED, stored, derived, strict=True) if one != told]


def _check_types(row: Any) -> None:
    for name, value in row._asdict().items():
        if value is None and name in _OPTIONAL:
            continue
        if type(value) is not (bytes if name in _BYTES else int):
            raise TypeError(f"{name} holds a value of another type")
