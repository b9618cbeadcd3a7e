"""The signatures that a stranger checks with plain arithmetic are those that everybody else checks."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.evidence.verify_evidence import signed

RFC_8032 = [  # 7.1: tests 1 to 3
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "text", "signature"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(key: str, text: str, signature: str) -> None:
    raw = bytes.fromhex(signature)
    assert signed(bytes.fromhex(key), bytes.fromhex(text), raw)
    assert not signed(bytes.fromhex(key), bytes.fromhex(text) + b"x", raw)


@settings(max_examples=60)
@given(
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=99),
    st.one_of(st.none(), st.integers(0, 8 * 96 - 1)),
)
def test_a_signature_is_judged_as_openssl_judges_it(seed: bytes, text: bytes, spoilt_bit: int | None) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    raw = bytearray(private.public_key().public_bytes_raw() + private.sign(text))
    if spoilt_bit is not None:
        raw[spoilt_bit // 8] ^= 1 << spoilt_bit % 8
    key, signature = bytes(raw[:32]), bytes(raw[32:])
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
        expected = True
    except (InvalidSignature, ValueError):
        expected = False
    try:
        found = signed(key, text, signature)
    except Exception:
        found = False
    assert found is expected is (spoilt_bit is None)


def test_a_signature_has_one_form() -> None:
    """A scalar beyond the order of the group would give another signature of the same text."""
    key, text, signature = RFC_8032[1]
    raw = bytes.fromhex(signature)
    order = 2**252 + 27742317777372353535851937790883648493
    other = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    assert not signed(bytes.fromhex(key), bytes.fromhex(text), raw[:32] + other)
