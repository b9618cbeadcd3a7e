"""Deliveries: one digest an hour, each in the chain of its region, the same to the byte however often they break off."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ledger.digests import PublicKeys
from ledger.entry import Origin
from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from ledger.record import format_time
from projections.export import delivering
from projections.export.bucket import Bucket, FolderBucket, Stored
from projections.export.deliveries import latest_delivery, trail_of
from projections.export.delivering import Course, DeliveryDiverges, deliver
from projections.export.digests import CHAINS_MAX
from projections.export.signing_keys import NoSigningKey, SigningKeys
from projections.export.target import ExportFailed
from projections.export.validation import Anchors, validate
from projections.investigation import Investigation
from projections.permissions.accounts import PastAccounts
from tests.ledger.told import ACCOUNT, create_user
from tests.projections.delivering_told import (
    BUCKET,
    HOUR,
    KEY,
    MORNING,
    OTHER_KEY,
    Living,
    a_call,
    document,
    files_of,
    text_of,
)

NAME = re.compile(
    r"AWSLogs/(\d{12})/CloudTrail-Digest/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/"
    r"\1_CloudTrail-Digest_\2_iam-ledger_us-east-1_\3\4\5T\d{6}Z\.json\.gz"
)


@pytest.fixture
def living(tmp_path: Path, database_url: str) -> Living:
    """On each database in turn."""
    return Living(tmp_path, database_url)


def sound(living: Living) -> bool:
    trail = trail_of(living.log, ACCOUNT)
    told = validate(
        living.bucket, ACCOUNT, PublicKeys(trail.keys), anchors=Anchors.of_trail(trail, living.log)
    )
    assert told.findings == []
    return told.sound


# ---- hours


def test_every_hour_has_a_digest_an_empty_one_too(living: Living) -> None:
    living.tell()
    living.now = MORNING + 3 * HOUR + 5
    done = living.deliver(whole_hours=True)
    assert (done.digests, done.log_files, done.entries) == (3, 1, 1)
    keys = living.digests()
    assert all(NAME.fullmatch(key) for key in keys)
    assert [living.digest(number)["digestEndTime"] for number in range(3)] == [
        format_time(MORNING + hour * HOUR) for hour in (1, 2, 3)
    ]
    empty = living.digest(1)
    assert (empty["logFiles"], empty["newestEventTime"], empty["oldestEventTime"]) == ([], None, None)
    assert sound(living)


def test_the_first_has_none_before_it_and_each_other_the_one_before(living: Living) -> None:
    living.tell()
    living.now = MORNING + 3 * HOUR
    living.deliver(whole_hours=True)
    first, *others = map(living.digest, range(3))
    assert all(first[name] is None for name in first if name.startswith("previousDigest"))
    for number, told in enumerate(others):
        key = living.digests()[number]
        stored = living.bucket.get(key)
        assert stored is not None
        assert told["previousDigestS3Object"] == key
        assert told["previousDigestHashValue"] == hashlib.sha256(text_of(living.bucket, key)).hexdigest()
        assert told["previousDigestSignature"] == stored.metadata["signature"]


def test_the_hour_that_is_not_over_is_closed_where_it_is_asked_for(living: Living) -> None:
    living.tell()
    assert living.deliver(whole_hours=True).digests == 0
    assert living.deliver().digests == 1
    assert living.digest(0)["digestEndTime"] == format_time(MORNING + 100)
    living.now += 500
    living.tell()
    living.deliver()
    assert living.digest(1)["digestStartTime"] == living.digest(0)["digestEndTime"]
    assert sound(living)


def test_nothing_new_is_nothing_to_deliver(living: Living) -> None:
    living.tell().deliver()
    before = living.files()
    for _ in range(2):
        living.now += 60
        done = living.deliver()
        assert (done.digests, done.rewritten) == (0, 0)
    assert living.files() == before
    assert living.log.size(ACCOUNT) == 3  # a call, the key, the delivery


def test_what_becomes_known_late_is_delivered_in_its_own_hour(living: Living) -> None:
    living.tell()
    living.now = MORNING + HOUR
    living.deliver(whole_hours=True)
    before = living.files()
    living.now = MORNING + HOUR + 60
    living.tell(a_call(at=MORNING + 30))
    living.now = MORNING + 2 * HOUR
    living.deliver(whole_hours=True)
    assert before.items() <= living.files().items()
    late = living.digest(1)
    assert late["digestStartTime"] == format_time(MORNING + HOUR)
    assert late["oldestEventTime"] == late["newestEventTime"] == format_time(MORNING + 30)
    assert sound(living)


@pytest.mark.parametrize("whole_hours", [True, False])
def test_no_digest_is_earlier_than_the_last_whatever_the_clock_does(
    living: Living, whole_hours: bool
) -> None:
    for now in (
        MORNING + 100,
        MORNING + 2 * HOUR,
        MORNING + 26 * HOUR,
        MORNING + 3 * HOUR,
        MORNING + 27 * HOUR + 1,
    ):
        living.now = now
        living.tell()
        living.deliver(whole_hours=whole_hours)
    living.now = MORNING + 28 * HOUR
    living.deliver(whole_hours=whole_hours)
    ends = [living.digest(number)["digestEndTime"] for number in range(len(living.digests()))]
    assert ends == sorted(set(ends))
    assert sum(len(living.digest(number)["logFiles"]) for number in range(len(ends))) >= 4
    assert living.digest(-1)["iamLedger"]["endPosition"] >= 5
    assert sound(living)


def test_a_chain_a_region_from_its_first_entry_on(living: Living) -> None:
    living.tell()
    living.now = MORNING + HOUR + 10
    living.tell(a_call("DescribeInstances", region="eu-west-1"))
    living.now = MORNING + 3 * HOUR
    living.deliver(whole_hours=True)
    regions = [key.split("/")[3] for key in living.digests()]
    assert (regions.count("us-east-1"), regions.count("eu-west-1")) == (3, 2)
    assert sound(living)


def test_what_a_record_says_does_not_make_chains_without_end(living: Living) -> None:
    calls = [a_call("DescribeInstances", region=f"aa-invented-{number}") for number in range(CHAINS_MAX + 5)]
    living.tell(*calls)
    living.now = MORNING + HOUR
    living.deliver(whole_hours=True)
    assert len(living.digests()) == CHAINS_MAX
    assert len(living.logs()) == len(calls)
    assert sound(living)


# ---- what breaks off


class BreakingBucket:
    """Fails at the nth object, before it is kept or just after."""

    def __init__(self, inner: Bucket, at: int, *, kept: bool) -> None:
        self.inner = inner
        self.left = at
        self.kept = kept

    def put(self, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
        if self.left == 0:
            if self.kept:
                self.inner.put(key, content, metadata)
            raise OSError("the machine stopped")
        self.left -= 1
        self.inner.put(key, content, metadata)

    def get(self, key: str) -> Stored | None:
        return self.inner.get(key)

    def has(self, key: str) -> bool:
        return self.inner.has(key)

    def every_key(self, prefix: str = "") -> Any:
        return self.inner.every_key(prefix)


def three_hours(living: Living) -> Living:
    living.tell(a_call(), a_call("DescribeInstances", region="eu-west-1"))
    living.now = MORNING + HOUR + 10
    living.tell()
    living.now = MORNING + 3 * HOUR + 10
    return living.tell()


@pytest.mark.parametrize("kept", [False, True])
def test_it_may_break_off_at_any_object_and_comes_out_the_same(tmp_path: Path, kept: bool) -> None:
    (tmp_path / "whole").mkdir()
    whole = three_hours(Living(tmp_path / "whole"))
    whole.log.engine.dispose()  # all of it is in the one file then
    ledger = tmp_path / "ledger.sqlite"
    shutil.copy(tmp_path / "whole" / "ledger.sqlite", ledger)
    whole.deliver()
    expected = whole.files()
    objects = sum(not name.startswith("signatures/") for name in expected)
    assert objects == 12
    for at in range(objects):
        folder = tmp_path / f"broken-{at}"
        folder.mkdir()
        shutil.copy(ledger, folder / "ledger.sqlite")
        broken = Living(folder)
        broken.now = whole.now
        with pytest.raises(OSError, match="the machine stopped"):
            broken.deliver(BreakingBucket(broken.bucket, at, kept=kept))
        broken.now += 5 * HOUR  # whenever it is begun again: the hours that were signed come out as they were
        broken.deliver(whole_hours=True)
        assert expected.items() <= broken.files().items()
        assert len(broken.digests()) == len(whole.digests()) + 2 * 5
        assert sound(broken)


@pytest.mark.parametrize("written", [False, True])
def test_before_the_entry_nothing_has_happened_and_after_it_all_will(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """The entry that could not be written, and the one that was written and reported as not."""
    living = three_hours(Living(tmp_path))
    true = delivering._written_down

    def failing(*arguments: Any) -> bool:
        if written:
            true(*arguments)
        raise OSError("the machine stopped")

    with monkeypatch.context() as patched:
        patched.setattr(delivering, "_written_down", failing)
        with pytest.raises(OSError, match="the machine stopped"):
            living.deliver()
    assert living.files() == {}
    living.now += 60
    done = living.deliver()
    assert (done.digests, done.rewritten) == ((0, 12) if written else (8, 0))
    assert sound(living)


def test_an_empty_place_gets_everything_again_to_the_byte(living: Living, tmp_path: Path) -> None:
    three_hours(living).deliver()
    living.now += HOUR
    living.tell().deliver()
    living.deliver(FolderBucket(tmp_path / "other"))
    assert files_of(tmp_path / "other") == living.files()
    shutil.rmtree(living.folder / "AWSLogs" / ACCOUNT / "CloudTrail")
    living.deliver(again=True)
    assert files_of(tmp_path / "other") == living.files()


def test_two_at_once_sign_one_history(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    living.tell()
    true = delivering._tips

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(delivering, "_tips", true)
        living.deliver()
        return true(*arguments)

    monkeypatch.setattr(delivering, "_tips", overtaken)
    with pytest.raises(ExportFailed, match="is being delivered by another"):
        living.deliver()
    assert len(living.digests()) == 1
    assert sound(living)


def test_what_comes_out_otherwise_is_not_written(
    living: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living.tell()
    living.now += 1_000
    living.deliver()
    monkeypatch.setattr(
        "projections.export.digests.SPAN_SECONDS", 60
    )  # a program that lays files out otherwise
    with pytest.raises(DeliveryDiverges, match="nothing was written"):
        living.deliver(FolderBucket(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_a_log_that_is_older_than_its_files_signs_no_hour_twice(tmp_path: Path) -> None:
    """Last night's backup was restored."""
    living = Living(tmp_path).tell()
    living.deliver()
    living.log.engine.dispose()
    ledger, backup = tmp_path / "ledger.sqlite", tmp_path / "backup.sqlite"
    shutil.copy(ledger, backup)
    living.now += 2 * HOUR
    living.tell().deliver()
    living.log.engine.dispose()
    before = living.files()
    (tmp_path / "restored").mkdir()
    shutil.copy(backup, tmp_path / "restored" / "ledger.sqlite")
    restored = Living(tmp_path / "restored")
    restored.now = living.now + HOUR
    restored.tell()
    size = restored.log.size(ACCOUNT)
    with pytest.raises(ExportFailed, match="no hour is signed twice"):
        restored.deliver(living.bucket)
    assert living.files() == before
    assert restored.log.size(ACCOUNT) == size


