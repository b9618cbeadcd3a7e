"""Whatever is changed about evidence, it does not hold any more; and rubbish never does."""

import io
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import account_key, new_ledger_key
from ledger.entry import NATIVE, Draft, Origin
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from projections.evidence import (
    Files,
    chosen_activity,
    chosen_stretch,
    make_bundle,
)
from projections.evidence.heads import Heads
from projections.evidence.verify_evidence import hash_of, main
from projections.evidence.writing import zipped
from tests.ledger.test_every_log import ACCOUNT, OTHER, draft, drafts
from tests.projections.evidence.bundles import (
    KEY,
    Stranger,
    activity,
    bundle,
    fill,
    heads_of,
    of_log,
    public,
    retold,
    said,
    told,
    without,
    wrong,
)


def altered(files: Files, change: Callable[[dict[str, Any]], object]) -> Files:
    """With something else told of the log."""
    document = told(files)
    change(of_log(document))
    return retold(files, document)


def spoilt(text: str, at: int) -> str:
    """With one bit of its UTF-8 changed."""
    raw = bytearray(text.encode())
    raw[at] ^= 1 << at % 7
    return raw.decode(errors="surrogateescape")


def test_no_bit_of_a_record_may_change(whole: Files) -> None:
    for name in [name for name in whole if name.startswith("records/")]:
        for at in range(0, len(whole[name]), 7):
            changed = bytearray(whole[name])
            changed[at] ^= 1 << at % 8
            assert "not the one that was hashed" in wrong({**whole, name: bytes(changed)}), (name, at)


def test_no_bit_of_a_checkpoint_or_a_key_may_change(whole: Files) -> None:
    for member in ("checkpoint", "key"):
        for at in range(len(of_log(told(whole))[member].encode())):
            document = told(whole)
            of_log(document)[member] = spoilt(of_log(document)[member], at)
            assert wrong(retold(whole, document)), (member, at)


@pytest.mark.parametrize("member", ["leaves", "hashes", "salts"])
def test_no_bit_of_a_leaf_a_hash_or_a_salt_may_change(whole: Files, member: str) -> None:
    log = of_log(told(whole))
    for name in log[member]:
        for at in range(0, len(log[member][name]), 7):
            document = told(whole)
            of_log(document)[member][name] = spoilt(log[member][name], at)
            assert wrong(retold(whole, document)), (member, name, at)


@pytest.mark.parametrize("missing", ["evidence.json", "records"])
def test_no_file_may_be_missing(whole: Files, missing: str, tmp_path: Path) -> None:
    name = next(name for name in whole if name.startswith(missing))
    files = {one: raw for one, raw in whole.items() if one != name}
    code, lines = Stranger(tmp_path, files).looks()
    assert (code, lines[-1]) == (1, "NOT VERIFIED")


def test_no_leaf_and_no_hash_may_be_missing(whole: Files) -> None:
    log = of_log(told(whole))
    assert log["hashes"]
    for member in ("leaves", "hashes"):
        for name in log[member]:
            assert wrong(altered(whole, lambda log: log[member].pop(name))), (member, name)  # noqa: B023


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda log: log["leaves"].update({"3": log["leaves"]["4"]}), "not those of the log"),
        (lambda log: log["leaves"].update({"30": log["leaves"]["3"]}), "a leaf of another place"),
        (lambda log: log["hashes"].update({"0+8": "00" * 32}), "not those of the log"),
        (lambda log: log["salts"].update({"3": log["salts"]["4"]}), "not the one that was hashed"),
        (lambda log: log["salts"].update({"3": log["salts"]["3"][:-2]}), "not the one that was hashed"),
        (lambda log: log["salts"].pop("3"), "entry 3 is missing"),
        (lambda log: log["erased"].update({"3": 4}), "entry 3: entry 4 does not say that it was erased"),
        (lambda log: log["complete"][0].update(stop=13), "no such stretch"),
        (lambda log: log["complete"][0].update(principal="00" * 16), "no entry in it"),
        (lambda log: log["complete"][0].update(principal=None), "entry 1 is missing"),
        (
            lambda log: log["complete"][0].update(principal=log["complete"][0]["principal"].upper()),
            "no entry",
        ),
        (lambda log: log["complete"][0].update(start=12), "no such stretch"),
        (lambda log: log["complete"][0].update(start=True), "no such stretch"),
    ],
)
def test_whatever_else_is_told_is_not_believed(
    whole: Files, change: Callable[[dict[str, Any]], None], found: str
) -> None:
    assert wrong(whole) == ""
    assert found in wrong(altered(whole, change))


