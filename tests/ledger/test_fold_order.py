"""The order within one second: told by positions where the ledger wrote, else found by assuming least."""

from itertools import permutations
from time import perf_counter

import pytest

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.fold import OutOfOrder, fold
from ledger.record import read_record
from tests.ledger.told import (
    ACCOUNT,
    ALLOW_TEXT,
    DENY_TEXT,
    NOON,
    OWN,
    READ_ONLY,
    call,
    create_group,
    create_key,
    create_policy,
    create_profile,
    create_role,
    create_user,
    folded,
    imported,
    steps,
)

ROLE = {"roleName": "deploy"}
attach = call("AttachRolePolicy", ROLE | {"policyArn": READ_ONLY})
detach = call("DetachRolePolicy", ROLE | {"policyArn": READ_ONLY})
put = call("PutRolePolicy", ROLE | {"policyName": "own", "policyDocument": ALLOW_TEXT})
remove = call("DeleteRolePolicy", ROLE | {"policyName": "own"})
delete = call("DeleteRole", ROLE)
place = call("AddRoleToInstanceProfile", ROLE | {"instanceProfileName": "web"})
unplace = call("RemoveRoleFromInstanceProfile", ROLE | {"instanceProfileName": "web"})
join = call("AddUserToGroup", {"userName": "alice", "groupName": "devs"})
leave = call("RemoveUserFromGroup", {"userName": "alice", "groupName": "devs"})


def actions(events: list[Change], account: Account | None = None) -> list[str]:
    return [step.cause.record.action[4:] for step in steps(events, account) if isinstance(step.cause, Change)]


SECONDS = {
    "a role is made and armed": [create_role(), put, attach, create_profile(), place],
    "a role is disarmed and deleted": [create_role(), put, attach, remove, detach, delete],
    "a policy is made, attached, detached and deleted": [
        create_policy(),
        create_user(),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}),
        call("DetachUserPolicy", {"userName": "alice", "policyArn": OWN}),
        call("DeletePolicy", {"policyArn": OWN}),
    ],
    "a group comes and goes": [
        create_user(),
        create_group(),
        join,
        leave,
        call("DeleteGroup", {"groupName": "devs"}),
    ],
    "a key is made, switched off and deleted by its id": [
        create_user(),
        create_key(),
        call("UpdateAccessKey", {"accessKeyId": "AKIAALICE0000001", "status": "Inactive"}),
        call("DeleteAccessKey", {"accessKeyId": "AKIAALICE0000001"}),
    ],
    "a user is renamed and then used": [
        create_user(),
        call("UpdateUser", {"userName": "alice", "newUserName": "ann"}),
        call("AttachUserPolicy", {"userName": "ann", "policyArn": READ_ONLY}),
    ],
}


@pytest.mark.parametrize("name", SECONDS)
def test_every_order_of_one_second_is_read_as_the_one_that_assumes_nothing(name: str) -> None:
    records = SECONDS[name]
    accounts = [folded(imported(order)) for order in list(permutations(records))[:150]]
    assert {account.assumptions for account in accounts} == {0}
    assert all(
        by_event(account, order) == by_event(accounts[0], records)
        for account, order in zip(accounts, list(permutations(records))[:150], strict=True)
    )


def by_event(account: Account, records: object) -> object:
    """The state with the entries by their event ids, for positions differ with the order of import."""
    ids = {at: record["eventID"] for at, record in enumerate(records)}  # type: ignore[arg-type,var-annotated]

    def named(value: object) -> object:
        if isinstance(value, dict):
            return {
                key: ids.get(it, it) if key.endswith("By") or key == "MadeBy" else named(it)
                for key, it in value.items()
            }
        return [named(it) for it in value] if isinstance(value, list) else value

    return named(account.to_document())


def test_a_role_that_is_replaced_gets_the_grants_that_are_meant_for_the_new_one() -> None:
    before = folded(imported([create_role(), attach]))
    second = [
        create_role(number=2, at=NOON + 1),
        *(it | {"eventTime": "2023-11-14T22:13:21Z"} for it in (put, detach, delete)),
    ]
    for order in permutations(second):
        account = folded(imported(order), before)
        role = account.role_named("deploy")
        assert role is not None
        assert role.id == "AROA000000DEPLOY2"
        assert list(role.inline) == ["own"]
        assert account.assumptions == 0


def test_a_role_that_is_replaced_though_something_hung_on_it_is_deleted_first() -> None:
    before = folded(imported([create_role(), attach]))
    second = [
        create_role(number=2, at=NOON + 1),
        *(it | {"eventTime": "2023-11-14T22:13:21Z"} for it in (put, delete)),
    ]
    for order in permutations(second):
        account = folded(imported(order), before)
        assert [(role.id, list(role.inline)) for role in account.roles.values()] == [
            ("AROA000000DEPLOY2", ["own"])
        ]
        assert account.assumptions == 1  # the attachment that went with the old one


