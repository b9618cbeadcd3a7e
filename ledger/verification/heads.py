"""What was signed of a log against what the log is; and what stands in the tables beside any log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import sqlalchemy as sa

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.log.preparation import told_by
from ledger.log.schema import accounts, checkpoints, cosignatures, entries, erasures, mentions, tails, tiles
from ledger.merkle.frontier import Frontier
from ledger.notes import BadNote, Verifier, open_note, signature_lines, unverified_text
from ledger.verification.findings import Difference, Found, Kind
from ledger.witness.cosignature import CosignatureVerifier

Contents = Callable[[int, str, Sequence[int]], Mapping[int, bytes]]


class SignedHeads:
    """The checkpoints of one account, stored ones and anchors, in the order of their sizes."""

    def __init__(
        self,
        connection: sa.Connection,
        found: Found,
        *,
        account: int,
        account_id: str,
        verifiers: Sequence[Verifier],
        anchors: Sequence[Checkpoint],
        start: int,
    ) -> None:
        self._connection, self._found = connection, found
        self._account, self._account_id = account, account_id
        self._verifiers = [one for one in verifiers if not isinstance(one, CosignatureVerifier)]
        self._witnesses = {
            f"{one.name}+{one.number.hex()}": one for one in verifiers if isinstance(one, CosignatureVerifier)
        }
        self._next_anchor = 0
        self._anchors = sorted(
            (one for one in anchors if one.size >= start), key=lambda checkpoint: checkpoint.size
        )
        query = (
            sa.select(checkpoints.c.size, checkpoints.c.note)
            .where(checkpoints.c.account == account)
            .order_by(checkpoints.c.size)
        )
        self._stored = iter(connection.execute(query.where(checkpoints.c.size >= start)).all())
        self._next = next(self._stored, None)
        under = sa.select(cosignatures.c.size, cosignatures.c.signer, cosignatures.c.line).where(
            cosignatures.c.account == account, cosignatures.c.size >= start
        )
        self._under: dict[int, list[tuple[str, bytes]]] = {}
        for size, signer, line in connection.execute(under):
            self._under.setdefault(size, []).append((signer, line))

    def reached(self, tree: Frontier) -> None:
        """Compare what was signed of a tree of this size."""
        while self._next is not None and self._next.size <= tree.size:
            stored = self._opened(self._next.size, self._next.note)
            if stored is not None and stored.size == tree.size:
                self._agrees(stored, tree, "a checkpoint that is stored here")
            self._next = next(self._stored, None)
        while self._next_anchor < len(self._anchors):
            anchor = self._anchors[self._next_anchor]
            if anchor.size != tree.size:
                break
            if self._agrees(anchor, tree, "the checkpoint that was given"):
                self._found.anchors[self._account_id] = anchor.size
            self._next_anchor += 1

    def end(self, size: int) -> None:
        """The log has this size, and what is left was signed of a larger one, or of one that has a gap."""
        while self._next is not None:
            self._opened(self._next.size, self._next.note)
            if self._next.size > size:
                self._truncated(size, self._next.size, "a checkpoint that is stored here")
            self._next = next(self._stored, None)
        for at in self._under:
            self._differs(
                Kind.EDITED_COLUMN, f"a cosignature is of a checkpoint of size {at}, which is not here"
            )
        for anchor in self._anchors[self._next_anchor :]:
            if anchor.size > size:
                self._truncated(size, anchor.size, "the checkpoint that was given")

    def _opened(self, size: int, note: bytes) -> Checkpoint | None:
        self._found.checkpoints += 1
        for signer, line in self._under.pop(size, ()):
            self._cosigned(size, note, signer, line)
        try:
            if self._verifiers:
                opened = open_checkpoint(note, self._verifiers)
                self._found.signatures += 1
            else:
                opened = Checkpoint.of_text(unverified_text(note))
        except (BadNote, TypeError) as error:
            self._differs(Kind.SIGNATURE_WRONG, f"the checkpoint of size {size}: {error}")
            return None
        if opened.size != size or opened.origin.rpartition("/")[2] != self._account_id:
            said = f"the checkpoint that is kept as of size {size} is of {opened.origin[:200]}, {opened.size}"
            self._differs(Kind.EDITED_COLUMN, said)
            return None
        return opened

    def _cosigned(self, size: int, note: bytes, signer: str, line: bytes) -> None:
        """One of a witness whose key is not known tells nothing, but whose it is said to be."""
        witness = self._witnesses.get(signer)
        try:
            if signer not in signature_lines(note + line):
                said = f"a cosignature under the checkpoint of size {size} is not of {signer[:200]}"
                self._differs(Kind.EDITED_COLUMN, said)
            elif witness is not None:
                open_note(note + line, [witness])
                self._found.cosignatures += 1
        except (BadNote, TypeError) as error:
            self._differs(Kind.SIGNATURE_WRONG, f"a cosignature under the checkpoint of size {size}: {error}")

    def _agrees(self, signed: Checkpoint, tree: Frontier, which: str) -> bool:
        if signed.root == tree.root:
            return True
        said = f"the first {signed.size} entries are not those that were signed ({which})"
        self._differs(Kind.REWRITTEN, said)
        return False

    def _truncated(self, size: int, signed: int, which: str) -> None:
        said = f"the log has {size} entries, and {signed} were signed ({which})"
        self._found.add(Difference(Kind.TRUNCATED, said, self._account_id, size))

    def _differs(self, kind: Kind, detail: str) -> None:
        self._found.add(Difference(kind, detail, self._account_id))


def find_duplicates(
    connection: sa.Connection, found: Found, account_ids: Mapping[int, str], contents: Contents
) -> None:
    """No entry says what an earlier one of the same event id says: an append would not have taken it."""
    e = entries.c
    repeated = sa.select(e.event_head).group_by(e.event_head).having(sa.func.count() > 1).subquery()
    query = (
        sa.select(e.account, e.event_head, e.event_tail, e.position)
        .where(e.event_head.in_(sa.select(repeated.c.event_head)), e.account.in_(list(account_ids)))
        .order_by(e.account, e.event_head, e.event_tail, e.position)
    )
    streamed = connection.execution_options(stream_results=True)
    for (account, _, _), rows in groupby(streamed.execute(query), key=lambda row: tuple(row[:3])):
        positions = [row.position for row in rows]
        if len(positions) < 2:
            continue
        content = contents(account, account_ids[account], positions)
        seen: dict[bytes, int] = {}
        for position in positions:
            told = content.get(position, b"")
            if told and told in seen:
                said = f"it says again what entry {seen[told]} says"
                found.add(Difference(Kind.INSERTED, said, account_ids[account], position))
            for one in told_by(told):
                seen.setdefault(one, position)


def check_strays(connection: sa.Connection, found: Found) -> None:
    """Rows that belong to no account, and erasures that were not numbered one after the other."""
    numbers = (sa.func.min(erasures.c.number), sa.func.max(erasures.c.number), sa.func.count())
    first, last, count = connection.execute(sa.select(*numbers)).one()
    if count and (first, last) != (1, count):
        said = f"table erasures has {count} rows, which are numbered {first} to {last}"
        found.add(Difference(Kind.EDITED_COLUMN, said))
    known = sa.select(accounts.c.id)
    for table in (entries, mentions, tails, tiles, checkpoints, cosignatures, erasures):
        query = sa.select(sa.func.count()).where(table.c.account.not_in(known))
        if count := connection.execute(query).scalar_one():
            said = f"{count} rows of {table.name} belong to no account: one was removed, or they were put in"
            found.add(Difference(Kind.DELETED, said))
