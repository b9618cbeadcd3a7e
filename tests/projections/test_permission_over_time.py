"""Permission over time: the intervals are those that a question at every single second finds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.account.managed_policies import known_until, versions
from ledger.entry import Draft
from ledger.log import Log, open_engine
from ledger.policy.entitlements import entitlement
from ledger.policy.patterns import compiled, glob_source
from ledger.record import format_time, parse_time, read_record
from projections.investigation import Investigation
from projections.permissions.explaining import explain
from projections.permissions.naming import account_of
from projections.permissions.over_time.exposure import overlap
from projections.permissions.over_time.turning import Able, able_by
from projections.permissions.permissions import Permissions
from projections.vocabulary import UnknownName
from tests.ledger.told import (
    ACCOUNT,
    NOON,
    OWN,
    READ_ONLY,
    call,
    create_group,
    create_policy,
    create_role,
    create_user,
)

SECONDS = 12
BEFORE = NOON - 5  # earlier than anything that is told
BUCKET = "arn:aws:s3:::ledger/book"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
STRANGERS = "999988887777"
VERSIONS = versions(READ_ONLY)
QUESTIONS = (("s3:GetObject", BUCKET), ("sts:AssumeRole", ROLE))
PRINCIPALS = ("alice", "bob", ROLE)


def text(effect: str = "Allow", action: str = "*", **condition: Any) -> str:
    statement: dict[str, Any] = {"Effect": effect, "Action": action, "Resource": "*"}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(*principals: str, **condition: Any) -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": list(principals)},
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


DOCUMENTS = [
    text(),
    text(action="s3:Get*"),
    text(action="sts:*"),
    text("Deny", "s3:*"),
    text(DateLessThan={"aws:CurrentTime": format_time(NOON + 5)}),
    text("Deny", DateGreaterThanEquals={"aws:CurrentTime": format_time(NOON + 7)}),
    text("Deny", NumericLessThanEquals={"aws:EpochTime": str(NOON + 4)}),
    text(Bool={"aws:MultiFactorAuthPresent": "true"}),
    text("Deny", BoolIfExists={"aws:MultiFactorAuthPresent": "false"}),
]
TRUSTS = [
    trust(ACCOUNT),
    trust(ALICE),
    trust("*"),
    trust(STRANGERS),
    trust(f"arn:aws:iam::{STRANGERS}:user/eve", ALICE),
    trust(ACCOUNT, Bool={"aws:MultiFactorAuthPresent": "true"}),
    trust(ACCOUNT, DateLessThan={"aws:CurrentTime": format_time(NOON + 8)}),
]
SETTLED = [
    create_user("alice", at=NOON - 3),
    create_user("bob", at=NOON - 3),
    create_group(at=NOON - 3),
    create_role(at=NOON - 3),
    create_policy(at=NOON - 3),
    call("AddUserToGroup", {"userName": "alice", "groupName": "devs"}, at=NOON - 2),
    call("AttachGroupPolicy", {"groupName": "devs", "policyArn": OWN}, at=NOON - 2),
    call("PutUserPolicy", {"userName": "bob", "policyName": "one", "policyDocument": text()}, at=NOON - 2),
    call("PutUserPermissionsBoundary", {"userName": "bob", "permissionsBoundary": OWN}, at=NOON - 2),
    call("AttachRolePolicy", {"roleName": "deploy", "policyArn": OWN}, at=NOON - 2),
]
"""What many histories begin with: everybody's permissions rest on one policy, each by another way."""

