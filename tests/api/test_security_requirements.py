"""What is required of the door and the log for security, point by point: tested here, or elsewhere by the test named.

Source: IAM and CloudTrail user guides; botocore's models, whose `sensitive` members are secrets.
"""

import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from api.aws import models
from api.aws.models import Shape
from ledger.authority.hiding import MESSAGE_BYTES_MAX, OMITTED, REQUEST_BYTES_MAX, kept
from ledger.authority.recording import recorded
from ledger.iam.refusals import ValidationError
from ledger.log import Log
from ledger.redaction import HIDDEN
from projections.export.signing_keys import NoSigningKey, make_key_file, read_keys
from tests.api.asking_services import signed_headers
from tests.api.hostile import Hostile, send
from tests.api.living_server import Account, LivingServer, living_server
from tests.api.signing import Wish, presigned
from tests.api.test_spoilt_requests import on_the_wire

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = {
    "every signature of AWS's own vectors is recomputed": "tests/api/test_signature_vectors.py::test_every_signature_of_the_suite_is_accepted",
    "what is doubled or unsigned is refused": "tests/api/test_signature.py::test_every_header_of_aws_must_be_signed_but_a_token",
    "one changed byte is refused": "tests/api/test_spoilt_requests.py::test_a_request_that_was_changed_on_its_way_is_not_accepted",
    "a signature is good for a quarter of an hour": "tests/api/test_signature.py::test_a_signature_is_good_for_fifteen_minutes_before_and_after",
    "… or for as long as is set, at every door": "tests/api/test_signature_window.py::test_the_window_is_as_set_wherever_a_signature_is_taken",
    "a presigned one for as long as it says": "tests/api/test_signature.py::test_a_presigned_request_lasts_as_long_as_it_says",
    "… which is a week at most": "tests/api/test_signature.py::test_it_lasts_a_week_at_most",
    "the body's hash is verified": "tests/api/test_signature.py::test_the_body_s_hash_is_held_against_the_body",
    "bodies that are not signed are refused": "tests/api/test_signature.py::test_bodies_that_are_not_signed_whole_are_refused",
    "… but for those of S3's reads, which have none": "tests/api/test_signature.py::test_but_that_of_a_read_of_s3_is_of_no_account",
    "secrets are sealed in their place": "tests/ledger/test_vault_store.py::test_rows_that_were_exchanged_do_not_open",
    "a wrong key of the vault is refused": "tests/ledger/test_vault_store.py::test_a_wrong_key_is_refused_at_opening",
    "a missing one too": "tests/ledger/test_vault_keys.py::test_without_a_key_there_is_none",
    "rotation makes no new secrets": "tests/ledger/test_vault_keys.py::test_a_wrapped_key_goes_from_one_key_to_the_next_and_the_secret_stays_sealed",
    "session tokens are sealed": "tests/ledger/test_vault_keys.py::test_a_changed_token_is_none",
    "… and outlive a rotation of keys": "tests/ledger/test_vault_keys.py::test_a_token_outlives_a_rotation_while_its_key_is_in_the_ring",
    "… and go with their own session alone": "tests/ledger/test_presented_sessions.py::test_a_token_is_good_for_no_other",
    "passwords are hashed as strongly as is asked today": "tests/ledger/test_vault_store.py::test_a_password_that_was_hashed_with_less_is_hashed_anew",
    "nobody's password costs as much": "tests/ledger/test_vault_store.py::test_to_ask_for_nobody_s_password_costs_as_much",
    "guessing is slow by where it comes from": "tests/ledger/test_attempts_by_source.py::test_who_guesses_at_many_has_to_wait_longer_each_time",
    "… also over HTTP": "tests/api/test_sign_in_by_source.py::test_who_guesses_at_many_names_is_heard_no_more_and_others_are",
    "… and whom a call is from nobody but a trusted proxy says": "tests/api/test_proxies.py::test_nobody_s_word_counts_unless_they_are_trusted",
    "unknown callers are counted, and leave no entry": "tests/api/test_unknown_callers.py::test_each_call_is_counted_once_and_leaves_no_entry",
    "… by a number of counters that nothing they send changes": "tests/api/test_unknown_callers.py::test_there_are_as_many_counters_as_reasons_whatever_is_sent",
    "slow clients keep nobody out": "tests/api/test_connections.py::test_who_only_holds_connections_open_keeps_nobody_out",
    "guessing is slow": "tests/ledger/test_vault_store.py::test_who_guesses_passwords_waits_longer_each_time",
    "a code may be a step early or late": "tests/ledger/test_vault_store.py::test_a_code_may_be_one_step_early_or_late",
    "a code is good once": "tests/api/test_codes_once.py::test_each_code_is_accepted_once_of_eight_at_once",
    "a device is enabled by two codes in a row": "tests/ledger/test_vault_store.py::test_two_codes_must_be_in_a_row",
    "a secret is shown once": "tests/api/test_secrets_stay_secret.py::test_a_secret_is_shown_once_and_stands_nowhere_else",
    "what botocore calls sensitive is redacted": "tests/ledger/test_redaction.py::test_every_member_that_botocore_calls_sensitive_is_hidden",
    "the database refuses to change entries": "tests/ledger/test_every_log.py::test_the_database_refuses_to_change_what_is_written",
    "… and on PostgreSQL whoever serves is not its owner": "tests/api/test_service_role.py::test_postgresql_itself_refuses_to_change_what_is_written",
    "what can't be written has not happened": "tests/ledger/test_turns.py::test_what_can_not_be_written_has_not_happened",
    "a record can't steer a terminal": "tests/api/test_cli_events.py::test_a_record_can_not_steer_the_terminal",
    "what is told to programs is a line of JSON each": "tests/projections/test_export.py::test_ndjson_is_one_canonical_line_for_each_entry",
    "files of the log are read by those who may": "tests/api/aws/test_s3.py::test_permission_is_asked_for_and_every_read_is_recorded",
    "the key of digests is its owner's alone": "tests/api/test_cli_delivering.py::test_a_key_that_others_can_read_signs_nothing",
    "… and can be changed": "tests/api/test_cli_delivering.py::test_a_rotated_key_signs_next_and_the_first_stays",
    "… and lost": "tests/projections/test_delivery.py::test_a_key_that_was_lost_is_needed_only_to_write_again",
    "the key of checkpoints is its owner's alone": "tests/ledger/test_checkpoints.py::test_the_key_is_in_a_file_of_its_owner",
    "… and no other's": "tests/ledger/test_checkpoints.py::test_what_is_no_key_of_a_ledger_is_refused_and_not_repeated",
    "… and can be changed or lost": "tests/ledger/test_checkpoints.py::test_a_new_key_goes_on_where_the_old_one_ended",
    "no cell of CSV is a formula": "tests/projections/test_export.py::test_no_cell_of_a_table_is_a_formula",
}  # fmt: skip


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_it_is_tested_elsewhere(where: str) -> None:
    file, _, name = where.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    assert name in {it.name for it in tree.body if isinstance(it, ast.FunctionDef)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingServer]:
    with living_server(f"sqlite:///{tmp_path_factory.mktemp('required') / 'ledger.sqlite'}") as living:
        yield living