def test_a_hash_over_leaves_that_are_told_does_not_pass_for_them(whole: Files) -> None:
    """With the hash of a part given as well, nobody would look at the leaves below it."""
    document = told(whole)
    log = of_log(document)
    log["hashes"]["0+8"] = hash_of(log, 0, 8, {}).hex()
    log["leaves"]["3"] = log["leaves"]["3"].replace('"previous":0', '"previous":2')
    assert wrong(retold(whole, document))


def test_a_log_s_evidence_is_of_no_other_account(whole: Files) -> None:
    document = told(whole)
    document["logs"][OTHER] = document["logs"].pop(ACCOUNT)
    assert f"the checkpoint is of the log iam-ledger/tested/{ACCOUNT}" in wrong(retold(whole, document))


def test_what_an_entry_says_is_said_of_no_other(whole: Files) -> None:
    three, four = (f"records/{ACCOUNT}-{position}.json" for position in (3, 4))
    swapped = {**whole, three: whole[four], four: whole[three]}
    assert wrong(swapped) == "entry 3: the record is missing, or not the one that was hashed"


def test_the_last_entry_can_not_be_dropped_with_its_neighbour(part: Files) -> None:
    assert wrong(without(part, 8)) == "entry 8 is missing"
    assert wrong(without(without(part, 9), 8)) == "what came after the last one is not shown"
    assert said(without(part, 9))  # that 8 is the last before 9 needs nobody to say so


def test_a_claim_may_be_made_smaller_and_that_is_seen(part: Files, whole: Files, tmp_path: Path) -> None:
    smaller = altered(part, lambda log: log["complete"][0].update(stop=8))
    (claimed,) = [line for line in said(smaller) if line.startswith("complete: ")]
    assert "positions 3 to 7," in claimed and "all 2 entries" in claimed
    nothing = altered(without(whole, 3), lambda log: log["complete"].clear())
    code, lines = Stranger(tmp_path, nothing).looks(public(ACCOUNT))
    assert (code, lines[-1]) == (0, "VERIFIED, BUT NOT CLAIMED TO BE ALL")


def test_another_checkpoint_will_not_do(log: Log) -> None:
    fill(log)
    files = activity(log, "alice")
    log.append([*drafts(1), *drafts(5, recipientAccountId=OTHER)])
    signed_now = Checkpoints(log, KEY)
    for note in (signed_now.publish(ACCOUNT), signed_now.at(ACCOUNT, 5), signed_now.publish(OTHER)):
        assert wrong(altered(files, lambda log: log.update(checkpoint=note.decode())))  # noqa: B023


def test_another_key_will_not_do(whole: Files, filled: Log, tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, whole)
    another = account_key(new_ledger_key("tested"), ACCOUNT)
    code, lines = stranger.looks(str(another.verifier))
    assert (code, lines[-1]) == (1, "NOT VERIFIED")
    assert (
        f"WRONG  the checkpoint of iam-ledger/tested/{ACCOUNT} is not signed by a key that was given" in lines
    )
    code, lines = stranger.looks(str(another.verifier), public(ACCOUNT))
    assert (code, lines[-1]) == (0, "VERIFIED")  # a ledger may have had several
    assert wrong(altered(whole, lambda log: log.update(key=str(another.verifier))))
    unchecked = "not checked: whose key it is"
    assert not any(line.startswith(unchecked) for line in lines)
    code, lines = stranger.looks()
    assert code == 0 and any(line.startswith(unchecked) for line in lines)


def test_a_bundle_that_somebody_signed_themselves_is_known_by_the_key(filled: Log, tmp_path: Path) -> None:
    forged = new_ledger_key("tested")
    other = Log(open_engine(str(tmp_path / "forged.sqlite"), create=True))
    fill(other)
    heads = Heads(Checkpoints(other, forged))
    files = make_bundle(other, heads, chosen_activity(other, heads, "alice"), question={})
    other.engine.dispose()
    assert wrong(files) == ""
    assert wrong(files, public(ACCOUNT))


def test_what_is_no_part_of_the_evidence_is_reported(whole: Files) -> None:
    extra = {**whole, f"records/{ACCOUNT}-5.json": whole[f"records/{ACCOUNT}-4.json"]}
    assert wrong(extra) == f"no part of the evidence: records/{ACCOUNT}-5.json"


