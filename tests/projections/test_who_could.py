"""Who could, over a history of two hundred changes: the answer is that of the question put to each second by itself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.record import format_time, parse_time, read_record
from projections.investigation import Investigation
from tests.ledger.told import ACCOUNT, NOON, READ_ONLY, call, create_group, create_role, create_user

CHANGES = 200
STRANGERS = "999988887777"
USERS = ("ann", "bob", "cyd", "dan", "eve")
GROUPS = ("devs", "ops")
ROLES = ("deploy", "audit")
POLICIES = ("one", "two", "three", "four")
BOOK, ROLE = "arn:aws:s3:::ledger/book", f"arn:aws:iam::{ACCOUNT}:role/deploy"
EFFECTS = ("Allow", "Allow", "Deny")
ACTIONS = ("s3:GetObject", "s3:Get*", "s3:*", "*", "sts:AssumeRole", "ec2:*", "sqs:SendMessage", "iam:Get*")
RESOURCES = ("*", "*", "arn:aws:s3:::ledger/*", "arn:aws:s3:::other/*", "arn:aws:s3:::ledger/${aws:username}")
QUESTIONS = (("s3:GetObject", BOOK), ("s3:GetObject", "arn:aws:s3:::ledger/ann"), ("sts:AssumeRole", ROLE))


class RandomAccount:
    """Records of changes: everybody's permissions rest on a few policies, which mostly speak of something else."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.at = NOON
        self.made: dict[tuple[str, str], int] = {}  # how often, of users, groups, roles, policies
        self.records: list[dict[str, Any]] = []
        for name in USERS:
            self._user(name)
        for name in GROUPS:
            self._tell(create_group(name, at=self.at))
        for name in ROLES:
            self._tell(create_role(name, at=self.at))
        for name in POLICIES:
            self._policy(name)
        steps: list[Callable[[], None]] = [
            *(self._version,) * 8,
            *(self._attach,) * 4,
            *(self._inline,) * 3,
            self._again,
            self._bound,
            self._join,
            self._join,
            self._trust,
            self._tag,
        ]
        while len(self.records) < CHANGES:
            self.at += self.random.choice((0, 1, 1, 2))
            self.random.choice(steps)()

    def _tell(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def _next(self, kind: str, name: str) -> int:
        self.made[kind, name] = self.made.get((kind, name), 0) + 1
        return self.made[kind, name]

    def _user(self, name: str) -> None:
        self._tell(create_user(name, self._next("user", name), at=self.at))

    def _policy(self, name: str) -> None:
        number = self._next("policy", name)
        self.made["version", name] = 1
        policy = {"policyName": name, "policyId": f"ANPA{name.upper():0>12}{number}", "arn": _arn(name)}
        request = {"policyName": name, "path": "/", "policyDocument": self._text()}
        self._tell(call("CreatePolicy", request, {"policy": policy | {"path": "/"}}, at=self.at))

    def _text(self) -> str:
        r = self.random
        return json.dumps(
            {"Version": "2012-10-17", "Statement": [self._statement() for _ in range(r.randint(1, 3))]}
        )

    def _statement(self) -> dict[str, Any]:
        r = self.random
        told: dict[str, Any] = {
            "Effect": r.choice(EFFECTS),
            "Action": r.choice(ACTIONS),
            "Resource": r.choice(RESOURCES),
        }
        moment = format_time(NOON + r.randrange(CHANGES))
        conditions = (
            {"DateLessThan": {"aws:CurrentTime": moment}},
            {"DateGreaterThan": {"aws:CurrentTime": moment}},
            {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            {"StringEquals": {"aws:PrincipalTag/team": r.choice(("red", "blue"))}},
        )
        return told | ({"Condition": r.choice(conditions)} if r.random() < 0.3 else {})

    def _holder(self) -> tuple[str, dict[str, Any]]:
        noun, names = self.random.choice((("User", USERS), ("Group", GROUPS), ("Role", ROLES)))
        return noun, {f"{noun.lower()}Name": self.random.choice(names)}

    def _version(self) -> None:
        name = self.random.choice(POLICIES)
        number = self._next("version", name)
        made = {"policyVersion": {"versionId": f"v{number}", "isDefaultVersion": True}}
        request = {"policyArn": _arn(name), "policyDocument": self._text(), "setAsDefault": True}
        self._tell(call("CreatePolicyVersion", request, made, at=self.at))

    def _attach(self) -> None:
        noun, holder = self._holder()
        verb = self.random.choice(("Attach", "Attach", "Detach"))
        arn = self.random.choice((*map(_arn, POLICIES), READ_ONLY))
        self._tell(call(f"{verb}{noun}Policy", {**holder, "policyArn": arn}, at=self.at))

    def _inline(self) -> None:
        noun, holder = self._holder()
        if self.random.random() < 0.4:
            self._tell(call(f"Delete{noun}Policy", {**holder, "policyName": "own"}, at=self.at))
            return
        request = {**holder, "policyName": "own", "policyDocument": self._text()}
        self._tell(call(f"Put{noun}Policy", request, at=self.at))

    def _again(self) -> None:
        """Somebody, or a policy, is deleted, and another made under the name."""
        name = self.random.choice((*USERS, *POLICIES))
        if name in USERS:
            self._tell(call("DeleteUser", {"userName": name}, at=self.at))
        else:
            self._tell(call("DeletePolicy", {"policyArn": _arn(name)}, at=self.at))
        self.at += self.random.randint(1, 2)
        (self._user if name in USERS else self._policy)(name)

    def _bound(self) -> None:
        request = {"userName": self.random.choice(USERS)}
        if self.random.random() < 0.5:
            self._tell(call("DeleteUserPermissionsBoundary", request, at=self.at))
            return
        bound = {**request, "permissionsBoundary": _arn(self.random.choice(POLICIES))}
        self._tell(call("PutUserPermissionsBoundary", bound, at=self.at))

    def _join(self) -> None:
        verb = self.random.choice(("AddUserTo", "AddUserTo", "RemoveUserFrom"))
        request = {"userName": self.random.choice(USERS), "groupName": self.random.choice(GROUPS)}
        self._tell(call(f"{verb}Group", request, at=self.at))

    def _trust(self) -> None:
        named = self.random.choice((ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "*", STRANGERS))
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": named}}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._tell(call("UpdateAssumeRolePolicy", {"roleName": "deploy", "policyDocument": text}, at=self.at))

    def _tag(self) -> None:
        tags = [{"key": "team", "value": self.random.choice(("red", "blue"))}]
        self._tell(call("TagUser", {"userName": self.random.choice(USERS), "tags": tags}, at=self.at))


def _arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


@pytest.fixture(params=range(2))
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Investigation, int]]:
    """A ledger of such records, and the second after the last of them."""
    made = RandomAccount(request.param)
    log = Log(open_engine(str(tmp_path / "ledger.sqlite"), create=True))
    log.append([Draft.of(read_record(record, account_id=ACCOUNT)) for record in made.records])
    ledger = Investigation(log)
    ledger.runner.catch_up()
    yield ledger, made.at + 1
    log.engine.dispose()


