"""Signing in over HTTP to a served ledger, with what comes of it used by boto3: users, root, devices, expired passwords."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import httpx
import pyotp
import pytest
import sqlalchemy as sa
import time_machine

from ledger.log import Log
from ledger.vault.attempts import FREE_FAILURES
from projections.permissions.verification import verify_decisions
from tests.api.living_server import PASSWORD, Account, LivingServer

EMAIL = "root@example.com"
ALICE = "Correct-horse-1"
OTHER = "Battery-staple-2"
ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
STEP = 30
INCORRECT = "Your authentication information is incorrect. Please try again."


@pytest.fixture(scope="module")
def server(either_server: LivingServer) -> LivingServer:
    return either_server


@pytest.fixture
def account(server: LivingServer) -> Account:
    return server.new_account()


@pytest.fixture
def clock() -> Iterator[Callable[[float], None]]:
    """Moves the time of the server and of the clients, which are of one process, on by so many seconds."""
    moved = [time_machine.travel(time.time(), tick=True)]
    traveller = moved[0].start()
    try:
        yield traveller.shift
    finally:
        moved[0].stop()


def post(account: Account, path: str = "", **told: Any) -> httpx.Response:
    body = {"account": account.id, **told}
    return httpx.post(f"{account.server.url}/v1/sign-in{path}", json=body, timeout=30)


def signed_in(account: Account, path: str = "", **told: Any) -> dict[str, str]:
    answer = post(account, path, **told)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def with_alice(account: Account, *, reset: bool = False, policy: str | None = ALL) -> Account:
    iam = account.client("iam")
    iam.create_user(UserName="alice")
    iam.create_login_profile(UserName="alice", Password=ALICE, PasswordResetRequired=reset)
    if policy is not None:
        iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy)
    return account


def new_device(iam: Any, clock: Callable[[float], None], name: str, **user: str) -> tuple[str, pyotp.TOTP]:
    """A virtual device, enabled; the time is then past the two codes that this took."""
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    device = pyotp.TOTP(made["Base32StringSeed"].decode())
    now = time.time()
    codes = {"AuthenticationCode1": device.at(now), "AuthenticationCode2": device.at(now + STEP)}
    iam.enable_mfa_device(SerialNumber=made["SerialNumber"], **codes, **user)
    clock(2 * STEP)
    return made["SerialNumber"], device


def latest(account: Account, name: str = "ConsoleLogin") -> dict[str, Any]:
    return next(one for one in reversed(account.records()) if one["eventName"] == name)


# -- users ------------------------------------------------------------------------------------------------------


def test_a_user_signs_in_and_the_session_calls_as_the_user(account: Account) -> None:
    session = signed_in(with_alice(account), user="alice", password=ALICE)
    assert session.keys() == {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    told = account.client("sts", session).get_caller_identity()
    assert told["Arn"] == f"arn:aws:iam::{account.id}:user/alice"
    account.client("iam", session).list_users()
    last = account.records()[-1]
    assert last["userIdentity"]["accessKeyId"] == session["AccessKeyId"]
    assert last["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
    assert last["sessionCredentialFromConsole"] == "true"


def test_the_name_is_compared_ignoring_case(account: Account) -> None:
    signed_in(with_alice(account), user="ALICE", password=ALICE)
    assert latest(account)["userIdentity"]["userName"] == "alice"


def test_the_record_is_that_of_the_console_and_names_the_key_alone(account: Account) -> None:
    session = signed_in(with_alice(account), user="alice", password=ALICE)
    record = latest(account)
    assert record["eventSource"] == "signin.amazonaws.com"
    assert record["eventType"] == "AwsConsoleSignIn"
    assert record["requestParameters"] is None
    assert record["responseElements"]["ConsoleLogin"] == "Success"
    assert record["responseElements"]["credentials"]["accessKeyId"] == session["AccessKeyId"]
    assert record["additionalEventData"] == {
        "LoginTo": f"{account.server.url}/v1/sign-in",
        "MobileVersion": "No",
        "MFAUsed": "No",
    }
    identity = record["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", "alice")
    assert "accessKeyId" not in identity
    written = str(account.records())
    for secret in (ALICE, session["SecretAccessKey"], session["SessionToken"]):
        assert secret not in written


def test_the_session_leads_back_to_the_sign_in(account: Account) -> None:
    session = signed_in(with_alice(account), user="alice", password=ALICE)
    account.client("iam", session).list_users()
    key = account.server.investigation.key(session["AccessKeyId"])
    hops = account.server.investigation.event(account.records()[-1]["eventID"])["who"]["chain"]
    assert [hop["type"] for hop in hops] == ["IAMUser", "Console"]
    assert hops[0]["openedBy"]["eventID"] == latest(account)["eventID"]
    assert (hops[1]["mfa"], hops[1]["assumed"]) == (False, [])
    assert key["owner"]["arn"] == f"arn:aws:iam::{account.id}:user/alice"


def test_a_session_lasts_twelve_hours(account: Account, clock: Callable[[float], None]) -> None:
    session = signed_in(with_alice(account), user="alice", password=ALICE)
    clock(43_200 - 60)
    account.client("sts", session).get_caller_identity()
    clock(61)
    with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
        account.client("sts", session).get_caller_identity()


def test_a_session_lasts_as_long_as_the_login_profile_says(account: Account) -> None:
    iam = with_alice(account).client("iam")
    iam.update_login_profile(UserName="alice", MaxSigninSessionDuration=3600)
    session = signed_in(account, user="alice", password=ALICE)
    ends = time.strptime(session["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
    began = time.strptime(latest(account)["eventTime"], "%Y-%m-%dT%H:%M:%SZ")
    assert time.mktime(ends) - time.mktime(began) == 3600


# -- who does not get in ----------------------------------------------------------------------------------------


def test_a_wrong_password_is_written_down(account: Account) -> None:
    answer = post(with_alice(account), user="alice", password="wrong")
    assert refused(answer) == (401, "AuthenticationFailed")
    assert answer.json()["detail"] == INCORRECT
    record = latest(account)
    assert record["errorMessage"] == "Failed authentication"
    assert record["responseElements"] == {"ConsoleLogin": "Failure"}
    assert record["userIdentity"]["userName"] == "alice"
    assert "arn" not in record["userIdentity"]


def test_a_name_that_nobody_has_is_hidden_and_answered_like_a_wrong_password(account: Account) -> None:
    answer = post(with_alice(account), user="my-passw0rd", password="x")
    assert refused(answer) == (401, "AuthenticationFailed")
    assert answer.json() == post(account, user="alice", password="wrong").json()
    record = account.records()[-2]
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "accountId": account.id,
        "accessKeyId": "",
        "userName": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    assert record["errorMessage"] == "No username found in supplied account"
    assert "my-passw0rd" not in str(account.records())


def test_who_has_no_password_cannot_sign_in(account: Account) -> None:
    account.client("iam").create_user(UserName="bob")
    assert refused(post(account, user="bob", password="x")) == (401, "AuthenticationFailed")


def test_a_deleted_password_is_none(account: Account) -> None:
    with_alice(account).client("iam").delete_login_profile(UserName="alice")
    assert refused(post(account, user="alice", password=ALICE)) == (401, "AuthenticationFailed")


def test_an_account_that_is_not_there_is_not_made_by_asking(account: Account) -> None:
    answer = httpx.post(
        f"{account.server.url}/v1/sign-in", json={"account": "999999999999", "user": "a", "password": "x"}
    )
    assert refused(answer) == (401, "AuthenticationFailed")
    assert "999999999999" not in account.server.log.account_ids()


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_who_guesses_has_to_wait_whether_or_not_there_is_such_a_user(
    account: Account, user: str, clock: Callable[[float], None]
) -> None:
    with_alice(account)
    for wait in (*[0] * FREE_FAILURES, 0, 1, 2, 4):  # seconds; the next is 8
        clock(wait)
        assert post(account, user=user, password="wrong").status_code == 401
    before = len(account.records())
    answer = post(account, user=user, password=ALICE)
    assert refused(answer) == (429, "TooManyAttempts")
    assert int(answer.headers["retry-after"]) >= 1
    assert len(account.records()) == before


@pytest.mark.parametrize(
    "told",
    [
        {"password": "a-secret"},
        {"user": "a", "email": EMAIL, "password": "a-secret"},
        {"user": "a"},
        {"user": "a", "password": "a-secret", "mfa": "123456"},
        {"user": "a", "password": "a-secret", "mfaCode": "a-secret-123"},
        {"user": "a", "password": "a-secret", "account": "12"},
        {"user": "", "password": "a-secret"},
        {"user": "a", "password": ["a-secret"]},
    ],
)
def test_what_is_no_sign_in_is_said_to_be_none_and_not_repeated(account: Account, told: dict) -> None:
    body = {"account": account.id, **told}
    answer = httpx.post(f"{account.server.url}/v1/sign-in", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "a-secret" not in answer.text
    assert "ConsoleLogin" not in [one["eventName"] for one in account.records()]


def test_only_json_is_read_and_not_too_much_of_it(account: Account) -> None:
    url = f"{account.server.url}/v1/sign-in"
    assert httpx.post(url, data={"user": "alice"}).status_code == 415
    assert httpx.post(url, json={"user": "a" * 10_000}).status_code == 413
    assert httpx.get(url).status_code == 405


# -- devices ----------------------------------------------------------------------------------------------------


def test_whoever_has_a_device_needs_its_code(account: Account, clock: Callable[[float], None]) -> None:
    iam = with_alice(account).client("iam")
    serial, device = new_device(iam, clock, "alice", UserName="alice")
    asked = post(account, user="alice", password=ALICE)
    assert refused(asked) == (401, "MfaCodeRequired")
    assert asked.json()["devices"] == [serial]
    checked = account.records()[-1]
    assert (checked["eventName"], checked["responseElements"]) == ("CheckMfa", {"CheckMfa": "Success"})
    assert checked["additionalEventData"] == {"MfaType": "Virtual MFA"}

    session = signed_in(account, user="alice", password=ALICE, mfaCode=device.now())
    more = latest(account)["additionalEventData"]
    assert (more["MFAUsed"], more["MFAIdentifier"]) == ("Yes", serial)
    account.client("iam", session).list_users()
    assert account.records()[-1]["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"


def test_a_code_is_good_once(account: Account, clock: Callable[[float], None]) -> None:
    _, device = new_device(with_alice(account).client("iam"), clock, "alice", UserName="alice")
    code = device.now()
    signed_in(account, user="alice", password=ALICE, mfaCode=code)
    again = post(account, user="alice", password=ALICE, mfaCode=code)
    assert refused(again) == (401, "AuthenticationFailed")
    assert latest(account)["additionalEventData"]["MFAUsed"] == "Yes"
    clock(STEP)
    signed_in(account, user="alice", password=ALICE, mfaCode=device.now())


def test_a_wrong_password_uses_up_no_code(account: Account, clock: Callable[[float], None]) -> None:
    _, device = new_device(with_alice(account).client("iam"), clock, "alice", UserName="alice")
    code = device.now()
    assert post(account, user="alice", password="wrong", mfaCode=code).status_code == 401
    signed_in(account, user="alice", password=ALICE, mfaCode=code)


def test_of_several_devices_one_is_named(account: Account, clock: Callable[[float], None]) -> None:
    iam = with_alice(account).client("iam")
    first, _ = new_device(iam, clock, "one", UserName="alice")
    second, device = new_device(iam, clock, "two", UserName="alice")
    asked = post(account, user="alice", password=ALICE, mfaCode=device.now())
    assert asked.json()["devices"] == [first, second]
    assert account.records()[-1]["additionalEventData"] == {"MfaType": "Multiple MFA Devices"}
    signed_in(account, user="alice", password=ALICE, mfaCode=device.now(), mfaSerial=second)


def test_the_device_of_another_does_not_help(account: Account, clock: Callable[[float], None]) -> None:
    iam = with_alice(account).client("iam")
    iam.create_user(UserName="bob")
    new_device(iam, clock, "alice", UserName="alice")
    bobs, device = new_device(iam, clock, "bob", UserName="bob")
    told = post(account, user="alice", password=ALICE, mfaCode=device.now(), mfaSerial=bobs)
    assert refused(told) == (401, "AuthenticationFailed")


def test_codes_are_not_guessed(account: Account, clock: Callable[[float], None]) -> None:
    _, device = new_device(with_alice(account).client("iam"), clock, "alice", UserName="alice")
    good = {device.at(int(time.time()) + STEP * step) for step in range(-2, 3)}
    wrong = next(
        code for code in ("000000", "000001", "000002", "000003", "000004", "000005") if code not in good
    )
    for wait in (*[0] * FREE_FAILURES, 0, 1, 2, 4):  # seconds; the next is 8
        clock(wait)
        assert post(account, user="alice", password=ALICE, mfaCode=wrong).status_code == 401
    told = post(account, user="alice", password=ALICE, mfaCode=device.now())
    assert refused(told) == (429, "TooManyAttempts")


# -- passwords that have to be changed --------------------------------------------------------------------------


def test_a_password_that_has_to_be_changed_opens_no_session(account: Account) -> None:
    told = post(with_alice(account, reset=True), user="alice", password=ALICE)
    assert refused(told) == (403, "PasswordResetRequired")
    assert latest(account)["responseElements"] == {"ConsoleLogin": "Failure"}
    session = signed_in(account, "/password", user="alice", password=ALICE, newPassword=OTHER)
    account.client("iam", session).list_users()
    changed = latest(account, "ChangePassword")
    assert (changed["eventSource"], changed["userIdentity"]["userName"]) == ("iam.amazonaws.com", "alice")
    assert refused(post(account, user="alice", password=ALICE)) == (401, "AuthenticationFailed")
    signed_in(account, user="alice", password=OTHER)


def test_whom_nothing_lets_change_the_password_cannot(account: Account) -> None:
    with_alice(account, reset=True, policy=None)
    told = post(account, "/password", user="alice", password=ALICE, newPassword=OTHER)
    assert refused(told) == (403, "AccessDenied")
    assert "because no identity-based policy allows the iam:ChangePassword action" in told.json()["detail"]


def test_the_password_policy_lets_users_change_their_own(account: Account) -> None:
    iam = with_alice(account, reset=True, policy=None).client("iam")
    iam.update_account_password_policy(AllowUsersToChangePassword=True, MinimumPasswordLength=14)
    short = post(account, "/password", user="alice", password=ALICE, newPassword="Short-1")
    assert refused(short) == (400, "PasswordPolicyViolation")
    signed_in(account, "/password", user="alice", password=ALICE, newPassword=OTHER)


def test_the_right_password_is_needed_to_change_it(account: Account) -> None:
    told = post(with_alice(account), "/password", user="alice", password="wrong", newPassword=OTHER)
    assert refused(told) == (401, "AuthenticationFailed")
    assert "ChangePassword" not in [one["eventName"] for one in account.records()]


def test_the_code_is_needed_to_change_the_password(account: Account, clock: Callable[[float], None]) -> None:
    _, device = new_device(with_alice(account).client("iam"), clock, "alice", UserName="alice")
    told = {"user": "alice", "password": ALICE, "newPassword": OTHER}
    assert refused(post(account, "/password", **told)) == (401, "MfaCodeRequired")
    signed_in(account, "/password", **told, mfaCode=device.now())
    assert latest(account)["additionalEventData"]["MFAUsed"] == "Yes"


def test_an_old_password_expires_and_can_be_changed(account: Account, clock: Callable[[float], None]) -> None:
    iam = with_alice(account).client("iam")
    iam.update_account_password_policy(MaxPasswordAge=1)
    signed_in(account, user="alice", password=ALICE)
    clock(86_400)
    assert refused(post(account, user="alice", password=ALICE)) == (403, "PasswordExpired")
    signed_in(account, "/password", user="alice", password=ALICE, newPassword=OTHER)
    signed_in(account, user="alice", password=OTHER)


def test_after_a_hard_expiry_only_an_administrator_helps(
    account: Account, clock: Callable[[float], None]
) -> None:
    iam = with_alice(account).client("iam")
    iam.update_account_password_policy(MaxPasswordAge=1, HardExpiry=True)
    clock(86_400)
    assert refused(post(account, user="alice", password=ALICE)) == (403, "PasswordHardExpired")
    told = post(account, "/password", user="alice", password=ALICE, newPassword=OTHER)
    assert refused(told) == (403, "PasswordHardExpired")
    account.client("iam").update_login_profile(UserName="alice", Password=OTHER)
    signed_in(account, user="alice", password=OTHER)


# -- root -------------------------------------------------------------------------------------------------------


def test_root_signs_in_by_its_address(account: Account) -> None:
    session = signed_in(account, email="ROOT@example.com", password=PASSWORD)
    told = account.client("sts", session).get_caller_identity()
    assert told["Arn"] == f"arn:aws:iam::{account.id}:root"
    assert latest(account)["userIdentity"]["type"] == "Root"


def test_an_address_that_is_not_roots_is_refused(account: Account) -> None:
    told = post(account, email="someone@example.com", password=PASSWORD)
    assert refused(told) == (401, "AuthenticationFailed")
    assert "someone@example.com" not in str(account.records())


def test_root_changes_its_password(account: Account, clock: Callable[[float], None]) -> None:
    told = {"email": EMAIL, "password": PASSWORD}
    assert refused(post(account, "/password", **told, newPassword="short")) == (
        400,
        "PasswordPolicyViolation",
    )
    assert latest(account, "PasswordUpdated")["responseElements"] == {"PasswordUpdated": "Failure"}
    clock(100)
    signed_in(account, "/password", **told, newPassword=OTHER)
    assert latest(account, "PasswordUpdated")["responseElements"] == {"PasswordUpdated": "Success"}
    assert refused(post(account, **told)) == (401, "AuthenticationFailed")
    standing, _ = account.server.authority.look(account.id)
    profile = standing.settings.login_profile
    assert profile is not None
    assert profile.password_date is not None
    assert profile.password_date >= time.time() - 60


def test_root_with_a_device_can_do_nothing_without_it_but_what_leads_to_it(
    account: Account, clock: Callable[[float], None]
) -> None:
    iam, before = account.client("iam"), signed_in(account, email=EMAIL, password=PASSWORD)
    serial, device = new_device(iam, clock, "root", UserName="root")
    message = "because the root user has an MFA device and did not use it for the iam:ListUsers action"
    for credentials in (None, before):  # the key, and the session from before there was a device
        with pytest.raises(botocore.exceptions.ClientError, match=message):
            account.client("iam", credentials).list_users()
    assert iam.list_mfa_devices()["MFADevices"][0]["SerialNumber"] == serial
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        iam.deactivate_mfa_device(SerialNumber=serial)

    by_token = account.client("sts").get_session_token(SerialNumber=serial, TokenCode=device.now())
    account.client("iam", by_token["Credentials"]).list_users()
    clock(STEP)
    assert refused(post(account, email=EMAIL, password=PASSWORD)) == (401, "MfaCodeRequired")
    session = signed_in(account, email=EMAIL, password=PASSWORD, mfaCode=device.now())
    account.client("iam", session).list_users()
    account.client("iam", session).delete_access_key(AccessKeyId=account.key["AccessKeyId"])
    found = account.server.investigation.findings(account=account.id)
    assert [one["title"] for one in found if one["kind"] == "mfa-added"] == ["root got a new MFA device"]


# -- and what is left of it -------------------------------------------------------------------------------------


def test_every_decision_comes_out_the_same_again(server: LivingServer) -> None:
    """Of all the accounts of this module."""
    log = Log(server.log.engine)
    verified = verify_decisions(log, log.account_ids())
    assert verified.stored > 0
    assert verified.divergences == []


def test_the_findings_tell_of_root_and_of_who_came_without_a_device(account: Account) -> None:
    signed_in(with_alice(account), user="alice", password=ALICE)
    signed_in(account, email=EMAIL, password=PASSWORD)
    post(account, user="alice", password="wrong")
    found = account.server.investigation.findings(account=account.id)
    kinds = {one["kind"]: one for one in found}
    assert {"root-used", "root-has-key", "root-signed-in", "sign-in-without-mfa", "sign-ins-failed"} <= set(
        kinds
    )
    assert kinds["root-signed-in"]["severity"] == "high"


def stored(engine: sa.Engine) -> Iterator[bytes]:
    """Every value of every table; on SQLite what else is in its files, too."""
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        for table in tables.sorted_tables:
            for value in (value for row in connection.execute(sa.select(table)) for value in row):
                yield value if isinstance(value, bytes) else str(value).encode()
    if engine.dialect.name == "sqlite":
        file = Path(str(engine.url.database))
        yield from (one.read_bytes() for one in file.parent.glob(f"{file.name}*"))


def test_nothing_secret_is_in_the_database(account: Account) -> None:
    session = signed_in(with_alice(account), user="alice", password=ALICE)
    raw = b"\n".join(stored(account.server.log.engine))
    assert account.id.encode() in raw
    for secret in (ALICE, PASSWORD, session["SecretAccessKey"], session["SessionToken"]):
        assert secret.encode() not in raw
