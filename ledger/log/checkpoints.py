"""The signed heads of each account's log, and those who make them.

What is signed is stored first, and it only ever grows. Nothing is signed that contradicts what was: the tree that is
there must begin with the one of the checkpoint before. So a history that was rewritten below finds no signature here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from ledger.checkpoint import (
    Checkpoint,
    NoCheckpointKey,
    account_key,
    open_checkpoint,
    sign_checkpoint,
)
from ledger.log.schema import accounts, checkpoints, cosignatures
from ledger.log.store import Log
from ledger.log.tiles import tree_of
from ledger.merkle.tiles import TiledTree
from ledger.merkle.trees import root_at
from ledger.notes import BadNote, Signer, Verifier, names_key, signature_lines, unverified_text

FRESH_SECONDS: Final = 1.0


class HistoryContradicted(Exception):
    """The log is not a continuation of what was signed of it; the message says how."""


class Checkpoints:
    """`key` is the ledger's, or None where there is none: then what is stored can be told, and nothing signed."""

    def __init__(self, log: Log, key: Signer | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._key = key
        self._clock = clock
        self._made: dict[str, tuple[float, bytes]] = {}
        self._turn = threading.Lock()

    def latest(self, account_id: str) -> bytes | None:
        """The largest checkpoint that was stored, whoever signed it."""
        with self._log.engine.connect() as connection:
            return _stored(connection, account_id)

    def heads(self) -> dict[str, int]:
        """The size of the largest checkpoint of each account that has one."""
        largest = sa.select(sa.func.max(checkpoints.c.size)).where(checkpoints.c.account == accounts.c.id)
        query = sa.select(accounts.c.account_id, largest.scalar_subquery())
        with self._log.engine.connect() as connection:
            found = connection.execute(query).all()
        return {account_id: size for account_id, size in found if size is not None}

    def origin(self, account_id: str) -> str:
        """The name of the account's log in its checkpoints; without a key, in the last one. Raises NoCheckpointKey."""
        if self._key is None and (stored := self.latest(account_id)) is not None:
            return Checkpoint.of_text(unverified_text(stored)).origin
        return self._signer(account_id).name

    def publish(self, account_id: str) -> bytes:
        """A checkpoint of the log as it is now, stored before it is told; the one of before where nothing was added.

        Raises NoCheckpointKey, HistoryContradicted, TreeDamaged.
        """
        signer = self._signer(account_id)
        with self._log.engine.connect() as connection:
            before = _stored(connection, account_id)  # first: the log may grow, and what is signed with it
            tree = tree_of(connection, account_id)
            signed = self._check(account_id, tree, before)
            if before is not None and signed == tree.size and names_key(before, signer.verifier):
                return before  # whoever asks for proofs makes no writer wait
            head = Checkpoint(signer.name, tree.size, root_at(tree, tree.size))
        note = sign_checkpoint(head, signer)
        with self._log.engine.execution_options(writes=True).begin() as connection:
            return _store(connection, account_id, head.size, note)

    def current(self, account_id: str) -> bytes:
        """As `signed`, with what witnesses have signed under it."""
        return self._with_cosignatures(account_id, self.signed(account_id))

    def signed(self, account_id: str) -> bytes:
        """As `publish`; without a key, what was stored last. Raises NoCheckpointKey where there is neither."""
        if self._key is None and (stored := self.latest(account_id)) is not None:
            return stored
        return self.publish(account_id)

    def fresh(self, account_id: str) -> bytes:
        """As `current`, but for whoever may ask often: one that this process made less than a second ago will do."""
        with self._turn:
            made, note = self._made.get(account_id, (float("-inf"), b""))
            now = self._clock()
            if now - made >= FRESH_SECONDS:
                note = self.current(account_id)
                self._made[account_id] = now, note
            return note

    def at(self, account_id: str, size: int) -> bytes:
        """A checkpoint of the log as it was at that size: the one that was stored, or else one made now, for a proof.

        Raises ValueError where the log was never so large, and as `publish`.
        """
        with self._log.engine.connect() as connection:
            before = _stored(connection, account_id)
            kept = _stored(connection, account_id, size)
            tree = tree_of(connection, account_id)
            if not 0 <= size <= tree.size:
                raise ValueError(f"the log has {tree.size} entries, and never had {size}")
            if kept is not None and (
                self._key is None or names_key(kept, account_key(self._key, account_id).verifier)
            ):
                self._check(account_id, tree, kept)
                return self._with_cosignatures(account_id, kept)
            signer = self._signer(account_id)
            self._check(account_id, tree, before)
            return sign_checkpoint(Checkpoint(signer.name, size, root_at(tree, size)), signer)

    def keep_cosignatures(self, account_id: str, note: bytes, lines: bytes) -> None:
        """Keep the lines that witnesses have put under a checkpoint that was stored; the first of each key stays."""
        size = Checkpoint.of_text(unverified_text(note)).size
        with self._log.engine.execution_options(writes=True).begin() as connection:
            query = sa.select(accounts.c.id).where(accounts.c.account_id == account_id).with_for_update()
            account = connection.execute(query).scalar()
            stored = _stored(connection, account_id, size)
            if stored is None or unverified_text(stored) != unverified_text(note):
                return  # it was never stored, or under another name of the log
            known = connection.scalars(sa.select(cosignatures.c.signer).where(*_under(account, size))).all()
            for signer, line in signature_lines(_text_of(note) + lines).items():
                if signer not in known:
                    connection.execute(
                        cosignatures.insert().values(account=account, size=size, signer=signer, line=line)
                    )

    def _with_cosignatures(self, account_id: str, note: bytes) -> bytes:
        text = unverified_text(note)
        at = {"account_id": account_id, "size": Checkpoint.of_text(text).size}
        with self._log.engine.connect() as connection:
            rows = connection.execute(_COSIGNED, at).all()
        if not rows or unverified_text(bytes(rows[0].note)) != text:
            return note
        return note + b"".join(bytes(row.line) for row in rows)

    def verifier(self, account_id: str) -> Verifier | None:
        """The public half of the key, as it signs for the account; None where there is none."""
        return None if self._key is None else account_key(self._key, account_id).verifier

    def due(self) -> list[str]:
        """The accounts whose logs have grown since they were last signed."""
        signed = sa.select(sa.func.max(checkpoints.c.size)).where(checkpoints.c.account == accounts.c.id)
        query = sa.select(accounts.c.account_id).where(
            accounts.c.size > sa.func.coalesce(signed.scalar_subquery(), 0)
        )
        with self._log.engine.connect() as connection:
            return list(connection.scalars(query.order_by(accounts.c.account_id)))

    def _signer(self, account_id: str) -> Signer:
        if self._key is None:
            raise NoCheckpointKey(
                "there is no key for checkpoints; `iam-ledger checkpoint new-key` makes one"
            )
        return account_key(self._key, account_id)

    def _check(self, account_id: str, tree: TiledTree, before: bytes | None) -> int:
        """The size of what was signed before. Raises HistoryContradicted unless the tree begins with it."""
        if before is None:
            return 0
        try:
            signed = self._opened(account_id, before)
        except BadNote as error:
            raise HistoryContradicted(
                f"account {account_id}: the checkpoint before is spoilt: {error}"
            ) from error
        if signed.size > tree.size:
            raise HistoryContradicted(
                f"account {account_id}: {signed.size} entries were signed, and the log has {tree.size}"
            )
        if root_at(tree, signed.size) != signed.root:
            raise HistoryContradicted(
                f"account {account_id}: the first {signed.size} entries are not those that were signed"
            )
        return signed.size

    def _opened(self, account_id: str, note: bytes) -> Checkpoint:
        """Verified where our key has signed it; of a key of before, its word is all there is."""
        if self._key is not None:
            verifier = account_key(self._key, account_id).verifier
            if names_key(note, verifier):
                return open_checkpoint(note, [verifier])
        return Checkpoint.of_text(unverified_text(note))


def _stored(connection: sa.Connection, account_id: str, size: int | None = None) -> bytes | None:
    """The checkpoint of that size, or the largest."""
    query = _LARGEST if size is None else _OF_SIZE
    found = connection.execute(query, {"account_id": account_id, "size": size}).scalar()
    return None if found is None else bytes(found)


def _under(account: int | None, size: int) -> tuple[sa.ColumnElement[bool], ...]:
    return cosignatures.c.account == account, cosignatures.c.size == size


def _text_of(note: bytes) -> bytes:
    return unverified_text(note).encode() + b"\n"


def _store(connection: sa.Connection, account_id: str, size: int, note: bytes) -> bytes:
    """Keep it, unless one of that size or a larger one is there; what is told is the largest.

    One of the same size by another key is told and not kept: it says nothing new of the log.
    """
    query = sa.select(accounts.c.id).where(accounts.c.account_id == account_id).with_for_update()
    account = connection.execute(query).scalar()
    if account is None:
        return note  # of the empty log of an account that nobody has met
    signed = sa.select(sa.func.max(checkpoints.c.size)).where(checkpoints.c.account == account)
    largest = connection.execute(signed).scalar()
    if largest is None or largest < size:
        connection.execute(checkpoints.insert().values(account=account, size=size, note=note))
        return note
    if largest == size:
        return note
    return _stored(connection, account_id) or note


# ---- statements made once, for to make one takes longer than to run it

_OF_ACCOUNT = (
    sa.select(checkpoints.c.note)
    .join(accounts, accounts.c.id == checkpoints.c.account)
    .where(accounts.c.account_id == sa.bindparam("account_id"))
)
_LARGEST = _OF_ACCOUNT.order_by(checkpoints.c.size.desc()).limit(1)
_OF_SIZE = _OF_ACCOUNT.where(checkpoints.c.size == sa.bindparam("size"))
_COSIGNED = (
    _OF_SIZE.add_columns(cosignatures.c.line)
    .join(
        cosignatures,
        sa.and_(cosignatures.c.account == checkpoints.c.account, cosignatures.c.size == checkpoints.c.size),
    )
    .order_by(cosignatures.c.signer)
)
