"""Sessions: what is answered, what is refused, and that the record tells the same session."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.account.change import Change
from ledger.iam.deciding import DECISIONS, Bearer, Call
from ledger.iam.refusals import (
    AccessDenied,
    InvalidAuthorizationMessage,
    InvalidContextAssertion,
    InvalidParameterValue,
    Malformed,
    PackedPolicyTooLarge,
    ValidationError,
)
from ledger.iam.sessions import Session, session_opened
from ledger.policy.request import caller_of
from ledger.record import read_record
from tests.ledger.asking import ROOT_BEARER, Asked, refused
from tests.ledger.told import ACCOUNT, ALLOW_TEXT, NOON, READ_ONLY, TRUST_TEXT, call, create_user

ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/deploy"
DEVICE = f"arn:aws:iam::{ACCOUNT}:mfa/alice"
ALICE = Bearer(
    caller_of(f"arn:aws:iam::{ACCOUNT}:user/alice", None, "AIDA0000000ALICE1"), "AKIA000000000ALICE00"
)
RED, BLUE = {"Key": "Team", "Value": "red"}, {"Key": "Cost", "Value": "blue"}


def sts(*, max_seconds: int = 3600) -> Asked:
    role = {
        "path": "/team/",
        "roleName": "deploy",
        "roleId": "AROA0000000DEPLOY1234",
        "arn": ROLE,
        "maxSessionDuration": max_seconds,
    }
    create_role = call(
        "CreateRole",
        {"roleName": "deploy", "path": "/team/", "assumeRolePolicyDocument": TRUST_TEXT}
        | {"maxSessionDuration": max_seconds},
        {"role": role},
    )
    device = [
        call(
            "CreateVirtualMFADevice",
            {"virtualMFADeviceName": "alice"},
            {"virtualMFADevice": {"serialNumber": DEVICE}},
        ),
        call("EnableMFADevice", {"userName": "alice", "serialNumber": DEVICE}),
    ]
    return Asked(create_user(), create_user("bob"), create_role, *device, by=ALICE)


def assume(asked: Asked, **more: Any) -> dict[str, Any]:
    return asked("AssumeRole", **{"RoleArn": ROLE, "RoleSessionName": "ci"} | more)


def opened(asked: Asked) -> Session:
    session = session_opened(Change(asked.position, read_record(asked.record), native=True))
    assert session is not None
    return session


def bearer(asked: Asked) -> Bearer:
    """Whoever comes with the session that was opened last."""
    session = opened(asked)
    arn = session.session_arn or session.arn
    assert arn is not None
    role = session.arn if ":role/" in (session.arn or "") else None
    caller = caller_of(arn, role, session.unique_id)
    return Bearer(caller, session.access_key_id, session, mfa=bool(session.mfa))


# ---- AssumeRole


def test_a_role_is_assumed_for_an_hour_under_a_name() -> None:
    asked = sts()
    told = assume(asked)
    credentials = told.pop("Credentials")
    assert (len(credentials["AccessKeyId"]), credentials["AccessKeyId"][:4]) == (20, "ASIA")
    assert len(credentials["SecretAccessKey"]) == 40
    assert credentials["Expiration"] == NOON + 3600
    session_arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
    assert told == {"AssumedRoleUser": {"AssumedRoleId": "AROA0000000DEPLOY1234:ci", "Arn": session_arn}}
    session = opened(asked)
    assert (session.arn, session.session_arn) == (ROLE, session_arn)
    assert (session.access_key_id, session.expiration) == (credentials["AccessKeyId"], NOON + 3600)
    assert credentials["SecretAccessKey"] not in str(asked.record)


def test_what_was_asked_is_the_session_that_the_record_tells() -> None:
    asked = sts()
    arns = [{"arn": READ_ONLY}]
    more = {"Policy": ALLOW_TEXT, "PolicyArns": arns, "ExternalId": "e-1", "SourceIdentity": "ann"}
    told = assume(asked, Tags=[RED, BLUE], TransitiveTagKeys=["Team"], DurationSeconds=900, **more)
    assert told["SourceIdentity"] == "ann"
    assert 0 < told["PackedPolicySize"] <= 100
    session = opened(asked)
    assert session.tags == (("Cost", "blue"), ("Team", "red"))
    assert session.transitive_tag_keys == ("Team",)
    assert (session.source_identity, session.external_id) == ("ann", "e-1")
    assert (session.policy_arns, session.duration_seconds) == ((READ_ONLY,), 900)
    assert session.policy is not None


@pytest.mark.parametrize(
    "arn", ["nothing-valid-in-here", "arn:a:::something/test-role", "arn:a:a::aaaaaaaaaa:"]
)
def test_what_is_no_arn_is_refused_before_anything_is_asked_about_it(arn: str) -> None:
    asked = sts()
    with refused(ValidationError, f"{arn} is invalid"):
        DECISIONS["sts:AssumeRole"].on(asked.account, Call("sts:AssumeRole", {"RoleArn": arn}, ALICE))


@pytest.mark.parametrize(
    "arn", [f"arn:aws:iam::{ACCOUNT}:role/deploy", f"arn:aws:iam::{ACCOUNT}:role/nobody"]
)
def test_nobody_learns_which_roles_there_are(arn: str) -> None:
    words = f"User: {ALICE.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    with refused(AccessDenied, words):
        assume(sts(), RoleArn=arn)


def test_root_assumes_no_role() -> None:
    with refused(AccessDenied, "Roles may not be assumed by root accounts."):
        assume(sts(), by=ROOT_BEARER)


def test_a_session_lasts_no_longer_than_the_role_lets_it() -> None:
    assert assume(sts(max_seconds=7200), DurationSeconds=7200)["Credentials"]["Expiration"] == NOON + 7200
    with refused(
        ValidationError, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    ):
        assume(sts(max_seconds=7200), DurationSeconds=7201)


def test_a_role_assumed_by_a_role_lasts_an_hour() -> None:
    asked = sts(max_seconds=43_200)
    assume(asked)
    by = bearer(asked)
    assert assume(asked, by=by, DurationSeconds=3600)["Credentials"]["Expiration"] == NOON + 3600
    with refused(
        ValidationError,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    ):
        assume(asked, by=by, DurationSeconds=3601)


def test_tags_are_inherited_where_they_are_transitive() -> None:
    asked = sts()
    assume(asked, Tags=[RED, BLUE], TransitiveTagKeys=["team"])
    first = bearer(asked)
    assume(asked, by=first, Tags=[{"Key": "Own", "Value": "1"}])
    assert asked.record["requestParameters"]["incomingTransitiveTags"] == {"Team": "red"}
    assert opened(asked).tags == (("Own", "1"), ("Team", "red"))
    assume(asked, by=bearer(asked))
    assert opened(asked).tags == (("Team", "red"),)
    words = (
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
        "from the calling session."
    )
    for more in ({"Tags": [{"Key": "TEAM", "Value": "x"}]}, {"TransitiveTagKeys": ["Team"]}):
        with refused(InvalidParameterValue, words):
            assume(asked, by=first, **more)


def test_tags_are_told_once_and_before_they_are_transitive() -> None:
    with refused(
        InvalidParameterValue, "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    ):
        assume(sts(), Tags=[RED, {"Key": "TEAM", "Value": ""}])
    with refused(
        InvalidParameterValue, "The specified transitive tag key must be included in the requested tags."
    ):
        assume(sts(), Tags=[RED], TransitiveTagKeys=["Cost"])


def test_a_source_identity_stays_along_the_chain() -> None:
    asked = sts()
    assume(asked, SourceIdentity="ann")
    by = bearer(asked)
    assert assume(asked, by=by)["SourceIdentity"] == "ann"
    assert assume(asked, by=by, SourceIdentity="ann")["SourceIdentity"] == "ann"
    words = f"User: {by.caller.arn} is not authorized to perform: sts:SetSourceIdentity on resource: {ROLE}"
    with refused(AccessDenied, words):
        assume(asked, by=by, SourceIdentity="ben")


def test_tags_and_a_source_identity_are_asked_for_too() -> None:
    asked = sts()

    def also(by: Bearer, **parameters: Any) -> list[tuple[str, str]]:
        decision = DECISIONS["sts:AssumeRole"]
        assert decision.also is not None
        return list(decision.also(asked.account, Call("sts:AssumeRole", {"RoleArn": ROLE, **parameters}, by)))

    both = [("sts:TagSession", ROLE), ("sts:SetSourceIdentity", ROLE)]
    assert also(ALICE) == []
    assert also(ALICE, Tags=[RED], SourceIdentity="ann") == both
    assume(asked, Tags=[RED], TransitiveTagKeys=["Team"], SourceIdentity="ann")
    assert also(bearer(asked)) == both


def test_a_session_with_a_code_has_mfa() -> None:
    asked = sts()
    assume(asked, SerialNumber=DEVICE, TokenCode="123456", facts={"code_right": True})
    assert opened(asked).mfa is True
    assert "123456" not in str(asked.record)


def test_a_code_is_right_and_of_the_callers_own_device() -> None:
    wrong = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    with refused(AccessDenied, wrong):
        assume(sts(), SerialNumber=DEVICE, TokenCode="123456", facts={"code_right": False})
    both = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
    with refused(AccessDenied, both):
        assume(sts(), SerialNumber=DEVICE)
    with refused(AccessDenied, both):
        sts()("GetSessionToken", TokenCode="123456")
    unknown = (
        "MultiFactorAuthentication failed, unable to validate MFA code.  "
        "Please verify your MFA serial number is valid and associated with this user."
    )
    bob = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:user/bob", None, "AIDA000000000BOB1"))
    right: dict[str, Any] = {"TokenCode": "123456", "facts": {"code_right": True}}
    with refused(AccessDenied, unknown):
        sts()("GetSessionToken", by=bob, SerialNumber=DEVICE, **right)
    with refused(AccessDenied, unknown):
        sts()("GetSessionToken", SerialNumber="GAHT12345678", **right)


def test_a_session_policy_is_a_policy() -> None:
    with refused(Malformed, "The policy is not in the valid JSON format."):
        assume(sts(), Policy="{")
    with refused(Malformed, "Policy document should not specify a principal."):
        assume(sts(), Policy=TRUST_TEXT)
    with refused(InvalidParameterValue, f"Policy {READ_ONLY}x does not exist or is not attachable."):
        assume(sts(), PolicyArns=[{"arn": f"{READ_ONLY}x"}])
    with refused(ValidationError, "ARN x is not valid."):
        assume(sts(), PolicyArns=[{"arn": "x"}])
    long = ALLOW_TEXT + " " * 2048
    with refused(
        ValidationError,
        f"1 validation error detected: Value '{long}' at 'policy' failed to satisfy constraint: "
        "Member must have length less than or equal to 2048",
    ):
        assume(sts(), Policy=long)
    many = [{"arn": READ_ONLY}] * 11
    with pytest.raises(ValidationError, match=r"at 'policyArns'.*less than or equal to 10$"):
        assume(sts(), PolicyArns=many)


def test_nine_long_tags_take_as_much_room_as_aws_says() -> None:
    """The size is AWS's own measurement: aws-actions/configure-aws-credentials#1898."""
    tags = [{"Key": f"T{number}", "Value": "a" * 250} for number in range(1, 10)]
    with refused(PackedPolicyTooLarge, "Packed size of session tags consumes 498% of allotted space."):
        assume(sts(), Tags=tags)