@pytest.fixture
def account(server: LivingServer) -> Account:
    return server.new_account()


def code_of(failed: pytest.ExceptionInfo[ClientError]) -> str:
    return failed.value.response["Error"]["Code"]


def allow(account: Account, user: str, *actions: str, **condition: Any) -> None:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*", **condition}
    document = orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
    account.client("iam").put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)


def user_key(account: Account, name: str) -> dict[str, str]:
    iam = account.client("iam")
    iam.create_user(UserName=name)
    key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
    return key


# ---- signatures and credentials


def test_a_replay_is_accepted_within_its_time_and_is_an_entry_of_its_own(
    server: LivingServer, account: Account
) -> None:
    """As AWS does; what changes something is refused the second time by what it changed."""
    port = int(server.url.rpartition(":")[2])
    key = (account.key["AccessKeyId"], account.key["SecretAccessKey"])
    query = "Action=CreateUser&Version=2010-05-08&UserName=once"
    wish = Wish(method="GET", query=query, body=b"", key=key, host=f"127.0.0.1:{port}")
    wire = on_the_wire(presigned(wish))
    assert [send(port, Hostile("replay", wire, 1)).status for _ in range(2)] == [200, 409]
    told = [it.get("errorCode") for it in account.records() if it["eventName"] == "CreateUser"]
    assert told == [None, "EntityAlreadyExistsException"]


