"""Sessions: who opened which temporary credential, and as whom it acts."""

from pathlib import Path

from ledger.account.change import Change
from ledger.iam.sessions import Session, role_shown, session_began, session_opened
from ledger.record import read_identity, read_record
from tests.ledger.real import records_of
from tests.ledger.told import ACCOUNT, ADMIN, NOON, ROOT, call

ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/deploy"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
CREDENTIALS = {"accessKeyId": "ASIA000000000001", "expiration": "Nov 14, 2023, 11:13:20\u202fPM"}
ASSUMED = {"arn": SESSION, "assumedRoleId": "AROADEPLOY000001:ci"}


def opened(document: dict) -> Session | None:
    return session_opened(Change(7, read_record(document, account_id=ACCOUNT), native=False))


def sts(operation: str, request: dict | None, response: dict | None, **more: object) -> Session:
    session = opened(call(operation, request, response, source="sts.amazonaws.com", **more))  # type: ignore[arg-type]
    assert session is not None
    return session


def test_an_assumed_role_acts_as_the_role() -> None:
    session = sts(
        "AssumeRole",
        {
            "roleArn": ROLE,
            "roleSessionName": "ci",
            "externalId": "e-1",
            "serialNumber": "GAHT1",
            "sourceIdentity": "ann",
            "tags": [{"key": "team", "value": "red"}],
            "transitiveTagKeys": ["team"],
            "policyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
            "policy": '{"Version":"2012-10-17","Statement":[]}',
        },
        {"credentials": CREDENTIALS, "assumedRoleUser": ASSUMED},
    )
    assert (session.position, session.time, session.access_key_id) == (7, NOON, "ASIA000000000001")
    assert (session.arn, session.unique_id, session.account_id) == (ROLE, "AROADEPLOY000001", ACCOUNT)
    assert (session.session_arn, session.session_name) == (SESSION, "ci")
    assert (session.expiration, session.duration_seconds) == (NOON + 3600, 3600)
    assert (session.opened_by.arn, session.parent_access_key_id) == (ADMIN["arn"], "AKIAADMIN0000001")
    assert (session.mfa, session.serial_number) == (True, "GAHT1")
    assert (session.source_identity, session.external_id) == ("ann", "e-1")
    assert (session.tags, session.transitive_tag_keys) == ((("team", "red"),), ("team",))
    assert session.policy_arns == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert session.policy == {"Version": "2012-10-17", "Statement": []}
    assert (session.source_ip, session.user_agent) == ("192.0.2.1", "aws-cli")


def test_a_role_of_another_account_says_so() -> None:
    arn = "arn:aws:iam::999988887777:role/audit"
    session = sts("AssumeRole", {"roleArn": arn, "roleSessionName": "x"}, {"credentials": CREDENTIALS})
    assert session.account_id == "999988887777"
    assert session.session_arn == "arn:aws:sts::999988887777:assumed-role/audit/x"


def test_a_session_shows_its_role() -> None:
    request = {"roleArn": ROLE, "roleSessionName": "ci"}
    shown = role_shown(sts("AssumeRole", request, {"credentials": CREDENTIALS, "assumedRoleUser": ASSUMED}))
    assert shown is not None
    assert (shown.identity.arn, shown.identity.unique_id) == (ROLE, "AROADEPLOY000001")
    assert role_shown(sts("AssumeRole", request, {"credentials": CREDENTIALS})) is None


def test_saml_and_web_identities_name_who_vouched_and_for_whom() -> None:
    request = {"roleArn": ROLE, "principalArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"}
    response = {"credentials": CREDENTIALS, "assumedRoleUser": ASSUMED, "subject": "ann@corp"}
    saml = sts("AssumeRoleWithSAML", request, response, by={"type": "SAMLUser", "userName": "ann"})
    assert (saml.provider, saml.subject) == (request["principalArn"], "ann@corp")
    assert saml.session_name == "ci"
    response = {
        "credentials": CREDENTIALS,
        "assumedRoleUser": ASSUMED,
        "provider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/github",
        "subjectFromWebIdentityToken": "repo:acme/site",
    }
    web = sts("AssumeRoleWithWebIdentity", {"roleArn": ROLE, "roleSessionName": "ci"}, response)
    assert (web.provider, web.subject) == (response["provider"], "repo:acme/site")