def test_policies_and_tags_share_the_room() -> None:
    resources = ",".join(f'"arn:aws:s3:::bucket-{number * 7919 % 9973}/*"' for number in range(60))
    policy = f'{{"Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":[{resources}]}}]}}'
    tags = [{"Key": "a", "Value": "b" * 200}]
    alone = assume(sts(), Policy=policy)["PackedPolicySize"]
    with pytest.raises(PackedPolicyTooLarge) as told:
        assume(sts(), Policy=policy, Tags=tags)
    assert alone < 100
    assert "please use smaller policy." in told.value.message


# ---- GetSessionToken and GetFederationToken


def test_a_user_gets_a_session_for_half_a_day() -> None:
    asked = sts()
    told = asked("GetSessionToken", SerialNumber=DEVICE, TokenCode="123456", facts={"code_right": True})
    assert told["Credentials"]["Expiration"] == NOON + 43_200
    session = opened(asked)
    assert (session.arn, session.mfa, session.expiration) == (ALICE.caller.arn, True, NOON + 43_200)


def test_root_gets_an_hour() -> None:
    longer: tuple[dict[str, Any], ...] = ({}, {"DurationSeconds": 7200})
    for more in longer:
        asked = sts()
        assert asked("GetSessionToken", by=ROOT_BEARER, **more)["Credentials"]["Expiration"] == NOON + 3600
        assert opened(asked).expiration == NOON + 3600
    told = sts()("GetFederationToken", by=ROOT_BEARER, Name="guest", DurationSeconds=900)
    assert told["Credentials"]["Expiration"] == NOON + 900


