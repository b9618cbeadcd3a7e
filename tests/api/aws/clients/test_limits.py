"""Limits that an account, a user or a session has to be filled up to, each hit through boto3."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from ledger.authority.authority import Request
from ledger.iam.deciding import Bearer
from ledger.policy.request import caller_of
from tests.api.aws.clients.documents import allowing, codes, trusting
from tests.api.aws.clients.watching import Watched
from tests.api.living_server import HERE
from tests.ledger.federating import metadata

TRUST = trusting("ec2.amazonaws.com")


BUSY = 200


def fill(aws: Watched, operation: str, asked: Iterable[dict[str, Any]]) -> None:
    """Calls that come side by side, past the front door for speed's sake."""
    root, authority = Bearer(caller_of(aws.arn("root"))), aws.account.server.authority
    told: list[Any] = []
    answered = threading.Semaphore(0)

    def done(reply: Any, failure: BaseException | None) -> None:
        told.append(failure or reply.refusal)
        answered.release()

    requests = [Request(aws.id, f"iam:{operation}", it, HERE, None, by=root) for it in asked]
    for request in requests:
        authority.submit(request, done)
    for _ in requests:
        answered.acquire()
        aws.requests[HERE.request_id] += 1
    assert [it for it in told if it is not None] == []
    aws.busy = aws.busy or len(requests) > BUSY


@pytest.mark.parametrize(
    ("operation", "member", "more", "quota", "message"),
    [
        ("CreateGroup", "GroupName", {}, 300, "Cannot exceed quota for GroupsPerAccount: 300"),
        (
            "CreateRole",
            "RoleName",
            {"AssumeRolePolicyDocument": TRUST},
            1000,
            "Cannot exceed quota for RolesPerAccount: 1000",
        ),
        (
            "CreatePolicy",
            "PolicyName",
            {"PolicyDocument": allowing("s3:*")},
            1500,
            "Cannot exceed quota for PoliciesPerAccount: 1500",
        ),
        (
            "CreateInstanceProfile",
            "InstanceProfileName",
            {},
            1000,
            "Cannot exceed quota for InstanceProfilesPerAccount: 1000",
        ),
        ("CreateUser", "UserName", {}, 5000, "Cannot exceed quota for UsersPerAccount: 5000"),
        (
            "CreateSAMLProvider",
            "Name",
            {"SAMLMetadataDocument": metadata()},
            100,
            "Cannot exceed quota for SAMLProvidersPerAccount: 100",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("Create") else "",
)
def test_quotas_of_an_account(
    aws: Watched, operation: str, member: str, more: dict[str, Any], quota: int, message: str
) -> None:
    fill(aws, operation, [{member: f"n{number}", **more} for number in range(quota)])
    method = {
        "CreateGroup": aws.iam.create_group,
        "CreateRole": aws.iam.create_role,
        "CreatePolicy": aws.iam.create_policy,
        "CreateInstanceProfile": aws.iam.create_instance_profile,
        "CreateUser": aws.iam.create_user,
        "CreateSAMLProvider": aws.iam.create_saml_provider,
    }[operation]
    with aws.refused("LimitExceeded", 409, message):
        method(**{member: "one-more"}, **more)


def test_a_user_has_eight_devices_and_each_device_one_user(aws: Watched) -> None:
    iam = aws.iam
    for name in ("alice", "bob"):
        iam.create_user(UserName=name)
    seeds = {}
    for number in range(9):
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=f"phone-{number}")["VirtualMFADevice"]
        seeds[made["SerialNumber"]] = made["Base32StringSeed"]
    *first, last = seeds
    for serial in first:
        oldest, older, *_ = codes(seeds[serial])
        iam.enable_mfa_device(
            UserName="alice", SerialNumber=serial, AuthenticationCode1=oldest, AuthenticationCode2=older
        )
    oldest, older, *_ = codes(seeds[last])
    asked = {"SerialNumber": last, "AuthenticationCode1": oldest, "AuthenticationCode2": older}
    with aws.refused("LimitExceeded", 409, "Cannot exceed quota for MFADevicesPerUser: 8"):
        iam.enable_mfa_device(UserName="alice", **asked)
    taken = {**asked, "SerialNumber": first[0]}
    with aws.refused("EntityAlreadyExists", 409, "MFA Device is already in use."):
        iam.enable_mfa_device(UserName="bob", **taken)
    with aws.refused("InvalidAuthenticationCode", 403):
        iam.resync_mfa_device(UserName="alice", **taken)


def test_inline_policies_share_one_quota_and_white_space_is_free(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    shortest = len(allowing("s3:*", sid="").replace(" ", ""))
    first, second = (allowing("s3:*", sid="x" * (1024 - shortest)) for _ in range(2))
    iam.put_user_policy(UserName="alice", PolicyName="a", PolicyDocument=first)
    spread = json.dumps(json.loads(second), indent=8)
    iam.put_user_policy(UserName="alice", PolicyName="b", PolicyDocument=spread)
    with aws.refused("LimitExceeded", 409, "Maximum policy size of 2048 bytes exceeded for user alice"):
        iam.put_user_policy(
            UserName="alice", PolicyName="b", PolicyDocument=allowing("s3:*", sid="x" * (1025 - shortest))
        )


def test_version_numbers_are_never_used_again(aws: Watched) -> None:
    iam = aws.iam
    arn = iam.create_policy(PolicyName="own", PolicyDocument=allowing("s3:*"))["Policy"]["Arn"]
    for number in range(2, 6):
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=allowing("s3:*"))
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    again = iam.create_policy_version(PolicyArn=arn, PolicyDocument=allowing("s3:*"))
    assert again["PolicyVersion"]["VersionId"] == "v6"


def test_sessions_are_limited_in_words_and_in_time(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=allowing("sts:*"))
    iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trusting(aws.arn("user/alice"), "sts:*"))
    sts = aws.client("sts", iam.create_access_key(UserName="alice")["AccessKey"])
    role = {"RoleArn": aws.arn("role/deploy"), "RoleSessionName": "build"}
    tags = [{"Key": f"k{number}", "Value": "abcdefgh" * 30} for number in range(9)]
    with aws.refused("MalformedPolicyDocument", 400):
        sts.assume_role(**role, Policy="{}")
    with aws.refused("PackedPolicyTooLarge", 400):
        sts.assume_role(**role, Tags=tags)
    with aws.refused("MalformedPolicyDocument", 400):
        sts.get_federation_token(Name="ann", Policy="{}")
    with aws.refused("PackedPolicyTooLarge", 400):
        sts.get_federation_token(Name="ann", Tags=tags)
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    with aws.refused("ValidationError", 400, message):
        sts.assume_role(**role, DurationSeconds=3601)


def test_passwords_follow_the_accounts_policy(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=allowing("iam:ChangePassword"))
    alice = aws.client("iam", iam.create_access_key(UserName="alice")["AccessKey"])
    with aws.refused("NoSuchEntity", 404):
        alice.change_password(OldPassword="Tr0ub4dor&4-canary", NewPassword="Tr0ub4dor&5-canary")
    iam.create_login_profile(UserName="alice", Password="Tr0ub4dor&4-canary")
    iam.update_account_password_policy(MinimumPasswordLength=20)
    with aws.refused("PasswordPolicyViolation", 400):
        alice.change_password(OldPassword="Tr0ub4dor&4-canary", NewPassword="Tr0ub4dor&5-canary")
