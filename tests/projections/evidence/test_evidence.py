"""Evidence holds for whoever has nothing but Python; and whatever is changed about it, it does not."""

import ast
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from api.demo.incident import Incident
from ledger.checkpoint import NoCheckpointKey
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.tiles import TreeDamaged
from ledger.record import canonical
from projections.evidence import (
    EvidenceExists,
    Files,
    NothingThere,
    TooMuch,
    choosing,
    chosen_activity,
    chosen_entries,
    chosen_stretch,
    digest_of,
    make_bundle,
    write_bundle,
)
from projections.evidence.heads import Heads
from projections.evidence.verify_evidence import hash_of
from projections.evidence.writing import zipped
from tests.judging.go_judge import Judge
from tests.ledger.test_every_log import ACCOUNT, BOB, DECIDED, OTHER, draft, drafts
from tests.ledger.test_tiles import unguarded
from tests.projections.evidence import bundles
from tests.projections.evidence.bundles import (
    CALLERS,
    KEY,
    Stranger,
    activity,
    fill,
    heads_of,
    minute,
    of_log,
    public,
    said,
    shown,
    told,
    without,
    wrong,
)

# -- it holds -----------------------------------------------------------------------------------------------------


def test_all_that_a_principal_did_is_shown_to_be_all(log: Log, tmp_path: Path) -> None:
    fill(log)
    files = activity(log, "alice")
    assert shown(files) == [0, 3, 4, 6]
    code, lines = Stranger(tmp_path, files).looks(public(ACCOUNT))
    assert (code, lines[-1]) == (0, "VERIFIED")
    assert [line.split()[0] for line in lines if line.startswith("  ")] == [
        f"{ACCOUNT}:{position}" for position in (0, 3, 4, 6)
    ]
    assert any(line.startswith(f"log iam-ledger/tested/{ACCOUNT}: 12 entries, root") for line in lines)
    (claimed,) = [line for line in lines if line.startswith("complete: ")]
    assert "positions 0 to 11," in claimed
    assert claimed.endswith(": all 4 entries; before: none; after: none")


def test_a_stretch_lies_between_two_neighbours_of_whom_nothing_is_told(part: Files) -> None:
    assert [int(position) for position in of_log(told(part))["leaves"]] == [2, 5, 7, 8, 9]
    assert shown(part) == [5, 7, 8]
    assert {name for name in part if name.startswith("records/")} == {
        f"records/{ACCOUNT}-{position}.json" for position in (5, 7, 8)
    }
    (claimed,) = [line for line in said(part, public(ACCOUNT)) if line.startswith("complete: ")]
    assert "positions 3 to 8," in claimed
    assert re.search(r"; before: recorded 20\S+Z; after: recorded 20\S+Z$", claimed)


def test_every_stretch_of_every_chain_holds_and_not_without_any_of_its_entries(filled: Log) -> None:
    for person in ("alice", "bob", "carol"):
        mine = [at for at, caller in enumerate(CALLERS) if caller["userName"] == person]
        for begin, first in enumerate(mine):
            for last in mine[begin:]:
                files = activity(filled, person, since=minute(first), until=minute(last) + 1)
                assert shown(files) == [at for at in mine if first <= at <= last]
                assert any(line.startswith("complete: ") for line in said(files))
                for position in shown(files):
                    assert wrong(without(files, position)), (person, first, last, position)


def test_everybody_s_entries_between_two_positions(filled: Log) -> None:
    heads = heads_of(filled)
    files = bundles.bundle(filled, heads, chosen_stretch(heads, ACCOUNT, first=3, last=7))
    assert "complete: positions 3 to 7, everybody: all 5 entries" in said(files)
    for position in range(3, 8):
        assert wrong(without(files, position)) == f"entry {position} is missing"
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
    code, lines = stranger.looks(public(ACCOUNT), public(OTHER))
    assert (code, lines[-1]) == (0, "VERIFIED, BUT NOT CLAIMED TO BE ALL")
    code, lines = stranger.looks(public(ACCOUNT))
    assert (code, lines[-1]) == (1, "NOT VERIFIED")
    assert any("is not signed by a key that was given" in line for line in lines)