USERS = st.sampled_from(["alice", "bob"])
POLICIES = st.sampled_from([OWN, READ_ONLY, "arn:aws:iam::aws:policy/AdministratorAccess"])
NAMES = st.sampled_from(["one", "two"])


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """One change of an account, whether or not what it is about was ever created."""
    at = NOON + draw(st.integers(0, SECONDS - 1))
    user, policy, name = draw(USERS), draw(POLICIES), draw(NAMES)
    document = draw(st.sampled_from(DOCUMENTS))
    holder = draw(st.sampled_from([("User", user), ("Group", "devs"), ("Role", "deploy")]))
    of = {f"{holder[0].lower()}Name": holder[1]}
    number = draw(st.integers(1, 2))
    made = [
        create_user(user, number, at=at),
        create_group(at=at),
        create_role(at=at),
        create_policy(at=at),
        call("DeleteUser", {"userName": user}, at=at),
        call("DeleteRole", {"roleName": "deploy"}, at=at),
        call(f"Attach{holder[0]}Policy", {**of, "policyArn": policy}, at=at),
        call(f"Attach{holder[0]}Policy", {**of, "policyArn": policy}, at=at),
        call(f"Detach{holder[0]}Policy", {**of, "policyArn": policy}, at=at),
        call(f"Put{holder[0]}Policy", {**of, "policyName": name, "policyDocument": document}, at=at),
        call(f"Put{holder[0]}Policy", {**of, "policyName": name, "policyDocument": document}, at=at),
        call(f"Delete{holder[0]}Policy", {**of, "policyName": name}, at=at),
        call("AddUserToGroup", {"userName": user, "groupName": "devs"}, at=at),
        call("RemoveUserFromGroup", {"userName": user, "groupName": "devs"}, at=at),
        call("PutUserPermissionsBoundary", {"userName": user, "permissionsBoundary": policy}, at=at),
        call("DeleteUserPermissionsBoundary", {"userName": user}, at=at),
        call(
            "CreatePolicyVersion",
            {"policyArn": OWN, "policyDocument": document, "setAsDefault": True},
            {"policyVersion": {"versionId": f"v{number + 1}", "isDefaultVersion": True}},
            at=at,
        ),
        call(
            "CreatePolicyVersion",
            {"policyArn": OWN, "policyDocument": text("Deny"), "setAsDefault": True},
            {"policyVersion": {"versionId": f"v{number + 3}", "isDefaultVersion": True}},
            at=at,
        ),
        call("SetDefaultPolicyVersion", {"policyArn": OWN, "versionId": f"v{number}"}, at=at),
        call(
            "UpdateAssumeRolePolicy",
            {"roleName": "deploy", "policyDocument": draw(st.sampled_from(TRUSTS))},
            at=at,
        ),
    ]
    return draw(st.sampled_from(made))


def ids_are_used_once(records: list[dict[str, Any]]) -> bool:
    """AWS gives a unique id to nobody again: no user is made anew after a deletion under the id of before."""
    made = [record["eventTime"] for record in records if record["eventName"] == "CreateUser"]
    gone = [record["eventTime"] for record in records if record["eventName"] == "DeleteUser"]
    return not made or not gone or max(made) < min(gone)


HISTORIES = st.builds(
    lambda settled, later: [*settled, *later],
    st.sampled_from([[], SETTLED]),
    st.lists(changes(), min_size=3, max_size=24),
).filter(ids_are_used_once)


@contextmanager
def ledger(records: list[dict[str, Any]]) -> Iterator[Investigation]:
    with tempfile.TemporaryDirectory() as folder:
        log = Log(open_engine(str(Path(folder) / "ledger.sqlite"), create=True))
        log.append([Draft.of(read_record(record, account_id=ACCOUNT)) for record in records])
        found = Investigation(log)
        found.runner.catch_up()
        yield found
        log.engine.dispose()


def told_by_seconds(
    ledger: Investigation, action: str, resource: str, since: int, until: int
) -> dict[tuple[str, int], str]:
    """The plain loop: each principal is asked about at every second."""
    permissions = ledger.permissions
    found: dict[tuple[str, int], str] = {}
    for at in range(since, until):
        for name in (*PRINCIPALS, "root"):
            try:
                principal = permissions.naming.principal(name, at, ACCOUNT)
            except UnknownName:
                continue
            judged = explain(permissions.past, permissions.entitlements, principal, action, resource, {}, at)
            if (able := able_by((judged,))) is not Able.NO:
                found[principal.caller.arn, at] = str(able)
    return found


def seconds_of(told: dict[str, Any], since: int, until: int) -> dict[tuple[str, int], str]:
    """The intervals of an answer, second by second."""
    found: dict[tuple[str, int], str] = {}
    for row in told["principals"]:
        if row["kind"] not in ("user", "role", "root") or row["principal"].endswith("/admin"):
            continue
        for one in row["intervals"]:
            for at in range(parse_time(one["from"]), parse_time(one["to"])):
                assert (row["principal"], at) not in found, "intervals do not overlap"
                assert since <= at < until
                found[row["principal"], at] = one["able"]
    return found


