"""Processor time to read, validate and answer calls in AWS's protocols, beside what botocore spends on the same call.

    python benchmarks/wire.py [--rounds 5] [--calls 2000]

Each call is taken as botocore sends it. Ours is from the body to parameters, the parameters held against the model, and the
answer as bytes. The peer is botocore's way of the same call from the other side: parameters validated and serialized to
a body, and our answer parsed; it has no code that reads requests or writes answers. Prints the median of the rounds in
microseconds a call.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for tests.api.aws

from botocore.awsrequest import HeadersDict  # noqa: E402
from botocore.parsers import create_parser  # noqa: E402
from botocore.serialize import create_serializer  # noqa: E402

from api.aws import models, validation, wire  # noqa: E402
from tests.api.aws.judging import MODELS  # noqa: E402

REQUEST_ID = "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, '
    '"Action": "sts:AssumeRole"}]}'
)
TAGS = [{"Key": f"key-{number}", "Value": f"value {number}"} for number in range(5)]
USER = {
    "Path": "/people/",
    "UserName": "alice",
    "UserId": "AIDAIOSFODNN7EXAMPLE1",
    "Arn": "arn:aws:iam::111122223333:user/people/alice",
    "CreateDate": 1_700_000_000,
}
ROLE = {
    "Path": "/",
    "RoleName": "web",
    "RoleId": "AROAIOSFODNN7EXAMPLE1",
    "Arn": "arn:aws:iam::111122223333:role/web",
    "CreateDate": 1_700_000_000,
    "AssumeRolePolicyDocument": TRUST,
    "MaxSessionDuration": 3600,
}
CALLS: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("iam", "GetUser", {"UserName": "alice"}, {"User": {**USER, "Tags": TAGS}}),
    (
        "iam",
        "CreateUser",
        {"UserName": "alice", "Path": "/people/", "Tags": TAGS},
        {"User": {**USER, "Tags": TAGS}},
    ),
    ("iam", "DeleteUser", {"UserName": "alice"}, {}),
    ("iam", "CreateRole", {"RoleName": "web", "AssumeRolePolicyDocument": TRUST}, {"Role": ROLE}),
    ("iam", "ListUsers", {"MaxItems": 100}, {"Users": [USER] * 100, "IsTruncated": False}),
    (
        "cloudtrail",
        "LookupEvents",
        {"LookupAttributes": [{"AttributeKey": "Username", "AttributeValue": "alice"}], "MaxResults": 50},
        {"Events": [{"EventId": REQUEST_ID, "EventTime": 1_700_000_000, "CloudTrailEvent": TRUST}] * 50},
    ),
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--calls", type=int, default=2_000, help="a round")
    given = options.parse_args()
    print(f"{'microseconds a call':<24}{'read':>8}{'validate':>10}{'answer':>8}{'ours':>8}{'botocore':>10}")
    for service, name, parameters, output in CALLS:
        steps = _steps(service, name, parameters, output)
        spent = [_spent(step, given.rounds, given.calls) for step in steps]
        *ours, peer = spent
        figures = f"{ours[0]:>8.1f}{ours[1]:>10.1f}{ours[2]:>8.1f}{sum(ours):>8.1f}{peer:>10.1f}"
        print(f"{f'{service}:{name}':<24}{figures}")


def _steps(
    service: str, name: str, parameters: dict[str, Any], output: dict[str, Any]
) -> list[Callable[[], object]]:
    ours = models.service(service)
    theirs = MODELS[service].operation_model(name)
    protocol = theirs.service_model.protocol
    serializer, parser = create_serializer(protocol), create_parser(protocol)
    sent = serializer.serialize_to_request(parameters, theirs)
    target = sent["headers"].get("X-Amz-Target")
    body = urlencode(sent["body"]).encode() if protocol == "query" else sent["body"]
    request = wire.read(ours, target=target, body=body)
    assert request.parameters == parameters
    reply = wire.answer(request.operation, output, REQUEST_ID)
    answered = {"status_code": 200, "headers": HeadersDict(reply.headers), "body": reply.body}

    def peer() -> object:
        written = serializer.serialize_to_request(parameters, theirs)["body"]
        if protocol == "query":
            urlencode(written)
        return parser.parse(answered, theirs.output_shape)

    return [
        lambda: wire.read(ours, target=target, body=body),
        lambda: validation.check(request.operation, request.parameters),
        lambda: wire.answer(request.operation, output, REQUEST_ID),
        peer,
    ]


def _spent(step: Callable[[], object], rounds: int, calls: int) -> float:
    """Microseconds of processor time."""
    figures = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(calls):
            step()
        figures.append((time.process_time() - began) / calls * 1e6)
    return statistics.median(figures)


if __name__ == "__main__":
    main()