def test_two_files_of_one_name_are_refused(whole: Files, tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, whole)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(stranger.bundle, "a") as archive:
        archive.writestr(f"records/{ACCOUNT}-3.json", "{}")
    code, lines = stranger.looks()
    assert (code, lines[0]) == (1, "WRONG  two files of the bundle have one name")


def test_an_empty_bundle_proves_nothing(whole: Files) -> None:
    empty = {name: whole[name] for name in ("README.txt", "verify_evidence.py")}
    document = told(whole)
    assert wrong(retold(empty, {**document, "logs": {}})) == "there is no record in it"
    of_log(document).update(salts={}, complete=[])
    assert wrong(retold(empty, document)) == "there is no record in it"


def test_a_record_can_not_steer_the_terminal(log: Log, tmp_path: Path) -> None:
    log.append([draft(eventName="\x1b[2J\nVERIFIED")])
    _, lines = Stranger(tmp_path, activity(log, "alice")).looks()
    assert "\x1b" not in "".join(lines)
    assert lines.count("VERIFIED") == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=300)
@given(data=st.data())
def test_rubbish_is_not_verified_and_nothing_else(
    data: st.DataObject, whole: Files, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = told(whole)
    log = of_log(document)
    target = data.draw(st.sampled_from([document, log, log["complete"][0], log["leaves"], log["salts"]]))
    name = data.draw(st.sampled_from([name for name in target if name not in ("question", "erased")]))
    before = target[name]
    smaller = name in ("start", "stop")  # numbers may make a claim that holds as well
    target[name] = data.draw(
        JSON.filter(
            lambda one: one != before and one not in ([], {}, "") and not (smaller and type(one) is int)
        )
    )
    path = tmp_path_factory.mktemp("rubbish") / "b.zip"
    path.write_bytes(zipped(retold(whole, document)))
    out = io.StringIO()
    with redirect_stdout(out):
        code = main(str(path))
    assert (code, out.getvalue().splitlines()[-1]) == (1, "NOT VERIFIED")


def test_what_is_no_bundle_is_not_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("/nowhere") == main(__file__) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "NOT VERIFIED"


# -- erased by law ----------------------------------------------------------------------------------------------------


def erasing(position: int) -> Draft:
    """The ledger's own entry about it."""
    request = {"records": [{"position": position}], "reason": "asked for", "operator": "privacy"}
    service = {"type": "AWSService", "accountId": ACCOUNT, "invokedBy": "iam-ledger"}
    told: dict[str, Any] = {
        "eventSource": "iam-ledger",
        "eventName": "EraseRecords",
        "requestParameters": request,
    }
    return draft(userIdentity=service, **told)._replace(origin=NATIVE)


@pytest.fixture
def erased(log: Log) -> Files:
    """All of the first five entries, of which the second is gone, and the last says so."""
    log.append([*drafts(4), erasing(1)])
    heads = heads_of(log)
    files = bundle(log, heads, chosen_stretch(heads, ACCOUNT, first=0, last=4))
    del files[f"records/{ACCOUNT}-1.json"]
    return altered(files, lambda log: (log["salts"].pop("1"), log["erased"].update({"1": 4})))


def test_a_record_that_was_erased_by_law_is_not_missing(erased: Files) -> None:
    lines = said(erased)
    assert "complete: positions 0 to 4, everybody: all 5 entries" in lines
    assert any(line.startswith(f"  {ACCOUNT}:1") and "erased by entry 4" in line for line in lines)


def test_without_an_entry_that_says_so_it_is(erased: Files) -> None:
    assert wrong(altered(erased, lambda log: log["erased"].clear())) == "entry 1 is missing"
    for by in (0, 3, 9):
        assert wrong(altered(erased, lambda log: log["erased"].update({"1": by})))  # noqa: B023
    assert wrong(without(altered(erased, lambda log: log["erased"].update({"2": 4})), 2))


def test_an_imported_record_erases_nothing(log: Log) -> None:
    told_elsewhere = erasing(1)._replace(origin=Origin("trail.json", None))
    log.append([*drafts(4), told_elsewhere])
    heads = heads_of(log)
    files = bundle(log, heads, chosen_stretch(heads, ACCOUNT, first=0, last=4))
    del files[f"records/{ACCOUNT}-1.json"]
    changed = altered(files, lambda log: (log["salts"].pop("1"), log["erased"].update({"1": 4})))
    assert wrong(changed) == "entry 1: entry 4 does not say that it was erased"
