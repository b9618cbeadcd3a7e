"""What a witness takes and what it refuses, wherever it keeps it; and what the ledger makes of that."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, account_key, new_ledger_key, sign_checkpoint
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.schema import entries
from ledger.merkle.proofs import prove_consistency
from ledger.merkle.trees import EMPTY_ROOT, LeafHashes, root_of
from ledger.notes import BadKey, BadNote, Signer, Verifier, open_note, sign_note, unverified_text
from ledger.proof import ConsistencyProof
from ledger.witness.acknowledging import acknowledge, is_acknowledged
from ledger.witness.cosignature import CosignatureVerifier, cosign, new_witness_key, verifier_of
from ledger.witness.judging import (
    Conflict,
    Malformed,
    NotContinued,
    NotSigned,
    Refused,
    UnknownLog,
    judge,
    read_submission,
)
from ledger.witness.sending import Verdict, examine, send
from ledger.witness.stores import DatabaseStore, FolderStore, Store, StoreUnusable
from ledger.witness.witnesses import BadWitness, NotHeard, OwnPlace, witness_named
from tests.ledger.test_every_log import ACCOUNT, drafts
from tests.ledger.test_tiles import unguarded

KEY = new_ledger_key("tested")
SIGNER = account_key(KEY, ACCOUNT)
WITNESS = Signer.new("witness.example/w1")
LEAVES = [bytes([number]) * 32 for number in range(40)]
OTHERS = [*LEAVES[:3], *(bytes([200 - number]) * 32 for number in range(37))]


def request(old: int, new: int, leaves: list[bytes] = LEAVES, signer: Signer = SIGNER) -> bytes:
    """That a tree of `old` leaves was continued to `new` ones, signed by the log."""
    note = sign_checkpoint(Checkpoint(SIGNER.name, new, root_of(leaves[:new])), signer)
    hashes = prove_consistency(LeafHashes(leaves), old=old, new=new) if old else []
    return ConsistencyProof(old, tuple(hashes), note).to_bytes()


def seen(size: int, leaves: list[bytes] = LEAVES) -> bytes:
    return sign_checkpoint(Checkpoint(SIGNER.name, size, root_of(leaves[:size])), SIGNER)


def judged(raw: bytes, before: bytes | None) -> None:
    judge(read_submission(raw, lambda origin: [SIGNER.verifier]), before)


# -- what is judged -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", range(9))
def test_what_continues_is_taken(old: int) -> None:
    for new in range(old, 20):
        judged(request(old, new), seen(old) if old else None)


def test_the_empty_log_is_taken() -> None:
    judged(request(0, 0), None)
    judged(request(0, 3), seen(0))
    another = sign_checkpoint(Checkpoint(SIGNER.name, 0, LEAVES[0]), SIGNER)
    assert LEAVES[0] != EMPTY_ROOT
    with pytest.raises(Conflict):
        judged(ConsistencyProof(0, (), another).to_bytes(), None)


def test_the_beginning_needs_no_proof_and_takes_none() -> None:
    judged(request(0, 7), None)
    note = request(0, 7).partition(b"\n\n")[2]
    with pytest.raises(NotContinued):
        judged(ConsistencyProof(0, (LEAVES[0],), note).to_bytes(), None)


@pytest.mark.parametrize(
    ("raw", "before", "size"),
    [
        (request(0, 7), seen(5), 5),
        (request(3, 7), seen(5), 5),
        (request(7, 9), seen(5), 5),
        (request(5, 7), None, 0),
        (request(5, 5), seen(7), 7),  # it goes back
        (request(7, 7, OTHERS), seen(7), 7),  # of one size, and another root
    ],
)
def test_a_size_that_is_not_the_one_seen_is_a_conflict_and_told(
    raw: bytes, before: bytes | None, size: int
) -> None:
    with pytest.raises(Conflict) as refused:
        judged(raw, before)
    assert refused.value.size == size


@pytest.mark.parametrize("old", [4, 5, 7, 8])
def test_a_fork_is_not_taken(old: int) -> None:
    for new in range(old + 1, 20):
        with pytest.raises(NotContinued):
            judged(request(old, new, OTHERS), seen(old))


def test_a_spoilt_proof_is_not_taken() -> None:
    proof = prove_consistency(LeafHashes(LEAVES), old=5, new=13)
    note = seen(13)
    for index in range(len(proof)):
        spoilt = list(proof)
        spoilt[index] = bytes([spoilt[index][0] ^ 1]) + spoilt[index][1:]
        with pytest.raises(NotContinued):
            judged(ConsistencyProof(5, tuple(spoilt), note).to_bytes(), seen(5))
    with pytest.raises(NotContinued):
        judged(ConsistencyProof(5, tuple(proof[:-1]), note).to_bytes(), seen(5))


def test_only_the_log_s_own_keys_sign_for_it() -> None:
    stranger = Signer.new(SIGNER.name)
    with pytest.raises(NotSigned):
        judged(request(0, 7, signer=stranger), None)
    with pytest.raises(NotSigned):
        judged(request(0, 7, signer=account_key(KEY, "999999999999")), None)
    with pytest.raises(UnknownLog):
        read_submission(request(0, 7), lambda origin: [])
    with pytest.raises(UnknownLog):
        read_submission(request(0, 7), lambda origin: [account_key(KEY, "999999999999").verifier])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"old 0\n",
        b"old 00\n\n" + seen(3),
        b"old x\n\n" + seen(3),
        b"old 0\nnonsense\n\n" + seen(3),
        b"old 4\n\n" + seen(3),
        b"old 0\n\n" + sign_note("nonsense\n", SIGNER),
        ConsistencyProof(1, (LEAVES[0],) * 64, seen(3)).to_bytes(),
        request(0, 3) + b"\x00",
        b"old 0\n\n" + seen(3) + seen(3).partition(b"\n\n")[2] * 99,
        b"x" * (65 << 10),
    ],
)
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        judged(raw, None)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 40), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_of_any_requests_what_is_kept_is_one_history_that_only_grows(
    asked: list[tuple[bool, int, int, bool]],
) -> None:
    """Whoever asks holds the log's key, knows both histories, and may start from what was seen or from anywhere."""
    kept: bytes | None = None
    heads: list[Checkpoint] = []
    for forged, old, new, knows in asked:
        start = (heads[-1].size if heads else 0) if knows else old
        leaves = OTHERS if forged else LEAVES
        try:
            judged(request(min(start, new), new, leaves), kept)
        except (Conflict, NotContinued):
            continue
        kept = seen(new, leaves)
        heads.append(Checkpoint(SIGNER.name, new, root_of(leaves[:new])))
    assert [head.size for head in heads] == sorted(head.size for head in heads)
    assert any(
        all(head.root == root_of(leaves[: head.size]) for head in heads) for leaves in (LEAVES, OTHERS)
    )


