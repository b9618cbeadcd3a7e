"""Small random histories of one account: users that root or others make, what they are granted, and what they do."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson

from tests.ledger.told import ACCOUNT, NOON, OWN, ROOT, call

Document = dict[str, Any]
USERS = ("ann", "bob", "eve")
GRANTS = ("s3:*", "iam:*", "sts:AssumeRole", "s3:GetObject", "iam:CreateAccessKey", "*")
BUCKETS = ("one", "two")
TRUST = orjson.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            }
        ],
    }
).decode()


class RandomHistory:
    """Records in order of time, a second for each. AWS allowed most of what was asked, whoever asked."""

    def __init__(self, seed: int, length: int = 28) -> None:
        self.random = random.Random(seed)
        self.records: list[Document] = []
        self.keys: dict[str, str] = {}  # of users, by name
        self.sessions: list[Document] = []
        self.policies: set[str] = set()
        self.roles: set[str] = set()
        self.groups: set[str] = set()
        self._number = 0
        self._user(ROOT)
        for _ in range(length):
            self._step()

    def at(self) -> int:
        return NOON + 10 * len(self.records)

    def document(self) -> str:
        r = self.random
        statement = {
            "Effect": r.choice(("Allow", "Allow", "Allow", "Deny")),
            "Action": r.sample(GRANTS, r.randint(1, 2)),
            "Resource": r.choice(("*", "*", f"arn:aws:s3:::{r.choice(BUCKETS)}/*")),
        }
        return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()

    def changes(self) -> list[str]:
        """The events that may be left out: what succeeded and changes the account or opens a session."""
        return [
            one["eventID"]
            for one in self.records
            if "errorCode" not in one
            and (one["eventSource"].startswith("iam") or one["eventName"] == "AssumeRole")
        ]

    def clean_up(self) -> list[Document]:
        """Records that nobody made, somewhere in between."""
        r = self.random
        name = r.choice(sorted(self.keys))
        made = next(
            number
            for number, one in enumerate(self.records)
            if one["eventName"] == "CreateAccessKey" and one["requestParameters"]["userName"] == name
        )
        at = NOON + 10 * r.randrange(made, len(self.records)) + 5
        deny = orjson.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        ).decode()
        choices = [
            call(
                "PutUserPolicy",
                {"userName": name, "policyName": "stop", "policyDocument": deny},
                by=ROOT,
                at=at,
            ),
            call(
                "UpdateAccessKey",
                {"userName": name, "accessKeyId": self.keys[name], "status": "Inactive"},
                by=ROOT,
                at=at,
            ),
        ]
        return [r.choice(choices)]

    # ---- steps

    def _step(self) -> None:
        steps: list[Callable[[Document], None]] = [
            self._grant,
            self._grant,
            self._attach,
            self._policy,
            self._version,
            self._group,
            self._join,
            self._role,
            self._assume,
            self._assume,
            self._revoke,
            self._user,
            *(self._use,) * 8,
        ]
        self.random.choice(steps)(self._somebody())

    def _somebody(self) -> Document:
        r = self.random
        if r.random() < 0.3 or not self.keys:
            return ROOT
        if self.sessions and r.random() < 0.4:
            return r.choice(self.sessions)
        return _identity(name := r.choice(sorted(self.keys)), self.keys[name])

    def _tell(
        self, operation: str, request: Document, response: Document | None, by: Document, **more: Any
    ) -> bool:
        """Write it down; whether AWS allowed it."""
        error = "AccessDenied" if by is not ROOT and self.random.random() < 0.15 else None
        told = None if error else response
        name = f"event-{len(self.records):04}"
        self.records.append(
            call(operation, request, told, by=by, at=self.at(), error=error, event_id=name, **more)
        )
        return error is None

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _user(self, by: Document) -> None:
        free = [name for name in USERS if name not in self.keys]
        if not free:
            return
        name = free[0]
        user = {
            "path": "/",
            "userName": name,
            "userId": f"AIDA{name.upper():0>12}1",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        }
        if not self._tell("CreateUser", {"userName": name}, {"user": user}, by):
            return
        key = f"AKIA{name.upper():0>12}{self._next()}"
        made = {"userName": name, "accessKeyId": key, "status": "Active"}
        if self._tell("CreateAccessKey", {"userName": name}, {"accessKey": made}, ROOT):
            self.keys[name] = key

    def _grant(self, by: Document) -> None:
        name = self.random.choice(sorted(self.keys) or ["ann"])
        request = {
            "userName": name,
            "policyName": f"p{self.random.randint(1, 2)}",
            "policyDocument": self.document(),
        }
        self._tell("PutUserPolicy", request, None, by)

    def _revoke(self, by: Document) -> None:
        name = self.random.choice(sorted(self.keys) or ["ann"])
        self._tell(
            "DeleteUserPolicy", {"userName": name, "policyName": f"p{self.random.randint(1, 2)}"}, None, by
        )

    def _policy(self, by: Document) -> None:
        if OWN in self.policies:
            return
        policy = {"policyName": "own", "policyId": "ANPAOWN000000001", "arn": OWN, "path": "/team/"}
        request = {"policyName": "own", "path": "/team/", "policyDocument": self.document()}
        if self._tell("CreatePolicy", request, {"policy": policy}, by):
            self.policies.add(OWN)

    def _version(self, by: Document) -> None:
        if OWN in self.policies:
            request = {"policyArn": OWN, "policyDocument": self.document(), "setAsDefault": True}
            version = {"versionId": f"v{self._next() + 1}", "isDefaultVersion": True}
            self._tell("CreatePolicyVersion", request, {"policyVersion": version}, by)

    def _attach(self, by: Document) -> None:
        if OWN in self.policies:
            name = self.random.choice(sorted(self.keys))
            self._tell("AttachUserPolicy", {"userName": name, "policyArn": OWN}, None, by)

    def _group(self, by: Document) -> None:
        if not self.groups:
            group = {
                "path": "/",
                "groupName": "devs",
                "groupId": "AGPADEVS00000001",
                "arn": f"arn:aws:iam::{ACCOUNT}:group/devs",
            }
            if self._tell("CreateGroup", {"groupName": "devs"}, {"group": group}, by):
                self.groups.add("devs")
        else:
            request = {"groupName": "devs", "policyName": "g", "policyDocument": self.document()}
            self._tell("PutGroupPolicy", request, None, by)

    def _join(self, by: Document) -> None:
        if self.groups and self.keys:
            name = self.random.choice(sorted(self.keys))
            self._tell("AddUserToGroup", {"userName": name, "groupName": "devs"}, None, by)

    def _role(self, by: Document) -> None:
        if not self.roles:
            role = {
                "path": "/",
                "roleName": "deploy",
                "roleId": "AROADEPLOY000001",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
            }
            request = {"roleName": "deploy", "assumeRolePolicyDocument": TRUST}
            if self._tell("CreateRole", request, {"role": role}, by):
                self.roles.add("deploy")
        else:
            request = {"roleName": "deploy", "policyName": "r", "policyDocument": self.document()}
            self._tell("PutRolePolicy", request, None, by)

    def _assume(self, by: Document) -> None:
        if not self.roles or by is ROOT:
            return
        number = self._next()
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s{number}"
        key = f"ASIA{number:012}"
        response = {
            "credentials": {"accessKeyId": key},
            "assumedRoleUser": {"assumedRoleId": f"AROADEPLOY000001:s{number}", "arn": arn},
        }
        request = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/deploy", "roleSessionName": f"s{number}"}
        if self._tell("AssumeRole", request, response, by, source="sts.amazonaws.com"):
            self.sessions.append(_session(arn, key, number))

    def _use(self, by: Document) -> None:
        r = self.random
        if r.random() < 0.7:
            request = {"bucketName": r.choice(BUCKETS), "key": f"k{r.randint(1, 3)}"}
            name = r.choice(("GetObject", "PutObject"))
            self._tell(name, request, None, by, source="s3.amazonaws.com", eventCategory="Data")
        else:
            self._tell("ListUsers", {}, None, by)


def _identity(name: str, key: str) -> Document:
    return {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper():0>12}1",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "userName": name,
        "accessKeyId": key,
    }


def _session(arn: str, key: str, number: int) -> Document:
    return {
        "type": "AssumedRole",
        "principalId": f"AROADEPLOY000001:s{number}",
        "arn": arn,
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROADEPLOY000001",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
                "accountId": ACCOUNT,
                "userName": "deploy",
            }
        },
    }
