"""Signing in with a password, and where there is a device its code: a temporary credential, as AWS's console has one.

Every attempt in an account is one entry, as CloudTrail writes it, but those that are not heard because there were too
many before. Passwords and codes are checked outside of any transaction; what was found is looked at once more in the
turn that writes the entry, so nobody signs in with what has just been taken from them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.entities import Owner, User
from ledger.authority.authority import Authority, Request
from ledger.authority.credentials import root_arn
from ledger.authority.recording import Surroundings, record_of, recorded
from ledger.authority.turns import Now, Written
from ledger.entry import NATIVE, Draft
from ledger.iam.console_sign_in import (
    CHECK_MFA,
    CONSOLE_LOGIN,
    FAILED,
    NO_SUCH_USER,
    PASSWORD_UPDATED,
    Claimant,
    Hindrance,
    claimed,
    devices,
    hindrance,
    identity_of_attempt,
    kind_of_mfa,
    session_seconds,
    told_of_sign_in,
)
from ledger.iam.deciding import Bearer, Keep, Moment, SecretKind
from ledger.iam.issuing import credentials
from ledger.iam.passwords import broken_rule
from ledger.iam.refusals import PasswordPolicyViolation, Refusal
from ledger.log import Log
from ledger.policy.request import caller_of
from ledger.record import read_record
from ledger.vault.passwords import hash_password
from ledger.vault.tokens import SessionToken, seal_token

KIND: Final = {"eventType": "AwsConsoleSignIn"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """`device` is the serial number of the device that the code is of, where there are several."""

    account_id: str
    claimant: Claimant
    password: str = field(repr=False)
    around: Surroundings
    login_to: str
    code: str | None = field(default=None, repr=False)
    device: str | None = None


class NotSignedIn(Exception):
    """No session was opened. `code` says to a program why, as far as whoever asks may know."""

    def __init__(self, code: str, message: str, devices: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.message, self.devices = code, message, devices


class NoSuchAccount(NotSignedIn):
    """… and the attempt is in no log. Whoever asks is told the same as where there is one."""


def _incorrect(kind: type[NotSignedIn] = NotSignedIn) -> NotSignedIn:
    return kind("AuthenticationFailed", "Your authentication information is incorrect. Please try again.")


HINDERED: Final = {
    Hindrance.RESET_REQUIRED: "The password has to be changed before it opens a session.",
    Hindrance.EXPIRED: "The password has expired, and has to be changed before it opens a session.",
    Hindrance.HARD_EXPIRED: "The password has expired. An administrator has to set a new one.",
}


def _hindered(why: Hindrance) -> NotSignedIn:
    return NotSignedIn(why, HINDERED[why])


@dataclass(frozen=True, slots=True)
class _Proved:
    """Who has given the right password and code. Nothing of it may have changed when the session is opened."""

    owner_id: str
    password_made_by: int | None
    serials: frozenset[str]
    device: str | None

    def still(self, owner: Owner | None) -> bool:
        return (
            owner is not None
            and owner.id == self.owner_id
            and owner.login_profile is not None
            and owner.login_profile.password_made_by == self.password_made_by
            and frozenset(owner.mfa_devices) == self.serials
        )


class SignIn:
    """`sign_in` and `change_password` answer the credential that is issued: AccessKeyId, SecretAccessKey, SessionToken
    and Expiration in seconds since 1970. They raise NotSignedIn, TooManyAttempts, Unavailable or Closed, take some 20 ms
    of processor time, and are not for where nobody may wait.
    """

    def __init__(self, log: Log, authority: Authority, *, clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._authority = authority
        self._vault = authority.vault
        self._clock = clock

    def sign_in(self, attempt: Attempt) -> Mapping[str, Any]:
        return self._opened(attempt, self._prove(attempt))

    def change_password(self, attempt: Attempt, new: str) -> Mapping[str, Any]:
        """Set another password, expired or not, and sign in. Of a user it is a call of iam:ChangePassword, for which a
        policy or the account's password policy has to give permission; raises its Refusal besides.
        """
        proved = self._prove(attempt)
        account, _ = self._authority.look(attempt.account_id)
        owner = claimed(account, attempt.claimant)
        if owner is None or not proved.still(owner):
            raise self._refused(attempt, FAILED, mfa_used=proved.device is not None)
        if hindrance(account, owner, int(self._clock())) is Hindrance.HARD_EXPIRED:
            failure = _hindered(Hindrance.HARD_EXPIRED)
            raise self._refused(attempt, failure.message, mfa_used=proved.device is not None, failure=failure)
        if isinstance(owner, User):
            self._change_of_user(attempt, owner, new)
        else:
            self._change_of_root(attempt, proved, new)
        account, _ = self._authority.look(attempt.account_id)
        owner = claimed(account, attempt.claimant)
        if owner is None or owner.id != proved.owner_id or owner.login_profile is None:
            raise _incorrect()
        made_by = owner.login_profile.password_made_by
        return self._opened(attempt, _Proved(owner.id, made_by, proved.serials, proved.device))

    # ---- proving

    def _prove(self, attempt: Attempt) -> _Proved:
        vault = self._vault.asked_from(attempt.around.source_ip)
        if not self._log.size(attempt.account_id):
            # Takes as long as where there is an account, and has to wait as long.
            vault.password_matches(
                attempt.account_id, _owner_of_secret(attempt.claimant, None), attempt.password
            )
            raise _incorrect(NoSuchAccount)
        account, _ = self._authority.look(attempt.account_id)
        owner = claimed(account, attempt.claimant)
        if not vault.password_matches(
            account.id, _owner_of_secret(attempt.claimant, owner), attempt.password
        ):
            raise self._refused(attempt, NO_SUCH_USER if owner is None else FAILED, mfa_used=False)
        if owner is None or owner.login_profile is None:  # it was taken from them meanwhile
            raise self._refused(attempt, FAILED, mfa_used=False)
        device = self._device_proved(attempt, owner)
        return _Proved(owner.id, owner.login_profile.password_made_by, frozenset(owner.mfa_devices), device)

    def _device_proved(self, attempt: Attempt, owner: Owner) -> str | None:
        serials = tuple(device.serial_number for device in devices(owner))
        if not serials:
            return None
        serial = attempt.device or (serials[0] if len(serials) == 1 else None)
        if attempt.code is None or serial is None:
            raise self._challenged(attempt, owner)
        vault = self._vault.asked_from(attempt.around.source_ip)
        right = serial in serials and vault.code_accepted(
            attempt.account_id, serial, attempt.code, self._clock()
        )
        if not right:
            raise self._refused(attempt, FAILED, mfa_used=True)
        return serial

    # ---- what comes of it

    def _opened(self, attempt: Attempt, proved: _Proved) -> Mapping[str, Any]:
        """Open the session, or write down why not."""

        def decide(now: Now) -> Written:
            owner = claimed(now.account, attempt.claimant)
            used = proved.device is not None
            if owner is None or not proved.still(owner):
                return self._failure(now, attempt, FAILED, mfa_used=used, reply=_incorrect())
            hindered = hindrance(now.account, owner, now.time)
            if hindered is not None:
                refusal = _hindered(hindered)
                return self._failure(now, attempt, refusal.message, mfa_used=used, reply=refusal)
            assert owner.login_profile is not None
            given = credentials(Moment(now.time), session_seconds(owner.login_profile))
            token = SessionToken(
                now.account.id,
                now.position,
                given["AccessKeyId"],
                given["SecretAccessKey"],
                given["Expiration"],
            )
            whole = {**given, "SessionToken": seal_token(self._vault.keyring, token)}
            document = record_of(
                now.account,
                _bearer(now.account, owner),
                CONSOLE_LOGIN,
                at=now.time,
                event_id=now.event_id(),
                surroundings=attempt.around,
                read_only=False,
                request=None,
                response={"ConsoleLogin": "Success", **recorded({"Credentials": whole})},
                extra=KIND
                | {"additionalEventData": told_of_sign_in(attempt.login_to, proved.device, mfa_used=used)},
            )
            return Written(Draft.of(read_record(document), NATIVE), whole)

        told = self._authority.turns.call(attempt.account_id, decide)
        if isinstance(told, NotSignedIn):
            raise told
        opened: Mapping[str, Any] = told
        return opened

    def _refused(
        self, attempt: Attempt, message: str, *, mfa_used: bool, failure: NotSignedIn | None = None
    ) -> NotSignedIn:
        """Write the failure down. What is answered does not tell whether the name, the password or the code was wrong."""
        told = failure or _incorrect()
        self._authority.turns.call(
            attempt.account_id,
            lambda now: self._failure(now, attempt, message, mfa_used=mfa_used, reply=told),
        )
        return told

    def _failure(
        self, now: Now, attempt: Attempt, message: str, *, mfa_used: bool, reply: NotSignedIn
    ) -> Written:
        more = told_of_sign_in(attempt.login_to, None, mfa_used=mfa_used)
        return self._attempted(now, attempt, CONSOLE_LOGIN, {"ConsoleLogin": "Failure"}, message, more, reply)

    def _challenged(self, attempt: Attempt, owner: Owner) -> NotSignedIn:
        """The password was right: that alone is written down, and a code asked for."""
        more, passed = {"MfaType": kind_of_mfa(owner)}, {"CheckMfa": "Success"}
        self._authority.turns.call(
            attempt.account_id,
            lambda now: self._attempted(now, attempt, CHECK_MFA, passed, None, more, None),
        )
        serials = tuple(device.serial_number for device in devices(owner))
        return NotSignedIn("MfaCodeRequired", "A code of the MFA device is needed to sign in.", serials)

    @staticmethod
    def _attempted(
        now: Now,
        attempt: Attempt,
        action: str,
        response: Mapping[str, str],
        message: str | None,
        more: Mapping[str, str],
        reply: NotSignedIn | None,
    ) -> Written:
        owner = claimed(now.account, attempt.claimant)
        extra: dict[str, Any] = KIND | {
            "userIdentity": identity_of_attempt(now.account, attempt.claimant, owner),
            "additionalEventData": dict(more),
        }
        if message is not None:
            extra["errorMessage"] = message
        document = record_of(
            now.account,
            Bearer(caller_of(root_arn(now.account))),
            action,
            at=now.time,
            event_id=now.event_id(),
            surroundings=attempt.around,
            read_only=False,
            request=None,
            response=response,
            extra=extra,
        )
        return Written(Draft.of(read_record(document), NATIVE), reply)

    # ---- another password

    def _change_of_user(self, attempt: Attempt, user: User, new: str) -> None:
        passwords = {"OldPassword": attempt.password, "NewPassword": new}
        by = Bearer(caller_of(user.arn, None, user.id))
        told = self._authority.call(
            Request(attempt.account_id, "iam:ChangePassword", passwords, attempt.around, None, by=by)
        )
        if told.refusal is not None:
            raise told.refusal

    def _change_of_root(self, attempt: Attempt, proved: _Proved, new: str) -> None:
        """The account's password policy is not root's, but the rules that hold where there is none."""
        rule = broken_rule(new, None)
        hashed = hash_password(new)

        def decide(now: Now) -> Written:
            settings = now.account.settings
            if not proved.still(settings):
                return self._failure(now, attempt, FAILED, mfa_used=False, reply=_incorrect())
            broken = rule
            if new.casefold() in ((settings.email or "").casefold(), now.account.id):
                broken = "Password should not be the e-mail address or the number of the account"
            document = record_of(
                now.account,
                _bearer(now.account, settings),
                PASSWORD_UPDATED,
                at=now.time,
                event_id=now.event_id(),
                surroundings=attempt.around,
                read_only=False,
                request=None,
                response={"PasswordUpdated": "Success" if broken is None else "Failure"},
                extra=KIND,
            )
            if broken is not None:
                document["errorMessage"] = broken
                return Written(Draft.of(read_record(document), NATIVE), PasswordPolicyViolation(broken))
            kept = Keep(SecretKind.PASSWORD, now.account.id, hashed)
            return Written(Draft.of(read_record(document), NATIVE), None, (kept,))

        told = self._authority.turns.call(attempt.account_id, decide)
        if isinstance(told, NotSignedIn | Refusal):
            raise told


def _bearer(account: Account, owner: Owner) -> Bearer:
    if isinstance(owner, User):
        return Bearer(caller_of(owner.arn, None, owner.id))
    return Bearer(caller_of(root_arn(account)))


def _owner_of_secret(claimant: Claimant, owner: Owner | None) -> str:
    """By what the vault knows the password; for a name that nobody has, what its failed attempts are counted by."""
    if owner is not None:
        return owner.id
    return f"nobody/{(claimant.user or claimant.email or '').casefold()}"