# -- cosignatures -------------------------------------------------------------------------------------------------


def test_a_cosignature_is_made_as_the_specification_says() -> None:
    """Put together here by hand from its text: header, time, note; and the key's number over 0x04."""
    note = seen(5)
    line = cosign(unverified_text(note), WITNESS, at=1_679_315_147)
    dash, name, told = line.decode().split(" ")
    assert (dash, name) == ("—", WITNESS.name)
    raw = base64.b64decode(told)
    public = WITNESS.verifier.key
    assert raw[:4] == hashlib.sha256(WITNESS.name.encode() + b"\n\x04" + public).digest()[:4]
    assert raw[4:12] == (1_679_315_147).to_bytes(8, "big")
    message = b"cosignature/v1\ntime 1679315147\n" + note.partition(b"\n\n")[0] + b"\n"
    Ed25519PublicKey.from_public_bytes(public).verify(raw[12:], message)


def test_a_cosigned_checkpoint_opens_with_either_key_and_no_bit_may_change() -> None:
    whole = seen(5) + cosign(unverified_text(seen(5)), WITNESS, at=1_700_000_000)
    verifier = verifier_of(WITNESS)
    assert open_note(whole, [verifier]) == open_note(whole, [SIGNER.verifier]) == unverified_text(whole)
    for index in range(len(whole)):
        spoilt = whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :]
        if spoilt.partition(b"\n\n")[0] == whole.partition(b"\n\n")[0] and index < len(seen(5)):
            continue  # the log's own signature, which this key says nothing of
        with pytest.raises(BadNote):
            open_note(spoilt, [verifier])


