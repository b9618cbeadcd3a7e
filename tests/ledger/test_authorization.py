"""What is stored of a decision, and that it is the same wherever it is made."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.account.account import Account
from ledger.account.entities import Kind
from ledger.authorization import Authorization, NotAnAuthorization, authorize, semantics_of
from ledger.policy.decision import SEMANTICS, GrantKind, Unknown, UnknownKind, Verdict
from ledger.policy.request import caller_of
from ledger.record import canonical
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
    given,
)

PROJECT = Path(__file__).resolve().parents[2]
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
ALICE_ID = "AIDA0000000ALICE1"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"
OBJECT = "arn:aws:s3:::b/k"
HISTORY = (
    create_user(),  # 0
    create_group(),  # 1
    create_policy(),  # 2
    call("AttachGroupPolicy", {"groupName": "devs", "policyArn": OWN}),  # 3
    call("AddUserToGroup", {"groupName": "devs", "userName": "alice"}),  # 4
    call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}),  # 5
    call("PutUserPolicy", {"userName": "alice", "policyName": "mine", "policyDocument": ALLOW_TEXT}),  # 6
    create_role(),  # 7
)


def decided(
    account: Account, action: str = "s3:GetObject", resource: str = OBJECT, **context: str
) -> Authorization:
    keys = {key.replace("__", ":"): [value] for key, value in context.items()}
    holder = (Kind.USER, ALICE_ID)
    caller = caller_of(ALICE, None, ALICE_ID)
    return authorize(account, caller, holder, action, resource, keys, 8, at=NOON)


def test_it_tells_what_decided_and_which_entries_stand_behind_it() -> None:
    told = decided(given(*HISTORY).account, aws__SourceIp="203.0.113.7").to_document()
    assert {member: told[member] for member in told if member != "statements"} == {
        "principal": {
            "arn": ALICE,
            "roleArn": None,
            "uniqueId": ALICE_ID,
            "holder": {"kind": "user", "id": ALICE_ID},
        },
        "action": "s3:GetObject",
        "resource": OBJECT,
        "context": {"aws:sourceip": ["203.0.113.7"]},
        "at": "2023-11-14T22:13:20Z",
        "positions": {ACCOUNT: 8},
        "session": None,
        "decision": "allowed",
        "missing": [],
        "unknown": [],
        "semantics": SEMANTICS,
    }
    mine, own = told["statements"]
    assert (mine["policy"], mine["policyArn"], mine["version"]) == ("mine", None, None)
    assert [[grant["entry"] for grant in way] for way in mine["ways"]] == [[6]]
    assert (own["policy"], own["policyArn"], own["version"]) == ("own", OWN, "v1")
    assert (own["index"], own["sid"], own["effect"], own["layer"]) == (0, None, "Allow", "identity")
    assert [[(grant["kind"], grant["entry"]) for grant in way] for way in own["ways"]] == [
        [("policyVersion", 2), ("attachment", 3), ("membership", 4)],
        [("policyVersion", 2), ("attachment", 5)],
    ]


def test_what_is_written_is_read_back() -> None:
    account = given(*HISTORY).account
    for authorization in (
        decided(account),
        decided(account, "iam:CreateUser", ALICE, aws__username="x", **{"aws__RequestTag/a": "ü"}),
        decided(Account.empty(ACCOUNT)),
        decided(account, "sts:AssumeRole", DEPLOY),
    ):
        raw = authorization.to_bytes()
        assert raw == canonical(orjson.loads(raw))
        assert Authorization.from_bytes(raw) == authorization
        assert semantics_of(raw) == SEMANTICS


def test_a_deny_and_what_is_missing() -> None:
    deny = call("PutUserPolicy", {"userName": "alice", "policyName": "no", "policyDocument": DENY_TEXT})
    denied = decided(given(*HISTORY, deny).account)
    assert denied.verdict is Verdict.EXPLICIT_DENY
    assert {match.source.name for match in denied.statements} == {"mine", "no", "own"}
    assert decided(given(*HISTORY).account, "ec2:RunInstances").missing == ("identity",)


def test_a_role_is_assumed_by_its_trust_policy() -> None:
    trusted = decided(given(*HISTORY).account, "sts:AssumeRole", DEPLOY)
    # the trust policy names the account, which delegates to identity policies, and those speak of s3 alone
    assert (trusted.verdict, trusted.missing) == (Verdict.IMPLICIT_DENY, ("identity",))
    assert [match.source.ways[0][0].kind for match in trusted.statements] == [GrantKind.TRUST_POLICY]
    nobody = decided(given(*HISTORY).account, "sts:AssumeRole", f"{DEPLOY}2")
    assert Unknown(UnknownKind.TRUST_POLICY, f"{DEPLOY}2") in nobody.unknown


def test_tags_of_the_principal_are_taken_from_the_account() -> None:
    document = ALLOW_TEXT.replace('"Resource":"*"', '"Resource":"arn:aws:s3:::${aws:PrincipalTag/Team}/*"')
    put = call("PutUserPolicy", {"userName": "alice", "policyName": "team", "policyDocument": document})
    tag = call("TagUser", {"userName": "alice", "tags": [{"key": "team", "value": "b"}]})
    assert decided(given(create_user(), put).account).verdict is Verdict.IMPLICIT_DENY
    tagged = decided(given(create_user(), put, tag).account)
    assert (tagged.verdict, tagged.context) == (Verdict.ALLOWED, {})


def test_root_and_who_is_not_known() -> None:
    account = given(*HISTORY).account
    root = authorize(account, caller_of(ROOT["arn"]), None, "iam:CreateUser", "*", {}, 8, at=NOON)
    assert (root.verdict, root.statements, root.unknown) == (Verdict.ALLOWED, (), ())
    bob = caller_of(f"arn:aws:iam::{ACCOUNT}:user/bob")
    unknown = authorize(account, bob, (Kind.USER, bob.arn), "s3:GetObject", OBJECT, {}, 8, at=NOON)
    assert unknown.unknown == (Unknown(UnknownKind.PRINCIPAL, bob.arn),)
    assert unknown.verdict is Verdict.IMPLICIT_DENY


def test_it_comes_out_the_same_in_every_process() -> None:
    """Persistent maps keep texts in an order that is drawn anew for each process."""
    code = (
        "import sys; sys.path.insert(0, '.'); "
        "from tests.ledger.test_authorization import *; "
        "more = [call('PutUserPolicy', {'userName': 'alice', 'policyName': f'p{n}', 'policyDocument': ALLOW_TEXT},"
        " event_id='x') for n in range(9)]; "
        "sys.stdout.buffer.write(decided(given(*HISTORY, *more).account).to_bytes())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(told) == 1
    assert len(orjson.loads(told.pop())["statements"]) == 11


# -- spoiling -----------------------------------------------------------------------------------------------------


def spoilt(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The document with one of its members, at any depth, taken away or made something else."""
    found = []
    for name, value in document.items():
        found += [{key: one for key, one in document.items() if key != name}, document | {name: 1.5}]
        found.append(document | {"another": None})
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict) and name not in ("context", "positions"):
            found += [document | {name: [one] if inner is not value else one} for one in spoilt(inner)]
    return found


def test_what_is_no_authorization_is_refused() -> None:
    document = decided(given(*HISTORY).account, aws__SourceIp="203.0.113.7").to_document()
    every = spoilt(document)
    assert len(every) > 60
    for one in every:
        with pytest.raises(NotAnAuthorization):
            Authorization.from_bytes(canonical(one))
    for raw in (b"", b"[]", b"{}", b"\xff", canonical(document) + b" ", orjson.dumps(document)):
        with pytest.raises(NotAnAuthorization):
            Authorization.from_bytes(raw)


def test_the_version_of_the_rules_can_be_read_of_what_else_cannot() -> None:
    assert semantics_of(b'{"semantics":7,"verdict":"maybe"}') == 7
    assert [semantics_of(raw) for raw in (b"", b"[]", b'{"semantics":"1"}', b'{"semantics":true}')] == [
        None
    ] * 4


def test_another_statement_makes_another_authorization() -> None:
    found = decided(given(*HISTORY).account)
    fewer = found._replace(statements=found.statements[:1])
    assert fewer != found
    assert fewer.to_bytes() != found.to_bytes()