# ---- keys and places


def test_each_key_is_good_from_its_first_digest_to_that_of_the_next(living: Living) -> None:
    living.tell().deliver()
    living.now = MORNING + HOUR + 10
    living.keys = SigningKeys([KEY, OTHER_KEY])
    living.tell().deliver()
    first, second = trail_of(living.log, ACCOUNT).keys
    assert (first.fingerprint, second.fingerprint) == (KEY.fingerprint, OTHER_KEY.fingerprint)
    assert first.since == MORNING
    assert first.until == second.since == MORNING + 100
    assert [living.digest(number)["digestPublicKeyFingerprint"] for number in (0, 1)] == [
        KEY.fingerprint,
        OTHER_KEY.fingerprint,
    ]
    assert sound(living)


def test_a_key_that_was_lost_is_needed_only_to_write_again(living: Living, tmp_path: Path) -> None:
    living.tell().deliver()
    living.keys = SigningKeys([OTHER_KEY])
    living.now += HOUR
    living.tell().deliver()
    assert sound(living)
    with pytest.raises(NoSigningKey, match=KEY.fingerprint):
        living.deliver(FolderBucket(tmp_path / "other"))


def test_a_chain_goes_to_one_bucket(living: Living) -> None:
    living.tell().deliver()
    with pytest.raises(ExportFailed, match="can't go to two places"):
        deliver(living.log, ACCOUNT, living.bucket, living.keys, Course("another", None))


