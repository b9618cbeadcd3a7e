"""What a live call is held against: its record, and what the account knows of the resource."""

from typing import Any

from ledger.authority.context import Contexts
from ledger.authority.recording import Surroundings, record_of, recorded
from ledger.iam.deciding import Bearer
from ledger.policy.request import caller_of
from ledger.record import read_record
from tests.ledger.asking import ROOT_BEARER, Asked
from tests.ledger.told import ACCOUNT, NOON, OWN, READ_ONLY, create_policy

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


def context(iam: Asked, action: str, resource: str, *, secure: bool = False, **parameters: Any) -> dict:
    around = Surroundings("192.0.2.7", "aws-cli", "r-1", secure=secure)
    record = record_of(
        iam.account,
        ROOT_BEARER,
        action,
        at=NOON,
        event_id="e-1",
        surroundings=around,
        read_only=False,
        request=recorded(parameters),
    )
    by = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:user/admin", None, "AIDAADMIN0000001"), "AKIAADMIN0000001")
    contexts = Contexts()
    return {
        **contexts.of_caller(record, NOON, iam.account, by, around),
        **contexts.of_question(read_record(record), action, resource, iam.account),
    }


def test_the_boundary_and_the_tags_of_whom_it_is_about_are_told() -> None:
    iam = Asked(create_policy())
    iam("CreateUser", UserName="alice", PermissionsBoundary=OWN, Tags=[{"Key": "team", "Value": "blue"}])
    told = context(iam, "iam:AttachUserPolicy", ALICE, UserName="alice", PolicyArn=READ_ONLY)
    assert told["iam:permissionsboundary"] == (OWN,)
    assert told["iam:policyarn"] == (READ_ONLY,)
    assert told["aws:resourcetag/team"] == ("blue",)
    assert "iam:permissionsboundary" not in context(iam, "iam:ListUserTags", ALICE, UserName="alice")


def test_the_boundary_that_a_call_sets_goes_before_the_one_that_is_there() -> None:
    iam = Asked(create_policy())
    iam("CreateUser", UserName="alice", PermissionsBoundary=OWN)
    asked: dict[str, Any] = {"UserName": "alice", "PermissionsBoundary": READ_ONLY}
    told = context(iam, "iam:PutUserPermissionsBoundary", ALICE, **asked)
    assert told["iam:permissionsboundary"] == (READ_ONLY,)


def test_whence_and_how_it_came() -> None:
    iam = Asked()
    told = context(iam, "iam:ListUsers", "*", secure=True)
    assert told["aws:sourceip"] == ("192.0.2.7",)
    assert told["aws:securetransport"] == ("true",)
    assert context(iam, "iam:ListUsers", "*")["aws:securetransport"] == ("false",)
    assert not any(key.startswith(("s3:", "ec2:")) for key in told)