def test_a_hole_in_the_log_stays_a_hole() -> None:
    account = folded(imported([create_role(), put, delete]))
    assert not account.roles
    assert [assumption.reason for assumption in account.noted] == [Reason.CASCADE]


def test_versions_of_one_second_come_by_their_numbers() -> None:
    def version(number: int, event_id: str) -> dict:
        request = {"policyArn": OWN, "policyDocument": DENY_TEXT, "setAsDefault": True}
        return call(
            "CreatePolicyVersion", request, {"policyVersion": {"versionId": f"v{number}"}}, event_id=event_id
        )

    policy = folded(imported([create_policy(), version(3, "a"), version(2, "b")])).policy(OWN)
    assert policy is not None
    assert policy.default is not None
    assert policy.default.version_id == "v3"


def native(records: list[dict], start: int = 0) -> list[Change]:
    return [
        Change(start + at, read_record(it, account_id=ACCOUNT), native=True) for at, it in enumerate(records)
    ]


def test_what_the_ledger_wrote_itself_goes_by_position() -> None:
    second = [create_role(), attach, detach, attach]
    assert actions(native(second)) == [
        "CreateRole",
        "AttachRolePolicy",
        "DetachRolePolicy",
        "AttachRolePolicy",
    ]
    assert actions(native(second)[::-1]) == actions(native(second))


def test_in_a_mixed_second_what_the_ledger_wrote_keeps_its_own_order() -> None:
    ours = native([put, remove, put], start=10)
    walked = actions([*imported([create_role()]), *ours])
    assert walked == ["CreateRole", "PutRolePolicy", "DeleteRolePolicy", "PutRolePolicy"]


def test_what_any_ledger_wrote_goes_by_its_event_ids() -> None:
    """So a log that is exported and imported again is read in the order in which it was written."""
    written = [create_role(), put, remove, put, remove, put]
    second = [it | {"eventID": f"018bcfe5-6880-7{at:03x}-8000-000000000000"} for at, it in enumerate(written)]
    assert actions(imported(second[::-1])) == [str(it["eventName"]) for it in written]
    assert by_event(folded(imported(second[::-1])), second[::-1]) == by_event(folded(native(second)), second)


def test_twins_of_one_event_id_are_told_apart_by_their_content() -> None:
    allow = put | {"eventID": "twin"}
    other = call("PutRolePolicy", ROLE | {"policyName": "own", "policyDocument": DENY_TEXT}, event_id="twin")
    one, two = (
        folded(imported(order)) for order in ([create_role(), allow, other], [create_role(), other, allow])
    )
    assert (
        one.roles["AROA000000DEPLOY1"].inline["own"].document
        == two.roles["AROA000000DEPLOY1"].inline["own"].document
    )


def test_the_same_record_twice_in_one_second_is_read_twice() -> None:
    assert actions(imported([create_role(), attach, attach])) == ["CreateRole", *["AttachRolePolicy"] * 2]


def test_failed_and_other_calls_make_no_step() -> None:
    failed = call("DeleteRole", ROLE, error="DeleteConflictException")
    other = call("GetRole", ROLE)
    assert actions(imported([create_role(), failed, other])) == ["CreateRole"]


def test_events_must_come_in_the_order_of_their_times() -> None:
    late, early = imported([create_role(at=NOON + 1), create_user(at=NOON)])
    with pytest.raises(OutOfOrder, match="sort events by time"):
        list(fold(Account.empty(ACCOUNT), [late, early]))


def test_a_fold_can_go_on_from_what_was_stored() -> None:
    events = imported(
        [create_role(), attach, create_user(at=NOON + 1), delete | {"eventTime": "2023-11-14T22:13:22Z"}]
    )
    whole = folded(events)
    half = folded(events[:2])
    stored = [(entity.kind, entity.id, half.document(entity)) for entity in half.entities()]
    assert folded(events[2:], Account.from_documents(ACCOUNT, stored)) == whole


def test_a_second_with_thousands_of_changes_takes_seconds_and_not_minutes() -> None:
    records = [create_role(f"r{at}") for at in range(700)]
    records += [call("AttachRolePolicy", {"roleName": f"r{at}", "policyArn": READ_ONLY}) for at in range(700)]
    records += [call("DetachRolePolicy", {"roleName": f"r{at}", "policyArn": READ_ONLY}) for at in range(700)]
    records += [call("DeleteRole", {"roleName": f"r{at}"}) for at in range(700)]
    records += [create_user("alice", number) for number in range(700)]  # nothing can make sense of these
    began = perf_counter()
    account = folded(imported(records[::-1]))
    assert perf_counter() - began < 30
    assert not account.roles
    assert account.assumptions == 699