def test_an_unknown_key_and_a_wrong_secret_are_told_apart_as_aws_does(account: Account) -> None:
    begun = len(account.records())
    for wrong, code in (
        ({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}, "InvalidClientTokenId"),
        ({"SecretAccessKey": "x" * 40}, "SignatureDoesNotMatch"),
        ({"SessionToken": "ilt1_" + "A" * 200}, "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError) as failed:
            account.client("iam", {**account.key, **wrong}).list_users()
        assert code_of(failed) == code
    assert len(account.records()) == begun  # nobody is known to have called


def test_a_key_that_was_switched_off_or_deleted_works_no_more(account: Account) -> None:
    key = user_key(account, "alice")
    allow(account, "alice", "iam:ListUsers")
    iam = account.client("iam")
    account.client("iam", key).list_users()
    iam.update_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError) as failed:
        account.client("iam", key).list_users()
    assert code_of(failed) == "InvalidClientTokenId"
    iam.update_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"], Status="Active")
    account.client("iam", key).list_users()
    iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    with pytest.raises(ClientError) as failed:
        account.client("iam", key).list_users()
    assert code_of(failed) == "InvalidClientTokenId"


def test_sessions_are_revoked_by_the_time_of_their_issue(account: Account) -> None:
    """Source: IAM user guide, "Revoke IAM role temporary security credentials"."""
    key, iam = user_key(account, "alice"), account.client("iam")
    allow(account, "alice", "sts:AssumeRole")
    trust = {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=orjson.dumps({"Version": "2012-10-17", "Statement": trust}).decode())["Role"]["Arn"]  # fmt: skip
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    put = lambda statements: iam.put_role_policy(  # noqa: E731
        RoleName="r", PolicyName="p",
        PolicyDocument=orjson.dumps({"Version": "2012-10-17", "Statement": statements}).decode(),
    )  # fmt: skip
    put([everything])
    opened = account.client("sts", key).assume_role(RoleArn=role, RoleSessionName="alice")["Credentials"]
    account.client("iam", opened).list_users()
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    before = {"Condition": {"DateLessThan": {"aws:TokenIssueTime": later}}}
    put([everything, {"Effect": "Deny", "Action": "*", "Resource": "*", **before}])
    with pytest.raises(ClientError) as failed:
        account.client("iam", opened).list_users()
    assert code_of(failed) == "AccessDenied"


# ---- what records hold


def _sensitive(shape: Shape, within: frozenset[Shape] = frozenset()) -> Iterator[str]:
    for name, member in shape.members.items():
        if member.sensitive:
            yield name
        elif member not in within:
            yield from _sensitive(member, within | {member})
    if shape.item is not None:
        yield from _sensitive(shape.item, within)


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_no_sensitive_member_of_the_model_is_recorded(service: str) -> None:
    found = set()
    for name in models.service(service).operation_names:
        operation = models.service(service).operation(name)
        assert operation is not None
        found |= {*_sensitive(operation.input), *_sensitive(operation.output)}
    by_hand = {"TokenCode", "AuthenticationCode1", "AuthenticationCode2", "SessionToken"}
    assert found
    for member in found | by_hand:
        assert b"canary" not in orjson.dumps(recorded({member: "canary", "In": [{member: "canary"}]})), member


def test_a_session_is_recorded_with_its_key_and_never_its_secret(account: Account) -> None:
    """Nor its token, which AWS records. Source: IAM user guide, "Logging IAM and AWS STS API calls with CloudTrail"."""
    account.client("sts", user_key(account, "alice")).get_session_token()
    told = account.records()[-1]["responseElements"]["credentials"]
    assert told.keys() == {"accessKeyId", "expiration"}


def test_what_fails_is_kept_without_secrets_and_within_bounds() -> None:
    token = "ilt1_" + "A" * 180
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    document = {
        "errorCode": ValidationError.recorded,
        "errorMessage": f"{token} {pem} {'é' * MESSAGE_BYTES_MAX}",
        "requestParameters": {"policyDocument": "x" * REQUEST_BYTES_MAX},
    }
    told = kept(document, "iam:CreateUser")
    assert told["requestParameters"] == OMITTED
    assert told["errorMessage"].startswith(f"{HIDDEN} {HIDDEN} é")
    assert MESSAGE_BYTES_MAX - 2 < len(told["errorMessage"].encode()) <= MESSAGE_BYTES_MAX
    short = {**document, "requestParameters": {"userName": token, "path": "/a/"}}
    assert kept(short, "iam:CreateUser")["requestParameters"] == {"userName": HIDDEN, "path": "/a/"}


def test_what_the_account_is_folded_from_stays_as_it_was_answered() -> None:
    done = {"requestParameters": {"tags": [{"key": "password", "value": "of the door"}]}}
    assert kept(done, "iam:TagUser") == done
    assert kept({**done, "errorCode": "NoSuchEntityException"}, "iam:TagUser") != done


def test_a_code_that_is_none_is_not_repeated(account: Account) -> None:
    with pytest.raises(ClientError) as failed:
        account.client("sts").get_session_token(SerialNumber="a" * 9, TokenCode="canary-code")
    assert "'tokenCode'" in str(failed.value)
    assert "canary" not in str(failed.value)
    assert b"canary" not in orjson.dumps(account.records())


# ---- who may read the log, and who may change it


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("LookupEvents", {}),
        ("GetTrailStatus", {"Name": "iam-ledger"}),
        ("DescribeTrails", {}),
        ("ListTrails", {}),
        ("ListPublicKeys", {}),
    ],
)
def test_reading_the_log_needs_a_permission_and_is_in_the_log(
    account: Account, operation: str, words: dict[str, str]
) -> None:
    """S3's reads of what was delivered: tests/api/aws/test_s3.py."""
    key = user_key(account, "alice")
    read_log = getattr(account.client("cloudtrail", key), xform_name(operation))
    with pytest.raises(ClientError) as failed:
        read_log(**words)
    assert code_of(failed) in ("AccessDenied", "AccessDeniedException")
    allow(account, "alice", f"cloudtrail:{operation}")
    read_log(**words)
    read = [it for it in account.records() if it["eventName"] == operation]
    assert [it.get("errorCode") for it in read] == ["AccessDenied", None]
    assert all(it["readOnly"] for it in read)
    assert {it["userIdentity"]["userName"] for it in read} == {"alice"}


