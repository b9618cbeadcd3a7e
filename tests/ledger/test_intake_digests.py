"""Digests beside the logs that are imported. The folders are made as `aws s3 sync` leaves them: without signatures."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from ledger.digests import (
    BadDigest,
    PublicKey,
    PublicKeys,
    fingerprint_of,
    inflated,
    read_digest,
    read_public_keys,
    value_of,
)
from ledger.intake.digests import check_digests
from projections.export.delivered_folder import public_keys_text
from projections.export.deliveries import trail_of
from tests.ledger.told import ACCOUNT
from tests.projections.delivering_told import HOUR, MORNING, Living, files_of, text_of

# The key of the example that the AWS CLI's reference gives for list-public-keys.
EXAMPLE = b"""{"PublicKeyList": [{"ValidityStartTime": 1436317441.0, "ValidityEndTime": 1438909441.0,
 "Value": "MIIBCgKCAQEAn11L2YZ9h7onug2ILi1MWyHiMRsTQjfWE+pHVRLk1QjfWhirG+lpOa8NrwQ/r7Ah5bNL6HepznOU9XTDSfmmnP97mqyc7z/upfZdS/AHhYcGaz7n6Wc/RRBU6VmiPCrAUojuSk6/GjvA8iOPFsYDuBtviXarvuLPlrT9kAd4Lb+rFfR5peEgBEkhlzc5HuWO7S0y+KunqxX6jQBnXGMtxmPBPP0FylgWGNdFtks/4YSKcgqwH0YDcawP9GGGDAeCIqPWIXDLG1jOjRRzWfCmD0iJUkz8vTsn4hq/5ZxRFE7UBAUiVcGbdnDdvVfhF9C3dQiDq3k7adQIziLT0cShgQIDAQAB",
 "Fingerprint": "8eba5db5bea9b640d1c96a77256fe7f2"}]}"""


@pytest.fixture
def living(tmp_path: Path) -> Living:
    """Three digests; each but the second names a log file."""
    living = Living(tmp_path)
    living.tell()
    living.now = MORNING + 2 * HOUR + 10
    living.tell()
    living.now += 60
    living.deliver()
    return living


@pytest.fixture
def copied(living: Living, tmp_path: Path) -> Path:
    shutil.copytree(living.folder / "AWSLogs", tmp_path / "copied" / "AWSLogs")
    return tmp_path / "copied"


def keys_of(living: Living) -> PublicKeys:
    return read_public_keys(public_keys_text(trail_of(living.log, ACCOUNT).keys))


def counts(paths: list[Path], keys: PublicKeys | None) -> tuple[int, int, int]:
    checked = check_digests(paths, keys)
    assert len(checked.failures) == checked.failed
    return checked.verified, checked.failed, checked.without_key


def test_all_but_the_newest_are_verified_by_the_signature_that_the_next_repeats(
    living: Living, copied: Path
) -> None:
    assert counts([copied], keys_of(living)) == (2, 0, 1)


def test_a_folder_that_a_ledger_delivered_to_has_them_all(living: Living) -> None:
    assert counts([living.folder], keys_of(living)) == (3, 0, 0)


def test_without_keys_nothing_is_verified(copied: Path) -> None:
    assert counts([copied], None) == (0, 0, 3)


@pytest.mark.parametrize("left_behind", ["AWSLogs", f"AWSLogs/{ACCOUNT}"])
def test_it_matters_not_from_where_on_the_folder_was_copied(
    living: Living, copied: Path, left_behind: str
) -> None:
    checked = check_digests([copied / left_behind], keys_of(living))
    assert (checked.verified, checked.missing_logs) == (2, 0)


def test_files_in_one_heap_are_found_too(living: Living, copied: Path, tmp_path: Path) -> None:
    heap = tmp_path / "heap"
    heap.mkdir()
    for path in copied.rglob("*.gz"):
        shutil.copy(path, heap)
    checked = check_digests([heap], keys_of(living))
    assert (checked.verified, checked.failed, checked.missing_logs) == (2, 0, 0)


def test_what_was_unpacked_is_read_too(living: Living, copied: Path) -> None:
    for path in list(copied.rglob("*.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    checked = check_digests([copied], keys_of(living))
    assert (checked.verified, checked.failed, checked.missing_logs) == (2, 0, 0)


def test_a_log_that_is_another_fails_its_digest_and_one_that_is_not_there_is_counted(
    living: Living, copied: Path
) -> None:
    first, last = (copied / key for key in living.logs())
    last.write_bytes(gzip.compress(b'{"Records":[]}'))
    first.unlink()
    checked = check_digests([copied], keys_of(living))
    assert (checked.verified, checked.failed, checked.without_key, checked.missing_logs) == (2, 1, 0, 1)
    assert "which is not what was delivered" in checked.failures[0]


def test_an_edited_digest_fails_with_the_one_that_knew_its_hash(living: Living, copied: Path) -> None:
    key = living.digests()[0]
    text = text_of(living.bucket, key).replace(b'"logFiles":[', b'"logFiles": [')
    (copied / key).write_bytes(gzip.compress(text))
    checked = check_digests([copied], keys_of(living))
    assert (checked.verified, checked.failed) == (0, 2)


@pytest.mark.parametrize(
    "spoilt", [b"", b"{}", b"\x1f\x8b", b"[1]", b'{"digestStartTime":1}', gzip.compress(b"[", mtime=0)]
)
def test_rubbish_is_no_digest(living: Living, copied: Path, spoilt: bytes) -> None:
    (copied / living.digests()[0]).write_bytes(spoilt)
    assert counts([copied], keys_of(living))[1] == 1


def test_nothing_is_written_and_nothing_outside_is_read(living: Living, copied: Path) -> None:
    before = files_of(copied)
    check_digests([copied, "-"], keys_of(living))
    assert files_of(copied) == before


def test_the_fingerprint_is_the_one_that_aws_publishes() -> None:
    (key,) = read_public_keys(EXAMPLE)
    assert fingerprint_of(key.value) == key.fingerprint
    assert (key.since, key.until) == (1_436_317_441, 1_438_909_441)


@pytest.mark.parametrize(
    "text", [b"", b"[", b"{}", b"[1]", b'{"PublicKeyList":[{}]}', b'{"PublicKeyList":[{"Fingerprint":"x"}]}']
)
def test_what_is_no_list_of_keys_is_refused(text: bytes) -> None:
    with pytest.raises(BadDigest, match="list-public-keys"):
        read_public_keys(text)


def test_a_gzip_file_has_one_member_and_nothing_behind_it() -> None:
    packed = gzip.compress(b"x" * 1000)
    assert inflated(packed) == b"x" * 1000
    for spoilt in (packed + packed, packed + b"\0", packed[:-1], b"", packed[:20]):
        with pytest.raises(BadDigest):
            inflated(spoilt)
    with pytest.raises(BadDigest, match="more than 999"):
        inflated(packed, bytes_max=999)


def test_keys_are_large_enough(living: Living) -> None:
    value = value_of(generate_private_key(65537, 1024).public_key())
    small = PublicKey(fingerprint_of(value), value, 0, 2**32)
    told = living.digest(0) | {"digestPublicKeyFingerprint": small.fingerprint}
    with pytest.raises(BadDigest, match="2048 bits or more"):
        PublicKeys([small]).check(read_digest(orjson.dumps(told)), "00" * 128)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = (
    *("awsAccountId", "digestStartTime", "digestEndTime", "digestS3Bucket", "digestS3Object", "logFiles"),
    *("digestPublicKeyFingerprint", "digestSignatureAlgorithm", "previousDigestS3Bucket"),
    *("previousDigestS3Object", "previousDigestHashValue", "previousDigestSignature"),
)
SOUND = {
    "digestStartTime": "2027-01-15T08:00:00Z",
    "digestEndTime": "2027-01-15T09:00:00Z",
    "logFiles": [{"s3Bucket": "b", "s3Object": "o", "hashValue": "00", "hashAlgorithm": "SHA-256"}],
} | {name: "x" for name in MEMBERS if name not in ("digestStartTime", "digestEndTime", "logFiles")}


@given(
    st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=3),
    st.sets(st.sampled_from(MEMBERS), max_size=1),
)
def test_whatever_a_digest_says_it_is_read_or_refused(spoilt: dict[str, Any], missing: set[str]) -> None:
    told = {name: value for name, value in (SOUND | spoilt).items() if name not in missing}
    try:
        digest = read_digest(orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS))
    except BadDigest:
        return
    assert digest.string_to_sign()
    with pytest.raises(BadDigest):
        PublicKeys().check(digest, "00")


@given(st.binary(max_size=64))
def test_whatever_the_bytes_are_nothing_else_is_raised(content: bytes) -> None:
    for read in (read_digest, read_public_keys, inflated):
        with pytest.raises(BadDigest):
            read(content)


@given(
    st.dictionaries(st.sampled_from(("Fingerprint", "Value", "ValidityStartTime", "ValidityEndTime")), VALUES)
)
def test_whatever_a_list_of_keys_says_it_is_read_or_refused(told: dict[str, Any]) -> None:
    try:
        keys = read_public_keys(orjson.dumps({"PublicKeyList": [told]}))
    except BadDigest:
        return
    assert len(keys) == 1