def test_a_session_token_acts_as_its_caller() -> None:
    session = sts("GetSessionToken", {"serialNumber": "GAHT1"}, {"credentials": {"accessKeyId": "ASIA1"}})
    assert (session.arn, session.unique_id, session.mfa) == (ADMIN["arn"], "AIDAADMIN0000001", True)
    assert (session.duration_seconds, session.expiration) == (43_200, NOON + 43_200)


def test_a_federated_user_acts_for_its_caller_under_a_name_of_its_own() -> None:
    user = {"arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob", "federatedUserId": f"{ACCOUNT}:bob"}
    session = sts("GetFederationToken", {"name": "bob"}, {"credentials": CREDENTIALS, "federatedUser": user})
    assert (session.session_arn, session.session_name, session.arn) == (user["arn"], "bob", ADMIN["arn"])


def test_root_of_a_member_account_is_assumed_within_one_policy() -> None:
    task = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
    request = {"targetPrincipal": "999988887777", "taskPolicyArn": {"arn": task}}
    session = sts("AssumeRoot", request, {"credentials": {"accessKeyId": "ASIA1"}})
    assert (session.arn, session.unique_id) == ("arn:aws:iam::999988887777:root", "999988887777")
    assert (session.policy_arns, session.duration_seconds) == ((task,), 900)
    by_arn = sts("AssumeRoot", request | {"targetPrincipal": "arn:aws:iam::999988887777:root"}, {})
    assert by_arn.account_id == "999988887777"


def test_a_traded_token_acts_as_the_principal_that_the_response_names() -> None:
    session = sts("GetDelegatedAccessToken", {}, {"credentials": CREDENTIALS, "assumedPrincipal": ROLE})
    assert (session.arn, session.account_id) == (ROLE, ACCOUNT)


def signed_in(operation: str, by: dict, outcome: str, more: dict) -> dict:
    return call(
        operation,
        None,
        {operation: outcome},
        by=by,
        source="signin.amazonaws.com",
        eventType="AwsConsoleSignIn",
        additionalEventData=more,
    )


def test_a_console_login_opens_a_session_without_a_key() -> None:
    session = opened(signed_in("ConsoleLogin", ROOT, "Success", {"MFAUsed": "YES", "MFAIdentifier": "GAHT1"}))
    assert session is not None
    assert (session.access_key_id, session.mfa, session.serial_number) == (None, True, "GAHT1")
    assert (session.expiration, session.duration_seconds) == (None, None)
    assert opened(signed_in("ConsoleLogin", ROOT, "Failure", {})) is None


def test_a_switch_of_role_names_who_switched() -> None:
    role = {"type": "AssumedRole", "principalId": "AROADEPLOY000001:ci", "arn": SESSION, "accountId": ACCOUNT}
    session = opened(signed_in("SwitchRole", role, "Success", {"SwitchFrom": ADMIN["arn"]}))
    assert session is not None
    assert (session.opener_arn, session.session_arn) == (ADMIN["arn"], SESSION)


def test_what_failed_or_is_no_opening_opens_nothing() -> None:
    assert opened(call("AssumeRole", None, None, source="sts.amazonaws.com", error="AccessDenied")) is None
    assert opened(call("GetCallerIdentity", None, {}, source="sts.amazonaws.com")) is None


def test_a_session_nobody_saw_opened_tells_when_it_began() -> None:
    context = {"attributes": {"creationDate": "2023-11-14T22:13:20Z"}}
    assert session_began(read_identity({"type": "IAMUser", "sessionContext": context})) == NOON
    assert session_began(read_identity(ADMIN)) is None


def test_sessions_of_the_recorded_log(real_logs: Path) -> None:
    changes = [Change(at, read_record(it), native=False) for at, it in enumerate(records_of(real_logs))]
    sessions = [session for change in changes if (session := session_opened(change)) is not None]
    assert len([it for it in sessions if it.action == "sts:AssumeRole"]) == 36
    assert len([it for it in sessions if it.action == "signin:ConsoleLogin"]) == 2
    assert all(it.access_key_id and it.expiration for it in sessions if it.action == "sts:AssumeRole")
