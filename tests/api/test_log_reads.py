"""The logs under /v1/log, as strangers' programs fetch and judge them."""

import base64
import binascii
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import make_app
from ledger.checkpoint import Checkpoint, account_key, new_ledger_key, open_checkpoint
from ledger.entry import leaf_hash
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.merkle.tiles import Bundle, split, tiles_of
from ledger.notes import Signer, Verifier, unverified_text
from ledger.proof import ConsistencyProof, InclusionProof, check_proof, parse_proof
from projections.investigation import Investigation
from tests.judging.go_judge import Judge
from tests.ledger.test_every_log import ACCOUNT, drafts
from tests.ledger.test_notes import leaves
from tests.ledger.test_tiles import unguarded

TOKEN = "a-token-of-the-tests"
SIZE = 700
SPOILS = int(os.environ.get("IAM_LEDGER_TEST_JUDGED_BITS", "2000"))
KEY = new_ledger_key("tested")
SIGNER = account_key(KEY, ACCOUNT)
NOTHING_S = bytes(range(32))  # a hash of nothing


@dataclass(frozen=True)
class Served:
    """A log behind the read API, which signs with `key`."""

    log: Log
    http: TestClient

    def get(self, path: str) -> bytes:
        answered = self.http.get(f"/v1/log/{ACCOUNT}/{path}")
        assert answered.status_code == 200, answered.text
        return answered.content


def served_by(log: Log, key: Signer | None) -> TestClient:
    checkpoints = Checkpoints(log, key, clock=iter(range(0, 10**9, 10)).__next__)
    app = make_app(Investigation(log), token=TOKEN, checkpoints=checkpoints)
    return TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = Log(open_engine(str(tmp_path_factory.mktemp("served") / "ledger.sqlite"), create=True))
    log.append(drafts(SIZE))
    with served_by(log, KEY) as http:
        yield Served(log, http)
    log.engine.dispose()


