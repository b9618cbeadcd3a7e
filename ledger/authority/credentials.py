"""From a credential to whoever bears it, by the account as it stands: keys that work, sessions that are not over."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import Kind, User
from ledger.authorization import Holder
from ledger.iam.deciding import Bearer
from ledger.iam.sessions import Session, session_opened
from ledger.log.store import Turn
from ledger.policy.request import CallerKind, caller_of

ACTIVE: Final = "Active"
SESSIONS_KEPT_MAX: Final = 100_000


class Unauthenticated(Exception):
    """Nobody is known to call, so nothing is recorded. `code` is AWS's."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def unknown_key() -> Unauthenticated:
    return Unauthenticated("InvalidClientTokenId", "The security token included in the request is invalid.")


def expired() -> Unauthenticated:
    return Unauthenticated("ExpiredToken", "The security token included in the request is expired")


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential whose possession was proved. `position` and `expiration` (seconds since 1970) are a session's."""

    account_id: str
    access_key_id: str
    secret: str = field(repr=False)
    position: int | None = None
    expiration: int | None = None


class Sessions:
    """Open sessions, read off the entries that opened them, and remembered: entries never change. Whoever bears a long-term
    key is remembered while the account is the same value.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], Session] = OrderedDict()
        self._account: Account | None = None
        self._keys: dict[str, Bearer] = {}

    def bearer(self, turn: Turn, account: Account, presented: Presented, at: int) -> Bearer:
        """Who presents the credential at that second; raises Unauthenticated where it does not work."""
        if presented.position is None:
            return self._with_key(account, presented.access_key_id)
        session = self._at(turn, presented.position)
        # The entry may be another than the token meant: this may be an older copy of the ledger, written on.
        if session.access_key_id != presented.access_key_id:
            raise unknown_key()
        return bearer_of(account, presented, at, session)

    def _with_key(self, account: Account, key_id: str) -> Bearer:
        if account is not self._account:
            self._account, self._keys = account, {}
        found = self._keys.get(key_id)
        if found is None:
            found = self._keys[key_id] = _with_key(account, key_id)
        return found

    def _at(self, turn: Turn, position: int) -> Session:
        """The session that the entry opened; raises Unauthenticated where it opened none."""
        place = (turn.account_id, position)
        found = self._known.get(place)
        if found is None:
            entries = turn.log.fetch(turn.connection, turn.account, [position])
            read = session_opened(Change(position, entries[0].record, native=True)) if entries else None
            if read is None:
                raise unknown_key()
            found = self._known[place] = read
            if len(self._known) > SESSIONS_KEPT_MAX:
                self._known.popitem(last=False)
        return found


def bearer_of(account: Account, presented: Presented, at: int, session: Session) -> Bearer:
    """Who presents a session's credential at that second; raises Unauthenticated where it does not work."""
    if presented.expiration is not None and at >= presented.expiration:
        raise expired()
    key_id, unique_id = presented.access_key_id, session.unique_id or ""
    if ":assumed-role/" in (session.session_arn or ""):
        role = account.roles.get(unique_id)
        if role is None or session.session_arn is None:
            raise unknown_key()
        return Bearer(caller_of(session.session_arn, role.arn, role.id), key_id, session, bool(session.mfa))
    if ":federated-user/" in (session.session_arn or "") and session.session_arn is not None:
        if unique_id != account.id and unique_id not in account.users:
            raise unknown_key()
        return Bearer(caller_of(session.session_arn, None, unique_id), key_id, session, False)
    if unique_id == account.id:
        return Bearer(caller_of(root_arn(account)), key_id, session, bool(session.mfa))
    user = account.users.get(unique_id)
    if user is None:
        raise unknown_key()
    return Bearer(caller_of(user.arn, None, user.id), key_id, session, bool(session.mfa))


def _with_key(account: Account, key_id: str) -> Bearer:
    owner = account.key_owner(key_id)
    if owner is None or owner.access_keys[key_id].status != ACTIVE:
        raise unknown_key()
    if isinstance(owner, User):
        return Bearer(caller_of(owner.arn, None, owner.id), key_id)
    return Bearer(caller_of(root_arn(account)), key_id)


def holder_of_bearer(by: Bearer) -> Holder | None:
    """Whose policies the bearer acts with."""
    caller = by.caller
    match caller.kind:
        case CallerKind.USER:
            return Kind.USER, caller.unique_id or caller.arn
        case CallerKind.ROLE_SESSION:
            return Kind.ROLE, caller.unique_id or caller.role_arn or caller.arn
        case CallerKind.FEDERATED_USER if caller.unique_id != caller.account_id:
            return Kind.USER, caller.unique_id or ""
    return None


def root_arn(account: Account) -> str:
    return f"arn:aws:iam::{account.id}:root"