@settings(max_examples=40)
@given(records=HISTORIES, since=st.integers(-1, SECONDS // 2))
def test_the_intervals_are_those_of_a_question_at_every_second(
    records: list[dict[str, Any]], since: int
) -> None:
    begin, end = NOON + since, NOON + SECONDS + 2
    with ledger(records) as asked:
        for action, resource in QUESTIONS:
            told = asked.permissions.who_can(
                action, resource, since=begin, until=end, context={}, account=ACCOUNT
            )
            expected = told_by_seconds(asked, action, resource, begin, end)
            assert seconds_of(told, begin, end) == expected
            for row in told["principals"]:
                check_edges(row["intervals"], begin, end)


@settings(max_examples=15)
@given(records=HISTORIES, second=st.integers(0, SECONDS))
def test_at_one_second_they_are_who_could_then(records: list[dict[str, Any]], second: int) -> None:
    at = NOON + second
    with ledger(records) as asked:
        for action, resource in QUESTIONS:
            told = asked.permissions.who_can(action, resource, at=at, context={}, account=ACCOUNT)
            assert seconds_of(told, at, at + 1) == told_by_seconds(asked, action, resource, at, at + 1)


@settings(max_examples=15)
@given(records=HISTORIES)
def test_the_turns_of_one_principal_are_those_of_a_question_at_every_second(
    records: list[dict[str, Any]],
) -> None:
    with ledger(records) as asked:
        for action, resource in QUESTIONS:
            by_second = told_by_seconds(asked, action, resource, BEFORE, NOON + SECONDS)
            try:
                told = asked.permissions.first_able("alice", action, resource, context={}, account=ACCOUNT)
            except UnknownName:
                assert not any(arn == ALICE for arn, _ in by_second)
                continue
            until = parse_time(told["until"])
            able = {at: by_second.get((ALICE, at), "no") for at in range(BEFORE, until)}
            expected = [(at, able[at]) for at in range(BEFORE + 1, until) if able[at] != able[at - 1]]
            assert [(parse_time(turn["time"]), turn["able"]) for turn in told["turns"]] == expected


def check_edges(intervals: list[dict[str, Any]], since: int, until: int) -> None:
    """Each end is an event of its own second, or that of what was asked."""
    for one in intervals:
        opened, closed = one["opened"], one["closed"]
        assert opened is not None or parse_time(one["from"]) == since
        assert opened is None or opened["eventTime"] == one["from"]
        assert (closed is None) == (parse_time(one["to"]) == until)
        assert closed is None or closed["eventTime"] == one["to"]
        assert opened is None or opened["changed"], "an event that turned it changed something"


def test_a_policy_that_aws_changes_turns_what_its_holders_may_do() -> None:
    before, after = next(
        (before, after)
        for (before, after), following in zip(pairwise(VERSIONS), VERSIONS[2:], strict=False)
        if after.create_date is not None
        and following.create_date is not None
        and actions_of(after.document) - actions_of(before.document)
    )
    begins = after.create_date
    assert begins is not None
    action = min(actions_of(after.document) - actions_of(before.document))
    records = [
        create_user(at=begins - 10),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}, at=begins - 9),
    ]
    with ledger(records) as asked:
        found = asked.permissions.who_can(
            action, "*", since=begins - 20, until=begins + 20, context={}, account=ACCOUNT
        )
    (row,) = [row for row in found["principals"] if row["principal"] == ALICE]
    (interval,) = row["intervals"]
    assert interval["from"] == format_time(begins)
    assert interval["opened"]["entry"] is None
    assert interval["opened"]["changed"] == [
        {"kind": "policy", "name": "ReadOnlyAccess", "what": "changedByAWS", "about": after.version_id}
    ]


def test_who_holds_a_policy_of_aws_perhaps_can_after_the_last_that_is_known_of_it() -> None:
    last = known_until()
    records = [
        create_user(at=last - 10),
        call(
            "AttachUserPolicy",
            {"userName": "alice", "policyArn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"},
            at=last - 9,
        ),
        call("TagUser", {"userName": "alice", "tags": [{"key": "a", "value": "b"}]}, at=last + 9),
    ]
    with ledger(records) as asked:
        found = asked.permissions.who_can(
            "s3:PutObject", BUCKET, since=last - 20, until=last + 20, context={}, account=ACCOUNT
        )
    (row,) = [row for row in found["principals"] if row["principal"] == ALICE]
    (interval,) = row["intervals"]
    assert (interval["able"], interval["from"]) == ("perhaps", format_time(last + 1))
    assert interval["opened"]["changed"] == [
        {"kind": "policy", "name": "IAMReadOnlyAccess", "what": "notKnownFromHere", "about": None}
    ]


