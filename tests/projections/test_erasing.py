"""What was erased is in no answer, no delivery and no bundle, but that it was erased."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from ledger.account.replay import Replay
from ledger.checkpoint import NoCheckpointKey
from ledger.erasure import erase
from ledger.log import EntryDamaged, Log, open_engine
from ledger.log.checkpoints import Checkpoints
from projections.activity import Activity, Question
from projections.evidence import chosen_entries, chosen_stretch
from projections.evidence.heads import Heads
from projections.export.bucket import FolderBucket
from projections.export.delivering import DeliveryDiverges
from projections.investigation import Investigation
from projections.naming import records_named
from projections.permissions.accounts import PastAccounts
from projections.permissions.verification import verify_decisions
from projections.rebuilding import PROJECTIONS, verify_projections
from projections.runner import forget, metadata
from projections.vocabulary import UnknownName
from tests.ledger.living import Living as LivingAuthority
from tests.ledger.test_erasure import CANARY, personal, read
from tests.ledger.test_every_log import ACCOUNT, BOB, everything
from tests.ledger.test_verification import spoil
from tests.ledger.told import ACCOUNT as LIVING
from tests.projections.delivering_told import HOUR, MORNING, Living, a_call
from tests.projections.evidence.bundles import (
    KEY,
    Stranger,
    activity,
    bundle,
    heads_of,
    of_log,
    retold,
    said,
    shown,
    told,
    without,
    wrong,
)
from tests.projections.test_delivery import sound
from tests.projections.test_verification import a_day


def erased(log: Log, *positions: int, account_id: str = ACCOUNT) -> int:
    return erase(
        log,
        account_id,
        positions,
        reason="case 4711",
        by="the officer",
        also=lambda connection, account: forget(connection, PROJECTIONS, account),
    )


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    """Somebody called at 10 and, with another call before and after, at 40; others around them."""
    opened = Log(open_engine(database_url, create=True))
    made = [read(eventTime=f"2026-01-02T03:{minute:02}:00Z") for minute in range(60)]
    made[10] = personal(eventTime="2026-01-02T03:10:00Z", errorCode=...)
    made[40] = personal(eventTime="2026-01-02T03:40:00Z")
    opened.append(made)
    yield opened
    opened.engine.dispose()


def answers(asked: Investigation) -> bytes:
    """What there is to be asked, as far as it can tell of somebody."""
    told: list[Any] = [list(asked.every_event(Question())), list(asked.every_event(Question(text=CANARY)))]
    told += [asked.principals(), asked.accounts(), asked.findings(), asked.state(ACCOUNT, 2_000_000_000)]
    told += [asked.event(f"{ACCOUNT}:{position}") for position in (10, 40)]
    return orjson.dumps(told)


def test_no_answer_and_no_derived_row_tells_of_it(log: Log) -> None:
    asked = Investigation(log)
    asked.rebuild()
    assert CANARY.encode() in answers(asked)
    by = erased(log, 10, 40)
    assert CANARY.encode() not in answers(asked)
    assert CANARY.encode() not in answers(Investigation(log))
    with log.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                assert CANARY not in repr(tuple(row)), table.name
    Investigation(log).rebuild()
    assert verify_projections(log, [ACCOUNT]).differences == ()
    assert len(list(asked.every_event(Question()))) == 59  # and the erasure
    told = asked.event(f"{ACCOUNT}:10")
    assert told["entry"]["position"] == 10
    assert told["erased"]["by"]["position"] == by
    assert (told["erased"]["operator"], told["erased"]["reason"]) == ("the officer", "case 4711")


def test_a_text_finds_no_entry_by_what_it_held_before(log: Log) -> None:
    """Nor does it make a page be followed by another. Who asks remembers the bodies of the day before."""
    asked = Activity(log)
    frequent, held = Question(text="carol", limit=59), Question(text=CANARY)
    assert asked.page(frequent).next is not None
    assert [entry.position for entry in asked.page(held).entries] == [40, 10]
    erased(log, 10)
    assert [entry.position for entry in asked.page(held).entries] == [40]
    assert len(asked.page(frequent).entries) == 59
    assert asked.page(frequent).next is None
    erased(log, 40)
    assert asked.page(held).entries == []
    assert len(asked.page(frequent).entries) == 58
    assert asked.page(Question(text="")) == asked.page(Question())


def test_whoever_reads_on_has_derived_the_same(log: Log) -> None:
    """A process that had derived something goes on after another has erased."""
    other = Investigation(Log(open_engine(log.engine.url.render_as_string(hide_password=False))))
    other.rebuild()
    erased(log, 10)
    log.append([read(eventTime="2026-01-02T04:00:00Z")])
    assert CANARY.encode() in answers(other)  # of the other record
    assert verify_projections(log, [ACCOUNT]).differences == ()
    erased(log, 40)
    assert CANARY.encode() not in answers(other)
    other.log.engine.dispose()


def test_what_was_seen_of_them_is_seen_in_the_next_entry(log: Log) -> None:
    asked = Investigation(log)
    (before,) = asked.history(ACCOUNT, "user", CANARY)
    erased(log, 10)
    (after,) = asked.history(ACCOUNT, "user", CANARY)
    assert (before["versions"][0]["since"], after["versions"][0]["since"]) == (
        "2026-01-02T03:10:00Z",
        "2026-01-02T03:40:00Z",
    )
    replay = Replay(ACCOUNT)
    for entry in log.read(ACCOUNT):
        replay.take(entry)
    assert replay.account == PastAccounts(log).whole(ACCOUNT, 2_000_000_000)


def test_nobody_is_told_that_it_was_erased_by_an_entry_that_does_not_say_so(log: Log) -> None:
    erased(log, 10)
    spoil(log, "UPDATE erasures SET erased_by = 11")
    with pytest.raises(EntryDamaged, match="entry 11 does not say that it was erased"):
        Investigation(log).event(f"{ACCOUNT}:10")


def test_a_record_that_was_erased_is_no_ground_for_a_question(log: Log) -> None:
    by = erased(log, 10)
    with pytest.raises(UnknownName, match=f"{ACCOUNT}:10 was erased by entry {by}"):
        records_named(log, f"{ACCOUNT}:10")


def test_the_decisions_that_are_left_come_out_the_same(database_url: str) -> None:
    """Whoever lived on, and whoever folds the log anew, has the same account."""
    living = LivingAuthority(Log(open_engine(database_url, create=True)))
    a_day(living)
    calls = [3, 8, 10]  # not the first of anybody, by which they were seen
    by = erased(living.log, *calls, account_id=LIVING)
    verified = verify_decisions(living.log, [LIVING])
    assert (verified.stored, verified.recomputed, verified.divergences) == (
        15 - len(calls),
        15 - len(calls),
        [],
    )
    living.replay.take(living.log.entries_at(LIVING, [by])[0])
    anew = Replay(LIVING)
    for entry in living.log.read(LIVING):
        anew.take(entry)
    assert anew.account == living.replay.account
    living.log.engine.dispose()


# -- evidence -------------------------------------------------------------------------------------------------------


def test_a_bundle_shows_the_leaf_and_the_entry_that_says_so(log: Log, tmp_path: Path) -> None:
    by = erased(log, 10)
    heads = heads_of(log)
    files = bundle(log, heads, chosen_entries(heads, log.entries_at(ACCOUNT, [10])))
    assert of_log(told(files))["erased"] == {"10": by}
    assert shown(files) == [by]
    status, lines = Stranger(tmp_path, files).looks()
    assert status == 0
    assert any(line.startswith(f"  {ACCOUNT}:10  its record was erased by entry {by} ") for line in lines)


def test_a_stretch_is_whole_with_it(log: Log) -> None:
    by = erased(log, 10)
    heads = heads_of(log)
    files = bundle(log, heads, chosen_stretch(heads, ACCOUNT, first=5, last=15))
    assert any("positions 5 to 15, everybody: all 11 entries" in line for line in said(files))
    chain = activity(log, CANARY)
    assert any(": all 2 entries;" in line for line in said(chain))
    assert "does not say that it was erased" in wrong(without(chain, by)) or "KeyError" in wrong(
        without(chain, by)
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda erased, by: erased.clear(),
        lambda erased, by: erased.update({"10": by - 1}),
        lambda erased, by: erased.update({"10": None}),
        lambda erased, by: erased.update({"10": "x"}),
        lambda erased, by: erased.update({"11": erased.pop("10")}),
    ],
)
def test_a_bundle_that_lacks_a_record_without_such_an_entry_does_not_hold(log: Log, spoil: Any) -> None:
    by = erased(log, 10)
    heads = heads_of(log)
    files = bundle(log, heads, chosen_stretch(heads, ACCOUNT, first=5, last=by))
    document = told(files)
    spoil(of_log(document)["erased"], by)
    assert wrong(retold(files, document))


def test_another_record_can_t_be_taken_for_erased(log: Log) -> None:
    by = erased(log, 10)
    heads = heads_of(log)
    files = bundle(log, heads, chosen_stretch(heads, ACCOUNT, first=5, last=by))
    document = told(files)
    del of_log(document)["salts"]["12"]
    of_log(document)["erased"]["12"] = by
    del files[f"records/{ACCOUNT}-12.json"]
    assert wrong(retold(files, document)) == f"entry 12: entry {by} does not say that it was erased"


def test_an_erasure_that_was_not_signed_yet_gives_no_bundle(log: Log) -> None:
    Checkpoints(log, KEY).publish(ACCOUNT)
    erased(log, 10)
    heads = Heads(Checkpoints(log, None))
    with pytest.raises(NoCheckpointKey):
        bundle(log, heads, chosen_entries(heads, log.entries_at(ACCOUNT, [10])))


# -- deliveries -----------------------------------------------------------------------------------------------------


def test_an_hour_that_was_not_delivered_is_delivered_without_it(tmp_path: Path, database_url: str) -> None:
    living = Living(tmp_path, database_url).tell().tell(a_call(CANARY)).tell()
    erased(living.log, 1, account_id=LIVING)
    living.now = MORNING + HOUR + 5
    assert living.deliver(whole_hours=True).entries == 3
    assert not any(
        CANARY.encode() in path.read_bytes() for path in living.folder.rglob("*") if path.is_file()
    )
    assert sound(living)


def test_an_hour_that_was_delivered_can_t_be_delivered_again(tmp_path: Path, database_url: str) -> None:
    living = Living(tmp_path, database_url).tell().tell(a_call(CANARY)).tell()
    living.now = MORNING + HOUR + 5
    living.deliver(whole_hours=True)
    erased(living.log, 1, account_id=LIVING)
    living.now = MORNING + 2 * HOUR + 5
    living.deliver(whole_hours=True)  # where the files are, it goes on
    assert sound(living)
    with pytest.raises(DeliveryDiverges, match="the record of entry 1 was erased since; nothing was written"):
        living.deliver(FolderBucket(tmp_path / "elsewhere"))
    assert not list((tmp_path / "elsewhere").rglob("*.gz"))


def test_bob_is_nobody_s_business(log: Log) -> None:
    """The negative control: who was not erased is found as before."""
    log.append([read(userIdentity=BOB, eventTime="2026-01-02T05:00:00Z")])
    erased(log, 10, 40)
    assert [line["position"] for line in Investigation(log).every_event(Question(principal="bob"))] == [60]
    assert all(entry.intact() for entry in everything(log))
