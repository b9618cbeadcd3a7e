"""Histories told as records: the builders that the scenarios of this folder share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, Self

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change, Sighting
from ledger.account.fold import Step, fold
from ledger.iam.operations import evolve
from ledger.record import format_time, read_identity, read_record

ACCOUNT = "111122223333"
NOON = 1_700_000_000
ADMIN = {
    "type": "IAMUser",
    "principalId": "AIDAADMIN0000001",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/admin",
    "accountId": ACCOUNT,
    "userName": "admin",
    "accessKeyId": "AKIAADMIN0000001",
}
ROOT = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OWN = f"arn:aws:iam::{ACCOUNT}:policy/team/own"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
ALLOW_TEXT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
DENY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
DENY_TEXT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
TRUST_TEXT = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    f'"Principal":{{"AWS":"{ACCOUNT}"}}}}]}}'
)
DATE = "Nov 14, 2023, 10:13:20\u202fPM"  # NOON

_numbers = count(1)


def call(
    operation: str,
    request: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    *,
    by: dict[str, Any] = ADMIN,
    at: int = NOON,
    error: str | None = None,
    event_id: str | None = None,
    source: str = "iam.amazonaws.com",
    **more: Any,
) -> dict[str, Any]:
    document = {
        "eventVersion": "1.08",
        "eventSource": source,
        "eventName": operation,
        "eventTime": format_time(at),
        "eventID": event_id or f"event-{next(_numbers):06}",
        "recipientAccountId": ACCOUNT,
        "userIdentity": by,
        "requestParameters": request,
        "responseElements": response,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli",
        **more,
    }
    return document | ({"errorCode": error} if error else {})


def create_user(name: str = "alice", number: int = 1, **more: Any) -> dict[str, Any]:
    user = {
        "path": "/",
        "userName": name,
        "userId": f"AIDA{name.upper():0>12}{number}",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "createDate": DATE,
    }
    return call("CreateUser", {"userName": name}, {"user": user}, **more)


def create_group(name: str = "devs", number: int = 1, **more: Any) -> dict[str, Any]:
    group = {
        "path": "/",
        "groupName": name,
        "groupId": f"AGPA{name.upper():0>12}{number}",
        "arn": f"arn:aws:iam::{ACCOUNT}:group/{name}",
        "createDate": DATE,
    }
    return call("CreateGroup", {"groupName": name}, {"group": group}, **more)


def create_role(name: str = "deploy", number: int = 1, **more: Any) -> dict[str, Any]:
    role = {
        "path": "/",
        "roleName": name,
        "roleId": f"AROA{name.upper():0>12}{number}",
        "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "createDate": DATE,
    }
    request = {"roleName": name, "assumeRolePolicyDocument": TRUST_TEXT, "maxSessionDuration": 7200}
    return call("CreateRole", request, {"role": role}, **more)


def create_policy(number: int = 1, **more: Any) -> dict[str, Any]:
    policy = {"policyName": "own", "policyId": f"ANPAOWN00000000{number}", "arn": OWN, "path": "/team/"}
    request = {"policyName": "own", "path": "/team/", "policyDocument": ALLOW_TEXT}
    return call("CreatePolicy", request, {"policy": policy}, **more)


def create_profile(name: str = "web", **more: Any) -> dict[str, Any]:
    profile = {
        "path": "/",
        "instanceProfileName": name,
        "instanceProfileId": "AIPAWEB000000001",
        "arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}",
    }
    return call("CreateInstanceProfile", {"instanceProfileName": name}, {"instanceProfile": profile}, **more)


def create_key(name: str = "alice", key: str = "AKIAALICE0000001", **more: Any) -> dict[str, Any]:
    told = {"userName": name, "accessKeyId": key, "status": "Active", "createDate": DATE}
    return call("CreateAccessKey", {"userName": name}, {"accessKey": told}, **more)


class Told:
    """given(records).when(record): the account before and after one more record, positions counted from 0."""

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        self.account = Account.empty(ACCOUNT)
        self.position = -1
        for record in records:
            self.when(record)

    def when(self, record: dict[str, Any]) -> Self:
        self.position += 1
        change = Change(self.position, read_record(record, account_id=ACCOUNT), native=True)
        self.account = evolve(self.account.settled(), change)
        stored = [
            (entity.kind, entity.id, self.account.document(entity)) for entity in self.account.entities()
        ]
        assert (
            Account.from_documents(ACCOUNT, stored) == self.account
        )  # every scenario asks this of the codec
        return self

    @property
    def reasons(self) -> list[Reason]:
        """What the latest record made the fold assume."""
        return [assumption.reason for assumption in self.account.noted]

    def user(self, name: str = "alice") -> dict[str, Any]:
        user = self.account.user_named(name)
        assert user is not None
        return self.account.document(user)

    def group(self, name: str = "devs") -> dict[str, Any]:
        group = self.account.group_named(name)
        assert group is not None
        return self.account.document(group)

    def role(self, name: str = "deploy") -> dict[str, Any]:
        role = self.account.role_named(name)
        assert role is not None
        return self.account.document(role)

    def policy(self, arn: str = OWN) -> dict[str, Any]:
        policy = self.account.policy(arn)
        assert policy is not None
        return self.account.document(policy)

    def profile(self, name: str = "web") -> dict[str, Any]:
        profile = self.account.instance_profile_named(name)
        assert profile is not None
        return self.account.document(profile)

    @property
    def settings(self) -> dict[str, Any]:
        return self.account.document(self.account.settings)


def given(*records: dict[str, Any]) -> Told:
    return Told(records)


def imported(records: Iterable[dict[str, Any]]) -> list[Change]:
    """The records as changes that were imported in this order."""
    return [Change(at, read_record(it, account_id=ACCOUNT), native=False) for at, it in enumerate(records)]


def steps(events: Iterable[Change | Sighting], account: Account | None = None) -> list[Step]:
    return list(fold(account or Account.empty(ACCOUNT), sorted(events, key=lambda event: event.time)))


def folded(events: Iterable[Change | Sighting], account: Account | None = None) -> Account:
    walked = steps(events, account)
    return walked[-1].account if walked else account or Account.empty(ACCOUNT)


def sighting(identity: dict[str, Any], at: int = NOON, position: int = 0) -> Sighting:
    return Sighting(position, at, read_identity(identity))