def test_a_prefix_is_before_every_key(living: Living) -> None:
    living.tell().deliver(prefix="audit/acme")
    assert all(key.startswith("audit/acme/AWSLogs/") for key in [*living.digests(), *living.logs()])
    trail = trail_of(living.log, ACCOUNT)
    told = validate(living.bucket, ACCOUNT, PublicKeys(trail.keys), prefix="audit/acme")
    assert (told.digests, told.log_files, told.sound) == (1, 1, True)


# ---- the log


def test_digests_and_log_pin_each_other(living: Living) -> None:
    living.tell().deliver()
    living.now += HOUR
    living.tell().deliver()
    entries = list(living.log.read(ACCOUNT))
    for number in range(len(living.digests())):
        told = living.digest(number)["iamLedger"]
        part = entries[told["firstPosition"] : told["endPosition"]]
        hashes = b"".join(entry.leaf_hash for entry in part)
        assert told["leafHashes"] == hashlib.sha256(hashes).hexdigest()
    delivered = entries[-1].document
    assert delivered["eventName"] == "DeliverDigests"
    (tip,) = delivered["requestParameters"]["digests"]
    newest = living.digests()[-1]
    assert tip["s3Object"] == newest
    assert tip["hashValue"] == hashlib.sha256(text_of(living.bucket, newest)).hexdigest()
    assert {entry.document["eventName"] for entry in entries} == {
        "ListUsers",
        "AddDigestKey",
        "DeliverDigests",
    }


