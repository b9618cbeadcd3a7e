"""Signed notes: the format to the byte, and nothing that is not signed."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, account_key, new_ledger_key, open_checkpoint, sign_checkpoint
from ledger.merkle.tiles import split, tile_at
from ledger.merkle.trees import root_of
from ledger.notes import BadKey, BadNote, Signer, Verifier, open_note, sign_note, unverified_text

# The examples of the specification of Go's note package, which C2SP's follows.
PETER = Signer.parse("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
PETERS = Verifier.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
QUOTED = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
TESSERA = Verifier.parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
names = st.text(st.characters(codec="utf-8", exclude_characters="+"), min_size=1, max_size=8).filter(
    lambda told: not any(one.isspace() or one < " " for one in told)
)
texts = st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=20).map(lambda told: told + "\n")


def test_the_example_of_the_specification() -> None:
    note = sign_note(QUOTED, PETER)
    assert note.decode() == (
        f"{QUOTED}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    assert PETER.verifier == PETERS
    assert open_note(note, [PETERS]) == QUOTED


def test_keys_are_written_as_they_are_read() -> None:
    for name in ("a", "iam-ledger/x/1", "é—ö"):
        key = Signer.new(name)
        assert Signer.parse(key.secret_text()) == key
        assert Verifier.parse(str(key.verifier)) == key.verifier
        assert key.secret_text().split("+", 4)[4] not in repr(key)  # the secret itself may hold a plus


@given(names, texts)
def test_what_is_signed_opens_with_that_key_only(name: str, text: str) -> None:
    key, other = Signer.new(name), Signer.new(name)
    note = sign_note(text, key)
    assert open_note(note, [other.verifier, key.verifier]) == text
    assert unverified_text(note) == text
    with pytest.raises(BadNote, match="not signed by"):
        open_note(note, [other.verifier])
    with pytest.raises(BadNote, match="not signed by"):
        open_note(note, [key.named(name + "x").verifier])


def test_no_bit_of_a_note_may_change() -> None:
    key = Signer.new("log")
    note = sign_note("one\n\ntwo\n", key)
    for bit in range(len(note) * 8):
        spoilt = bytearray(note)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadNote):
            open_note(bytes(spoilt), [key.verifier])


def test_others_may_sign_as_well_but_none_falsely() -> None:
    key, witness = Signer.new("log"), Signer.new("witness")
    note = sign_note("text\n", key)
    line = sign_note("text\n", witness).rpartition(b"\n\n")[2]
    assert open_note(note + line, [key.verifier]) == "text\n"
    assert open_note(note + line, [witness.verifier]) == "text\n"
    false = sign_note("other\n", witness).rpartition(b"\n\n")[2]
    assert open_note(note + false, [key.verifier]) == "text\n"
    with pytest.raises(BadNote, match="the signature of witness does not hold"):
        open_note(note + false, [key.verifier, witness.verifier])


SIGNATURE = b"\xe2\x80\x94 a " + base64.b64encode(b"\0" * 68) + b"\n"


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\nno signature\n",
        b"text\n\n" + SIGNATURE[:-1],
        b"text\r\n\n" + SIGNATURE,
        b"te\x00xt\n\n" + SIGNATURE,
        b"te\xffxt\n\n" + SIGNATURE,
        b"text\n\n" + SIGNATURE.replace(b" a ", b" a+b "),
        b"text\n\n" + SIGNATURE.replace(b" a ", b"  "),
        b"text\n\n" + SIGNATURE.replace(b"\xe2\x80\x94", b"-"),
        b"text\n\n\xe2\x80\x94 a AAAA\n",
        b"text\n\n\xe2\x80\x94 a AAAAAAB=\n",
        b"text\n\n\xe2\x80\x94 a AAAAA\n",
        b"text\n\n" + SIGNATURE * 101,
        b"x" * 1_000_001 + b"\n\n" + SIGNATURE,
    ],
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    with pytest.raises(BadNote):
        unverified_text(note)


@pytest.mark.parametrize("text", ["no newline", "a\tb\n", "a\rb\n"])
def test_what_can_be_no_text_is_not_signed(text: str) -> None:
    with pytest.raises(BadNote):
        sign_note(text, PETER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+äRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey):
        Verifier.parse(text)
    with pytest.raises(BadKey):
        Signer.parse(f"PRIVATE+KEY+{text}")
    with pytest.raises(BadKey):
        Signer.parse(text)


@given(st.binary())
def test_rubbish_is_refused_and_nothing_else(raw: bytes) -> None:
    for note in (raw, raw + b"\n\n" + SIGNATURE, b"a\n\n\xe2\x80\x94 " + raw):
        try:
            unverified_text(note)
        except BadNote:
            continue
        note.decode()


# -- checkpoints --------------------------------------------------------------------------------------------------


def test_a_checkpoint_of_an_account_is_of_no_other() -> None:
    ledger = new_ledger_key("prod")
    one, two = account_key(ledger, "111122223333"), account_key(ledger, "444455556666")
    head = Checkpoint(one.name, 7, b"\1" * 32)
    assert open_checkpoint(sign_checkpoint(head, one), [one.verifier, two.verifier]) == head
    assert head.origin == "iam-ledger/prod/111122223333"
    with pytest.raises(BadNote, match="not signed by"):
        open_checkpoint(sign_checkpoint(head, one), [two.verifier])
    with pytest.raises(BadNote, match="none of the keys can sign"):
        open_checkpoint(sign_checkpoint(head, two), [two.verifier])


def test_what_else_a_checkpoint_says_is_passed_over() -> None:
    text = Checkpoint("o", 0, b"\2" * 32).to_text()
    assert Checkpoint.of_text(text + "extension\n") == Checkpoint("o", 0, b"\2" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n",
        "o\n5\n",
        "\n5\n" + "A" * 43 + "=\n",
        "o\n05\n" + "A" * 43 + "=\n",
        "o\n-5\n" + "A" * 43 + "=\n",
        "o\n5 \n" + "A" * 43 + "=\n",
        "o\n٥\n" + "A" * 43 + "=\n",
        "o\n9223372036854775808\n" + "A" * 43 + "=\n",
        "o\n5\n" + "A" * 42 + "==\n",
        "o\n5\n" + "A" * 42 + "B=\n",
        "o\n5\n" + "A" * 43 + "\n",
        "o\n5\nä\n",
        "o\n5\n" + "A" * 43 + "=\n\nx\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        Checkpoint.of_text(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a/b", "x" * 65, "ä", "a\n"])
def test_a_ledger_has_a_plain_name(name: str) -> None:
    with pytest.raises(BadKey):
        new_ledger_key(name)


# -- others' ------------------------------------------------------------------------------------------------------


def test_the_sample_log_of_others_is_whole(vectors: Path) -> None:
    """Its 17 checkpoints are signed, and their roots those of its tiles; its entries hash to its leaves."""
    from ledger.entry import leaf_hash

    log, seen = vectors / "tessera-log", 0
    for file in sorted(log.glob("checkpoint*")):
        head = open_checkpoint(file.read_bytes(), [TESSERA])
        if head.size:
            tile = log / f"tile/0/000.p/{head.size}"
            hashes = split(tile.read_bytes())
            assert tile_at(str(tile.relative_to(log / "tile"))).width == len(hashes) == head.size
            bundle = (log / f"tile/entries/000.p/{head.size}").read_bytes()
            assert [leaf_hash(leaf) for leaf in leaves(bundle)] == hashes
        else:
            hashes = []
        assert root_of(hashes) == head.root
        seen += 1
    assert seen == 17


def leaves(bundle: bytes) -> list[bytes]:
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


def test_edge_cases_of_ed25519_raise_nothing(vectors: Path) -> None:
    """What others' verifier makes of them is asked in test_go_judge.py."""
    cases = json.loads((vectors / "c2sp-cctv" / "ed25519vectors.json").read_text())
    told = [
        Verifier("x", bytes.fromhex(case["key"])).verifies(case["msg"].encode(), bytes.fromhex(case["sig"]))
        for case in cases
    ]
    assert len(told) == 914
    assert 0 < sum(told) < 914
