"""Small accounts told as records, in a real ledger, for questions of permission."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from ledger.entry import Draft, Origin
from ledger.log import Log, open_engine
from ledger.record import read_record
from projections.investigation import Investigation
from tests.ledger.told import ACCOUNT, NOON, call

ORIGIN = Origin("told.json", "0" * 64)
Record = dict[str, Any]


def arn(kind: str, name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:{kind}/{name}"


def statement(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> Record:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: Record) -> Record:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def text(*statements: Record) -> str:
    return orjson.dumps(document(*statements)).decode()


def trusting(principal: Any, **more: Any) -> str:
    return text({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


class Telling:
    """Records one after the other, a second apart unless told otherwise; `account` is whose log they are of."""

    def __init__(self, account: str = ACCOUNT) -> None:
        self.account = account
        self.now = NOON
        self.records: list[Record] = []

    def later(self) -> int:
        """The time after which nothing has happened yet."""
        self.now += 10
        return self.now - 1

    def did(self, operation: str, request: Record, response: Record | None = None) -> str:
        """The event id of the call."""
        self.now += 1
        by = {
            "type": "IAMUser",
            "principalId": "AIDAADMIN0000001",
            "arn": arn("user", "admin", self.account),
            "accountId": self.account,
            "userName": "admin",
            "accessKeyId": "AKIAADMIN0000001",
        }
        record = call(operation, request, response, at=self.now, by=by, recipientAccountId=self.account)
        self.records.append(record)
        return str(record["eventID"])

    def user(self, name: str, *inline: Record, groups: Sequence[str] = ()) -> str:
        told = {
            "userName": name,
            "userId": f"AIDA{name.upper():0>16}",
            "arn": arn("user", name, self.account),
            "path": "/",
        }
        made = self.did("CreateUser", {"userName": name}, {"user": told})
        if inline:
            self.put("user", name, "own", *inline)
        for group in groups:
            self.did("AddUserToGroup", {"userName": name, "groupName": group})
        return made

    def group(self, name: str, *inline: Record) -> str:
        told = {
            "groupName": name,
            "groupId": f"AGPA{name.upper():0>16}",
            "arn": arn("group", name, self.account),
            "path": "/",
        }
        made = self.did("CreateGroup", {"groupName": name}, {"group": told})
        if inline:
            self.put("group", name, "own", *inline)
        return made

    def role(self, name: str, trust: str, *inline: Record) -> str:
        told = {
            "roleName": name,
            "roleId": f"AROA{name.upper():0>16}",
            "arn": arn("role", name, self.account),
            "path": "/",
        }
        made = self.did("CreateRole", {"roleName": name, "assumeRolePolicyDocument": trust}, {"role": told})
        if inline:
            self.put("role", name, "own", *inline)
        return made

    def put(self, kind: str, holder: str, name: str, *statements: Record) -> str:
        request = {f"{kind}Name": holder, "policyName": name, "policyDocument": text(*statements)}
        return self.did(f"Put{kind.title()}Policy", request)

    def policy(self, name: str, *statements: Record) -> str:
        """The ARN."""
        named = arn("policy", name, self.account)
        told = {"policyName": name, "policyId": f"ANPA{name.upper():0>16}", "arn": named, "path": "/"}
        self.did("CreatePolicy", {"policyName": name, "policyDocument": text(*statements)}, {"policy": told})
        return named

    def version(self, policy_arn: str, number: int, *statements: Record, default: bool = True) -> str:
        told = {"versionId": f"v{number}", "isDefaultVersion": default}
        request = {"policyArn": policy_arn, "policyDocument": text(*statements), "setAsDefault": default}
        return self.did("CreatePolicyVersion", request, {"policyVersion": told})

    def attach(self, kind: str, holder: str, policy_arn: str) -> str:
        return self.did(f"Attach{kind.title()}Policy", {f"{kind}Name": holder, "policyArn": policy_arn})

    def bound(self, kind: str, holder: str, policy_arn: str) -> str:
        request = {f"{kind}Name": holder, "permissionsBoundary": policy_arn}
        return self.did(f"Put{kind.title()}PermissionsBoundary", request)


def ledger_of(folder: Path, *tellings: Telling) -> Investigation:
    """A ledger that has taken in all of these."""
    log = Log(open_engine(str(folder / f"{next(_NUMBERS)}.sqlite"), create=True))
    records = [read_record(record) for telling in tellings for record in telling.records]
    log.append([Draft.of(record, ORIGIN) for record in records])
    return Investigation(log)


_NUMBERS = count(1)
