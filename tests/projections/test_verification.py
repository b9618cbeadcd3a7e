"""Stored decisions are made again from the log alone and come out the same; a wrong one is named."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.authorization import Authorization
from ledger.entry import NATIVE, Draft
from ledger.log import Log, open_engine
from ledger.log.bodies import Coding, Compression, prefix_bytes, with_authorization, without_authorization
from ledger.log.schema import entries
from ledger.policy.decision import Verdict
from ledger.record import canonical, read_record
from projections.permissions.verification import Divergence, Reason, verify_decisions
from tests.ledger.living import Living
from tests.ledger.told import (
    ACCOUNT,
    ALLOW_TEXT,
    DENY_TEXT,
    NOON,
    OWN,
    ROOT,
    call,
    create_group,
    create_policy,
    create_role,
    create_user,
)

ALICE: dict[str, Any] = {
    "type": "IAMUser",
    "principalId": "AIDA0000000ALICE1",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "userName": "alice",
    "accessKeyId": "AKIAALICE0000001",
}
DEPLOY: dict[str, Any] = {
    "type": "AssumedRole",
    "principalId": "AROA00000000DEPLOY1:s",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/s",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIADEPLOY000001",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROA00000000DEPLOY1",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
            "accountId": ACCOUNT,
            "userName": "deploy",
        }
    },
}
OBJECT = "arn:aws:s3:::b/k"
LIST_ONLY = ALLOW_TEXT.replace("s3:*", "s3:List*")
ASSUME_TEXT = ALLOW_TEXT.replace("s3:*", "sts:AssumeRole")


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    yield opened
    opened.engine.dispose()


def get(at: int = NOON, by: dict[str, Any] = ALICE) -> dict[str, Any]:
    return call("GetObject", {"bucketName": "b", "key": "k"}, by=by, at=at, source="s3.amazonaws.com")


def put_policy(text: str, name: str = "p", at: int = NOON) -> dict[str, Any]:
    request = {"userName": "alice", "policyName": name, "policyDocument": text}
    return call("PutUserPolicy", request, by=ROOT, at=at)


def a_day(living: Living) -> None:
    """Alice may not, may, may by her group too, and may not again; and a session with less than its role has."""
    living.call(create_user(by=ROOT))  # 0
    living.call(get())  # 1: denied
    living.call(put_policy(ALLOW_TEXT))  # 2
    living.call(get(), OBJECT, aws__SourceIp="203.0.113.7")  # 3: allowed
    living.call(create_group(by=ROOT))  # 4
    living.call(create_policy(by=ROOT))  # 5
    living.call(call("AttachGroupPolicy", {"groupName": "devs", "policyArn": OWN}, by=ROOT))  # 6
    living.call(call("AddUserToGroup", {"groupName": "devs", "userName": "alice"}, by=ROOT))  # 7
    living.call(get(NOON + 1), OBJECT)  # 8: allowed twice over
    living.call(put_policy(DENY_TEXT, "no", NOON + 2))  # 9
    living.call(get(NOON + 2), OBJECT)  # 10: denied, explicitly
    living.call(create_role(by=ROOT, at=NOON + 3))  # 11
    request = {"roleName": "deploy", "policyName": "p", "policyDocument": ALLOW_TEXT}
    living.call(call("PutRolePolicy", request, by=ROOT, at=NOON + 3))  # 12
    request = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/deploy", "roleSessionName": "s", "policy": LIST_ONLY}
    response = {"credentials": {"accessKeyId": "ASIADEPLOY000001"}, "assumedRoleUser": {"arn": DEPLOY["arn"]}}
    assume = call("AssumeRole", request, response, by=ROOT, at=NOON + 4, source="sts.amazonaws.com")
    living.call(assume, request["roleArn"])  # 13
    living.call(get(NOON + 5, DEPLOY), OBJECT, opened_at=13)  # 14: denied by the session's own policy


def verdicts(log: Log) -> list[str]:
    return [
        Authorization.from_bytes(one.authorization).verdict for one in log.read(ACCOUNT) if one.authorization
    ]


def found(log: Log) -> list[Divergence]:
    return verify_decisions(log, [ACCOUNT]).divergences


def test_every_decision_comes_out_the_same(log: Log) -> None:
    a_day(Living(log))
    told = verdicts(log)
    assert [told[at] for at in (1, 3, 8, 10, 13, 14)] == [
        "implicitDeny",
        "allowed",
        "allowed",
        "explicitDeny",
        "allowed",
        "implicitDeny",
    ]
    verified = verify_decisions(Log(log.engine), [ACCOUNT])
    assert verified.to_document() == {
        "stored": 15,
        "recomputed": 15,
        "diverging": 0,
        "unknownSemantics": 0,
        "divergences": [],
    }


def test_imported_entries_have_none(log: Log) -> None:
    Living(log).import_(create_user(), get())
    assert verify_decisions(log, [ACCOUNT]).stored == 0


def test_what_arrives_late_does_not_change_what_was_decided(log: Log) -> None:
    """The state is that at a position of the log, whatever the time of what comes after it."""
    living = Living(log)
    living.call(create_user(by=ROOT))
    living.call(put_policy(ALLOW_TEXT, at=NOON + 5))
    living.call(get(NOON + 9), OBJECT)
    living.import_(put_policy(DENY_TEXT, "late", at=NOON + 1))
    living.call(get(NOON + 9), OBJECT)
    assert verdicts(log)[-2:] == ["allowed", "explicitDeny"]
    assert found(log) == []


def test_a_decision_may_rest_on_an_older_state(log: Log) -> None:
    living = Living(log)
    living.call(create_user(by=ROOT))
    older = living.decide(read_record(told := get()), OBJECT)
    living.call(put_policy(ALLOW_TEXT))
    living.call(get(), OBJECT)
    living.append(Draft.of(read_record(told | {"errorCode": "AccessDenied"}), NATIVE, older.to_bytes()))
    assert verdicts(log)[-2:] == ["allowed", "implicitDeny"]
    assert found(log) == []


# -- spoiling -----------------------------------------------------------------------------------------------------


def with_a_wrong_one(log: Log, **wrong: Any) -> Divergence:
    living = Living(log)
    living.call(create_user(by=ROOT))
    living.call(put_policy(ALLOW_TEXT))
    record = read_record(get())
    authorization = living.decide(record, OBJECT)._replace(**wrong)
    living.append(Draft.of(record, NATIVE, authorization.to_bytes()))
    living.call(get(), OBJECT)
    (divergence,) = found(log)
    assert (divergence.account_id, divergence.position) == (ACCOUNT, 2)
    return divergence


@pytest.mark.parametrize(
    ("wrong", "reason", "differs"),
    [
        ({"verdict": Verdict.EXPLICIT_DENY}, Reason.DIFFERS, ("decision",)),
        ({"statements": ()}, Reason.DIFFERS, ("statements",)),
        ({"missing": ("identity",)}, Reason.DIFFERS, ("missing",)),
        ({"positions": {ACCOUNT: 1}}, Reason.DIFFERS, ("decision", "statements", "missing")),
        ({"action": "s3:PutObject"}, Reason.NOT_OF_THE_CALL, ()),
        ({"resource": "*"}, Reason.NOT_OF_THE_CALL, ()),
        ({"resource": "arn:aws:s3:::b/other"}, Reason.NOT_OF_THE_CALL, ()),
        ({"positions": {ACCOUNT: 3}}, Reason.NOT_OF_THE_CALL, ()),
        ({"positions": {"999999999999": 1}}, Reason.NO_STATE, ()),
        ({"positions": {}}, Reason.NO_STATE, ()),
        ({"at": NOON + 1}, Reason.NOT_OF_THE_CALL, ()),
        ({"holder": None}, Reason.NOT_OF_THE_CALL, ()),
        ({"session": 1}, Reason.NO_STATE, ()),
        ({"semantics": 2}, Reason.UNKNOWN_SEMANTICS, ()),
    ],
)
def test_a_wrong_decision_is_named(
    log: Log, wrong: dict[str, Any], reason: Reason, differs: tuple[str, ...]
) -> None:
    divergence = with_a_wrong_one(log, **wrong)
    assert (divergence.reason, divergence.differs) == (reason, differs), divergence.detail
    if differs:
        assert divergence.stored is not None and divergence.recomputed is not None
        assert all(divergence.stored[one] != divergence.recomputed[one] for one in differs)


def test_grants_that_another_entry_made_are_named(log: Log) -> None:
    living = Living(log)
    living.call(create_user(by=ROOT))
    living.call(put_policy(ALLOW_TEXT))
    record = read_record(get())
    told = living.decide(record, OBJECT).to_document()
    told["statements"][0]["ways"][0][0]["entry"] = 0
    living.append(Draft.of(record, NATIVE, canonical(told)))
    (divergence,) = found(log)
    assert (divergence.position, divergence.differs) == (2, ("statements",))
    assert "not for the same reason" in divergence.detail


def test_a_decision_about_somebody_else_is_named(log: Log) -> None:
    living = Living(log)
    living.call(create_user(by=ROOT))
    as_root = living.decide(read_record(call("ListUsers", by=ROOT)))
    living.append(Draft.of(read_record(call("ListUsers", by=ALICE)), NATIVE, as_root.to_bytes()))
    (divergence,) = found(log)
    assert (divergence.position, divergence.reason) == (1, Reason.NOT_OF_THE_CALL)


def test_a_decision_on_another_call_is_named(log: Log) -> None:
    """A true decision, made again it comes out the same: but what it allowed is not what was done."""
    living = Living(log)
    living.call(create_user(by=ROOT))
    living.call(create_user("bob", by=ROOT))
    mine = f"arn:aws:iam::{ACCOUNT}:user/alice"
    only_me = ALLOW_TEXT.replace("s3:*", "iam:*").replace('"Resource":"*"', f'"Resource":"{mine}"')
    living.call(put_policy(only_me))
    attach = {"userName": "alice", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    on_myself = living.decide(read_record(call("AttachUserPolicy", attach, by=ALICE)))
    assert on_myself.allowed
    for name, request in (
        ("AttachUserPolicy", attach | {"userName": "bob"}),
        ("PutUserPolicy", {"userName": "alice", "policyName": "p", "policyDocument": ALLOW_TEXT}),
    ):
        record = read_record(call(name, request, by=ALICE))
        living.append(Draft.of(record, NATIVE, on_myself._replace(positions={ACCOUNT: 3}).to_bytes()))
    assert [(one.position, one.reason) for one in found(log)] == [
        (3, Reason.NOT_OF_THE_CALL),
        (4, Reason.NOT_OF_THE_CALL),
    ]
    assert "iam:AttachUserPolicy on" in found(log)[0].detail


def test_what_is_no_authorization_is_named(log: Log) -> None:
    living = Living(log)
    living.append(Draft.of(read_record(create_user(by=ROOT)), NATIVE, b'{"decision":"allowed"}'))
    living.call(get())
    (divergence,) = found(log)
    assert (divergence.position, divergence.reason) == (0, Reason.UNREADABLE)


def test_a_body_that_was_tampered_with_is_named(log: Log) -> None:
    """As somebody who owns the database could: a decision rewritten, compressed and put in place of the true one."""
    a_day(Living(log))
    place = entries.c.position == 3
    with log.engine.execution_options(writes=True).begin() as connection:
        if log.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE entries DISABLE TRIGGER ALL")
        else:
            connection.exec_driver_sql("DROP TRIGGER entries_no_update")
        row = connection.execute(sa.select(entries.c.body, entries.c.coding).where(place)).one()
        start = prefix_bytes(Coding.of(row.coding).layout)
        true, rest = without_authorization(Compression().decompress(0, row.body[start:]))
        forged = canonical(orjson.loads(true) | {"decision": "explicitDeny"})
        body = row.body[:start] + Compression().compress(with_authorization(forged, rest))
        connection.execute(sa.update(entries).where(place).values(body=body))
    (divergence,) = found(Log(log.engine))
    assert (divergence.position, divergence.reason) == (3, Reason.NOT_AS_HASHED)
    with log.engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.update(entries).where(place).values(body=body[:-3]))
    named = found(Log(log.engine))
    assert [(one.position, one.reason) for one in named][:1] == [(3, Reason.NOT_AS_HASHED)]
    # what came after it can't be folded, and that is told of each
    assert [one.position for one in named] == [3, *range(4, 15)]
    assert {one.reason for one in named[1:]} == {Reason.NO_STATE}
    assert "position 3: the entry is damaged" in named[1].detail


def test_a_change_of_the_account_under_a_decision_is_named(log: Log) -> None:
    """The policy is rewritten in the log: the decision that rested on it comes out otherwise."""
    living = Living(log)
    living.call(create_user(by=ROOT))
    living.import_(put_policy(ALLOW_TEXT))
    living.call(get(), OBJECT)
    with log.engine.execution_options(writes=True).begin() as connection:
        if log.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE entries DISABLE TRIGGER ALL")
        else:
            connection.exec_driver_sql("DROP TRIGGER entries_no_update")
        other = read_record(put_policy(DENY_TEXT))
        connection.execute(
            sa.update(entries)
            .where(entries.c.position == 1)
            .values(body=Compression().compress(canonical(other.document)), coding=0)
        )
    (divergence,) = found(Log(log.engine))
    assert (divergence.position, divergence.reason) == (2, Reason.DIFFERS)
    assert divergence.detail == "allowed was stored, and it comes out explicitDeny"


# -- random histories ---------------------------------------------------------------------------------------------

acts = st.sampled_from(
    [
        lambda at: (create_user(by=ROOT, at=at), None),
        lambda at: (create_group(by=ROOT, at=at), None),
        lambda at: (create_policy(by=ROOT, at=at), None),
        lambda at: (create_role(by=ROOT, at=at), None),
        lambda at: (put_policy(ALLOW_TEXT, "a", at), None),
        lambda at: (put_policy(DENY_TEXT, "d", at), None),
        lambda at: (put_policy(ASSUME_TEXT, "r", at), None),
        lambda at: (call("DeleteUserPolicy", {"userName": "alice", "policyName": "d"}, by=ROOT, at=at), None),
        lambda at: (call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}, by=ROOT, at=at), None),
        lambda at: (call("AttachGroupPolicy", {"groupName": "devs", "policyArn": OWN}, by=ROOT, at=at), None),
        lambda at: (call("AddUserToGroup", {"groupName": "devs", "userName": "alice"}, by=ROOT, at=at), None),
        lambda at: (
            call(
                "PutUserPermissionsBoundary",
                {"userName": "alice", "permissionsBoundary": OWN},
                by=ROOT,
                at=at,
            ),
            None,
        ),
        lambda at: (call("DeleteUser", {"userName": "alice"}, by=ROOT, at=at), None),
        lambda at: (get(at), OBJECT),
        lambda at: (call("ListUsers", by=ALICE, at=at), None),
        lambda at: (
            call("AssumeRole", {}, by=ALICE, at=at, source="sts.amazonaws.com"),
            f"arn:aws:iam::{ACCOUNT}:role/deploy",
        ),
    ]
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(history=st.lists(st.tuples(acts, st.integers(0, 3), st.booleans()), min_size=1, max_size=20))
def test_of_any_history_every_decision_comes_out_the_same(history: list[Any], sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, create=True)
    log = Log(engine)
    living = Living(log)
    for entry in log.read(ACCOUNT):  # what earlier examples left
        living.replay.take(entry)
    stored = len(log.authorized(ACCOUNT))
    for act, second, imported in history:
        told, resource = act(NOON + second)
        if imported:
            living.import_(told)
        else:
            living.call(told, resource)
            stored += 1
    verified = verify_decisions(Log(engine), [ACCOUNT])
    assert verified.divergences == []
    assert (verified.stored, verified.recomputed) == (stored, stored)
    engine.dispose()