def test_the_password_policy_turns_what_users_may_do_with_their_own_passwords() -> None:
    setting = "UpdateAccountPasswordPolicy"
    records = [
        create_user(at=NOON),
        call(setting, {"allowUsersToChangePassword": True}, at=NOON + 10),
        call(setting, {"allowUsersToChangePassword": True, "minimumPasswordLength": 9}, at=NOON + 20),
        call(setting, {"minimumPasswordLength": 9}, at=NOON + 30),
    ]
    with ledger(records) as asked:
        found = asked.permissions.who_can(
            "iam:ChangePassword", ALICE, since=NOON, until=NOON + 60, context={}, account=ACCOUNT
        )
    (row,) = [row for row in found["principals"] if row["principal"] == ALICE]
    assert row["intervals"][0]["from"] == format_time(NOON + 10)
    assert row["intervals"][-1]["to"] == format_time(NOON + 30)
    told = [{"kind": "settings", "name": ACCOUNT, "what": "passwordPolicySet", "about": None}]
    assert row["intervals"][0]["opened"]["changed"] == told
    assert row["intervals"][-1]["closed"]["changed"] == told


def test_of_several_events_in_a_second_the_one_that_turned_it_is_told() -> None:
    records = [
        create_user(at=NOON),
        create_group(at=NOON),
        call("AddUserToGroup", {"userName": "alice", "groupName": "devs"}, at=NOON + 3),
        call(
            "PutGroupPolicy",
            {"groupName": "devs", "policyName": "all", "policyDocument": text()},
            at=NOON + 3,
        ),
        call("TagUser", {"userName": "alice", "tags": [{"key": "a", "value": "b"}]}, at=NOON + 3),
        call("RemoveUserFromGroup", {"userName": "alice", "groupName": "devs"}, at=NOON + 6),
    ]
    with ledger(records) as asked:
        told = asked.permissions.first_able("alice", "s3:GetObject", BUCKET, context={})
    assert [(turn["able"], turn["by"]["eventName"], turn["by"]["entry"]) for turn in told["turns"]] == [
        ("yes", "PutGroupPolicy", 3),
        ("no", "RemoveUserFromGroup", 5),
    ]
    assert told["firstAble"] == told["turns"][0]


def test_somebody_whose_id_is_told_late_is_one_principal() -> None:
    """The log knows alice by name alone until her own first call."""
    alice = {
        "type": "IAMUser",
        "principalId": "AIDA0000000ALICE1",
        "arn": ALICE,
        "accountId": ACCOUNT,
        "userName": "alice",
    }
    records = [
        call("PutUserPolicy", {"userName": "alice", "policyName": "all", "policyDocument": text()}, at=NOON),
        call("GetUser", by=alice, at=NOON + 5),
    ]
    with ledger(records) as asked:
        told = asked.permissions.who_can("s3:GetObject", BUCKET, since=NOON, until=NOON + 9, context={})
    (row,) = [row for row in told["principals"] if row["principal"] == ALICE]
    assert [(one["from"], one["to"]) for one in row["intervals"]] == [
        (format_time(NOON), format_time(NOON + 9))
    ]


def test_an_id_that_is_told_once_more_takes_nothing_of_what_was() -> None:
    """Between its two lives the role is one that nobody has told of."""
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    records = [
        create_role(at=NOON - 3),
        call("AttachRolePolicy", {"roleName": "deploy", "policyArn": admin}, at=NOON - 2),
        call("DeleteRole", {"roleName": "deploy"}, at=NOON),
        call("DeleteRolePolicy", {"roleName": "deploy", "policyName": "one"}, at=NOON + 2),
        create_role(at=NOON + 7),
    ]
    begin, end = NOON - 1, NOON + SECONDS
    with ledger(records) as asked:
        told = asked.permissions.who_can(
            "s3:GetObject", BUCKET, since=begin, until=end, context={}, account=ACCOUNT
        )
        assert seconds_of(told, begin, end)[ROLE, begin] == "yes"
        assert seconds_of(told, begin, end) == told_by_seconds(asked, "s3:GetObject", BUCKET, begin, end)


