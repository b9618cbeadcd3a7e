"""Nothing that is done to a delivery goes unnoticed."""

from __future__ import annotations

import gzip
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import account_key, new_ledger_key, open_checkpoint, sign_checkpoint
from ledger.digests import PublicKey, PublicKeys
from projections.export.deliveries import trail_of
from projections.export.validation import Anchors, Validated, accounts_in, validate
from tests.ledger.told import ACCOUNT
from tests.projections.delivering_told import (
    HOUR,
    KEY,
    LOG_KEY,
    MORNING,
    OTHER_KEY,
    Living,
    document,
    put_signed,
)
from tests.projections.spoiling_deliveries import LET_PASS, REPORTED, Spoil

ALL = REPORTED | LET_PASS
# Without an anchor nobody can tell: whoever has the key may have begun anew, and what was never seen may be gone.
ANCHOR_NEEDED = {"the_newest_digest_deleted_with_its_logs"}


@pytest.fixture
def living(tmp_path: Path) -> Living:
    """Four digests, of which the third is empty."""
    living = Living(tmp_path)
    living.tell()
    living.now = MORNING + HOUR + 10
    living.tell()
    living.now = MORNING + 3 * HOUR + 10
    living.tell()
    living.now += 60
    living.deliver()
    assert [len(living.digest(number)["logFiles"]) for number in range(4)] == [1, 1, 0, 1]
    return living


def keys_of(living: Living) -> PublicKeys:
    return PublicKeys(trail_of(living.log, ACCOUNT).keys)


def anchored(living: Living) -> Validated:
    trail = trail_of(living.log, ACCOUNT)
    return validate(living.bucket, ACCOUNT, keys_of(living), anchors=Anchors.of_trail(trail, living.log))


def alone(living: Living) -> Validated:
    return validate(living.bucket, ACCOUNT, keys_of(living))


def test_a_sound_delivery_is_sound(living: Living) -> None:
    told = anchored(living)
    assert (told.digests, told.log_files, told.findings, told.unanchored) == (4, 3, [], set())
    assert told.sound
    assert accounts_in(living.bucket) == [ACCOUNT]


SIGNERS = (account_key(LOG_KEY, ACCOUNT).verifier,)


def test_each_digest_holds_a_checkpoint_that_covers_what_it_stands_for(living: Living) -> None:
    """It is in the entry, too, so that the same digests can be written again, whatever becomes of the key."""
    (delivery,) = trail_of(living.log, ACCOUNT).deliveries
    noted = [living.digest(number)["iamLedger"]["checkpoint"] for number in range(4)]
    assert noted == [delivery.checkpoint] * 4
    head = open_checkpoint(noted[0].encode(), SIGNERS)
    assert head.size == delivery.until == living.digest(3)["iamLedger"]["endPosition"]
    before = living.files()
    living.checkpoints = None
    assert living.deliver(again=True).digests == 0
    assert living.files() == before
    assert validate(living.bucket, ACCOUNT, keys_of(living), anchors=Anchors(signers=SIGNERS)).sound


def test_a_ledger_without_a_key_delivers_without(living: Living) -> None:
    living.checkpoints = None
    living.now += HOUR
    living.deliver()
    assert "checkpoint" not in living.digest(4)["iamLedger"]
    assert anchored(living).sound


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda head: replace(head, size=head.size - 1), "which does not cover its own"),
        (lambda head: replace(head, root=bytes(32)), "that is not of this log's first 3 entries"),
        (lambda head: replace(head, origin=head.origin[:-1] + "9"), "a checkpoint of another log"),
        (lambda head: None, "no checkpoint to go by"),
    ],
)
def test_a_checkpoint_of_something_else_is_found(living: Living, change: Any, found: str) -> None:
    """Though whoever has both keys signs it, and the digest that holds it."""
    newest = living.digests()[-1]
    told = document(living.bucket, newest)
    head = change(open_checkpoint(told["iamLedger"]["checkpoint"].encode(), SIGNERS))
    note = "nothing" if head is None else sign_checkpoint(head, LOG_KEY.named(head.origin)).decode()
    put_signed(living.bucket, told | {"iamLedger": told["iamLedger"] | {"checkpoint": note}})
    assert any(found in finding.detail for finding in anchored(living).findings)


def test_a_checkpoint_that_somebody_else_signed_is_found_by_the_key(living: Living) -> None:
    newest = living.digests()[-1]
    told = document(living.bucket, newest)
    head = open_checkpoint(told["iamLedger"]["checkpoint"].encode(), SIGNERS)
    note = sign_checkpoint(head, account_key(new_ledger_key("tested"), ACCOUNT)).decode()
    put_signed(living.bucket, told | {"iamLedger": told["iamLedger"] | {"checkpoint": note}})
    assert alone(living).sound
    known = validate(living.bucket, ACCOUNT, keys_of(living), anchors=Anchors(signers=SIGNERS))
    assert [finding.key for finding in known.findings] == [newest]


