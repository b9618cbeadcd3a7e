"""What belongs to the account itself: alias, password policy, switches."""

import pytest

from ledger.account.assumptions import Reason
from tests.ledger.told import call, given

alias = call("CreateAccountAlias", {"accountAlias": "acme"})
no_alias = call("DeleteAccountAlias", {"accountAlias": "acme"})


def test_an_alias_is_given_replaced_and_taken_away() -> None:
    told = given(alias, alias)
    assert told.settings["AccountAlias"] == {"AccountAlias": "acme", "MadeBy": 0}
    told.when(call("CreateAccountAlias", {"accountAlias": "acme-corp"}))
    assert told.settings["AccountAlias"]["MadeBy"] == 2
    assert told.when(no_alias).reasons == [Reason.ABSENT]
    assert "AccountAlias" not in given(alias, no_alias).settings


def test_what_a_password_policy_leaves_out_goes_back_to_its_default() -> None:
    strict = call(
        "UpdateAccountPasswordPolicy",
        {"minimumPasswordLength": 14, "requireSymbols": True, "maxPasswordAge": 90},
    )
    told = given(strict, strict)
    assert told.settings["PasswordPolicy"] == {
        "MinimumPasswordLength": 14,
        "RequireSymbols": True,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "MaxPasswordAge": 90,
        "HardExpiry": False,
        "MadeBy": 0,
    }
    told.when(call("UpdateAccountPasswordPolicy", None))
    assert told.settings["PasswordPolicy"]["MinimumPasswordLength"] == 6
    assert "MaxPasswordAge" not in told.settings["PasswordPolicy"]
    delete = call("DeleteAccountPasswordPolicy", None)
    assert "PasswordPolicy" not in told.when(delete).settings
    assert told.when(delete).reasons == [Reason.ABSENT]


@pytest.mark.parametrize(
    "feature",
    ["OrganizationsRootCredentialsManagement", "OrganizationsRootSessions", "OutboundWebIdentityFederation"],
)
def test_features_are_switched_on_and_off(feature: str) -> None:
    told = given(call(f"Enable{feature}", {}), call(f"Enable{feature}", {}))
    assert told.settings["Preferences"] == [{"Name": feature, "Value": "Enabled", "MadeBy": 0}]
    assert told.when(call(f"Disable{feature}", {})).settings["Preferences"] == []
    assert told.when(call(f"Disable{feature}", {})).reasons == [Reason.ABSENT]


def test_preferences_are_kept_by_their_names() -> None:
    told = given(call("SetSecurityTokenServicePreferences", {"globalEndpointTokenVersion": "v2Token"}))
    told.when(call("PutAccountProperties", {"properties": {"RoleManager/Enabled": "true"}}))
    assert told.settings["Preferences"] == [
        {"Name": "GlobalEndpointTokenVersion", "Value": "v2Token", "MadeBy": 0},
        {"Name": "RoleManager/Enabled", "Value": "true", "MadeBy": 1},
    ]
