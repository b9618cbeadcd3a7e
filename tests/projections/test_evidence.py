"""Evidence holds for whoever has nothing but Python; and whatever is changed about it, it does not."""

import copy
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from api.demo.incident import Incident
from ledger.checkpoint import NoCheckpointKey, account_key, new_ledger_key
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.tiles import TreeDamaged
from ledger.record import canonical
from projections.evidence import (
    EvidenceExists,
    Files,
    NothingThere,
    TooMuch,
    bundle,
    choosing,
    chosen_activity,
    chosen_entries,
    chosen_stretch,
    digest_of,
    make_bundle,
    write_bundle,
)
from projections.evidence.heads import Heads
from projections.evidence.verify_evidence import main, signed
from projections.evidence.writing import zipped
from tests.judging.go_judge import Judge
from tests.ledger.test_every_log import ACCOUNT, ALICE, BOB, DECIDED, OTHER, draft, drafts
from tests.ledger.test_tiles import unguarded
from tests.projections import bundles
from tests.projections.bundles import KEY, Stranger, activity, heads_of, public, retold, said, told, wrong

CAROL = {
    **ALICE,
    "principalId": "AIDACAROL",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/carol",
    "userName": "carol",
}
FIRST = 1767322800  # 2026-01-02T03:00:00Z
CALLERS = [
    ALICE,
    BOB,
    BOB,
    ALICE,
    ALICE,
    BOB,
    ALICE,
    BOB,
    BOB,
    BOB,
    CAROL,
    BOB,
]  # one a minute, from FIRST on


def minute(number: int) -> int:
    return FIRST + 60 * number


def fill(log: Log) -> None:
    log.append(
        [
            draft(userIdentity=caller, eventTime=f"2026-01-02T03:{number:02}:00Z")
            for number, caller in enumerate(CALLERS)
        ]
    )


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """Of which nobody changes anything."""
    opened = Log(open_engine(str(tmp_path_factory.mktemp("evidence") / "ledger.sqlite"), create=True))
    fill(opened)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def whole(filled: Log) -> Files:
    """All that alice did, up to the checkpoint."""
    return activity(filled, "alice")


@pytest.fixture(scope="module")
def part(filled: Log) -> Files:
    """What bob did from minute 4 to minute 9, between two neighbours."""
    return activity(filled, "bob", since=minute(4), until=minute(9))


# -- it holds -----------------------------------------------------------------------------------------------------


def test_all_that_a_principal_did_is_shown_to_be_all(log: Log, tmp_path: Path) -> None:
    fill(log)
    files = activity(log, "alice")
    assert [one["position"] for one in told(files)["entries"]] == [0, 3, 4, 6]
    code, lines = Stranger(tmp_path, files).looks("--key", public(ACCOUNT))
    assert (code, lines[-1]) == (0, "VERIFIED")
    assert "4/4 verified: the record is the one that was hashed, and it is in the log" in lines
    assert any(line.startswith(f"log iam-ledger/tested/{ACCOUNT}: 12 entries, root") for line in lines)
    (claimed,) = [line for line in lines if line.startswith("complete: ")]
    assert "positions 0 to 11" in claimed
    assert claimed.endswith("are here; none came before, none came after, up to the checkpoint")
    assert f"all 4 entries ({ALICE['arn']}) are here" in claimed


def test_a_stretch_lies_between_two_neighbours_of_whom_nothing_is_told(part: Files) -> None:
    assert {one["position"]: "salt" in one for one in told(part)["entries"]} == {
        2: False,
        5: True,
        7: True,
        8: True,
        9: False,
    }
    assert {name for name in part if name.startswith("records/")} == {
        f"records/{ACCOUNT}-{position}.json" for position in (5, 7, 8)
    }
    (claimed,) = [line for line in said(part, public(ACCOUNT)) if line.startswith("complete: ")]
    assert "positions 3 to 8," in claimed and "the one before was recorded" in claimed
    assert "the one after 20" in claimed


def test_every_stretch_of_every_chain_holds_and_not_without_any_of_its_entries(filled: Log) -> None:
    for person in ("alice", "bob", "carol"):
        mine = [at for at, caller in enumerate(CALLERS) if caller["userName"] == person]
        for begin, first in enumerate(mine):
            for last in mine[begin:]:
                files = activity(filled, person, since=minute(first), until=minute(last) + 1)
                shown = [one["position"] for one in told(files)["entries"] if "salt" in one]
                assert shown == [at for at in mine if first <= at <= last]
                assert any(line.startswith("complete: ") for line in said(files))
                for position in shown:
                    assert wrong(without(files, position)), (person, first, last, position)


