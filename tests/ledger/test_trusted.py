"""Who is trusted by name: what becomes of a trust policy when a user or role that it names is renamed or deleted."""

from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.trusted import naming
from tests.ledger.asking import Asked
from tests.ledger.told import ACCOUNT, TRUST_TEXT, call, create_role, create_user, given

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
ALICES_ID = "AIDA0000000ALICE1"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"


def trusting(names: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": names}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def create_trusting(names: Any, name: str = "admin") -> dict[str, Any]:
    made = create_role(name)
    made["requestParameters"]["assumeRolePolicyDocument"] = orjson.dumps(trusting(names)).decode()
    return made


def names_in(account: Account, name: str = "admin") -> Any:
    role = account.role_named(name)
    assert role is not None
    assert role.trust is not None
    assert not isinstance(role.trust.document, str)
    return role.trust.document["Statement"][0]["Principal"]["AWS"]


delete_alice = call("DeleteUser", {"userName": "alice"})


def test_a_deleted_user_is_shown_by_unique_id_and_a_namesake_is_not_trusted() -> None:
    told = given(create_user(), create_trusting([ALICE, ACCOUNT]), delete_alice)
    assert names_in(told.account) == [ALICES_ID, ACCOUNT]
    assert told.reasons == []
    assert names_in(told.when(create_user(number=2)).account) == [ALICES_ID, ACCOUNT]


def test_the_trust_is_still_that_of_the_entry_that_set_it() -> None:
    role = given(create_user(), create_trusting(ALICE), delete_alice).role("admin")
    assert role["AssumeRolePolicyMadeBy"] == 1


def test_a_deleted_role_is_shown_by_unique_id_in_whatever_role_named_it() -> None:
    told = given(create_role(), create_trusting(DEPLOY, "a"), create_trusting([DEPLOY], "b"))
    told.when(call("DeleteRole", {"roleName": "deploy"}))
    assert names_in(told.account, "a") == "AROA000000DEPLOY1"
    assert names_in(told.account, "b") == ["AROA000000DEPLOY1"]


def test_a_role_that_trusts_itself_can_go() -> None:
    told = given(create_trusting(DEPLOY, "deploy"), call("DeleteRole", {"roleName": "deploy"}))
    assert told.account.role_named("deploy") is None
    assert not told.account.holders


def test_a_renamed_user_is_still_trusted_by_the_new_name() -> None:
    rename = call("UpdateUser", {"userName": "alice", "newUserName": "alicia", "newPath": "/team/"})
    told = given(create_user(), create_trusting(ALICE), rename)
    assert names_in(told.account) == f"arn:aws:iam::{ACCOUNT}:user/team/alicia"
    told.when(create_user(number=2)).when(call("DeleteUser", {"userName": "alicia"}))
    assert names_in(told.account) == ALICES_ID


def test_an_unseen_deletion_counts_too() -> None:
    told = given(create_user(), create_trusting(ALICE), create_user(number=2))
    assert told.reasons == [Reason.UNSEEN_DELETION]
    assert names_in(told.account) == ALICES_ID


def test_where_no_record_told_the_id_the_name_stays() -> None:
    told = given(call("TagUser", {"userName": "alice", "tags": []}), create_trusting(ALICE), delete_alice)
    assert names_in(told.account) == ALICE


def test_a_policy_that_is_replaced_is_no_longer_looked_at() -> None:
    other = call("UpdateAssumeRolePolicy", {"roleName": "admin", "policyDocument": TRUST_TEXT})
    told = given(create_user(), create_trusting(ALICE), other, delete_alice)
    assert names_in(told.account) == ACCOUNT
    assert not told.account.holders


def test_get_role_shows_the_id() -> None:
    iam = Asked(create_user())
    document = orjson.dumps(trusting(ALICE)).decode()
    iam("CreateRole", RoleName="admin", AssumeRolePolicyDocument=document)
    iam("DeleteUser", UserName="alice")
    shown = iam("GetRole", RoleName="admin")["Role"]["AssumeRolePolicyDocument"]
    assert orjson.loads(unquote(shown)) == trusting(ALICES_ID)


@pytest.mark.parametrize(
    "document",
    [
        "no JSON",
        {},
        {"Statement": []},
        {
            "Statement": [
                "x",
                {"Principal": "*"},
                {"Principal": {"AWS": [7]}},
                {"Principal": {"Service": "s"}},
            ]
        },
        {"Statement": {"Principal": {"AWS": "*"}}},
    ],
)
def test_a_document_that_does_not_name_them_stays_as_it_is(document: Any) -> None:
    assert naming(document, ALICE, ALICES_ID) == document
