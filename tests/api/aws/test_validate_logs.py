"""`aws cloudtrail validate-logs`, as AWS made it, against a ledger's front door: one address, and what it says of spoilt files."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from ledger.record import format_time
from projections.export.bucket import Bucket, FolderBucket, S3Bucket
from projections.export.delivering import Course, deliver
from projections.export.signing_keys import SigningKeys
from tests.api.living_server import Account, LivingServer, living_server
from tests.projections.delivering_told import HOUR, KEY, OTHER_KEY
from tests.projections.spoiling_deliveries import LET_PASS, REPORTED, Spoil
from tests.s3_server import s3_server, s3_server_needed

SPOILT_BITS = int(os.environ.get("IAM_LEDGER_TEST_VALIDATED_BITS", "2"))
AWS = Path(sys.executable).with_name("aws")
COUNTS = re.compile(r"(\d+)/(\d+) (digest|log) files valid(?:, (\d+)/\d+ \w+ files INVALID)?")


@dataclass(frozen=True)
class Found:
    """`digests` and `logs` are valid and all, as the tool counts them; None where it found none."""

    code: int
    digests: tuple[int, int] | None
    logs: tuple[int, int] | None
    text: str


class Delivered:
    """A server with an account, whose files are delivered to a folder. It has what spoilers of deliveries look at."""

    def __init__(self, server: LivingServer, account: Account, folder: Path) -> None:
        self.server = server
        self.account = account
        self.folder = folder
        self.bucket = FolderBucket(folder)
        self.now = int(time.time())
        self.keys = SigningKeys([KEY])

    def deliver(self, *, hours: int = 0, to: Bucket | None = None, prefix: str | None = None) -> None:
        """So many hours after the server came to be."""
        now, place = self.now + hours * HOUR, self.bucket if to is None else to
        course = Course(f"iam-ledger-{self.account.id}", prefix)
        checkpoints = self.server.checkpoints
        deliver(
            self.server.log,
            self.account.id,
            place,
            self.keys,
            course,
            checkpoints=checkpoints,
            clock=lambda: now,
        )

    def digests(self) -> list[str]:
        keys = [key for key in self.bucket.every_key() if "/CloudTrail-Digest/" in key]
        return sorted(keys, key=lambda key: (key[-24:-8], key))

    def logs(self) -> list[str]:
        return [key for key in self.bucket.every_key() if "/CloudTrail/" in key]

    def aws(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),  # nobody's own configuration
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_ACCESS_KEY_ID": self.account.key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.account.key["SecretAccessKey"],
            "AWS_DEFAULT_REGION": "us-east-1",
            **environment,
        }
        return subprocess.run([AWS, *words], env=environment, capture_output=True, text=True, timeout=120)

    def validated(self, **environment: str) -> Found:
        ran = self.aws(
            *("cloudtrail", "validate-logs", "--verbose"),
            *("--trail-arn", f"arn:aws:cloudtrail:us-east-1:{self.account.id}:trail/iam-ledger"),
            *("--start-time", format_time(self.now - 2 * HOUR)),
            *("--end-time", format_time(self.now + 10 * HOUR)),
            **environment,
        )
        counts = {kind: (int(good), int(of)) for good, of, kind, _ in COUNTS.findall(ran.stdout)}
        return Found(ran.returncode, counts.get("digest"), counts.get("log"), ran.stdout + ran.stderr)


@pytest.fixture
def delivered(sqlite_url: str, tmp_path: Path) -> Iterator[Delivered]:
    """Four digests, of which the third is empty, and three log files."""
    folder = tmp_path / "delivered"
    with living_server(sqlite_url, folder) as server:
        account = server.new_account()
        found = Delivered(server, account, folder)
        iam = account.client("iam")
        for name, hours in (("ana", 0), ("bo", 2), ("cy", 4)):
            iam.create_user(UserName=name)
            found.deliver(hours=hours)
        yield found


def test_everything_is_valid_with_one_address(delivered: Delivered) -> None:
    found = delivered.validated()
    digests, logs = len(delivered.digests()), len(delivered.logs())
    assert (found.code, found.digests, found.logs) == (0, (digests, digests), (logs, logs)), found.text
    assert digests >= 5
    assert logs == 3


def test_its_reads_are_calls_like_any_other(delivered: Delivered) -> None:
    before = len(delivered.account.records())
    delivered.validated()
    told = [record["eventName"] for record in delivered.account.records()[before:]]
    names = [
        name for name in told if name != "ClockSetBack"
    ]  # the deliveries were made by a clock that is ahead
    digests, logs = len(delivered.digests()), len(delivered.logs())
    assert names[:4] == ["DescribeTrails", "GetBucketLocation", "ListObjects", "ListPublicKeys"]
    assert names[4:] == ["GetObject"] * (digests + logs)


def test_a_key_that_was_followed_by_another_stays_listed(delivered: Delivered) -> None:
    delivered.keys = SigningKeys([KEY, OTHER_KEY])
    delivered.account.client("iam").create_user(UserName="dee")
    delivered.deliver(hours=6)
    found = delivered.validated()
    digests = len(delivered.digests())
    assert (found.code, found.digests, found.logs) == (0, (digests, digests), (4, 4)), found.text
    listed = delivered.account.client("cloudtrail").list_public_keys(StartTime=0)["PublicKeyList"]
    assert [key["Fingerprint"] for key in listed] == [KEY.fingerprint, OTHER_KEY.fingerprint]


def test_another_key_in_the_list_is_found(delivered: Delivered, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourteenth of what AWS's tool reports: the list itself is wrong."""
    monkeypatch.setattr("projections.export.deliveries.base64.b64decode", lambda *_, **__: OTHER_KEY.value)
    found = delivered.validated()
    assert (found.code, found.digests and found.digests[0]) == (1, 0), found.text