def test_a_principal_who_called_in_several_logs_has_a_chain_in_each(log: Log) -> None:
    log.append([draft(), draft(recipientAccountId=OTHER), *drafts(2, userIdentity=BOB)])
    logs = told(activity(log, "alice"))["logs"]
    claims = {
        account: [(one["start"], one["stop"]) for one in of["complete"]] for account, of in logs.items()
    }
    assert claims == {ACCOUNT: [(0, 3)], OTHER: [(0, 1)]}
    assert list(told(activity(log, "alice", account=OTHER))["logs"]) == [OTHER]
    said(activity(log, "alice"), public(ACCOUNT), public(OTHER))


def test_what_was_recorded_late_is_within_the_stretch(log: Log) -> None:
    """An imported log is in no order of time: entries of other times between are given too, for a chain has no gaps."""
    times = ["03:00", "03:01", "03:09", "03:02", "03:08"]
    log.append([draft(eventTime=f"2026-01-02T{at}:00Z") for at in times])
    files = activity(log, "alice", since=minute(1), until=minute(3))
    assert shown(files) == [1, 2, 3]
    assert said(files)


def test_where_too_much_lies_behind_the_last_entry_no_more_is_claimed(
    filled: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "REST_LEAVES_MAX", 4)
    heads = heads_of(filled)
    chosen = chosen_activity(filled, heads, "alice")
    files = bundles.bundle(filled, heads, chosen)
    assert chosen.open_ended and shown(files) == [int(position) for position in of_log(told(files))["leaves"]]
    (claimed,) = [line for line in said(files) if line.startswith("complete: ")]
    assert "positions 0 to 6," in claimed


def test_the_incident_can_be_given_as_evidence(
    incident: Incident, incident_ledger: Path, tmp_path: Path
) -> None:
    log = Log(open_engine(str(shutil.copy(incident_ledger, tmp_path / "ledger.sqlite"))))
    account = incident.main_account
    files = activity(log, "ci-deploy", account=account)
    code, lines = Stranger(tmp_path, files).looks(public(account))
    assert (code, lines[-1]) == (0, "VERIFIED")
    count = sum(name.startswith("records/") for name in files)
    assert sum(line.startswith("  ") for line in lines) == count > 1_000
    log.engine.dispose()


def path_to(log: dict[str, Any], position: int, start: int, stop: int) -> list[bytes]:
    """From the leaf up, as proofs that travel have it."""
    if stop - start == 1:
        return []
    middle = start + (1 << (stop - start - 1).bit_length() - 1)
    inner, outer = (
        ((start, middle), (middle, stop)) if position < middle else ((middle, stop), (start, middle))
    )
    return [*path_to(log, position, *inner), hash_of(log, outer[0], outer[1] - outer[0], {})]


def test_go_s_packages_find_the_same(judge: Judge, whole: Files) -> None:
    log = of_log(told(whole))
    for position in map(int, log["salts"]):
        asked: dict[str, Any] = {
            "key": public(ACCOUNT),
            "checkpoint": log["checkpoint"].encode(),
            "index": position,
            "leaf": log["leaves"][str(position)].encode(),
            "hashes": path_to(log, position, 0, len(CALLERS)),
        }
        assert judge("inclusion", **asked) == ""
        assert judge("inclusion", **asked | {"index": position + 1}) != ""


def test_the_program_needs_python_3_9_and_nothing_else(whole: Files) -> None:
    program = ast.parse(whole["verify_evidence.py"], feature_version=(3, 9))
    imported = {
        name
        for node in ast.walk(program)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.partition(".")[0] for name in imported if name} <= sys.stdlib_module_names
    assert len(whole["verify_evidence.py"].splitlines()) < 225  # short enough to be read


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
    unsigned = Heads(Checkpoints(log, None))
    with pytest.raises(NoCheckpointKey):
        chosen_activity(log, unsigned, "alice")
    Checkpoints(log, KEY).publish(ACCOUNT)
    log.append(drafts(2))
    heads = Heads(Checkpoints(log, None))
    files = bundles.bundle(log, heads, chosen_activity(log, heads, "alice"))
    assert of_log(told(files))["key"] is None
    assert shown(files) == [0, 3, 4, 6]
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


def test_a_bundle_has_an_end(filled: Log) -> None:
    heads = heads_of(filled)
    chosen = chosen_activity(filled, heads, "alice")
    with pytest.raises(TooMuch, match="4 entries are more than the 3"):
        make_bundle(filled, heads, chosen, question={}, entries_max=3)
