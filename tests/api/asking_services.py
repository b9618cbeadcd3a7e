"""What tests of service questions share: an account with people in it, and how each of them asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.api.living_server import Account

ORDER = "arn:aws:orders:::order/7"
READS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Reads",
            "Effect": "Allow",
            "Action": ["orders:Get*", "orders:Put*"],
            "Resource": "arn:aws:orders:::order/*",
        },
        {"Effect": "Deny", "Action": "orders:*", "Resource": "arn:aws:orders:::order/secret"},
        {
            "Sid": "Small",
            "Effect": "Allow",
            "Action": "orders:Refund",
            "Resource": "*",
            "Condition": {"NumericLessThan": {"orders:Amount": "100"}},
        },
    ],
}


@dataclass(frozen=True)
class Person:
    """A user with a key."""

    arn: str
    key: dict[str, str]

    @property
    def credential(self) -> dict[str, str]:
        return {"accessKeyId": self.key["AccessKeyId"], "secretAccessKey": self.key["SecretAccessKey"]}

    def question(
        self, action: str = "orders:GetOrder", resource: str = ORDER, **others: Any
    ) -> dict[str, Any]:
        return {"credential": self.credential, "action": action, "resource": resource, **others}


def new_person(account: Account, name: str, policy: dict[str, Any] | None = None) -> Person:
    iam = account.client("iam")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if policy is not None:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return Person(arn, iam.create_access_key(UserName=name)["AccessKey"])


def session_of(account: Account, person: Person) -> dict[str, str]:
    found: dict[str, str] = account.client("sts", person.key).get_session_token()["Credentials"]
    return found


def signed_headers(
    key: dict[str, str], method: str, url: str, body: bytes = b"", *, service: str = "orders"
) -> dict[str, str]:
    """The headers that botocore signs a request with."""
    request = AWSRequest(method, url, data=body)
    credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken"))
    SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
    return {**dict(request.headers.items()), "Host": httpx.URL(url).netloc.decode()}
