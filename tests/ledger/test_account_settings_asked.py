"""Alias, password policy and summary of the account: what is answered and what is refused."""

from typing import Any

import botocore.session
import pytest

from ledger.iam.refusals import (
    EntityAlreadyExists,
    FeatureDisabled,
    NoSuchEntity,
    OrganizationNotFound,
    ValidationError,
)
from tests.ledger.asking import Asked, refused
from tests.ledger.told import ACCOUNT, OWN, call, create_policy

NO_POLICY = f"The Password Policy with domain name {ACCOUNT} cannot be found."
HASH = {"password_hash": "$argon2id$the-hash"}

# ---- alias


def test_an_account_has_one_alias_which_another_replaces() -> None:
    iam = Asked()
    assert iam("ListAccountAliases") == {"AccountAliases": [], "IsTruncated": False}
    iam("CreateAccountAlias", AccountAlias="acme")
    iam("CreateAccountAlias", AccountAlias="acme-corp")
    assert iam("ListAccountAliases")["AccountAliases"] == ["acme-corp"]
    iam("DeleteAccountAlias", AccountAlias="acme-corp")
    assert iam("ListAccountAliases")["AccountAliases"] == []


def test_an_alias_that_is_there_is_not_created_again() -> None:
    iam = Asked()
    iam("CreateAccountAlias", AccountAlias="acme")
    with refused(EntityAlreadyExists, "The account alias acme already exists."):
        iam("CreateAccountAlias", AccountAlias="acme")


def test_an_alias_is_no_account_number() -> None:
    with refused(ValidationError, "The account alias must not be a 12-digit number."):
        Asked()("CreateAccountAlias", AccountAlias="123456789012")


def test_an_alias_that_is_not_there_is_not_deleted() -> None:
    iam = Asked()
    iam("CreateAccountAlias", AccountAlias="acme")
    with refused(NoSuchEntity, "The account alias with name other cannot be found."):
        iam("DeleteAccountAlias", AccountAlias="other")


# ---- password policy


def test_without_a_password_policy_there_is_none_to_get_or_delete() -> None:
    iam = Asked()
    for operation in ("GetAccountPasswordPolicy", "DeleteAccountPasswordPolicy"):
        with refused(NoSuchEntity, NO_POLICY):
            iam(operation)


def test_a_password_policy_is_answered_with_its_defaults() -> None:
    iam = Asked()
    iam("UpdateAccountPasswordPolicy")
    assert iam("GetAccountPasswordPolicy")["PasswordPolicy"] == {
        "MinimumPasswordLength": 6,
        "RequireSymbols": False,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
        "HardExpiry": False,
    }


def test_a_password_policy_is_replaced_as_a_whole_and_deleted() -> None:
    iam = Asked()
    iam(
        "UpdateAccountPasswordPolicy",
        MinimumPasswordLength=14,
        RequireSymbols=True,
        MaxPasswordAge=90,
        PasswordReusePrevention=5,
        HardExpiry=True,
    )
    told = iam("GetAccountPasswordPolicy")["PasswordPolicy"]
    assert (told["ExpirePasswords"], told["MaxPasswordAge"], told["PasswordReusePrevention"]) == (True, 90, 5)
    assert (told["MinimumPasswordLength"], told["RequireSymbols"], told["HardExpiry"]) == (14, True, True)
    iam("UpdateAccountPasswordPolicy", RequireNumbers=True)
    told = iam("GetAccountPasswordPolicy")["PasswordPolicy"]
    assert (told["MinimumPasswordLength"], told["RequireNumbers"]) == (6, True)
    assert "MaxPasswordAge" not in told
    iam("DeleteAccountPasswordPolicy")
    with refused(NoSuchEntity, NO_POLICY):
        iam("GetAccountPasswordPolicy")


# ---- summary


def test_the_summary_has_every_key_that_the_model_knows() -> None:
    model = botocore.session.get_session().get_service_model("iam")
    summary = Asked()("GetAccountSummary")["SummaryMap"]
    assert set(summary) == set(model.shape_for("summaryKeyType").enum)
    assert all(type(value) is int for value in summary.values())


def test_the_summary_counts_what_is_there() -> None:
    iam = Asked(create_policy(), call("CreatePolicyVersion", {"policyArn": OWN, "policyDocument": "{}"}))
    iam("CreateUser", UserName="alice")
    iam("CreateLoginProfile", UserName="alice", Password="Correct-Horse-7", facts=HASH)
    for name in ("phone", "tablet"):
        iam("CreateVirtualMFADevice", VirtualMFADeviceName=name)
    serial_number = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
    codes: dict[str, Any] = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam("EnableMFADevice", UserName="alice", SerialNumber=serial_number, **codes, facts={"codes_right": True})
    summary = iam("GetAccountSummary")["SummaryMap"]
    assert (summary["Users"], summary["Policies"], summary["PolicyVersionsInUse"]) == (1, 1, 2)
    assert (summary["MFADevices"], summary["MFADevicesInUse"]) == (2, 1)
    assert (summary["AccountMFAEnabled"], summary["AccountPasswordPresent"]) == (0, 0)


@pytest.mark.parametrize("keys", [0, 1, 2])
def test_the_summary_says_whether_root_has_keys(keys: int) -> None:
    iam = Asked()
    for _ in range(keys):
        iam("CreateAccessKey")
    assert iam("GetAccountSummary")["SummaryMap"]["AccountAccessKeysPresent"] == min(keys, 1)


def test_the_summary_tells_the_version_of_tokens() -> None:
    iam = Asked()
    for version, told in (("v2Token", 2), ("v1Token", 1)):
        iam("SetSecurityTokenServicePreferences", GlobalEndpointTokenVersion=version)
        assert iam("GetAccountSummary")["SummaryMap"]["GlobalEndpointTokenVersion"] == told


# ---- features of organizations


@pytest.mark.parametrize("feature", ["RootCredentialsManagement", "RootSessions"])
def test_an_account_outside_of_an_organization_has_none_of_its_features(feature: str) -> None:
    iam = Asked()
    for operation in (
        f"EnableOrganizations{feature}",
        f"DisableOrganizations{feature}",
        "ListOrganizationsFeatures",
    ):
        with refused(OrganizationNotFound, "No organization is associated with your account."):
            iam(operation)


# ---- outbound federation


def test_outbound_federation_is_told_and_disabled_where_it_was_enabled() -> None:
    iam = Asked(call("EnableOutboundWebIdentityFederation", {}))
    assert iam("GetOutboundWebIdentityFederationInfo") == {"JwtVendingEnabled": True}
    iam("DisableOutboundWebIdentityFederation")
    for operation in ("GetOutboundWebIdentityFederationInfo", "DisableOutboundWebIdentityFederation"):
        with refused(FeatureDisabled, "Outbound web identity federation is disabled for your account."):
            iam(operation)