def test_a_session_gets_no_further_token() -> None:
    asked = sts()
    asked("GetSessionToken")
    by = bearer(asked)
    with refused(AccessDenied, "Cannot call GetSessionToken with session credentials"):
        asked("GetSessionToken", by=by)
    with refused(AccessDenied, "Cannot call GetFederationToken with session credentials"):
        asked("GetFederationToken", by=by, Name="guest")


def test_a_federated_user_has_a_name_of_its_own() -> None:
    asked = sts()
    told = asked("GetFederationToken", Name="guest", Policy=ALLOW_TEXT, Tags=[RED])
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/guest"
    assert told["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:guest", "Arn": arn}
    assert 0 < told["PackedPolicySize"] <= 100
    session = opened(asked)
    assert (session.session_arn, session.arn, session.tags) == (arn, ALICE.caller.arn, (("Team", "red"),))
    wanted = Call("sts:GetFederationToken", {"Name": "guest", "Tags": [RED]}, ALICE)
    decision = DECISIONS["sts:GetFederationToken"]
    assert decision.on(asked.account, wanted) == arn
    assert decision.also is not None
    assert list(decision.also(asked.account, wanted)) == [("sts:TagSession", arn)]


# ---- who calls


def test_everybody_learns_who_they_are() -> None:
    asked = sts()
    who = asked("GetCallerIdentity")
    assert who == {"UserId": "AIDA0000000ALICE1", "Account": ACCOUNT, "Arn": ALICE.caller.arn}
    root = asked("GetCallerIdentity", by=ROOT_BEARER)
    assert root == {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}
    assume(asked)
    assert asked("GetCallerIdentity", by=bearer(asked)) == {
        "UserId": "AROA0000000DEPLOY1234:ci",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    }
    asked("GetFederationToken", Name="guest")
    assert asked("GetCallerIdentity", by=bearer(asked))["UserId"] == f"{ACCOUNT}:guest"


def test_what_was_encoded_elsewhere_is_not_decoded() -> None:
    with refused(InvalidAuthorizationMessage, "Message is not valid"):
        sts()("DecodeAuthorizationMessage", EncodedMessage="x")
    with refused(InvalidContextAssertion, "The context assertion is not valid."):
        assume(sts(), ProvidedContexts=[{"ContextAssertion": "x"}])


def test_a_key_tells_its_account() -> None:
    asked = sts()
    assert asked("GetAccessKeyInfo", AccessKeyId="ASIA0000000000000000") == {"Account": ACCOUNT}
    with refused(ValidationError, "The access key AKIAIOSFODNN7EXAMPLE is not known."):
        asked("GetAccessKeyInfo", AccessKeyId="AKIAIOSFODNN7EXAMPLE")