def test_deliveries_are_not_delivered(living: Living) -> None:
    for _ in range(3):
        living.tell().deliver()
        living.now += HOUR
    names = [
        record["eventName"] for key in living.logs() for record in document(living.bucket, key)["Records"]
    ]
    assert names == ["ListUsers"] * 3


def test_the_newest_delivery_is_found_alone(living: Living) -> None:
    assert latest_delivery(living.log, ACCOUNT) is None
    for _ in range(3):
        living.tell().deliver()
        living.now += HOUR
        assert latest_delivery(living.log, ACCOUNT) == trail_of(living.log, ACCOUNT).latest


def test_another_ledger_s_deliveries_are_not_this_one_s(living: Living, tmp_path: Path) -> None:
    living.tell().deliver()
    told = [entry.document for entry in living.log.read(ACCOUNT)]
    (tmp_path / "other").mkdir()
    other = Living(tmp_path / "other").tell(*told, origin=Origin("x.json", None))
    assert trail_of(other.log, ACCOUNT).deliveries == ()
    assert latest_delivery(other.log, ACCOUNT) is None
    assert other.deliver().entries == 3  # told by another, they are events like any other
    assert sound(other)


def test_importing_what_was_delivered_gives_the_same_account(living: Living, tmp_path: Path) -> None:
    living.tell(*(create_user(name) for name in ("cy", "ana", "bo")))
    living.deliver()
    living.tell(create_user("dee"))
    living.deliver()
    log = Log(open_engine(str(tmp_path / "again.sqlite"), create=True))
    summary = import_paths(log, [living.folder / "AWSLogs"])
    assert (summary.appended, summary.rejected.total()) == (4, 0)
    for it in (living.log, log):
        Investigation(it).runner.catch_up()
    one, other = (PastAccounts(it).whole(ACCOUNT, 2**32) for it in (living.log, log))
    assert {"ana", "bo", "cy", "dee"} <= {user.name for user in one.users.values()}
    assert {user.name: user.id for user in one.users.values()} == {
        user.name: user.id for user in other.users.values()
    }


def test_names_are_those_of_a_bucket(living: Living) -> None:
    assert living.tell().deliver().bucket == BUCKET
    assert living.digest(0)["digestS3Bucket"] == BUCKET


def test_keys_that_lead_elsewhere_are_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    bucket = FolderBucket(tmp_path / "delivered")
    bucket.put("AWSLogs/a", b"y", {"signature": "00"})
    (tmp_path / "delivered" / "AWSLogs" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "delivered" / "up").symlink_to(tmp_path)
    for key in (
        *("AWSLogs/../../secret", "/etc/passwd", "AWSLogs//a", "../secret", "AWSLogs/./a", "AWSLogs/link"),
        *("up/secret", "signatures/AWSLogs/a.json", "AWSLogs/a\0", "AWSLogs", "", "AWSLogs/" + "x" * 2000),
        *("delivery.json", "AWSLogs\\a", "AWSLogs/a/b"),
    ):
        assert bucket.get(key) is None, key
        assert not bucket.has(key), key
    assert list(bucket.every_key()) == ["AWSLogs/a", "AWSLogs/link"]
