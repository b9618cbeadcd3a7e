"""Access keys: what is answered and what is refused."""

from ledger.iam.deciding import Bearer, Forget, Keep, SecretKind
from ledger.iam.refusals import InvalidInput, LimitExceeded, NoSuchEntity, ValidationError
from ledger.policy.request import caller_of
from tests.ledger.asking import Asked, refused
from tests.ledger.told import ACCOUNT, NOON

NOBODYS = "AKIAIOSFODNN7EXAMPLE"
MISSING = f"The Access Key with id {NOBODYS} cannot be found."
ROLE = Bearer(caller_of(f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/me", unique_id="AROADEPLOY000001"))


def with_alice() -> Asked:
    iam = Asked()
    iam("CreateUser", UserName="alice")
    return iam


def alice_herself(iam: Asked) -> Bearer:
    user = iam.account.user_named("alice")
    assert user is not None
    return Bearer(caller_of(user.arn, unique_id=user.id))


def test_a_new_key_is_answered_with_its_secret_and_the_vault_keeps_that() -> None:
    iam = with_alice()
    key = iam("CreateAccessKey", UserName="alice")["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA")
    assert len(key["AccessKeyId"]) == 20
    assert len(key["SecretAccessKey"]) == 40
    assert (key["UserName"], key["Status"], key["CreateDate"]) == ("alice", "Active", NOON)
    assert iam.answer.secrets == (Keep(SecretKind.ACCESS_KEY, key["AccessKeyId"], key["SecretAccessKey"]),)


def test_the_record_of_a_new_key_holds_no_secret() -> None:
    iam = with_alice()
    secret = iam("CreateAccessKey", UserName="alice")["AccessKey"]["SecretAccessKey"]
    assert secret not in str(iam.record)
    assert "secret" not in str(iam.record["responseElements"]).lower()


def test_a_user_has_two_keys_and_inactive_ones_count() -> None:
    iam = with_alice()
    first = iam("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
    iam("CreateAccessKey", UserName="alice")
    iam("UpdateAccessKey", UserName="alice", AccessKeyId=first, Status="Inactive")
    with refused(LimitExceeded, "Cannot exceed quota for AccessKeysPerUser: 2"):
        iam("CreateAccessKey", UserName="alice")


def test_root_has_two_keys_of_its_own() -> None:
    iam = with_alice()
    iam("CreateAccessKey", UserName="alice")
    for _ in range(2):
        iam("CreateAccessKey")
    with refused(LimitExceeded, "Cannot exceed quota for AccessKeysPerUser: 2"):
        iam("CreateAccessKey")
    assert len(iam("ListAccessKeys")["AccessKeyMetadata"]) == 2
    assert len(iam("ListAccessKeys", UserName="alice")["AccessKeyMetadata"]) == 1


def test_without_a_name_it_is_the_callers_key() -> None:
    iam = with_alice()
    herself = alice_herself(iam)
    key = iam("CreateAccessKey", by=herself)["AccessKey"]
    assert key["UserName"] == "alice"
    assert iam("ListAccessKeys", by=herself) == iam("ListAccessKeys", UserName="alice")
    iam("DeleteAccessKey", by=herself, AccessKeyId=key["AccessKeyId"])
    assert iam("ListAccessKeys", by=herself)["AccessKeyMetadata"] == []


def test_a_role_session_must_name_a_user() -> None:
    with refused(ValidationError, "Must specify userName when calling with non-User credentials"):
        Asked(by=ROLE)("DeleteAccessKey", AccessKeyId=NOBODYS)


def test_keys_are_listed_in_the_order_of_their_making_without_secrets() -> None:
    iam = with_alice()
    made = [iam("CreateAccessKey", UserName="alice")["AccessKey"] for _ in range(2)]
    page = iam("ListAccessKeys", UserName="alice", MaxItems=1)
    assert page["IsTruncated"]
    rest = iam("ListAccessKeys", UserName="alice", Marker=page["Marker"])
    listed = page["AccessKeyMetadata"] + rest["AccessKeyMetadata"]
    assert listed == [
        {name: key[name] for name in ("UserName", "AccessKeyId", "Status", "CreateDate")} for key in made
    ]


def test_a_key_is_switched_off_and_on_again() -> None:
    iam = with_alice()
    key_id = iam("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
    for status in ("Inactive", "Active"):
        iam("UpdateAccessKey", UserName="alice", AccessKeyId=key_id, Status=status)
        assert iam("ListAccessKeys", UserName="alice")["AccessKeyMetadata"][0]["Status"] == status
    with refused(InvalidInput, "The status Expired cannot be set."):
        iam("UpdateAccessKey", UserName="alice", AccessKeyId=key_id, Status="Expired")


def test_a_deleted_key_is_forgotten_and_is_deleted_once() -> None:
    iam = with_alice()
    key_id = iam("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
    iam("DeleteAccessKey", UserName="alice", AccessKeyId=key_id)
    assert iam.answer.secrets == (Forget(SecretKind.ACCESS_KEY, key_id),)
    with refused(NoSuchEntity, f"The Access Key with id {key_id} cannot be found."):
        iam("DeleteAccessKey", UserName="alice", AccessKeyId=key_id)


def test_a_key_of_somebody_else_is_not_found() -> None:
    iam = with_alice()
    iam("CreateUser", UserName="bob")
    key_id = iam("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
    with refused(NoSuchEntity, f"The Access Key with id {key_id} cannot be found."):
        iam("UpdateAccessKey", UserName="bob", AccessKeyId=key_id, Status="Inactive")
    with refused(NoSuchEntity, f"The Access Key with id {key_id} cannot be found."):
        iam("DeleteAccessKey", UserName="bob", AccessKeyId=key_id)


def test_the_user_is_looked_for_before_the_key() -> None:
    iam = with_alice()
    missing = "The user with name bob cannot be found."
    with refused(NoSuchEntity, missing):
        iam("CreateAccessKey", UserName="bob")
    with refused(NoSuchEntity, missing):
        iam("ListAccessKeys", UserName="bob")
    with refused(NoSuchEntity, missing):
        iam("UpdateAccessKey", UserName="bob", AccessKeyId=NOBODYS, Status="Active")
    with refused(NoSuchEntity, missing):
        iam("DeleteAccessKey", UserName="bob", AccessKeyId=NOBODYS)
    with refused(NoSuchEntity, MISSING):
        iam("UpdateAccessKey", UserName="alice", AccessKeyId=NOBODYS, Status="Active")