def test_everybody_s_entries_between_two_positions(filled: Log) -> None:
    heads = heads_of(filled)
    files = bundles.bundle(filled, heads, chosen_stretch(heads, ACCOUNT, first=3, last=7))
    assert f"complete: account {ACCOUNT}, positions 3 to 7, everybody: all 5 entries are here" in said(files)
    for position in range(3, 8):
        assert f"{ACCOUNT}:{position} is missing" in wrong(without(files, position))[0]
    for first, last in ((3, 12), (5, 4), (12, 12)):
        with pytest.raises(NothingThere, match="the log has 12 entries"):
            chosen_stretch(heads, ACCOUNT, first=first, last=last)


def test_single_events_claim_nothing_more(log: Log, tmp_path: Path) -> None:
    log.append([*drafts(3), draft(authorization=DECIDED), draft(recipientAccountId=OTHER)])
    heads = heads_of(log)
    found = [*log.read(ACCOUNT, 3), *log.read(OTHER)]
    files = bundles.bundle(log, heads, chosen_entries(heads, found))
    record = json.loads(files[f"records/{ACCOUNT}-3.json"])
    assert record["record"] == found[0].document
    assert canonical(record["authorization"]) == DECIDED
    stranger = Stranger(tmp_path, files, "folder")
    code, lines = stranger.looks("--key", public(ACCOUNT), "--key", public(OTHER))
    assert (code, lines[-1]) == (0, "VERIFIED, BUT NOT CLAIMED TO BE ALL")
    code, lines = stranger.looks("--key", public(ACCOUNT))
    assert (code, lines[-1]) == (1, "NOT VERIFIED")
    assert any("none of the keys that were given is of this log" in line for line in lines)


def test_a_principal_who_called_in_several_logs_has_a_chain_in_each(log: Log) -> None:
    log.append([draft(), draft(recipientAccountId=OTHER), *drafts(2, userIdentity=BOB)])
    claims = told(activity(log, "alice"))["complete"]
    assert [(claim["account"], claim["start"], claim["stop"]) for claim in claims] == [
        (ACCOUNT, 0, 3),
        (OTHER, 0, 1),
    ]
    assert [claim["account"] for claim in told(activity(log, "alice", account=OTHER))["complete"]] == [OTHER]
    said(activity(log, "alice"), public(ACCOUNT), public(OTHER))


def test_what_was_recorded_late_is_within_the_stretch(log: Log) -> None:
    """An imported log is in no order of time: entries of other times between are given too, for a chain has no gaps."""
    times = ["03:00", "03:01", "03:09", "03:02", "03:08"]
    log.append([draft(eventTime=f"2026-01-02T{at}:00Z") for at in times])
    files = activity(log, "alice", since=minute(1), until=minute(3))
    assert [one["position"] for one in told(files)["entries"] if "salt" in one] == [1, 2, 3]
    assert said(files)


def test_where_too_much_lies_behind_the_last_entry_no_more_is_claimed(
    filled: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "REST_LEAVES_MAX", 4)
    heads = heads_of(filled)
    chosen = chosen_activity(filled, heads, "alice")
    files = bundles.bundle(filled, heads, chosen)
    assert chosen.open_ended and told(files)["rest"] == {}
    (claimed,) = [line for line in said(files) if line.startswith("complete: ")]
    assert "positions 0 to 6," in claimed and "came after" not in claimed


def test_the_incident_can_be_given_as_evidence(
    incident: Incident, incident_ledger: Path, tmp_path: Path
) -> None:
    log = Log(open_engine(str(shutil.copy(incident_ledger, tmp_path / "ledger.sqlite"))))
    account = incident.main_account
    files = activity(log, "ci-deploy", account=account)
    code, lines = Stranger(tmp_path, files).looks("--key", public(account))
    assert (code, lines[-1]) == (0, "VERIFIED")
    count = sum(name.startswith("records/") for name in files)
    assert f"{count}/{count} verified: the record is the one that was hashed, and it is in the log" in lines
    assert count > 1_000
    log.engine.dispose()


