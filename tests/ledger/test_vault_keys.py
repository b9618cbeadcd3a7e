"""Keys of the vault, what they seal, and session tokens."""

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from ledger.vault.keys import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    KEYS_MAX,
    Keyring,
    NoVaultKey,
    keyring_of,
    new_key,
    write_key_file,
)
from ledger.vault.sealing import (
    Envelope,
    Place,
    SecretDamaged,
    check_key,
    check_value,
    rewrapped,
    seal,
    unseal,
)
from ledger.vault.tokens import NotAToken, SessionToken, open_token, seal_token

RING = Keyring(new_key())
HERE = Place("111122223333", "access-key", "AKIAALICE", 1)
TOKEN = SessionToken("000000000042", 123_456_789, "ASIAIOSFODNN7EXAMPLE", "s3cr3t/" + "x" * 33, 1_800_000_000)


# -- where keys come from -------------------------------------------------------------------------------------------


def test_a_key_comes_from_the_environment_or_from_a_file_of_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_key_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    from_file = keyring_of({KEY_FILE_VARIABLE: str(file)})
    assert keyring_of({KEY_VARIABLE: file.read_text()}).first.id == from_file.first.id
    with pytest.raises(FileExistsError):
        write_key_file(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    write_key_file(file)
    file.chmod(mode)
    with pytest.raises(NoVaultKey, match="others than its owner"):
        keyring_of({KEY_FILE_VARIABLE: str(file)})


def test_without_a_key_there_is_none(tmp_path: Path) -> None:
    for nothing in ({}, {KEY_VARIABLE: ""}, {KEY_VARIABLE: " # only a remark\n"}):
        with pytest.raises(NoVaultKey, match="has no key"):
            keyring_of(nothing)
    with pytest.raises(NoVaultKey, match="both set"):
        keyring_of({KEY_VARIABLE: new_key(), KEY_FILE_VARIABLE: str(tmp_path / "key")})
    for file in (tmp_path / "absent", tmp_path):
        with pytest.raises(NoVaultKey, match="cannot read"):
            keyring_of({KEY_FILE_VARIABLE: str(file)})


def test_what_is_no_key_is_refused_and_not_repeated() -> None:
    good = new_key()
    for bad in ("hunter2", good[:-1], good + "A", good.replace("ilvk_", ""), "ilvk_" + "!" * 43):
        with pytest.raises(NoVaultKey) as told:
            Keyring(f"{good}\n{bad}")
        assert "key 2" in str(told.value)
        assert bad not in str(told.value)
    with pytest.raises(NoVaultKey, match="at most"):
        Keyring(" ".join(new_key() for _ in range(KEYS_MAX + 1)))


def test_the_first_key_seals_and_all_are_known() -> None:
    first, second = new_key(), new_key()
    ring = Keyring(f"{first}, # since May\n{second}")
    assert ring.first.id == Keyring(first).first.id
    assert Keyring(second).first.id in ring
    assert Keyring(new_key()).first.id not in ring


def test_a_keyring_shows_ids_alone() -> None:
    key = new_key()
    ring = Keyring(key)
    assert repr(ring) == f"Keyring({ring.first.id})"
    assert key.removeprefix("ilvk_") not in repr(ring) + repr(ring.first) + str(ring.first.wrapping)


# -- sealing ---------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_opens_in_its_place(secret: str) -> None:
    ring = Keyring(new_key())
    assert unseal(seal(secret, HERE, ring.first), HERE, ring) == secret


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place("444455556666", HERE.kind, HERE.id, 1),
        Place(HERE.account_id, "password", HERE.id, 1),
        Place(HERE.account_id, HERE.kind, "AKIABOB", 1),
        Place(HERE.account_id, HERE.kind, HERE.id, 2),
    ],
)
def test_in_no_other_place_does_it_open(elsewhere: Place) -> None:
    ring = Keyring(new_key())
    envelope = seal("secret", HERE, ring.first)
    for opening in (unseal, rewrapped):
        with pytest.raises(SecretDamaged) as told:
            opening(envelope, elsewhere, ring)
        assert told.value.__cause__ is None


def test_each_bit_counts() -> None:
    ring = Keyring(new_key())
    envelope = seal("secret", HERE, ring.first)
    for at in range(8 * len(envelope.sealed)):
        spoilt = bytearray(envelope.sealed)
        spoilt[at // 8] ^= 1 << at % 8
        with pytest.raises(SecretDamaged):
            unseal(Envelope(envelope.key, envelope.wrapped, bytes(spoilt)), HERE, ring)
    for at in range(8 * len(envelope.wrapped)):
        spoilt = bytearray(envelope.wrapped)
        spoilt[at // 8] ^= 1 << at % 8
        with pytest.raises(SecretDamaged):
            unseal(Envelope(envelope.key, bytes(spoilt), envelope.sealed), HERE, ring)
    for short in (b"", b"x" * 12):
        with pytest.raises(SecretDamaged):
            unseal(Envelope(envelope.key, envelope.wrapped, short), HERE, ring)


def test_a_secret_sealed_twice_is_not_the_same() -> None:
    ring = Keyring(new_key())
    one, other = seal("secret", HERE, ring.first), seal("secret", HERE, ring.first)
    assert one.sealed != other.sealed and one.wrapped != other.wrapped


def test_a_wrapped_key_goes_from_one_key_to_the_next_and_the_secret_stays_sealed() -> None:
    old, new = new_key(), new_key()
    envelope = seal("secret", HERE, Keyring(old).first)
    moved = rewrapped(envelope, HERE, Keyring(f"{new} {old}"))
    assert moved.sealed == envelope.sealed
    assert unseal(moved, HERE, Keyring(new)) == "secret"
    with pytest.raises(NoVaultKey):
        unseal(moved, HERE, Keyring(old))


def test_a_check_value_tells_a_key_from_another() -> None:
    one, other = Keyring(new_key()).first, Keyring(new_key()).first
    check_key(one, check_value(one))
    with pytest.raises(NoVaultKey):
        check_key(one, check_value(other))


# -- session tokens --------------------------------------------------------------------------------------------------


def test_a_token_tells_what_was_sealed_in_it() -> None:
    ring = Keyring(new_key())
    text = seal_token(ring, TOKEN)
    assert open_token(ring, text) == TOKEN
    assert len(text) < 200
    assert text.isascii() and text.isprintable() and " " not in text


def test_a_token_shows_nothing() -> None:
    assert TOKEN.secret not in repr(TOKEN) + seal_token(Keyring(new_key()), TOKEN)


def test_a_changed_token_is_none() -> None:
    ring = Keyring(new_key())
    text = seal_token(ring, TOKEN)
    for at in range(len(text) - 1):  # of the last character not every bit is used
        other = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(NotAToken):
            open_token(ring, other)


@given(st.one_of(st.text(), st.text("ilt1_AZaz09-_=+/", max_size=80).map(lambda text: "ilt1_" + text)))
def test_whatever_is_no_token_is_none(text: str) -> None:
    with pytest.raises(NotAToken):
        open_token(RING, text)


def test_a_token_outlives_a_rotation_while_its_key_is_in_the_ring() -> None:
    old, new = new_key(), new_key()
    text = seal_token(Keyring(old), TOKEN)
    assert open_token(Keyring(f"{new} {old}"), text) == TOKEN
    with pytest.raises(NotAToken):
        open_token(Keyring(new), text)


def test_a_token_s_key_wraps_no_secrets() -> None:
    key = Keyring(new_key()).first
    with pytest.raises(InvalidTag):
        key.wrapping.open(key.tokens.seal(b"plain", b""), b"")
