"""Whatever is changed about evidence, it does not hold any more; and rubbish never does."""

import copy
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import account_key, new_ledger_key
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from projections.evidence import (
    Files,
    chosen_activity,
    make_bundle,
)
from projections.evidence.heads import Heads
from projections.evidence.verify_evidence import main
from projections.evidence.writing import zipped
from tests.ledger.test_every_log import ACCOUNT, OTHER, draft, drafts
from tests.projections.bundles import (
    KEY,
    Stranger,
    activity,
    fill,
    minute,
    public,
    retold,
    said,
    told,
    without,
    wrong,
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
        (lambda told: told["complete"][0].update(principal="AA" * 16, start=7), "no pseudonym"),
        (lambda told: told["complete"][0].update(start=7), "not one chain"),
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
    code, lines = stranger.looks("--key", str(another.verifier), "--key", public(ACCOUNT))
    assert (code, lines[-1]) == (0, "VERIFIED")  # a ledger may have had several
    assert wrong({**whole, f"keys/{ACCOUNT}.txt": f"{another.verifier}\n".encode()})
    code, lines = stranger.looks()
    assert code == 0 and any("whose key it is. It came with the bundle" in line for line in lines)


def test_a_bundle_that_somebody_signed_themselves_is_known_by_the_key(filled: Log, tmp_path: Path) -> None:
    forged = new_ledger_key("tested")
    other = Log(open_engine(str(tmp_path / "forged.sqlite"), create=True))
    fill(other)
    heads = Heads(Checkpoints(other, forged))
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


@settings(max_examples=300)
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
