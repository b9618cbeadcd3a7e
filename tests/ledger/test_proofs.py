"""Proofs as files: to the letter of the format, and refused for any other letter."""

import base64
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import account_key, new_ledger_key
from ledger.entry import Origin
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.proving import prove_continued, prove_entry, read_bundle
from ledger.log.tiles import TreeDamaged
from ledger.merkle.tiles import Bundle
from ledger.proof import BadProof, ConsistencyProof, InclusionProof, check_proof, parse_proof
from ledger.record import canonical
from tests.ledger.test_every_log import ACCOUNT, DECIDED, OTHER, draft, drafts
from tests.ledger.test_tiles import unguarded

KEY = new_ledger_key("tested")
TRUSTED = [account_key(KEY, ACCOUNT).verifier]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    opened = Log(open_engine(str(tmp_path_factory.mktemp("proofs") / "ledger.sqlite"), create=True))
    opened.append([*drafts(300), draft(Origin(), DECIDED), *drafts(9, recipientAccountId=OTHER)])
    yield opened
    opened.engine.dispose()


def proof_of(log: Log, position: int, *, with_body: bool = True, account: str = ACCOUNT) -> InclusionProof:
    entry = log.entry(account, position)
    assert entry is not None
    return prove_entry(log, Checkpoints(log, KEY), entry, with_body=with_body)


def test_the_format_is_that_of_the_specification(log: Log) -> None:
    proof = proof_of(log, 300, with_body=False)
    head, _, checkpoint = proof.to_bytes().partition(b"\n\n")
    lines = head.decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 300"
    assert [base64.b64decode(line) for line in lines[3:]] == list(proof.hashes)
    assert checkpoint == proof.checkpoint
    assert checkpoint.startswith(f"iam-ledger/tested/{ACCOUNT}\n301\n".encode())


def test_a_proof_says_what_was_recorded_and_decided(log: Log) -> None:
    entry = log.entry(ACCOUNT, 300)
    assert entry is not None
    proved = check_proof(proof_of(log, 300).to_bytes(), TRUSTED)
    assert proved.body == {
        "record": entry.document,
        "origin": {"kind": "native"},
        "authorization": orjson.loads(DECIDED),
    }
    assert proved.leaf == orjson.loads(entry.leaf.to_bytes())
    assert proved.checkpoint.size == 301


def test_a_proof_without_the_body_holds_nothing_of_the_record(log: Log) -> None:
    raw = proof_of(log, 7, with_body=False).to_bytes()
    proof = parse_proof(raw)
    assert isinstance(proof, InclusionProof) and proof.extra is not None
    assert orjson.loads(proof.extra).keys() == {"leaf"}
    assert b"alice" not in proof.extra
    proved = check_proof(raw, TRUSTED)
    assert proved.leaf is not None and proved.leaf["position"] == 7
    assert proved.body is None


def test_every_entry_can_be_proved(log: Log) -> None:
    for position in range(301):
        raw = proof_of(log, position).to_bytes()
        assert parse_proof(raw).to_bytes() == raw
        assert check_proof(raw, TRUSTED).leaf is not None


# -- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_body", [True, False])
def test_no_bit_of_a_proof_may_change(log: Log, with_body: bool) -> None:
    raw = proof_of(log, 120, with_body=with_body).to_bytes()
    for bit in range(len(raw) * 8):
        spoilt = bytearray(raw)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadProof):
            check_proof(bytes(spoilt), TRUSTED)