def test_go_s_packages_find_the_same(judge: Judge, whole: Files) -> None:
    for one in told(whole)["entries"]:
        asked: dict[str, Any] = {
            "key": public(ACCOUNT),
            "checkpoint": whole[f"checkpoints/{ACCOUNT}.txt"],
            "index": one["position"],
            "leaf": one["leaf"].encode(),
            "hashes": [bytes.fromhex(told) for told in one["proof"]],
        }
        assert judge("inclusion", **asked) == ""
        assert judge("inclusion", **asked | {"index": one["position"] + 1}) != ""


# -- the same bytes -----------------------------------------------------------------------------------------------


def test_the_same_log_of_the_same_size_gives_the_same_bytes(log: Log, tmp_path: Path) -> None:
    fill(log)
    first = zipped(activity(log, "alice"))
    assert zipped(activity(Log(log.engine), "alice")) == first
    write_bundle(activity(log, "alice"), tmp_path / "bundle.zip")
    assert (tmp_path / "bundle.zip").read_bytes() == first
    log.append(drafts(1))
    assert zipped(activity(log, "alice")) != first


def test_a_bundle_replaces_nothing(whole: Files, tmp_path: Path) -> None:
    for name in ("bundle.zip", "folder"):
        write_bundle(whole, tmp_path / name)
        before = digest_of(tmp_path / name)
        with pytest.raises(EvidenceExists, match="exists; name another"):
            write_bundle(whole, tmp_path / name)
        assert digest_of(tmp_path / name) == before


# -- spoilt -------------------------------------------------------------------------------------------------------


def without(files: Files, position: int) -> Files:
    """As if there had never been such an entry."""
    document = told(files)
    document["entries"] = [one for one in document["entries"] if one["position"] != position]
    kept = {name: raw for name, raw in files.items() if not name.endswith(f"-{position}.json")}
    return retold(kept, document)


def altered(files: Files, change: Callable[[dict[str, Any]], None]) -> Files:
    document = copy.deepcopy(told(files))
    change(document)
    return retold(files, document)


def entry(document: dict[str, Any], position: int) -> dict[str, Any]:
    (found,) = [one for one in document["entries"] if one["position"] == position]
    return found


def test_no_bit_of_a_record_a_leaf_or_a_checkpoint_may_change(whole: Files) -> None:
    for name in whole:
        if name.split("/")[0] not in ("records", "leaves", "checkpoints", "keys"):
            continue
        for at in range(len(whole[name])):
            if name.startswith(("records", "leaves")) and at % 7:
                continue  # a hash is over all of them alike
            spoilt = bytearray(whole[name])
            spoilt[at] ^= 1 << at % 8
            try:
                assert wrong({**whole, name: bytes(spoilt)}), (name, at)
            except Exception as error:
                raise AssertionError((name, at)) from error


@pytest.mark.parametrize("missing", ["evidence.json", "keys", "checkpoints", "leaves", "records"])
def test_nothing_may_be_missing(whole: Files, missing: str, tmp_path: Path) -> None:
    name = next(name for name in whole if name.startswith(missing))
    files = {one: raw for one, raw in whole.items() if one != name}
    code, lines = Stranger(tmp_path, files).looks()
    assert (code, lines[-1]) == (1, "NOT VERIFIED")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda told: entry(told, 3).update(position=4), "4: it is not in the log"),
        (lambda told: entry(told, 3).update(proof=entry(told, 4)["proof"]), "not in the log"),
        (lambda told: entry(told, 3)["proof"].pop(), "not in the log"),
        (lambda told: entry(told, 3)["proof"].append("00" * 32), "the proof is too long"),
        (lambda told: entry(told, 3).update(leaf=entry(told, 4)["leaf"]), "not in the log"),
        (lambda told: entry(told, 3).update(salt=entry(told, 4)["salt"]), "not the one that was hashed"),
        (lambda told: entry(told, 3).pop("salt"), f"{ACCOUNT}:3 is missing"),
        (lambda told: entry(told, 3).update(account=OTHER), "checkpoint"),
        (lambda told: told["entries"].append(entry(told, 3)), "it is there twice"),
        (lambda told: told["complete"][0].update(stop=13), "no such stretch"),
        (lambda told: told["complete"][0].update(principal="00" * 16), "not shown"),
        (lambda told: told["complete"][0].update(principal=None), "1 is missing"),
        (lambda told: told["complete"][0].update(account=OTHER), "can't be read"),
        (lambda told: told["rest"].clear(), "what came after the last one is not shown"),
        (lambda told: told["rest"][ACCOUNT].update(start=8), "not the last leaves"),
        (lambda told: told["rest"][ACCOUNT]["cover"].reverse(), "not those of the log"),
        (lambda told: told["rest"][ACCOUNT]["cover"].pop(), "not covered"),
    ],
)
def test_whatever_else_is_told_is_not_believed(
    whole: Files, change: Callable[[dict[str, Any]], None], found: str
) -> None:
    assert wrong(whole) == []
    assert found in " / ".join(wrong(altered(whole, change)))