def test_a_role_that_is_known_by_name_alone_once_more_is_another() -> None:
    """It was used before any record told of it, was told of and deleted, and is used again: its creation is missing."""
    trusting = {"roleName": "deploy", "policyDocument": trust(ACCOUNT)}
    records = [
        call("UpdateAssumeRolePolicy", trusting, at=NOON),
        create_role(at=NOON + 2),
        call("DeleteRole", {"roleName": "deploy"}, at=NOON + 3),
        call("UpdateAssumeRolePolicy", trusting, at=NOON + 5),
    ]
    begin, end = NOON - 1, NOON + SECONDS
    with ledger(records) as asked:
        told = asked.permissions.who_can(
            "s3:GetObject", BUCKET, since=begin, until=end, context={}, account=ACCOUNT
        )
        assert seconds_of(told, begin, end) == told_by_seconds(asked, "s3:GetObject", BUCKET, begin, end)
    intervals = [
        (one["from"], one["to"])
        for row in told["principals"]
        if row["kind"] == "role"
        for one in row["intervals"]
    ]
    assert intervals == [
        (format_time(NOON), format_time(NOON + 2)),
        (format_time(NOON + 5), format_time(end)),
    ]


def test_strangers_whom_a_trust_policy_lets_in_are_named() -> None:
    records = [
        create_role(at=NOON),
        call(
            "UpdateAssumeRolePolicy",
            {"roleName": "deploy", "policyDocument": trust(f"arn:aws:iam::{STRANGERS}:user/eve", STRANGERS)},
            at=NOON + 2,
        ),
        call("UpdateAssumeRolePolicy", {"roleName": "deploy", "policyDocument": trust(ALICE)}, at=NOON + 4),
    ]
    with ledger(records) as asked:
        told = asked.permissions.who_can("sts:AssumeRole", ROLE, since=NOON, until=NOON + 9, context={})
    strangers = [row for row in told["principals"] if row["kind"] in ("account", "outsider")]
    assert {row["principal"].split(":", 4)[4] for row in strangers} == {
        f"{STRANGERS}:root",
        f"{STRANGERS}:user/eve",
    }
    for row in strangers:
        (one,) = row["intervals"]
        assert (one["able"], one["from"], one["to"]) == (
            "perhaps",
            format_time(NOON + 2),
            format_time(NOON + 4),
        )
        assert {"kind": "otherAccount", "about": STRANGERS} in one["unknown"]


@pytest.mark.parametrize(("single", "count"), [(False, 2), (True, 3)])
def test_calls_are_counted_within_the_interval_or_at_one_time_whenever_they_were(
    single: bool, count: int
) -> None:
    alice = {
        "type": "IAMUser",
        "principalId": f"AIDA{'ALICE':0>12}1",
        "arn": ALICE,
        "accountId": ACCOUNT,
        "userName": "alice",
    }
    got = {"bucketName": "ledger", "key": "book"}
    records = [
        create_user(at=NOON),
        call(
            "PutUserPolicy", {"userName": "alice", "policyName": "all", "policyDocument": text()}, at=NOON + 3
        ),
        call("DeleteUserPolicy", {"userName": "alice", "policyName": "all"}, at=NOON + 6),
        *(
            call("GetObject", got, by=alice, at=NOON + at, error=error, source="s3.amazonaws.com")
            for at, error in ((2, "AccessDenied"), (4, None), (5, "AccessDenied"))
        ),
        call("GetObject", {**got, "key": "other"}, by=alice, at=NOON + 4, source="s3.amazonaws.com"),
        call("HeadObject", got, by=alice, at=NOON + 4, source="s3.amazonaws.com"),
    ]
    with ledger(records) as asked:
        times: dict[str, Any] = {"at": NOON + 3} if single else {"since": NOON, "until": NOON + 9}
        told = asked.permissions.who_can("s3:GetObject", BUCKET, context={}, **times)
    (row,) = [row for row in told["principals"] if row["principal"] == ALICE]
    calls = row["intervals"][0]["calls"]
    assert calls["count"] == count
    assert [one["count"] for one in told["otherCalls"]] == ([] if single else [1])
    assert calls["entries"][-1]["time"] == format_time(NOON + 5)