@pytest.mark.parametrize(("action", "resource"), QUESTIONS)
def test_each_second_of_an_interval_is_as_the_question_at_that_second(
    history: tuple[Investigation, int], action: str, resource: str
) -> None:
    ledger, until = history
    ask = ledger.permissions.who_can
    told = ask(action, resource, since=NOON, until=until, context={}, account=ACCOUNT)
    intervals = [
        (key_of(row), parse_time(one["from"]), parse_time(one["to"]), one)
        for row in told["principals"]
        for one in row["intervals"]
    ]
    turned = 0
    for at in range(NOON, until):
        single = ask(action, resource, at=at, context={}, account=ACCOUNT)
        then = {key_of(row): row["intervals"][0] for row in single["principals"]}
        now = {key: one for key, since, end, one in intervals if since <= at < end}
        # Whom the trust policy names at some time is followed while it says `*`, too.
        same = {key: one for key, one in now.items() if key in then or STRANGERS not in key[0]}
        assert {key: one["able"] for key, one in same.items()} == {
            key: one["able"] for key, one in then.items()
        }
        for key, since, _, one in intervals:
            if since == at and key in then:
                turned += one["opened"] is not None
                assert words_of(one) == words_of(then[key])
    assert turned > 10


def key_of(row: dict[str, Any]) -> tuple[str, str | None]:
    return row["principal"], row["id"]


def words_of(interval: dict[str, Any]) -> dict[str, Any]:
    """By what somebody could, as it is told where an interval begins."""
    return {name: interval[name] for name in ("statements", "possible", "missing", "unknown")}