def test_a_cosignature_is_no_signature_and_not_of_tomorrow() -> None:
    text = unverified_text(seen(5))
    with pytest.raises(BadNote):
        open_note(sign_note(text, WITNESS), [verifier_of(WITNESS)])
    cosigned = text.encode() + b"\n" + cosign(text, WITNESS, at=1_700_000_000)
    with pytest.raises(BadNote):
        open_note(cosigned, [WITNESS.verifier])
    with pytest.raises(BadNote):
        open_note(text.encode() + b"\n" + cosign(text, WITNESS, at=2**40), [verifier_of(WITNESS)])


def test_a_witness_s_key_is_written_as_it_is_read() -> None:
    verifier = verifier_of(new_witness_key())
    assert CosignatureVerifier.parse(str(verifier)) == verifier
    for text in (str(WITNESS.verifier), str(verifier)[:-4] + "AAA=", "nonsense"):
        with pytest.raises(BadKey):
            CosignatureVerifier.parse(text)
    with pytest.raises(BadKey):
        Verifier.parse(str(verifier))


# -- where it is kept ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        (tmp_path / "seen").mkdir()
        return FolderStore(tmp_path / "seen")
    if request.param == "sqlite":
        return DatabaseStore(sa.make_url(f"sqlite:///{tmp_path / 'seen.sqlite'}"))
    return DatabaseStore(sa.make_url(request.getfixturevalue("postgres_url")))


def keep(store: Store, note: bytes, origin: str = "a") -> None:
    store.replace(origin, lambda before: note)


def test_what_was_kept_last_is_told(store: Store) -> None:
    assert store.newest("a") is None
    for note in (b"1", b"2", b"2"):
        keep(store, note)
    store.replace("b", lambda before: b"other")
    assert (store.newest("a"), store.newest("b")) == (b"2", b"other")


def test_what_is_refused_changes_nothing(store: Store) -> None:
    store.replace("a", lambda before: b"1")

    def refuses(before: bytes | None) -> bytes:
        assert before == b"1"
        raise NotContinued("no")

    with pytest.raises(NotContinued):
        store.replace("a", refuses)
    assert store.newest("a") == b"1"


def test_what_is_set_aside_is_kept_and_another_begins(store: Store, tmp_path: Path) -> None:
    store.set_aside("a")
    for note in (b"1", b"2"):
        keep(store, note)
        store.set_aside("a")
        assert store.newest("a") is None
    store.replace("a", lambda before: b"3")
    assert store.newest("a") == b"3"
    if isinstance(store, FolderStore):
        assert sorted(file.read_bytes() for file in (tmp_path / "seen").glob("*.superseded-*")) == [
            b"1",
            b"2",
        ]


