"""Session tokens: a temporary credential, sealed, so that nothing has to be kept for it.

A token is `ilt1_` and Base64 of the key's id, a nonce and the sealed credential, some 180 characters. It can't be
revoked by itself; AWS too revokes by a policy that denies what was issued before a time (aws:TokenIssueTime). A token is
good as long as its key is in the keyring, so after a rotation keep the old key there for 36 hours, AWS's longest session.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag

from ledger.vault.keys import Keyring, NoVaultKey

PREFIX: Final = "ilt1_"
TOKEN_CHARACTERS_MAX: Final = 2_048
_KEY_ID_BYTES = 8
_NUMBERS = struct.Struct(">QQQB")  # account, position, expiration; the length of the key id


class NotAToken(Exception):
    """This is no token of ours, or of a key that is no longer in the keyring."""


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A temporary credential of `account_id`, whose session began with the entry at `position` of its log.

    `expiration` is in seconds since 1970. Whether that is past is for the caller to judge.
    """

    account_id: str
    position: int
    access_key_id: str
    secret: str = field(repr=False)
    expiration: int


def seal_token(keyring: Keyring, token: SessionToken) -> str:
    key_id = token.access_key_id.encode()
    numbers = _NUMBERS.pack(int(token.account_id), token.position, token.expiration, len(key_id))
    key = keyring.first
    id_bytes = bytes.fromhex(key.id)
    sealed = key.tokens.seal(numbers + key_id + token.secret.encode(), PREFIX.encode() + id_bytes)
    return PREFIX + base64.urlsafe_b64encode(id_bytes + sealed).decode().rstrip("=")


def open_token(keyring: Keyring, text: str) -> SessionToken:
    """Raises NotAToken."""
    if not text.startswith(PREFIX) or len(text) > TOKEN_CHARACTERS_MAX:
        raise NotAToken
    encoded = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        id_bytes, sealed = raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:]
        plain = keyring[id_bytes.hex()].tokens.open(sealed, PREFIX.encode() + id_bytes)
    except (binascii.Error, ValueError, InvalidTag, NoVaultKey):
        raise NotAToken from None
    account, position, expiration, length = _NUMBERS.unpack_from(plain)
    rest = plain[_NUMBERS.size :]
    return SessionToken(
        f"{account:012}", position, rest[:length].decode(), rest[length:].decode(), expiration
    )
