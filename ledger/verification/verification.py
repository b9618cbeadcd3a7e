"""The walk over a ledger that derives everything again: entries, chains, heads, trees, checkpoints.

Nothing is held but the last entry of each principal, a hash for each level of the tree, and what names stand for, up to a
bound. All is read in one transaction, so that a ledger which is written to meanwhile is verified as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from ledger.checkpoint import Checkpoint
from ledger.log import Log
from ledger.log.bodies import Compression
from ledger.log.reading import Reader, StoredRow
from ledger.log.rows import among
from ledger.log.schema import accounts, entries, tails
from ledger.log.tiles import TreeDamaged, tree_of
from ledger.merkle.frontier import Frontier
from ledger.merkle.trees import root_at
from ledger.notes import Verifier
from ledger.verification.erasures import Erasures
from ledger.verification.explaining import Explaining
from ledger.verification.findings import Difference, Found, Kind
from ledger.verification.heads import SignedHeads, check_strays, find_duplicates
from ledger.verification.mentions import BLOCK, Mention, Mentions
from ledger.verification.names import UNREADABLE, Known, check_names
from ledger.verification.rederiving import Rederived, Rederiving
from ledger.verification.stored_tiles import StoredTiles

PAGE: Final = 2_000

Progress = Callable[[Found], None]
Verifiers = Callable[[str], Sequence[Verifier]]


class NotTheBeginning(Exception):
    """The log does not begin with what the checkpoint covers, so that nothing can be verified from there on."""


def verify_log(
    log: Log,
    account_ids: Sequence[str],
    *,
    verifiers: Verifiers = lambda _: (),
    anchors: Mapping[str, Sequence[Checkpoint]] | None = None,
    since: Mapping[str, Checkpoint] | None = None,
    whole: bool = True,
    progress: Progress | None = None,
) -> Found:
    """Derive these accounts' logs again and compare. `verifiers` gives the keys that may sign for an account,
    and those of witnesses.

    `anchors` are checkpoints that were kept elsewhere. From a checkpoint in `since` on only what came after it is derived;
    that the log begins with what it covers is told by the tree alone. With `whole`, what belongs to no account is looked
    for as well. `progress` is called now and then.
    """
    found = Found()
    try:
        with log.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                _Verification(connection, found, verifiers, anchors or {}, since or {}, progress).run(
                    account_ids, whole=whole
                )
    except (sa.exc.DBAPIError, UnicodeDecodeError) as error:
        if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
            raise
        said = str(getattr(error, "orig", error)).splitlines()[0]
        found.add(Difference(Kind.UNREADABLE, f"the database can't be read: {said}"))
    return found


class _Verification:
    def __init__(
        self,
        connection: sa.Connection,
        found: Found,
        verifiers: Verifiers,
        anchors: Mapping[str, Sequence[Checkpoint]],
        since: Mapping[str, Checkpoint],
        progress: Progress | None,
    ) -> None:
        self._connection = connection
        self._found = found
        self._verifiers = verifiers
        self._anchors = anchors
        self._since = since
        self._progress = progress
        reader = Reader(Compression())
        with self._reading("the table of dictionaries"):
            reader.load_dictionaries(connection)
        self._known = Known(connection)
        self._rederiving = Rederiving(reader.compression, self._known)

    def run(self, account_ids: Sequence[str], *, whole: bool) -> None:
        connection, found = self._connection, self._found
        query = sa.select(accounts).where(accounts.c.account_id.in_(account_ids))
        heads = connection.execute(query.order_by(accounts.c.account_id)).all()
        for head in heads:
            begun = self._since.get(head.account_id)
            found.whole += max(head.size - (begun.size if begun else 0), 0)
        for head in heads:
            with self._reading(f"the log of account {head.account_id}"):
                _Walk(self, head).run()
        with self._reading("the tables of names"):
            check_names(connection, found)
        with self._reading("what entries repeat"):
            numbered = {head.id: head.account_id for head in heads}
            find_duplicates(connection, found, numbered, self.content)
        if whole:
            check_strays(connection, found)
            _check_file(connection, found)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Whoever has the file can put anything anywhere. What can't be compared differs, and the rest is looked at."""
        try:
            yield
        except UNREADABLE as error:
            said = f"{what} can't be read: {type(error).__name__}: {str(error)[:200]}"
            self._found.add(Difference(Kind.UNREADABLE, said))

    def content(self, account: int, account_id: str, positions: Sequence[int]) -> dict[int, bytes]:
        """What tells duplicates, of the entries at these positions."""
        query = sa.select(entries).where(
            entries.c.account == account, among(self._connection, entries.c.position, positions)
        )
        rows: list[Any] = list(map(StoredRow._make, self._connection.execute(query).all()))
        self._known.learn(rows)
        return {
            row.position: self._rederiving.again(row, account_id, with_content=True).content for row in rows
        }