def test_many_at_once_lose_nothing(store: Store) -> None:
    """Looking and replacing are one step."""
    store.replace("a", lambda before: b"0")

    def count() -> None:
        for _ in range(25):
            store.replace("a", lambda before: b"%d" % (int(before or b"0") + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert store.newest("a") == b"100"


def test_a_place_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    missing = tmp_path / "nothing"
    for store in (FolderStore(missing), DatabaseStore(sa.make_url(f"sqlite:///{missing / 'x.sqlite'}"))):
        with pytest.raises(StoreUnusable):
            store.newest("a")
        with pytest.raises(StoreUnusable):
            store.replace("a", lambda before: b"1")


@pytest.mark.parametrize(
    "text", ["https://witness.example", "https://witness.example#nonsense", "mysql://x/y", "sqlite:/::x://"]
)
def test_what_names_no_witness_is_refused(text: str) -> None:
    with pytest.raises(BadWitness):
        witness_named(text, KEY)


def test_a_database_s_password_is_not_told() -> None:
    assert "secret" not in witness_named("postgresql://me:secret@127.0.0.1:1/none", KEY).name


# -- the ledger and its witness -----------------------------------------------------------------------------------


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def place(store: Store) -> OwnPlace:
    return OwnPlace("place", store, KEY)


def test_what_grows_is_seen_and_examined(log: Log, tmp_path: Path) -> None:
    place = OwnPlace("place", FolderStore(tmp_path), KEY)
    made = Checkpoints(log, KEY, clock=iter(range(100)).__next__)
    for count, before in ((3, Verdict.NOTHING_SEEN), (300, Verdict.CONTINUES), (1, Verdict.CONTINUES)):
        log.append(drafts(count))
        sent = send(log, made, ACCOUNT, place)
        assert (sent.verdict, sent.seen) == (before, log.size(ACCOUNT))
        log.append(drafts(2))
        found = examine(log, made, ACCOUNT, place)
        assert (found.verdict, found.seen, found.size) == (Verdict.CONTINUES, sent.seen, log.size(ACCOUNT))


COLUMNS = ", ".join(column.name for column in entries.c)
HARM = {
    "truncated": (
        [
            "DELETE FROM entries WHERE position >= 299",
            "UPDATE accounts SET size = 299",
            "DELETE FROM checkpoints",
        ],
        Verdict.SHORTER,
    ),
    "edited": (
        [
            "UPDATE entries SET leaf_hash = (SELECT leaf_hash FROM entries WHERE position = 1) WHERE position = 299",
            "DELETE FROM checkpoints",
        ],
        Verdict.OTHER,
    ),
    "swapped": (
        [
            "UPDATE entries SET position = 9999 WHERE position = 298",
            "UPDATE entries SET position = 298 WHERE position = 299",
            "UPDATE entries SET position = 299 WHERE position = 9999",
            "DELETE FROM checkpoints",
        ],
        Verdict.OTHER,
    ),
    "deleted and renumbered": (
        [
            "DELETE FROM entries WHERE position = 290",
            "UPDATE entries SET position = position + 10000 WHERE position > 290",
            "UPDATE entries SET position = position - 10001 WHERE position > 10000",
            "UPDATE accounts SET size = 299",
            "DELETE FROM checkpoints",
        ],
        Verdict.SHORTER,
    ),
    "inserted": (
        [
            "UPDATE entries SET position = position + 10000 WHERE position >= 290",
            "UPDATE entries SET position = position - 9999 WHERE position >= 10000",
            f"INSERT INTO entries ({COLUMNS}) SELECT {COLUMNS.replace('position', '290')} FROM entries WHERE position = 1",
            "UPDATE accounts SET size = 301",
            "DELETE FROM checkpoints",
        ],
        Verdict.OTHER,
    ),
    "with a hole": (["DELETE FROM entries WHERE position = 299", "DELETE FROM checkpoints"], Verdict.DAMAGED),
}


@pytest.mark.parametrize("kind", HARM)
@pytest.mark.parametrize("grown", [0, 3])
def test_whoever_has_database_and_key_can_t_hide_it(log: Log, tmp_path: Path, kind: str, grown: int) -> None:
    """All checkpoints of before are gone, and the ledger's own key signs what is there now."""
    place = OwnPlace("place", FolderStore(tmp_path), KEY)
    log.append(drafts(300))
    assert send(log, Checkpoints(log, KEY), ACCOUNT, place).seen == 300
    changes, verdict = HARM[kind]
    with unguarded(log) as connection:
        for change in ["DELETE FROM mentions", *changes]:
            connection.exec_driver_sql(change)
        connection.commit()
    if kind != "with a hole":
        Checkpoints(log, KEY).publish(ACCOUNT)  # nothing within the database shows it
    if grown and verdict is not Verdict.DAMAGED:
        log.append(drafts(grown))
        verdict = Verdict.OTHER  # it is as long again, and something else
    assert examine(log, Checkpoints(log, KEY), ACCOUNT, place).verdict is verdict
    assert send(log, Checkpoints(log, KEY), ACCOUNT, place).verdict is verdict
    assert Checkpoint.of_text(unverified_text(place.store.newest(SIGNER.name) or b"")).size == 300


def test_whoever_has_no_key_can_examine(log: Log, place: OwnPlace) -> None:
    log.append(drafts(3))
    made = Checkpoints(log, KEY)
    assert examine(log, made, ACCOUNT, place).verdict is Verdict.NOTHING_SEEN
    assert place.newest(SIGNER.name) is None  # to ask changes nothing
    send(log, made, ACCOUNT, place)
    bare = OwnPlace("place", place.store, None)
    assert examine(log, Checkpoints(log, None), ACCOUNT, bare).verdict is Verdict.CONTINUES
    assert send(log, Checkpoints(log, None), ACCOUNT, bare).verdict is Verdict.NOT_HEARD


def test_a_new_key_under_the_old_name_goes_on(log: Log, place: OwnPlace) -> None:
    log.append(drafts(3))
    send(log, Checkpoints(log, KEY), ACCOUNT, place)
    other = new_ledger_key("tested")
    log.append(drafts(3))
    renewed = OwnPlace("place", place.store, other)
    assert send(log, Checkpoints(log, other), ACCOUNT, renewed).verdict is Verdict.CONTINUES


def test_what_is_acknowledged_is_an_entry_and_holds_for_that_alone(log: Log, tmp_path: Path) -> None:
    place = OwnPlace("place", FolderStore(tmp_path), KEY)
    ahead = Checkpoint(SIGNER.name, 7, root_of(LEAVES[:7]))
    place.store.replace(SIGNER.name, lambda before: sign_checkpoint(ahead, SIGNER))
    log.append(drafts(3))
    made = Checkpoints(log, KEY)
    found = examine(log, made, ACCOUNT, place)
    assert (found.verdict, found.seen, found.root) == (Verdict.SHORTER, 7, ahead.root)
    assert not is_acknowledged(log, found)
    acknowledge(log, ACCOUNT, [found], reason="restored", by="me")
    assert is_acknowledged(log, examine(log, made, ACCOUNT, place))
    told = next(log.read(ACCOUNT, 3)).document
    assert told["eventName"] == "AcknowledgeWitness"
    assert told["requestParameters"]["reason"] == "restored"
    place.set_aside(SIGNER.name)
    further = Checkpoint(SIGNER.name, 9, root_of(LEAVES[:9]))
    place.store.replace(SIGNER.name, lambda before: sign_checkpoint(further, SIGNER))
    assert not is_acknowledged(log, examine(log, made, ACCOUNT, place))


def test_a_spoilt_file_is_not_taken_for_nothing(log: Log, tmp_path: Path) -> None:
    place = OwnPlace("place", FolderStore(tmp_path), KEY)
    log.append(drafts(3))
    send(log, Checkpoints(log, KEY), ACCOUNT, place)
    (file,) = tmp_path.glob("*.checkpoint")
    file.write_bytes(b"")
    with pytest.raises(NotHeard):
        place.newest(SIGNER.name)
    assert send(log, Checkpoints(log, KEY), ACCOUNT, place).verdict is Verdict.NOT_HEARD


def test_every_refusal_has_a_status_of_its_own() -> None:
    told = {one.status for one in (Malformed, UnknownLog, NotSigned, Conflict, NotContinued)}
    assert told == {400, 403, 404, 409, 422}
    assert all(issubclass(one, Refused) for one in (Malformed, UnknownLog, NotSigned, Conflict, NotContinued))