def test_nobody_reads_another_account_s_log(server: LivingServer, account: Account) -> None:
    other = server.new_account()
    other.client("iam").create_user(UserName="of-the-other")
    told = account.client("cloudtrail").lookup_events()["Events"]
    assert told
    assert {orjson.loads(it["CloudTrailEvent"])["recipientAccountId"] for it in told} == {account.id}


def test_a_stranger_s_call_makes_no_account(server: LivingServer) -> None:
    before = server.log.account_ids()
    for operation in (
        "Action=AssumeRoleWithWebIdentity&RoleSessionName=xx&WebIdentityToken=a.b.c",
        "Action=AssumeRoleWithSAML&PrincipalArn=arn:aws:iam::999999999999:saml-provider/x&SAMLAssertion=AAAA",
    ):
        body = f"{operation}&Version=2011-06-15&RoleArn=arn:aws:iam::999999999999:role/x"
        answered = httpx.post(f"{server.url}/", content=body)
        assert answered.status_code == 400
        assert "InvalidIdentityToken" in answered.text
    assert server.log.account_ids() == before


def test_a_stranger_s_call_of_an_account_is_in_its_log(server: LivingServer, account: Account) -> None:
    body = "Action=AssumeRoleWithWebIdentity&RoleSessionName=xx&WebIdentityToken=a.b.c&Version=2011-06-15"
    httpx.post(f"{server.url}/", content=f"{body}&RoleArn=arn:aws:iam::{account.id}:role/x")
    assert account.records()[-1]["eventName"] == "AssumeRoleWithWebIdentity"


def test_no_face_of_the_log_changes_or_deletes_events(server: LivingServer) -> None:
    key, url = server.new_account().key, f"{server.url}/openapi.json"
    answered = httpx.get(url, headers=signed_headers(key, "GET", url, service="iam-ledger"))
    methods = {(path, method) for path, told in answered.json()["paths"].items() for method in told}
    posted = {path for path, method in methods if method != "get"}
    assert posted == {"/v1/authorize", "/v1/outcomes"}  # which append
    assert not [name for name in dir(Log) if name.startswith(("update", "delete", "remove", "erase"))]


def test_trails_can_not_be_stopped_here(account: Account) -> None:
    for operation in ("stop_logging", "delete_trail"):
        with pytest.raises(ClientError) as failed:
            getattr(account.client("cloudtrail"), operation)(Name="iam-ledger")
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    names = [it["eventName"] for it in account.records()]
    assert names[-2:] == ["StopLogging", "DeleteTrail"]  # and who tried is known


# ---- what exports are signed with


def test_digests_are_signed_with_a_key_of_128_bits_of_strength(tmp_path: Path) -> None:
    """And by no weaker than RSA allows today, whoever made it. Source: NIST SP 800-57 part 1, table 2."""
    file = tmp_path / "keys"
    make_key_file(file)
    made = load_pem_private_key(file.read_bytes(), None)
    assert isinstance(made, RSAPrivateKey)
    assert made.key_size == 3072
    weak = generate_private_key(65537, 1024)
    file.write_bytes(weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(NoSigningKey, match="no RSA key of 2048 bits or more"):
        read_keys(file)