@pytest.fixture(scope="module")
def fetched(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that is served of the log, each at its path."""
    folder = tmp_path_factory.mktemp("fetched")
    size = Checkpoint.of_text(unverified_text(served.get("checkpoint"))).size
    tiles = list(tiles_of(size))
    bundles = [Bundle(tile.index, tile.width) for tile in tiles if tile.level == 0]
    paths = ["checkpoint", *(tile.path for tile in tiles), *(bundle.path for bundle in bundles)]
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(served.get(path))
    return folder


# -- what is served -----------------------------------------------------------------------------------------------


def test_the_checkpoint_is_signed_and_of_the_head(served: Served) -> None:
    answered = served.http.get(f"/v1/log/{ACCOUNT}/checkpoint")
    assert answered.headers["content-type"] == "text/plain; charset=utf-8"
    assert answered.headers["cache-control"] == "no-store"
    assert open_checkpoint(answered.content, [SIGNER.verifier]).size == SIZE


def test_tiles_and_leaves_belong_together(served: Served) -> None:
    answered = served.http.get(f"/v1/log/{ACCOUNT}/tile/0/001")
    assert answered.headers["content-type"] == "application/octet-stream"
    assert "immutable" in answered.headers["cache-control"]
    bundle = leaves(served.get("tile/entries/001"))
    assert split(answered.content) == list(map(leaf_hash, bundle))
    assert [json.loads(leaf)["position"] for leaf in bundle] == list(range(256, 512))
    assert served.get("tile/0/001.p/5") == answered.content[: 5 * 32]
    assert (
        served.get("tile/entries/001.p/5")
        == served.get("tile/entries/001")[: sum(2 + len(one) for one in bundle[:5])]
    )


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/002",
        "tile/0/002.p/189",
        "tile/0/003.p/1",
        "tile/1/000",
        "tile/1/000.p/3",
        "tile/2/000.p/1",
        "tile/entries/002",
        "tile/entries/002.p/189",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/1",
        "tile/8/0/000",
        "tile/",
        "tile/0/" + "x999/" * 6 + "999",
        f"proof/{SIZE}",
        "tiles",
    ],
)
def test_what_the_log_does_not_have_is_not_there(served: Served, path: str) -> None:
    answered = served.http.get(f"/v1/log/{ACCOUNT}/{path}")
    assert (answered.status_code, answered.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path",
    [
        "checkpoint?x=1",
        "tile/0/000?x=1",
        "proof/-1",
        "proof/x",
        f"proof/{2**63}",
        "proof/1?body=maybe",
        "consistency",
        "consistency?from=0",
        "consistency?from=701",
        "consistency?from=5&to=4",
        "consistency?from=5&to=701",
    ],
)
def test_what_makes_no_sense_is_refused(served: Served, path: str) -> None:
    answered = served.http.get(f"/v1/log/{ACCOUNT}/{path}")
    assert (answered.status_code, answered.headers["content-type"]) == (422, "application/problem+json")


def test_other_accounts_and_strangers_learn_nothing(served: Served) -> None:
    assert served.http.get("/v1/log/999999999999/checkpoint").status_code == 404
    assert served.http.get(f"/v1/log/{ACCOUNT}/checkpoint", headers={"Authorization": ""}).status_code == 401


def test_without_a_key_nothing_is_signed_but_what_is_signed_is_told(tmp_path: Path) -> None:
    log = Log(open_engine(str(tmp_path / "ledger.sqlite"), create=True))
    log.append(drafts(3))
    path = f"/v1/log/{ACCOUNT}/checkpoint"
    with served_by(log, None) as http:
        refused = http.get(path)
        assert (refused.status_code, "no key for checkpoints" in refused.json()["detail"]) == (404, True)
        assert http.get(f"/v1/log/{ACCOUNT}/tile/0/000.p/3").status_code == 200
        signed = Checkpoints(log, KEY).publish(ACCOUNT)
        log.append(drafts(1))
        assert http.get(path).content == signed
        assert http.get(f"/v1/log/{ACCOUNT}/proof/2").status_code == 200
        assert http.get(f"/v1/log/{ACCOUNT}/proof/3").status_code == 404
    log.engine.dispose()


def test_a_log_that_was_altered_says_so(tmp_path: Path) -> None:
    log = Log(open_engine(str(tmp_path / "ledger.sqlite"), create=True))
    log.append(drafts(300))
    with served_by(log, KEY) as http:
        at = f"/v1/log/{ACCOUNT}"
        assert http.get(f"{at}/checkpoint").status_code == 200
        with unguarded(log) as connection:
            connection.exec_driver_sql("UPDATE entries SET leaf_hash = zeroblob(32) WHERE position = 299")
            connection.commit()
        for path, said in (
            ("checkpoint", "the first 300 entries are not those that were signed"),
            ("proof/299", "the entry at 299 is not what was hashed"),
            ("tile/entries/001.p/44", "the entry at 299 is not what was hashed"),
        ):
            answered = http.get(f"{at}/{path}")
            assert (answered.status_code, said in answered.json()["detail"]) == (500, True), path
    log.engine.dispose()


# -- proofs -------------------------------------------------------------------------------------------------------


def test_a_proof_tells_the_record_or_withholds_it(served: Served) -> None:
    proved = check_proof(served.get("proof/699"), [SIGNER.verifier])
    assert proved.leaf is not None and proved.body is not None
    entry = served.log.entry(ACCOUNT, 699)
    assert entry is not None
    assert (proved.leaf["position"], proved.body["record"]) == (699, entry.document)
    bare = check_proof(served.get("proof/699?body=false"), [SIGNER.verifier])
    assert (bare.leaf, bare.body) == (proved.leaf, None)


def test_that_the_log_was_continued_is_proved_by_what_one_kept(served: Served) -> None:
    earlier = Checkpoints(served.log, KEY).at(ACCOUNT, 300)
    for query, size in (("from=300", SIZE), ("from=300&to=512", 512), ("from=300&to=300", 300)):
        proved = check_proof(served.get(f"consistency?{query}"), [SIGNER.verifier], earlier=earlier)
        assert (proved.old, proved.checkpoint.size) == (300, size)


# -- judged -------------------------------------------------------------------------------------------------------


def test_the_judge_reads_every_leaf_of_what_is_served(judge: Judge, fetched: Path) -> None:
    assert judge("log", dir=fetched, key=str(SIGNER.verifier)) == ""
    assert judge("log", dir=fetched, key=str(account_key(KEY, "1").verifier)) != ""


def test_the_judge_finds_any_bit_that_changed(judge: Judge, fetched: Path) -> None:
    random_ = random.Random(6962)
    files = [file for file in fetched.rglob("*") if file.is_file()]
    weights = [min(file.stat().st_size, 4_096) for file in files]
    accepted = []
    for _ in range(SPOILS):
        file = random_.choices(files, weights)[0]
        bit = random_.randrange(file.stat().st_size * 8)
        name = file.relative_to(fetched)
        said = judge("log", dir=fetched, key=str(SIGNER.verifier), file=name, bit=bit)
        if said == "" and not same_signature(file.read_bytes(), bit):
            accepted.append((str(name), bit))
    assert accepted == []


def same_signature(note: bytes, bit: int) -> bool:
    """Go reads Base64 whose last bits, which mean nothing, are not zero; ours does not."""
    spoilt = bytearray(note)
    spoilt[bit // 8] ^= 1 << bit % 8
    text, _, signature = note.rpartition(b" ")
    try:
        return bytes(spoilt).startswith(text + b" ") and base64.b64decode(
            spoilt[len(text) + 1 : -1], validate=True
        ) == base64.b64decode(signature)
    except binascii.Error:
        return False


def test_the_judge_accepts_our_proofs_and_not_their_spoilt_twins(judge: Judge, served: Served) -> None:
    key = str(SIGNER.verifier)
    for position in (0, 255, 256, 511, 512, 699):
        raw = served.get(f"proof/{position}")
        proof, proved = parse_proof(raw), check_proof(raw, [SIGNER.verifier])
        assert isinstance(proof, InclusionProof) and proof.extra is not None and proved.leaf is not None
        told = {
            "key": key,
            "checkpoint": proof.checkpoint,
            "index": position,
            "leaf": json.loads(proof.extra)["leaf"].encode(),
            "hashes": proof.hashes,
        }
        assert judge("inclusion", **told) == ""
        for spoilt in (
            {"index": position ^ 1},
            {"leaf": told["leaf"] + b" "},
            {"hashes": proof.hashes[1:]},
            {"hashes": proof.hashes[::-1]},
            {"key": str(account_key(KEY, "1").verifier)},
        ):
            assert judge("inclusion", **told | spoilt) != ""
    for old, new in ((1, 700), (255, 256), (256, 700), (300, 512), (699, 700)):
        steps = parse_proof(served.get(f"consistency?from={old}&to={new}"))
        assert isinstance(steps, ConsistencyProof)
        kept = Checkpoints(served.log, KEY).at(ACCOUNT, old)
        asked = {"key": key, "checkpoint": steps.checkpoint, "earlier": kept, "hashes": steps.hashes}
        assert judge("consistency", **asked) == ""
        for hashes in (steps.hashes[1:], (*steps.hashes, NOTHING_S), (NOTHING_S, *steps.hashes[1:])):
            assert judge("consistency", **asked | {"hashes": hashes}) != ""


def test_both_agree_on_the_edge_cases_of_ed25519(judge: Judge, vectors: Path) -> None:
    cases = json.loads((vectors / "c2sp-cctv" / "ed25519vectors.json").read_text())
    differ = []
    for case in cases:
        key, sig, message = bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode()
        ours = Verifier("x", key).verifies(message, sig)
        theirs = judge("ed25519", public=key, message=message, sig=sig) == ""
        if ours is not theirs:
            differ.append((case["number"], ours, case["flags"]))
    assert differ == []


def test_the_judge_reads_the_sample_log_of_others(judge: Judge, vectors: Path) -> None:
    key = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
    assert judge("log", dir=vectors / "tessera-log", key=key) == ""
