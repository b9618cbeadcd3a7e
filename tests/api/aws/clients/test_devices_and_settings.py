"""MFA devices, and what the account has as a whole."""

from __future__ import annotations

from tests.api.aws.clients.documents import allowing, codes
from tests.api.aws.clients.watching import Watched


def test_a_virtual_device_from_creation_to_deletion(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone", Tags=[{"Key": "a", "Value": "1"}])[
        "VirtualMFADevice"
    ]
    serial = made["SerialNumber"]
    assert serial == aws.arn("mfa/phone")
    assert made["QRCodePNG"].startswith(b"\x89PNG")
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == [
        {"SerialNumber": serial}
    ]
    oldest, older, now, following = codes(made["Base32StringSeed"])
    with aws.refused("InvalidAuthenticationCode", 403):
        iam.enable_mfa_device(
            UserName="alice", SerialNumber=serial, AuthenticationCode1=older, AuthenticationCode2=oldest
        )
    iam.enable_mfa_device(
        UserName="alice", SerialNumber=serial, AuthenticationCode1=oldest, AuthenticationCode2=older
    )
    (device,) = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    assert (device["UserName"], device["SerialNumber"]) == ("alice", serial)
    assert iam.get_mfa_device(SerialNumber=serial, UserName="alice")["EnableDate"] == device["EnableDate"]
    (listed,) = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert listed["User"]["UserName"] == "alice"

    sts = aws.client("sts", key)
    session = sts.get_session_token(SerialNumber=serial, TokenCode=now)["Credentials"]
    assert aws.client("sts", session).get_caller_identity()["Arn"] == aws.arn("user/alice")
    with aws.refused("AccessDenied", 403):
        sts.get_session_token(SerialNumber=serial, TokenCode=now)
    iam.resync_mfa_device(
        UserName="alice", SerialNumber=serial, AuthenticationCode1=now, AuthenticationCode2=following
    )

    iam.tag_mfa_device(SerialNumber=serial, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_mfa_device(SerialNumber=serial, TagKeys=["a"])
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [{"Key": "b", "Value": "2"}]
    with aws.refused("DeleteConflict", 409):
        iam.delete_virtual_mfa_device(SerialNumber=serial)
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_a_device_of_root_is_shown_as_roots(aws: Watched) -> None:
    iam = aws.iam
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="root-account-mfa-device")["VirtualMFADevice"]
    oldest, older, now, _ = codes(made["Base32StringSeed"])
    iam.enable_mfa_device(
        UserName="root",
        SerialNumber=made["SerialNumber"],
        AuthenticationCode1=oldest,
        AuthenticationCode2=older,
    )
    (device,) = iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    assert device["User"]["Arn"] == aws.arn("root")
    with aws.refused("AccessDenied", 403):  # whoever has only root's key
        iam.get_account_summary()
    session = aws.client("sts").get_session_token(SerialNumber=made["SerialNumber"], TokenCode=now)
    summary = aws.client("iam", session["Credentials"]).get_account_summary()
    assert summary["SummaryMap"]["AccountMFAEnabled"] == 1


def test_what_the_account_has_as_a_whole(aws: Watched) -> None:
    iam = aws.iam
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias="example")
    assert iam.list_account_aliases()["AccountAliases"] == ["example"]
    assert iam.get_user()["User"]["Arn"] == aws.arn("root")
    iam.delete_account_alias(AccountAlias="example")
    message = f"The Password Policy with domain name {aws.id} cannot be found."
    with aws.refused("NoSuchEntity", 404, message):
        iam.get_account_password_policy()
    iam.update_account_password_policy(MinimumPasswordLength=12, RequireNumbers=True)
    policy = iam.get_account_password_policy()["PasswordPolicy"]
    assert (policy["MinimumPasswordLength"], policy["RequireNumbers"]) == (12, True)
    assert policy["ExpirePasswords"] is False
    iam.delete_account_password_policy()
    iam.set_security_token_service_preferences(GlobalEndpointTokenVersion="v2Token")
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["GlobalEndpointTokenVersion"] == 2
    assert (summary["Users"], summary["UserPolicySizeQuota"], summary["AccessKeysPerUserQuota"]) == (
        0,
        2048,
        2,
    )


def test_an_account_outside_of_an_organization_has_none_of_its_features(aws: Watched) -> None:
    iam = aws.iam
    for call in (
        lambda: iam.list_organizations_features(),
        lambda: iam.enable_organizations_root_credentials_management(),
        lambda: iam.disable_organizations_root_credentials_management(),
        lambda: iam.enable_organizations_root_sessions(),
        lambda: iam.disable_organizations_root_sessions(),
    ):
        with aws.refused("OrganizationNotFoundException", 400):
            call()


def test_outbound_federation_is_disabled(aws: Watched) -> None:
    with aws.refused("FeatureDisabled", 404):
        aws.iam.get_outbound_web_identity_federation_info()
    with aws.refused("FeatureDisabled", 404):
        aws.iam.disable_outbound_web_identity_federation()


def test_reports(aws: Watched) -> None:
    iam = aws.iam
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=allowing("iam:*"))
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    rows = report["Content"].decode().splitlines()
    assert rows[0].startswith("user,arn,user_creation_time,password_enabled")
    assert [row.split(",")[0] for row in rows[1:]] == ["<root_account>", "alice"]
    job = iam.generate_service_last_accessed_details(Arn=aws.arn("user/alice"))["JobId"]
    details = iam.get_service_last_accessed_details(JobId=job)
    assert [it["ServiceNamespace"] for it in details["ServicesLastAccessed"]] == ["iam"]
    who = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="iam")
    assert [it["EntityInfo"]["Name"] for it in who["EntityDetailsList"]] == ["alice"]
    everything = iam.get_account_authorization_details()
    (user,) = everything["UserDetailList"]
    assert [it["PolicyName"] for it in user["UserPolicyList"]] == ["own"]