def test_without_an_anchor_it_says_so(living: Living) -> None:
    told = alone(living)
    assert told.sound
    assert told.unanchored == {"us-east-1"}


@pytest.mark.parametrize("spoil", ALL.values(), ids=ALL.keys())
def test_every_spoiling_is_found_against_the_ledger(living: Living, spoil: Spoil) -> None:
    spoil(living)
    told = anchored(living)
    assert told.findings
    assert not told.sound


@pytest.mark.parametrize("name", sorted(ALL.keys() - ANCHOR_NEEDED))
def test_nearly_every_spoiling_is_found_without_it(living: Living, name: str) -> None:
    ALL[name](living)
    assert not alone(living).sound


@pytest.mark.parametrize("name", sorted(ANCHOR_NEEDED))
def test_a_tail_that_is_gone_is_found_by_the_last_digest_that_is_known(living: Living, name: str) -> None:
    newest = living.digests()[-1]
    known = Anchors({newest: alone(living).newest["us-east-1"][1]})
    assert validate(living.bucket, ACCOUNT, keys_of(living), anchors=known).sound
    ALL[name](living)
    assert alone(living).sound  # which is why it has to be told from outside
    found = validate(living.bucket, ACCOUNT, keys_of(living), anchors=known).findings
    assert [finding.key for finding in found] == [newest]


def test_a_history_that_was_signed_anew_is_found_by_an_anchor_alone(living: Living) -> None:
    """Whoever has the key writes every digest again, without the event."""
    before = Anchors({living.digests()[-1]: alone(living).newest["us-east-1"][1]})
    folder = living.folder.parent / "other"
    folder.mkdir()
    other = Living(folder)
    other.tell()
    other.now = MORNING + 3 * HOUR + 70
    other.deliver()
    other_keys = PublicKeys(trail_of(other.log, ACCOUNT).keys)
    assert validate(other.bucket, ACCOUNT, other_keys).sound
    assert not validate(other.bucket, ACCOUNT, other_keys, anchors=before).sound


def test_a_digest_that_was_never_delivered_is_found(living: Living) -> None:
    from projections.export.digests import digest_path

    newest = living.digests()[-1]
    told = document(living.bucket, newest)
    stored = living.bucket.get(newest)
    assert stored is not None
    end = MORNING + 4 * HOUR
    forged = told | {
        "digestStartTime": told["digestEndTime"],
        "digestEndTime": "2027-01-15T12:00:00Z",
        "digestS3Object": digest_path(ACCOUNT, "us-east-1", end),
        "previousDigestS3Object": newest,
        "previousDigestHashValue": alone(living).newest["us-east-1"][1],
        "previousDigestSignature": stored.metadata["signature"],
        "logFiles": [],
        "iamLedger": {**told["iamLedger"], "digestNumber": 4},
    }
    put_signed(living.bucket, forged)
    assert alone(living).sound
    assert [finding.detail for finding in anchored(living).findings] == [
        "was never delivered: it is newer than the newest that is known"
    ]


def test_a_key_is_good_only_while_it_is_in_use(living: Living) -> None:
    (key,) = trail_of(living.log, ACCOUNT).keys
    late = PublicKey(key.fingerprint, key.value, key.since + HOUR, key.until)
    told = validate(living.bucket, ACCOUNT, PublicKeys([late]))
    assert told.bad_digests == {living.digests()[0]}


def test_a_key_is_the_one_that_its_fingerprint_names(living: Living) -> None:
    (key,) = trail_of(living.log, ACCOUNT).keys
    swapped = PublicKey(KEY.fingerprint, OTHER_KEY.value, key.since, key.until)
    assert len(validate(living.bucket, ACCOUNT, PublicKeys([swapped])).bad_digests) == 4


def test_trails_that_share_a_bucket_have_chains_of_their_own(living: Living) -> None:
    """AWS puts the digests of all trails of a region into one folder."""
    for key in living.digests()[:2]:
        other = document(living.bucket, key)
        place = key.replace("_iam-ledger_", "_another_trail_")
        before = other["previousDigestS3Object"]
        stored = before and living.bucket.get(before.replace("_iam-ledger_", "_another_trail_"))
        if stored:
            other["previousDigestS3Object"] = before.replace("_iam-ledger_", "_another_trail_")
            other["previousDigestSignature"] = stored.metadata["signature"]
            other["previousDigestHashValue"] = sha256(gzip.decompress(stored.content)).hexdigest()
        put_signed(living.bucket, other | {"digestS3Object": place, "logFiles": []})
    told = alone(living)
    assert (told.findings, told.digests) == ([], 6)
    assert sorted(told.newest) == ["us-east-1", "us-east-1 another_trail"]


def test_rubbish_among_the_digests_is_found(living: Living) -> None:
    for name in ("notes.txt", "x_CloudTrail-Digest_y.json.gz"):
        key = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/2027/01/15/{name}"
        living.bucket.put(key, b"x", {})
        assert [finding.key for finding in alone(living).findings] == [key]
        (living.folder / key).unlink()