def test_no_bit_of_a_proof_of_continuation_may_change(log: Log) -> None:
    made = Checkpoints(log, KEY)
    earlier = made.at(ACCOUNT, 77)
    raw = prove_continued(log, made, ACCOUNT, old=77).to_bytes()
    assert check_proof(raw, TRUSTED, earlier=earlier).old == 77
    for part, other in ((raw, earlier), (earlier, raw)):
        for bit in range(len(part) * 8):
            spoilt = bytearray(part)
            spoilt[bit // 8] ^= 1 << bit % 8
            proof, kept = (bytes(spoilt), other) if part is raw else (other, bytes(spoilt))
            with pytest.raises(BadProof):
                check_proof(proof, TRUSTED, earlier=kept)


def test_nobody_else_s_signature_will_do(log: Log) -> None:
    raw = proof_of(log, 3).to_bytes()
    for keys in (
        [],
        [account_key(KEY, OTHER).verifier],
        [account_key(new_ledger_key("tested"), ACCOUNT).verifier],
    ):
        with pytest.raises(BadProof, match="not signed by"):
            check_proof(raw, keys)


def test_what_was_signed_of_another_log_proves_nothing(log: Log) -> None:
    keys = [*TRUSTED, account_key(KEY, OTHER).verifier]
    made = Checkpoints(log, KEY)
    mine, others = proof_of(log, 3), proof_of(log, 3, account=OTHER)
    mixed = InclusionProof(mine.index, mine.hashes, others.checkpoint, mine.extra)
    with pytest.raises(BadProof):
        check_proof(mixed.to_bytes(), keys)
    steps = prove_continued(log, made, ACCOUNT, old=9)
    with pytest.raises(BadProof, match="of two logs"):
        check_proof(steps.to_bytes(), keys, earlier=made.at(OTHER, 9))


def test_the_checkpoint_that_one_kept_is_needed_and_of_that_size(log: Log) -> None:
    made = Checkpoints(log, KEY)
    steps = prove_continued(log, made, ACCOUNT, old=9).to_bytes()
    with pytest.raises(BadProof, match="needs the checkpoint of the first 9"):
        check_proof(steps, TRUSTED)
    with pytest.raises(BadProof, match="about the first 9 entries, and the checkpoint about 10"):
        check_proof(steps, TRUSTED, earlier=made.at(ACCOUNT, 10))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (lambda told: {}, "not a leaf, or a leaf, a body"),
        (lambda told: {"leaf": 5}, "not a leaf, or a leaf, a body"),
        (lambda told: told | {"leaf": told["leaf"] + " "}, "another root"),
        (lambda told: told | {"body": 5}, "not a leaf, or a leaf, a body"),
        (lambda told: {name: told[name] for name in ("leaf", "body")}, "not a leaf, or a leaf, a body"),
        (lambda told: told | {"salt": "zz"}, "not 32 bytes in hexadecimal"),
        (lambda told: told | {"salt": "00" * 32}, "not the one that the leaf commits to"),
        (
            lambda told: told | {"body": told["body"].replace("alice", "bobby")},
            "not the one that the leaf commits to",
        ),
    ],
)
def test_what_goes_with_a_proof_is_believed_only_where_it_is_hashed(
    log: Log, told: object, said: str
) -> None:
    proof = proof_of(log, 5)
    assert proof.extra is not None and callable(told)
    spoilt = InclusionProof(
        proof.index, proof.hashes, proof.checkpoint, canonical(told(orjson.loads(proof.extra)))
    )
    with pytest.raises(BadProof, match=said):
        check_proof(spoilt.to_bytes(), TRUSTED)
    bare = InclusionProof(proof.index, proof.hashes, proof.checkpoint, None)
    with pytest.raises(BadProof):
        check_proof(bare.to_bytes(), TRUSTED)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n",
        b"index 0\n\nx",
        b"c2sp.org/tlog-proof@v1\n\nx",
        b"c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 00\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex -1\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 0\nextra AA==\n\nx",
        b"c2sp.org/tlog-proof@v1\nextra A\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nextra AB==\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx",
        b"c2sp.org/tlog-proof@v1\r\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex \xd9\xa0\n\nx",
        b"old 05\n\nx",
        b"old 5\n" + b"A" * 43 + b"=\n" * 1 + (b"A" * 43 + b"=\n") * 126 + b"\nx",
        b"old 5\n" + b"A" * (64 << 20),
    ],
)
def test_what_is_no_proof_is_refused(raw: bytes) -> None:
    with pytest.raises(BadProof):
        parse_proof(raw)


@given(st.binary() | st.text().map(str.encode))
def test_rubbish_is_refused_and_nothing_else(raw: bytes) -> None:
    for one in (raw, b"c2sp.org/tlog-proof@v1\n" + raw, b"old 5\n" + raw, b"old 5\n\n" + raw):
        with pytest.raises(BadProof):
            check_proof(one, TRUSTED, earlier=raw)


def test_a_proof_of_nothing_but_a_start_is_read() -> None:
    assert parse_proof(b"old 5\n\nx") == ConsistencyProof(5, (), b"x")
    assert parse_proof(b"c2sp.org/tlog-proof@v1\nindex 0\n\nx") == InclusionProof(0, (), b"x")


# -- from a log that is not what it was ---------------------------------------------------------------------------


def test_an_entry_that_was_altered_is_not_proved(tmp_path_factory: pytest.TempPathFactory) -> None:
    opened = Log(open_engine(str(tmp_path_factory.mktemp("altered") / "ledger.sqlite"), create=True))
    opened.append(drafts(5))
    with unguarded(opened) as connection:
        connection.exec_driver_sql("UPDATE entries SET time = time + 1 WHERE position = 2")
        connection.commit()
    altered = opened.entry(ACCOUNT, 2)
    assert altered is not None
    with pytest.raises(TreeDamaged, match="not what was hashed"):
        prove_entry(opened, Checkpoints(opened, KEY), altered)
    with pytest.raises(TreeDamaged, match="the entry at 2 is not"):
        read_bundle(opened, ACCOUNT, Bundle(0, 5))
    with unguarded(opened) as connection:
        connection.exec_driver_sql("DELETE FROM entries WHERE position = 3")
        connection.commit()
    with pytest.raises(TreeDamaged):
        read_bundle(opened, ACCOUNT, Bundle(0, 5))
    opened.engine.dispose()


def test_what_would_not_check_is_not_given_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A leaf hash and a tile that are not read when a checkpoint is made, and are when something is proved."""
    opened = Log(open_engine(str(tmp_path_factory.mktemp("damaged") / "ledger.sqlite"), create=True))
    opened.append(drafts(600))
    made = Checkpoints(opened, KEY)
    made.publish(ACCOUNT)
    with unguarded(opened) as connection:
        connection.exec_driver_sql("UPDATE entries SET leaf_hash = zeroblob(32) WHERE position = 3")
        connection.commit()
    assert made.publish(ACCOUNT) == made.latest(ACCOUNT)
    entry = opened.entry(ACCOUNT, 2)
    assert entry is not None
    with pytest.raises(TreeDamaged, match="not what was signed: the proof leads to another root"):
        prove_entry(opened, made, entry)
    with pytest.raises(TreeDamaged, match="not what was signed: the proof leads to another root"):
        prove_continued(opened, made, ACCOUNT, old=5)
    opened.engine.dispose()
