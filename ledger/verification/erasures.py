"""Whether each body that is missing was erased by an entry that says so, and each erasure was carried out.

The one is known from the row, the other from the record of the erasure, which comes later in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from ledger.log.preparation import event_number
from ledger.log.rows import among
from ledger.log.schema import entries, erasures
from ledger.verification.findings import Difference, Found, Kind
from ledger.verification.names import Known
from ledger.verification.rederiving import Rederived, Rederiving


class Erasures:
    """What one account's entries have told, from position `since` on."""

    def __init__(self, found: Found, known: Known, *, account: int, account_id: str, since: int) -> None:
        self._found, self._known = found, known
        self._account, self._account_id, self._since = account, account_id, since
        self._bodiless: dict[int, tuple[Any, Any]] = {}  # position → what the row has of the event id
        self._named: dict[int, Mapping[int, str | None]] = {}  # erasing entry → positions, event ids

    def take(self, row: Any, one: Rederived) -> None:
        """An entry that was derived again."""
        if one.bodiless:
            self._bodiless[row.position] = (row.event_head, row.event_tail)
        if one.names:
            self._named[row.position] = one.names

    def end(self, connection: sa.Connection, rederiving: Rederiving) -> None:
        """All entries were told."""
        self._look_back(connection, rederiving)
        for position, event_id in sorted(self._bodiless.items()):
            self._check(position, event_id)
        undone = {
            position: f"entry {by} says that its record was erased"
            for by, names in self._named.items()
            for position in names
        }
        undone |= {
            position: "erasures says that its record was erased"
            for position in self._rows(connection)
            if position not in undone
        }
        for position, said in sorted(undone.items()):
            if position not in self._bodiless:
                self._differs(Kind.ERASURE_UNDONE, f"{said}, and it is there", position)

    def _check(self, position: int, event_id: tuple[Any, Any]) -> None:
        kept = self._known.erasures.get((self._account, position))
        if kept is None:
            return  # told already, as the entry was met
        named = self._named.get(kept.erased_by, {}) if kept.erased_by > position else {}
        if position not in named:
            said = f"its body is missing, and entry {kept.erased_by} does not say that it was erased"
            self._differs(Kind.BODY_MISSING, said, position)
            return
        told = named[position]
        if event_id != ((0, b"") if told is None else event_number(told)):
            said = f"event id is not the one that entry {kept.erased_by} names"
            self._differs(Kind.EDITED_COLUMN, said, position)
        place = (self._account_id, kept.erased_by)
        self._found.erased[place] = self._found.erased.get(place, 0) + 1

    def _look_back(self, connection: sa.Connection, rederiving: Rederiving) -> None:
        """What was erased since, of what was verified before."""
        before = {at for names in self._named.values() for at in names if at < self._since}
        if not before:
            return
        query = sa.select(entries).where(
            entries.c.account == self._account, among(connection, entries.c.position, before)
        )
        rows = connection.execute(query).all()
        self._known.learn(rows)
        for row in rows:
            one = rederiving.again(row, self._account_id)
            self.take(row, one)
            if one.leaf is None or one.leaf.hash() != row.leaf_hash or one.edited:
                self._differs(Kind.EDITED_BODY, "what is left of it is not what was written", row.position)

    def _rows(self, connection: sa.Connection) -> Iterator[int]:
        x = erasures.c
        new = sa.or_(x.position >= self._since, x.erased_by >= self._since)
        yield from connection.scalars(sa.select(x.position).where(x.account == self._account, new))

    def _differs(self, kind: Kind, detail: str, position: int) -> None:
        self._found.add(Difference(kind, detail, self._account_id, position))
