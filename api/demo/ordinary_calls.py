"""The everyday calls that fill a log: each as its action, parameters and resources, ready to be made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from api.demo.callers import Caller
from api.demo.day import HOUR, SNAPSHOT_AT
from api.demo.refusals import Refusal
from api.demo.trail import Act, Trail
from api.demo.whereabouts import EU, MAIN

OBJECT, BUCKET = "AWS::S3::Object", "AWS::S3::Bucket"

# How much of a day's work is done in each hour (UTC).
OFFICE_HOURS = [0, 0, 0, 0, 0, 1, 3, 8, 12, 12, 11, 10, 8, 11, 12, 11, 9, 6, 3, 2, 1, 0, 0, 0]
ROUND_THE_CLOCK = [5, 4, 4, 4, 5, 6, 7, 9, 10, 11, 11, 11, 10, 11, 11, 11, 10, 9, 8, 7, 6, 6, 5, 5]
NIGHTLY = [3, 30, 30, 10, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3]


@dataclass(frozen=True, slots=True)
class Everyday:
    """A call with all it needs but a caller and a moment."""

    action: str
    request: dict[str, Any] | None = None
    resources: Sequence[tuple[str, str]] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def by(
        self, trail: Trail, moment: int, caller: Caller, region: str, refusal: Refusal | None = None
    ) -> Act:
        return trail.call(
            moment,
            caller,
            self.action,
            self.request,
            region=region,
            refusal=refusal,
            resources=self.resources,
            more=self.more or None,
        )


Maker = Callable[[Random, str], Everyday]


def moments(random: Random, hours: Sequence[int], count: int) -> list[int]:
    """`count` moments of the day, more of them where `hours` weigh more."""
    chosen = random.choices(range(24), weights=hours, k=count)
    return sorted(SNAPSHOT_AT + hour * HOUR + random.randrange(HOUR) for hour in chosen)


def always(caller: Caller) -> Callable[[int], Caller]:
    return lambda _: caller


def s3_object(action: str, bucket: str, key: str, region: str) -> Everyday:
    request = {"bucketName": bucket, "Host": f"{bucket}.s3.{region}.amazonaws.com", "key": key}
    resources = [(f"arn:aws:s3:::{bucket}/{key}", OBJECT), (f"arn:aws:s3:::{bucket}", BUCKET)]
    more = {"bytesTransferredIn": 18_211, "bytesTransferredOut": 0} if action == "PutObject" else {}
    return Everyday(f"s3:{action}", request, resources, more)


def s3_list(bucket: str, prefix: str, region: str) -> Everyday:
    request = {
        "bucketName": bucket,
        "Host": f"{bucket}.s3.{region}.amazonaws.com",
        "list-type": "2",
        "prefix": prefix,
    }
    return Everyday("s3:ListObjects", request, [(f"arn:aws:s3:::{bucket}", BUCKET)])


def s3_bucket(action: str, parameter: str, bucket: str, region: str) -> Everyday:
    request = {"bucketName": bucket, "Host": f"{bucket}.s3.{region}.amazonaws.com", parameter: ""}
    return Everyday(f"s3:{action}", request, [(f"arn:aws:s3:::{bucket}", BUCKET)])


def list_buckets(region: str) -> Everyday:
    return Everyday("s3:ListBuckets", {"Host": f"s3.{region}.amazonaws.com"})


def table_item(action: str, table: str, key: str, region: str, account_id: str = MAIN) -> Everyday:
    request: dict[str, Any] = {"tableName": table}
    if action == "Query":
        request["keyConditionExpression"] = "#id = :id"
    else:
        request["key"] = {"id": key}
    arn = f"arn:aws:dynamodb:{region}:{account_id}:table/{table}"
    return Everyday(f"dynamodb:{action}", request, [(arn, "AWS::DynamoDB::Table")])


def key_use(action: str, bucket: str, region: str, account_id: str = MAIN) -> Everyday:
    arn = f"arn:aws:kms:{region}:{account_id}:key/{_KEYS[region]}"
    request: dict[str, Any] = {"encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::{bucket}"}}
    if action == "Decrypt":
        request["encryptionAlgorithm"] = "SYMMETRIC_DEFAULT"
    else:
        request |= {"keyId": arn, "keySpec": "AES_256"}
    return Everyday(f"kms:{action}", request, [(arn, "AWS::KMS::Key")])


def secret(name: str) -> Everyday:
    return Everyday("secretsmanager:GetSecretValue", {"secretId": name})


def describe(name: str, **request: Any) -> Everyday:
    return Everyday(f"ec2:{name}", {**request, "filterSet": {}})


def make_all(
    trail: Trail,
    random: Random,
    when: Sequence[int],
    caller: Callable[[int], Caller],
    region: str,
    makers: Sequence[tuple[int, Maker]],
) -> None:
    """At each moment one of the makers' calls, by weight."""
    weights = [weight for weight, _ in makers]
    for moment in when:
        (maker,) = random.choices([maker for _, maker in makers], weights)
        maker(random, region).by(trail, moment, caller(moment), region)


_KEYS = {
    "us-east-1": "1b7e0c44-93a1-4a5e-8d0f-6c2f5a1d9e73",
    EU: "9f24d6aa-0c1b-47e8-b1f6-2d6b8c77e015",
}