def actions_of(document: Any) -> set[str]:
    statements = document["Statement"]
    found: set[str] = set()
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement["Action"]
        found.update(actions if isinstance(actions, list) else [actions])
    return {action for action in found if "*" not in action}


@settings(max_examples=20)
@given(records=HISTORIES, since=st.integers(-1, SECONDS // 2))
def test_the_statements_of_an_exposure_are_those_in_force_at_every_second(
    records: list[dict[str, Any]], since: int
) -> None:
    begin, end = NOON + since, NOON + SECONDS + 2
    with ledger(records) as asked:
        permissions = asked.permissions
        try:
            told = asked.permissions.exposure("alice", since=begin, until=end, account=ACCOUNT)
        except UnknownName:
            return
        segments = told["segments"]
        assert (parse_time(segments[0]["from"]), parse_time(segments[-1]["to"])) == (begin, end)
        for one, following in pairwise(segments):
            assert one["to"] == following["from"] == following["opened"]["eventTime"]
            assert shown(one) != shown(following), "equal neighbours are one"
        for at in range(begin, end):
            (one,) = (one for one in segments if parse_time(one["from"]) <= at < parse_time(one["to"]))
            assert shown(one) == in_force(permissions, at), at


def shown(segment: dict[str, Any]) -> Any:
    statements = [
        (one["layer"], one["policyArn"] or one["policy"], one["version"], one["index"])
        for one in segment["statements"]
    ]
    texts = [json.dumps(one["statement"], sort_keys=True) for one in segment["statements"]]
    unknown = [(one["kind"], one["about"]) for one in segment["unknown"]]
    return segment["exists"], segment["bounded"], statements, texts, unknown


def in_force(permissions: Permissions, at: int) -> Any:
    """What the account of that second says, read by itself."""
    try:
        principal = permissions.naming.principal(ALICE, at, ACCOUNT)
    except UnknownName:
        return False, False, [], [], []
    account = account_of(permissions.past, principal, at)
    assert principal.entity is not None
    found = entitlement(account, principal.entity, at)
    statements, texts = [], []
    for policies in (found.identity, found.boundary):
        for policy, source in policies.entries if policies is not None else ():
            told = policy.document["Statement"]
            for index, one in enumerate(told if isinstance(told, list) else [told]):
                statements.append((str(source.layer), source.arn or source.name, source.version, index))
                words = {name: value for name, value in one.items() if name not in ("Sid", "Effect")}
                texts.append(json.dumps(words, sort_keys=True))
    unknown = [(str(one.kind), one.about) for one in found.unknown]
    return True, found.boundary is not None, statements, texts, unknown


PATTERNS = st.text("ab*?", max_size=4)


@given(one=PATTERNS, other=PATTERNS)
def test_two_patterns_overlap_where_some_text_is_like_both(one: str, other: str) -> None:
    texts = ("".join(letters) for size in range(7) for letters in product("ab", repeat=size))
    tests = [compiled(glob_source([pattern])).fullmatch for pattern in (one, other)]
    assert overlap(one, other) == any(all(test(text) for test in tests) for text in texts)


def test_a_version_whose_text_comes_to_be_known_turns_what_its_holders_may_do() -> None:
    records = [
        create_user("alice", at=NOON - 3),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}, at=NOON - 2),
        call("SetDefaultPolicyVersion", {"policyArn": OWN, "versionId": "v2"}, at=NOON),
        call(
            "CreatePolicyVersion",
            {"policyArn": OWN, "policyDocument": text(), "setAsDefault": True},
            {"policyVersion": {"versionId": "v2", "isDefaultVersion": True}},
            at=NOON + 5,
        ),
    ]
    with ledger(records) as asked:
        found = asked.permissions.who_can(
            "s3:GetObject", BUCKET, since=NOON, until=NOON + 9, context={}, account=ACCOUNT
        )
    (row,) = [row for row in found["principals"] if row["principal"] == ALICE]
    perhaps, surely = row["intervals"]
    assert (perhaps["able"], surely["able"]) == ("perhaps", "yes")
    assert surely["opened"]["changed"] == [
        {"kind": "policy", "name": "own", "what": "inForce", "about": "v2"}
    ]
