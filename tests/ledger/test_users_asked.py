"""Users: what is answered and what is refused."""

from ledger.iam.refusals import EntityAlreadyExists, NoSuchEntity
from tests.ledger.asking import Asked, refused
from tests.ledger.told import ACCOUNT, NOON


def test_a_new_user_is_answered_whole_and_is_there() -> None:
    iam = Asked()
    made = iam("CreateUser", UserName="alice", Path="/team/", Tags=[{"Key": "Team", "Value": "blue"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/alice"
    assert made["CreateDate"] == NOON
    assert iam("GetUser", UserName="ALICE")["User"] == made


def test_a_name_is_taken_whatever_its_case() -> None:
    iam = Asked()
    iam("CreateUser", UserName="alice")
    with refused(EntityAlreadyExists, "User with name Alice already exists."):
        iam("CreateUser", UserName="Alice")


def test_users_are_listed_by_name_a_page_at_a_time() -> None:
    iam = Asked()
    for name in ("carol", "Bob", "alice"):
        iam("CreateUser", UserName=name)
    page = iam("ListUsers", MaxItems=2)
    assert [user["UserName"] for user in page["Users"]] == ["alice", "Bob"]
    rest = iam("ListUsers", MaxItems=2, Marker=page["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == ["carol"]
    assert rest["IsTruncated"] is False


def test_who_has_something_left_is_not_deleted() -> None:
    iam = Asked()
    iam("CreateUser", UserName="alice")
    iam("DeleteUser", UserName="alice")
    with refused(NoSuchEntity, "The user with name alice cannot be found."):
        iam("DeleteUser", UserName="alice")