def test_what_an_entry_says_is_said_of_no_other(whole: Files) -> None:
    three, four = (f"records/{ACCOUNT}-{position}.json" for position in (3, 4))
    swapped = {**whole, three: whole[four], four: whole[three]}
    assert wrong(swapped) == [
        f"{ACCOUNT}:{position}: the record is not the one that was hashed" for position in (3, 4)
    ] + [wrong(swapped)[-1]]
    assert "is missing" in wrong(swapped)[-1]


def test_the_last_entry_can_not_be_dropped_with_its_neighbour(part: Files) -> None:
    assert f"{ACCOUNT}:8 is missing" in wrong(without(part, 8))[-1]
    assert "what came after the last one is not shown" in wrong(without(without(part, 9), 8))[-1]
    assert said(without(part, 9))  # that 8 is the last before 9 needs nobody to say so


def test_a_claim_may_be_made_smaller_and_that_is_seen(part: Files, whole: Files, tmp_path: Path) -> None:
    smaller = altered(part, lambda told: told["complete"][0].update(stop=8))
    (claimed,) = [line for line in said(smaller) if line.startswith("complete: ")]
    assert "positions 3 to 7," in claimed and "all 2 entries" in claimed
    nothing = altered(without(whole, 3), lambda told: told["complete"].clear())
    code, lines = Stranger(tmp_path, nothing).looks("--key", public(ACCOUNT))
    assert (code, lines[-1]) == (0, "VERIFIED, BUT NOT CLAIMED TO BE ALL")


def test_another_checkpoint_will_not_do(log: Log) -> None:
    fill(log)
    files = activity(log, "alice")
    name = f"checkpoints/{ACCOUNT}.txt"
    log.append([*drafts(1), *drafts(5, recipientAccountId=OTHER)])
    signed_now = Checkpoints(log, KEY)
    for note in (signed_now.publish(ACCOUNT), signed_now.at(ACCOUNT, 5), signed_now.publish(OTHER)):
        assert wrong({**files, name: note})


def test_another_key_will_not_do(whole: Files, filled: Log, tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, whole)
    another = account_key(new_ledger_key("tested"), ACCOUNT)
    code, lines = stranger.looks("--key", str(another.verifier))
    assert (code, lines[-1]) == (1, "NOT VERIFIED")
    assert any(f"not signed by the key iam-ledger/tested/{ACCOUNT}" in line for line in lines)
    assert wrong({**whole, f"keys/{ACCOUNT}.txt": f"{another.verifier}\n".encode()})
    code, lines = stranger.looks()
    assert code == 0 and any("whose key it is. It came with the bundle" in line for line in lines)


def test_a_bundle_that_somebody_signed_themselves_is_known_by_the_key(filled: Log, tmp_path: Path) -> None:
    forged = new_ledger_key("tested")
    other = Log(open_engine(str(tmp_path / "forged.sqlite"), create=True))
    fill(other)
    heads = Heads(Checkpoints(other, forged), forged)
    files = make_bundle(other, heads, chosen_activity(other, heads, "alice"), question={})
    other.engine.dispose()
    assert wrong(files) == []
    assert wrong(files, public(ACCOUNT))


def test_what_is_no_part_of_the_evidence_is_reported(whole: Files) -> None:
    extra = {**whole, f"records/{ACCOUNT}-5.json": whole[f"records/{ACCOUNT}-4.json"]}
    assert wrong(extra) == [f"records/{ACCOUNT}-5.json: it is no part of the evidence"]


def test_two_files_of_one_name_are_refused(whole: Files, tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, whole)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(stranger.bundle, "a") as archive:
        archive.writestr(f"records/{ACCOUNT}-3.json", "{}")
    code, lines = stranger.looks()
    assert code == 2 and "two files of the bundle have one name" in lines[-1]


def test_an_empty_bundle_proves_nothing(whole: Files) -> None:
    empty = {name: whole[name] for name in ("README.txt", "verify_evidence.py")}
    document = {**told(whole), "entries": [], "complete": [], "rest": {}}
    assert wrong(retold(empty, document)) == ["there is no record in it"]