class _Walk:
    """One account's log, from the first entry, or from a checkpoint, to the last."""

    def __init__(self, whole: _Verification, head: sa.Row[Any]) -> None:
        self._connection, self._found = whole._connection, whole._found
        self._known, self._rederiving, self._progress = whole._known, whole._rederiving, whole._progress
        self._account, self._account_id, self._size = head.id, head.account_id, head.size
        begun = whole._since.get(head.account_id)
        self._start = 0 if begun is None else begun.size
        self._tree: Frontier | None = Frontier() if begun is None else self._begun(begun)
        self._tiles = StoredTiles(self._connection, self._found, self._account, self._account_id)
        self._mentions = Mentions(self._account, self._account_id, self._start)
        self._erasures = Erasures(
            self._found, self._known, account=self._account, account_id=self._account_id, since=self._start
        )
        self._last: dict[int, int] = {}
        self._explaining = Explaining(self._connection)
        anchors = list(whole._anchors.get(head.account_id, ()))
        if begun is not None:
            anchors.append(begun)
        self._heads = SignedHeads(
            self._connection,
            self._found,
            account=self._account,
            account_id=self._account_id,
            verifiers=whole._verifiers(head.account_id),
            anchors=anchors,
            start=self._start,
        )

    def run(self) -> None:
        self._found.accounts[self._account_id] = self._size
        expected = self._start
        if self._tree is not None:
            self._heads.reached(self._tree)
        for rows in self._pages():
            again = [self._rederiving.again(row, self._account_id) for row in rows]
            self._begin_chains(rows)
            for index, (row, one) in enumerate(zip(rows, again, strict=True)):
                if row.position != expected:
                    self._gap(row.position, expected)
                self._entry(row, one, again[index + 1] if index + 1 < len(again) else None)
                expected = row.position + 1
            self._expect_mentions(rows, again)
            self._found.entries += len(rows)
            if self._progress is not None:
                self._progress(self._found)
        if expected < self._size:
            said = f"the log has entries up to {expected - 1} only, and its head says {self._size}"
            self._differs(Kind.TRUNCATED, said, expected)
        self._heads.end(expected)
        if self._tree is not None:
            self._tiles.end(self._tree.size)
        self._check_tails()
        self._check_mentions()
        self._erasures.end(self._connection, self._rederiving)

    def _pages(self, start: int | None = None, stop: int | None = None) -> Iterator[Sequence[Any]]:
        query = sa.select(entries).where(entries.c.account == self._account).order_by(entries.c.position)
        if start is None and self._start:
            start = self._start  # of a whole log also what stands before position 0 would be found
        if stop is not None:
            query = query.where(entries.c.position < stop)
        while True:
            page = query if start is None else query.where(entries.c.position >= start)
            rows: list[Any] = list(map(StoredRow._make, self._connection.execute(page.limit(PAGE)).all()))
            self._known.learn(rows)
            whole = [row for row in rows if type(row.position) is int]
            if whole:
                yield whole
            if len(whole) < len(rows):
                self._differs(Kind.UNREADABLE, "an entry stands at a position that is no number")
                return
            if len(rows) < PAGE:
                return
            start = rows[-1].position + 1

    def _entry(self, row: Any, one: Rederived, after: Rederived | None) -> None:
        position = row.position
        previous = self._last.get(row.principal)
        self._last[row.principal] = position
        expected_back = None if previous is None else position - previous
        if position >= self._size:
            self._differs(Kind.INSERTED, "it stands behind the head of the log", position)
        if one.bodiless or one.names:
            self._erasures.take(row, one)
        if one.leaf is None and one.bodiless:
            self._differs(Kind.BODY_MISSING, f"{one.wrong}", position)
        elif one.leaf is None:
            self._differs(Kind.EDITED_BODY, f"it can't be put together ({one.wrong})", position)
        else:
            holds = one.leaf.hash() == row.leaf_hash
            if not holds and self._found.full:
                self._differs(Kind.EDITED_BODY, "it is not what its leaf hash commits to", position)
            elif not holds:
                next_leaf = None if after is None else after.leaf
                told = self._explaining.explain(
                    row, one.leaf, expected_previous=previous, next_leaf=next_leaf
                )
                self._differs(*told, position)
            if holds and row.back != expected_back:
                said = f"its principal's previous entry is {previous}, and it says {one.leaf.previous}"
                self._differs(Kind.REWRITTEN, said, position)
            if one.wrong is not None:
                self._differs(Kind.EDITED_BODY, one.wrong, position)
            for column in one.edited:
                self._differs(Kind.EDITED_COLUMN, f"{column} is not what follows from the body", position)
        if type(row.leaf_hash) is not bytes:
            self._tree = None
        if self._tree is not None:
            for tile in self._tree.add(row.leaf_hash):
                self._tiles.compare(*tile)
            self._heads.reached(self._tree)

    def _gap(self, position: int, expected: int) -> None:
        if position < expected:
            self._differs(Kind.INSERTED, "it stands before the beginning of the log", position)
        else:
            said = f"{position - expected} entries from here on are missing"
            self._differs(Kind.DELETED, said, expected)
        self._tree = (
            None  # the tree has no leaf for a gap, and what follows can't be hashed to what was signed
        )

    def _begun(self, begun: Checkpoint) -> Frontier | None:
        """The tree as large as the checkpoint. Raises NotTheBeginning."""
        try:
            tree = tree_of(self._connection, self._account_id)
            if tree.size < begun.size:
                said = f"account {self._account_id}: the log has {tree.size} entries, and the checkpoint {begun.size}"
                raise NotTheBeginning(said)
            if root_at(tree, begun.size) != begun.root:
                said = f"the log does not begin with the {begun.size} entries of the checkpoint"
                raise NotTheBeginning(f"account {self._account_id}: {said}")
        except TreeDamaged as error:
            raise NotTheBeginning(str(error)) from error
        return Frontier.of(tree, begun.size)

    def _begin_chains(self, rows: Sequence[Any]) -> None:
        """Behind a checkpoint: the last entry before it of each principal that is met for the first time."""
        if not self._start:
            return
        new = {row.principal for row in rows if row.principal not in self._last}
        if not new:
            return
        query = (
            sa.select(entries.c.principal, sa.func.max(entries.c.position))
            .where(
                entries.c.account == self._account,
                entries.c.position < self._start,
                among(self._connection, entries.c.principal, new),
            )
            .group_by(entries.c.principal)
        )
        for principal, position in self._connection.execute(query):
            self._last[principal] = position

    def _check_tails(self) -> None:
        query = sa.select(tails.c.principal, tails.c.position).where(tails.c.account == self._account)
        left = dict(self._last)
        for principal, position in self._connection.execute(query):
            last = left.pop(principal, None)
            if last is None and self._start:
                continue  # of somebody who did nothing since the checkpoint
            if last != position:
                said = f"tails: the last entry of principal {principal} is {last}, and it says {position}"
                self._differs(Kind.EDITED_COLUMN, said)
        for principal, last in left.items():
            self._differs(
                Kind.EDITED_COLUMN, f"tails: the last entry of principal {principal}, {last}, is missing"
            )

    # -- mentions -------------------------------------------------------------------------------------------------

    def _expect_mentions(self, rows: Sequence[Any], again: Sequence[Rederived]) -> None:
        self._mentions.expect(list(self._named(rows, again)))

    def _named(self, rows: Sequence[Any], again: Sequence[Rederived]) -> Iterator[Mention]:
        texts = {resource for one in again for resource in one.resources}
        numbers = self._known.resources(texts)
        for row, one in zip(rows, again, strict=True):
            for resource in one.resources:
                yield numbers.get(resource, -1), row.time, row.position

    def _check_mentions(self) -> None:
        for block in self._mentions.compare(self._connection):
            if self._found.full:
                self._differs(Kind.EDITED_COLUMN, "mentions is not what the entries name", block * BLOCK)
                continue
            expected: list[Mention] = []
            start = max(block * BLOCK, self._start)
            for rows in self._pages(start, (block + 1) * BLOCK):
                again = [self._rederiving.again(row, self._account_id) for row in rows]
                expected += self._named(rows, again)
            self._mentions.report(self._connection, block, expected, self._found)

    def _differs(self, kind: Kind, detail: str, position: int | None = None) -> None:
        self._found.add(Difference(kind, detail, self._account_id, position))


def _check_file(connection: sa.Connection, found: Found) -> None:
    """On SQLite: that the file is sound, and that every index, by which questions search, has what its table has."""
    if connection.dialect.name != "sqlite":
        return
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check(10)").all():
        if said != "ok":
            found.add(Difference(Kind.UNREADABLE, f"the database file: {' '.join(str(said).split())}"))