@pytest.mark.parametrize("spoil", REPORTED.values(), ids=REPORTED.keys())
def test_what_is_spoilt_is_reported(delivered: Delivered, spoil: Spoil) -> None:
    spoil(delivered)  # type: ignore[arg-type]
    found = delivered.validated()
    assert found.code == 1, found.text
    assert found.digests is not None
    assert found.digests[0] < found.digests[1] or (found.logs and found.logs[0] < found.logs[1])


@pytest.mark.parametrize("spoil", LET_PASS.values(), ids=LET_PASS.keys())
def test_what_aws_lets_pass_is_why_there_is_a_validation_of_our_own(
    delivered: Delivered, spoil: Spoil
) -> None:
    """Should AWS's tool learn it one day, this tells."""
    spoil(delivered)  # type: ignore[arg-type]
    assert delivered.validated().code == 0


def test_a_bit_anywhere_is_reported(delivered: Delivered) -> None:
    """In a log, a digest or a signature; those that change nothing but how a file is packed do not count."""
    chance, told = random.Random(5), 0
    files = sorted(path for path in delivered.folder.rglob("*") if path.is_file())
    while told < SPOILT_BITS:
        path = chance.choice(files)
        raw = path.read_bytes()
        spoilt, bit = bytearray(raw), chance.randrange(8 * len(raw))
        spoilt[bit // 8] ^= 1 << bit % 8
        if meaning(bytes(spoilt)) == meaning(raw):
            continue
        path.write_bytes(spoilt)
        found = delivered.validated()
        path.write_bytes(raw)
        assert found.code != 0, (path, bit, found.text)
        told += 1
    assert delivered.validated().code == 0


def meaning(raw: bytes) -> bytes | None:
    """What is unpacked of a file; None where nothing can be."""
    try:
        if raw.startswith(b"{"):
            return bytes.fromhex(json.loads(raw)["signature"])
        return gzip.decompress(raw)
    except (LookupError, ValueError, OSError, EOFError, zlib.error):
        return None


def test_who_may_not_read_the_bucket_may_not_validate(delivered: Delivered) -> None:
    iam = delivered.account.client("iam")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    words = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    needed = ["cloudtrail:DescribeTrails", "s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"]
    needed.append("cloudtrail:ListPublicKeys")
    for number in range(len(needed) + 1):
        allowed = ",".join(f'"{action}"' for action in needed[:number])
        policy = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{allowed}],"Resource":"*"}}]}}'
        if number:
            iam.put_user_policy(UserName="ana", PolicyName="audit", PolicyDocument=policy)
        found = delivered.validated(**words)
        if number < len(needed):
            assert (found.code, found.digests) == (255, None), found.text
    digests = len(delivered.digests())
    assert (found.code, found.digests, found.logs) == (0, (digests, digests), (3, 3)), found.text


@s3_server_needed
def test_a_bucket_of_s3_is_validated_with_the_trail_asked_of_the_ledger(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living_server(sqlite_url) as server, s3_server() as s3_url:
        account = server.new_account()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
        name = f"iam-ledger-{account.id}"
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=name)
        delivered = Delivered(server, account, tmp_path)
        for hours in (0, 2):
            account.client("iam").create_user(UserName=f"user-{hours}")
            delivered.deliver(hours=hours, to=S3Bucket(name), prefix="audit/acme")
        digests = sum("/CloudTrail-Digest/" in key for key in S3Bucket(name).every_key())
        found = delivered.validated(AWS_ENDPOINT_URL_S3=s3_url)
        assert (found.code, found.digests, found.logs) == (0, (digests, digests), (2, 2)), found.text
        assert digests >= 3