def test_a_record_can_not_steer_the_terminal(log: Log, tmp_path: Path) -> None:
    log.append([draft(eventName="\x1b[2J\nVERIFIED")])
    _, lines = Stranger(tmp_path, activity(log, "alice")).looks()
    assert "\x1b" not in "".join(lines)
    assert lines.count("VERIFIED") == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=200)
@given(data=st.data())
def test_rubbish_is_not_verified_and_nothing_else(
    data: st.DataObject, whole: Files, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = told(whole)
    part = data.draw(st.sampled_from([*document, "a claim", "an entry", "a rest"]))
    into = {"a claim": document["complete"][0], "an entry": document["entries"][0]}
    target = into.get(part, document["rest"][ACCOUNT] if part == "a rest" else document)
    name = data.draw(st.sampled_from([name for name in target if name != "question"]))
    before = copy.deepcopy(target[name])
    smaller = name in ("start", "stop") and part == "a claim"  # numbers may make a claim that holds as well
    target[name] = data.draw(
        JSON.filter(lambda one: one != before and one not in ([], {}) and not (smaller and type(one) is int))
    )
    path = tmp_path_factory.mktemp("rubbish") / "b.zip"
    path.write_bytes(zipped(retold(whole, document)))
    out = io.StringIO()
    with redirect_stdout(out):
        code = main([str(path)])
    assert (code, out.getvalue().splitlines()[-1]) == (1, "NOT VERIFIED")


@pytest.mark.parametrize("words", [[], ["--key"], ["a", "b"], ["a", "--key"], ["--keys", "a"], ["/nowhere"]])
def test_a_command_that_makes_no_sense_has_a_status_of_its_own(words: list[str]) -> None:
    assert main(words) == 2


# -- Ed25519 ------------------------------------------------------------------------------------------------------

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


# -- from a log that is not what it was, or that nobody signs -----------------------------------------------------


def test_of_an_entry_that_was_altered_there_is_no_evidence(log: Log) -> None:
    fill(log)
    Checkpoints(log, KEY).publish(ACCOUNT)
    with unguarded(log) as connection:
        connection.exec_driver_sql("UPDATE entries SET time = time + 1 WHERE position = 4")
        connection.commit()
    with pytest.raises(TreeDamaged, match="the entry at 4 is not what was hashed"):
        activity(log, "alice")
    assert said(activity(log, "carol"))


def test_a_chain_that_was_cut_gives_no_evidence(log: Log) -> None:
    """An index that leads past an entry: the entries are as they were, and one does not come up."""
    fill(log)
    Checkpoints(log, KEY).publish(ACCOUNT)
    with unguarded(log) as connection:
        connection.exec_driver_sql(
            "UPDATE entries SET principal = (SELECT principal FROM entries WHERE position = 1) WHERE position = 4"
        )
        connection.commit()
    with pytest.raises(TreeDamaged, match="4 is missing"):
        activity(log, "alice")


def test_without_the_key_what_was_signed_will_do_and_the_stranger_brings_the_key(log: Log) -> None:
    fill(log)
    unsigned = Heads(Checkpoints(log, None), None)
    with pytest.raises(NoCheckpointKey):
        chosen_activity(log, unsigned, "alice")
    Checkpoints(log, KEY).publish(ACCOUNT)
    log.append(drafts(2))
    heads = Heads(Checkpoints(log, None), None)
    files = bundles.bundle(log, heads, chosen_activity(log, heads, "alice"))
    assert f"keys/{ACCOUNT}.txt" not in files
    assert [one["position"] for one in told(files)["entries"]] == [0, 3, 4, 6]
    assert said(files, public(ACCOUNT))
    assert wrong(files)
    with pytest.raises(NoCheckpointKey, match="was not signed yet"):
        chosen_entries(heads, log.read(ACCOUNT, 12))


def test_nobody_and_nothing_is_told(filled: Log) -> None:
    for principal, narrowed in (
        ("mallory", {}),
        ("alice", {"since": minute(60)}),
        ("alice", {"account": OTHER}),
    ):
        with pytest.raises(NothingThere, match=principal):
            activity(filled, principal, **narrowed)


def test_a_bundle_has_an_end(filled: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "ENTRIES_MAX", 3)
    with pytest.raises(TooMuch, match="4 entries are more than the 3"):
        activity(filled, "alice")
