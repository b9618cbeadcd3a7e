"""The vault: what is kept, whether a password or a code is right, and each code once.

What an operation has to keep or forget is applied in the transaction that writes its entry. What is asked has
transactions of its own, for a wrong password counts whatever becomes of the call.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from ledger.iam.deciding import Forget, Keep, SecretKind
from ledger.vault.attempts import begin_attempt, begin_attempt_from, succeeded, succeeded_from
from ledger.vault.codes import step_of, step_of_pair
from ledger.vault.keys import Keyring
from ledger.vault.passwords import hash_password, is_outdated, is_password, nobodys_hash
from ledger.vault.sealing import Envelope, Place, check_key, check_value, rewrapped, seal, unseal
from ledger.vault.tables import upsert, vault_keys, vault_secrets

PASSWORDS_KEPT: Final = 24  # the most that PasswordReusePrevention can ask for
KEYS_REMEMBERED: Final = 10_000
REWRAPPED_AT_ONCE: Final = 500

_columns = vault_secrets.c


class Vault:
    """The secrets of every account in one database. `engine` is one that `open_engine` gave.

    Raises NoVaultKey, unless the keyring has every key that is in use. Every answer raises SecretDamaged where what is
    kept was tampered with.
    """

    def __init__(
        self, engine: sa.Engine, keyring: Keyring, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.keyring = keyring
        self._engine = engine
        self._clock = clock
        self._source: str | None = None
        self._remembered: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = threading.Lock()
        nobodys_hash()  # made beforehand, so that the first unknown owner costs no more than others
        with engine.connect() as connection:
            in_use = connection.execute(sa.select(vault_keys)).all()
        for row in in_use:
            check_key(keyring[row.id], bytes(row.check))
        if all(row.id != keyring.first.id for row in in_use):
            with self.writing() as connection:
                self._announce(connection)

    def asked_from(self, source: str) -> Vault:
        """The same vault, in which guesses at passwords and codes count against this address too."""
        asked = copy.copy(self)
        asked._source = source
        return asked

    # -- what is kept ---------------------------------------------------------------------------------------------

    def apply(self, connection: sa.Connection, account_id: str, secrets: Iterable[Keep | Forget]) -> None:
        """Keep and forget, in the caller's transaction."""
        for secret in secrets:
            if secret.kind is SecretKind.ACCESS_KEY:
                with self._lock:
                    self._remembered.pop(secret.id, None)
            match secret:
                case Keep():
                    self._keep(connection, account_id, secret)
                case Forget():
                    connection.execute(vault_secrets.delete().where(_of(account_id, secret.kind, secret.id)))

    def _keep(self, connection: sa.Connection, account_id: str, secret: Keep) -> None:
        self._announce(connection)
        of = _of(account_id, secret.kind, secret.id)
        latest = connection.execute(sa.select(sa.func.max(_columns.version)).where(of)).scalar() or 0
        place = Place(account_id, secret.kind.value, secret.id, latest + 1)
        envelope = seal(secret.secret, place, self.keyring.first)
        kept = PASSWORDS_KEPT if secret.kind is SecretKind.PASSWORD else 1
        connection.execute(vault_secrets.delete().where(of, _columns.version <= place.version - kept))
        connection.execute(
            vault_secrets.insert().values(
                account_id=account_id,
                kind=place.kind,
                id=place.id,
                version=place.version,
                key=envelope.key,
                wrapped=envelope.wrapped,
                sealed=envelope.sealed,
            )
        )

    def _announce(self, connection: sa.Connection) -> None:
        """Another process may have rotated the keys while this one still seals with the one before."""
        first = self.keyring.first
        announced = upsert(connection, vault_keys).values(id=first.id, check=check_value(first))
        connection.execute(announced.on_conflict_do_nothing())

    def access_key(self, key_id: str) -> tuple[str, str] | None:
        """The account and the secret of a long-term key. Whether the key is (still) good, the account's state tells."""
        with self._lock:
            if (found := self._remembered.get(key_id)) is not None:
                self._remembered.move_to_end(key_id)
                return found
        query = sa.select(vault_secrets).where(
            _columns.kind == SecretKind.ACCESS_KEY.value, _columns.id == key_id
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        found = row.account_id, self._unsealed(row)
        with self._lock:
            self._remembered[key_id] = found
            if len(self._remembered) > KEYS_REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    # -- passwords ------------------------------------------------------------------------------------------------

    def password_matches(self, account_id: str, owner_id: str, password: str) -> bool:
        """Costs the same for an owner who has no password. Raises TooManyAttempts."""
        kind = SecretKind.PASSWORD
        self._attempt(account_id, kind, owner_id)
        row = self._latest(account_id, kind, owner_id)
        hashed = None if row is None else self._unsealed(row)
        if not is_password(password, hashed):
            return False
        assert row is not None and hashed is not None
        with self.writing() as connection:
            self._succeeded(connection, account_id, kind, owner_id)
            if is_outdated(hashed):
                self._replace(connection, row, hash_password(password))
        return True

    def password_was_used(self, account_id: str, owner_id: str, password: str, last: int) -> bool:
        """Whether it is among the `last` passwords, of which the present one is the first; 24 at most are known."""
        query = sa.select(vault_secrets).where(_of(account_id, SecretKind.PASSWORD, owner_id))
        query = query.order_by(_columns.version.desc()).limit(last)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return any(is_password(password, self._unsealed(row)) for row in rows)

    # -- codes ----------------------------------------------------------------------------------------------------

    def code_accepted(self, account_id: str, serial: str, code: str, at: float) -> bool:
        """Whether this is the device's code at `at` (seconds since 1970), 30 seconds more or less, and none so late was
        accepted before. Raises TooManyAttempts.
        """
        return self._step_taken(account_id, serial, lambda seed: step_of(code, seed, at))

    def codes_accepted(self, account_id: str, serial: str, code1: str, code2: str, at: float) -> bool:
        """The same for two codes in a row, of which the second may be 30 seconds early or late."""
        return self._step_taken(account_id, serial, lambda seed: step_of_pair(code1, code2, seed, at))

    def _step_taken(self, account_id: str, serial: str, step_in: Callable[[str], int | None]) -> bool:
        kind = SecretKind.TOTP_SEED
        self._attempt(account_id, kind, serial)
        row = self._latest(account_id, kind, serial)
        step = None if row is None else step_in(self._unsealed(row))
        if row is None or step is None:
            return False
        # RFC 6238, 5.2: a code is accepted once. The condition makes one of many who bring it at once the first.
        later = sa.or_(_columns.step.is_(None), _columns.step < step)
        with self.writing() as connection:
            taken = connection.execute(vault_secrets.update().where(_is(row), later).values(step=step))
            if taken.rowcount != 1:
                return False
            self._succeeded(connection, account_id, kind, serial)
        return True

    # -- rotation: see `ledger.vault.rotation` --------------------------------------------------------------------

    def accounts_to_rotate(self) -> list[str]:
        """The accounts that have secrets whose data keys are not wrapped with the keyring's first key."""
        otherwise = sa.select(_columns.account_id).where(_columns.key != self.keyring.first.id)
        with self._engine.connect() as connection:
            return list(connection.scalars(otherwise.distinct().order_by(_columns.account_id)))

    def rewrap(self, connection: sa.Connection, account_id: str) -> list[str]:
        """Wrap the data keys of some of an account's secrets, REWRAPPED_AT_ONCE or all that are left, with the keyring's
        first key, in the caller's transaction. By which key each was wrapped before is answered.
        """
        first = self.keyring.first.id
        otherwise = sa.select(vault_secrets).where(_columns.account_id == account_id, _columns.key != first)
        self._announce(connection)
        rows = connection.execute(otherwise.limit(REWRAPPED_AT_ONCE).with_for_update()).all()
        for row in rows:
            self._put(connection, row, rewrapped(_envelope(row), _place(row), self.keyring))
        return [row.key for row in rows]

    def forget_unused_keys(self) -> None:
        first, used = self.keyring.first.id, sa.select(_columns.key)
        unused = sa.and_(vault_keys.c.id != first, vault_keys.c.id.not_in(used))
        with self.writing() as connection:
            self._announce(connection)
            connection.execute(vault_keys.delete().where(unused))

    # -- rows -----------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        with self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    def _attempt(self, account_id: str, kind: SecretKind, owner: str) -> None:
        now = int(self._clock())
        with self.writing() as connection:
            begin_attempt(connection, account_id, kind.value, owner, now)
            if self._source is not None:
                begin_attempt_from(connection, self._source, now)

    def _succeeded(self, connection: sa.Connection, account_id: str, kind: SecretKind, owner: str) -> None:
        succeeded(connection, account_id, kind.value, owner)
        if self._source is not None:
            succeeded_from(connection, self._source, int(self._clock()))

    def _latest(self, account_id: str, kind: SecretKind, id: str) -> sa.Row[Any] | None:
        query = sa.select(vault_secrets).where(_of(account_id, kind, id)).order_by(_columns.version.desc())
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).first()

    def _unsealed(self, row: sa.Row[Any]) -> str:
        return unseal(_envelope(row), _place(row), self.keyring)

    def _replace(self, connection: sa.Connection, row: sa.Row[Any], secret: str) -> None:
        self._announce(connection)
        self._put(connection, row, seal(secret, _place(row), self.keyring.first))

    def _put(self, connection: sa.Connection, row: sa.Row[Any], envelope: Envelope) -> None:
        changed = vault_secrets.update().where(_is(row))
        connection.execute(changed.values(key=envelope.key, wrapped=envelope.wrapped, sealed=envelope.sealed))


def _of(account_id: str, kind: SecretKind, id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_columns.account_id == account_id, _columns.kind == kind.value, _columns.id == id)


def _is(row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    """This very row, as it was read: not what somebody has put there since."""
    of = _of(row.account_id, SecretKind(row.kind), row.id)
    return sa.and_(of, _columns.version == row.version, _columns.wrapped == row.wrapped)


def _place(row: sa.Row[Any]) -> Place:
    return Place(row.account_id, row.kind, row.id, row.version)


def _envelope(row: sa.Row[Any]) -> Envelope:
    return Envelope(row.key, bytes(row.wrapped), bytes(row.sealed))
