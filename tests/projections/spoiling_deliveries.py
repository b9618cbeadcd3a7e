"""What can be done to a delivery: what AWS's own tool reports, and what it lets pass.

The delivery has four digests, of which the third is empty, and a log file for each of the others.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1

from tests.projections.delivering_told import KEY, OTHER_KEY, Living, delete, document, put_signed, text_of

Spoil = Callable[[Living], None]
REPORTED: Final[dict[str, Spoil]] = {}
LET_PASS: Final[dict[str, Spoil]] = {}


def reported(spoil: Spoil) -> Spoil:
    REPORTED[spoil.__name__] = spoil
    return spoil


def let_pass(spoil: Spoil) -> Spoil:
    LET_PASS[spoil.__name__] = spoil
    return spoil


def _put_text(living: Living, key: str, text: bytes) -> None:
    """The object with another content, and the metadata that it had."""
    stored = living.bucket.get(key)
    assert stored is not None
    living.bucket.put(key, gzip.compress(text, mtime=0), stored.metadata)


def _put_raw(living: Living, key: str, change: Callable[[bytes], bytes]) -> None:
    stored = living.bucket.get(key)
    assert stored is not None
    living.bucket.put(key, change(stored.content), stored.metadata)


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :]


# ---- reported


@reported
def a_bit_of_a_log_s_content(living: Living) -> None:
    key = living.logs()[0]
    _put_text(living, key, _flipped(text_of(living.bucket, key), 40))


@reported
def a_bit_of_a_log_s_packing(living: Living) -> None:
    _put_raw(living, living.logs()[0], lambda content: _flipped(content, len(content) // 2))


@reported
def an_event_taken_out(living: Living) -> None:
    _put_text(living, living.logs()[0], b'{"Records":[]}')


@reported
def a_log_deleted(living: Living) -> None:
    delete(living.folder, living.logs()[:1])


@reported
def two_logs_exchanged(living: Living) -> None:
    one, other, *_ = living.logs()
    texts = text_of(living.bucket, one), text_of(living.bucket, other)
    _put_text(living, one, texts[1])
    _put_text(living, other, texts[0])


@reported
def a_digest_deleted_in_the_middle(living: Living) -> None:
    delete(living.folder, living.digests()[1:2])


@reported
def the_first_digest_deleted(living: Living) -> None:
    delete(living.folder, living.digests()[:1])


@reported
def a_digest_edited(living: Living) -> None:
    key = living.digests()[1]
    _put_text(living, key, text_of(living.bucket, key).replace(b'"logFiles":[', b'"logFiles": ['))


@reported
def a_digest_signed_by_another_key(living: Living) -> None:
    put_signed(living.bucket, document(living.bucket, living.digests()[1]), OTHER_KEY)


@reported
def a_digest_signed_by_another_key_and_saying_so(living: Living) -> None:
    told = document(living.bucket, living.digests()[1])
    put_signed(living.bucket, told | {"digestPublicKeyFingerprint": OTHER_KEY.fingerprint}, OTHER_KEY)


@reported
def a_signature_taken_off(living: Living) -> None:
    (living.folder / "signatures" / f"{living.digests()[1]}.json").unlink()


@reported
def a_digest_played_again_at_another_hour(living: Living) -> None:
    one, other = living.digests()[:2]
    stored = living.bucket.get(one)
    assert stored is not None
    living.bucket.put(other, stored.content, stored.metadata)


@reported
def the_signature_of_the_one_before_edited(living: Living) -> None:
    key = living.digests()[1]
    told = document(living.bucket, key)["previousDigestSignature"]
    other = "0" + told[1:] if told[0] != "0" else "1" + told[1:]
    _put_text(living, key, text_of(living.bucket, key).replace(told.encode(), other.encode()))


@reported
def events_behind_the_end_of_a_log(living: Living) -> None:
    """Reported by awscli 1.46; version 1.45 still let it pass."""
    forged = gzip.compress(b'{"Records":[{"eventName":"Forged"}]}')
    _put_raw(living, living.logs()[0], lambda content: content + forged)


# ---- let pass


@let_pass
def the_newest_digest_deleted_with_its_logs(living: Living) -> None:
    newest = living.digests()[-1]
    logs = [log["s3Object"] for log in document(living.bucket, newest)["logFiles"]]
    delete(living.folder, [newest, *logs])


@let_pass
def every_digest_deleted(living: Living) -> None:
    delete(living.folder, living.digests())


@let_pass
def a_digest_rewritten_and_signed_by_the_same_key(living: Living) -> None:
    told = document(living.bucket, living.digests()[1])
    log = told["logFiles"][0]["s3Object"]
    _put_text(living, log, b'{"Records":[]}')
    told["logFiles"][0]["hashValue"] = sha256(b'{"Records":[]}').hexdigest()
    put_signed(living.bucket, told)


@let_pass
def a_wrong_hash_of_the_one_before(living: Living) -> None:
    told = document(living.bucket, living.digests()[-1])
    put_signed(living.bucket, told | {"previousDigestHashValue": "0" * 64})


@let_pass
def a_signature_over_sha1(living: Living) -> None:
    key = living.digests()[-1]
    told, text = document(living.bucket, key), text_of(living.bucket, key)
    place = f"{told['digestS3Bucket']}/{told['digestS3Object']}"
    lines = told["digestEndTime"], place, sha256(text).hexdigest(), told["previousDigestSignature"]
    signed = KEY._private.sign("\n".join(lines).encode(), PKCS1v15(), SHA1())
    stored = living.bucket.get(key)
    assert stored is not None
    living.bucket.put(key, stored.content, dict(stored.metadata) | {"signature": signed.hex()})


@let_pass
def something_behind_the_end_of_a_digest(living: Living) -> None:
    _put_raw(living, living.digests()[1], lambda content: content + gzip.compress(b'{"logFiles":[]}'))


@let_pass
def a_log_that_no_digest_names(living: Living) -> None:
    key = living.logs()[0]
    living.bucket.put(
        key.replace("_0000", "_ZZZZ"), gzip.compress(b'{"Records":[{"eventName":"Forged"}]}'), {}
    )


@let_pass
def a_chain_cut_and_what_was_before_deleted(living: Living) -> None:
    keys = living.digests()
    named = [log["s3Object"] for key in keys[:-1] for log in document(living.bucket, key)["logFiles"]]
    told = document(living.bucket, keys[-1])
    previous = {name: None for name in told if name.startswith("previousDigest")}
    delete(living.folder, [*keys[:-1], *named])
    put_signed(living.bucket, told | previous)
