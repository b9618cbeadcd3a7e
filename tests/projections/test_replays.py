"""What-if, coverage and suggestions on short histories whose truth can be read off them."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.entry import Draft, Origin
from ledger.log import Log, open_engine
from ledger.policy.grammar import PolicyKind, check_document
from ledger.record import read_record
from projections.investigation import Investigation
from projections.permissions.suggesting import policy_for
from projections.vocabulary import BadFilter, UnknownName
from tests.ledger.told import ACCOUNT, NOON, OWN, ROOT, call, create_group, create_policy, create_user

Document = dict[str, Any]
Ledger = Callable[..., Investigation]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    numbers = count()

    def made(*records: Document) -> Investigation:
        log = Log(open_engine(str(tmp_path / f"{next(numbers)}.sqlite"), create=True))
        log.append([Draft.of(read_record(one), Origin("records.json")) for one in records])
        return Investigation(log)

    return made


def policy(action: str, resource: str = "*", effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def user(name: str = "alice", key: str = "AKIAALICE0000001") -> Document:
    return {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper():0>12}1",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "userName": name,
        "accessKeyId": key,
    }


def key(name: str, key_id: str, **more: Any) -> Document:
    made = {"userName": name, "accessKeyId": key_id, "status": "Active"}
    return call("CreateAccessKey", {"userName": name}, {"accessKey": made}, **more)


def inline(name: str, text: str, **more: Any) -> Document:
    return call("PutUserPolicy", {"userName": name, "policyName": "own", "policyDocument": text}, **more)


def get(key_name: str = "k", *, by: Document, at: int, **more: Any) -> Document:
    request = {"bucketName": "books", "key": key_name}
    return call("GetObject", request, by=by, at=at, source="s3.amazonaws.com", **more)


def whys(told: Document) -> dict[str, tuple[str, bool]]:
    return {one["entry"]["eventID"]: (one["why"], one["transitive"]) for one in told["calls"]}


BEGINNING = [
    create_user(by=ROOT, at=NOON, event_id="user"),
    key("alice", "AKIAALICE0000001", by=ROOT, at=NOON + 1, event_id="key"),
    inline("alice", policy("*"), by=ROOT, at=NOON + 2, event_id="grant"),
]


# -- what-if ----------------------------------------------------------------------------------------------------


def test_a_grant_that_was_not_made_allows_nothing(ledger: Ledger) -> None:
    told = ledger(*BEGINNING, get(by=user(), at=NOON + 10, event_id="use")).what_if(["grant"])
    assert whys(told) == {"use": ("denied", False)}
    (one,) = told["calls"]
    assert (one["before"], one["after"]) == ("allowed", "implicitDeny")
    (number,) = one["questions"][0]["noLonger"]
    assert told["statements"][number]["grants"][0]["eventID"] == "grant"


def test_a_user_or_key_that_was_not_made_calls_nothing(ledger: Ledger) -> None:
    asked = ledger(*BEGINNING, get(by=user(), at=NOON + 10, event_id="use"))
    assert whys(asked.what_if(["key"])) == {"use": ("noKey", False)}
    assert whys(asked.what_if(["user"])) == {
        "key": ("noEntity", False),
        "grant": ("noEntity", False),
        "use": ("noUser", False),
    }


def test_what_hangs_on_a_lost_call_is_lost_with_it(ledger: Ledger) -> None:
    bob = user("bob", "AKIABOB000000001")
    asked = ledger(
        *BEGINNING,
        create_user("bob", by=user(), at=NOON + 10, event_id="bob"),
        key("bob", "AKIABOB000000001", by=user(), at=NOON + 11, event_id="bob's key"),
        inline("bob", policy("s3:*"), by=user(), at=NOON + 12, event_id="bob's grant"),
        get(by=bob, at=NOON + 20, event_id="bob's use"),
    )
    told = asked.what_if(["grant"])
    assert whys(told) == {
        "bob": ("denied", False),
        "bob's key": ("noEntity", True),
        "bob's grant": ("noEntity", True),
        "bob's use": ("noUser", True),
    }
    assert told["calls"][-1]["because"]["eventID"] == "bob"
    assert (told["totals"]["lost"], told["totals"]["transitive"]) == (4, 3)


def test_denied_and_failed_calls_are_not_lost(ledger: Ledger) -> None:
    asked = ledger(
        *BEGINNING,
        get(by=user(), at=NOON + 10, error="AccessDenied"),
        get(by=user(), at=NOON + 11, error="NoSuchKey"),
    )
    assert asked.what_if(["grant"])["calls"] == []


def test_a_denial_that_was_taken_away_would_have_allowed(ledger: Ledger) -> None:
    asked = ledger(
        *BEGINNING,
        call(
            "PutUserPolicy",
            {"userName": "alice", "policyName": "stop", "policyDocument": policy("s3:*", effect="Deny")},
            by=ROOT,
            at=NOON + 5,
            event_id="stop",
        ),
        get(by=user(), at=NOON + 10, error="AccessDenied", event_id="refused"),
    )
    told = asked.what_if(["stop"])
    assert whys(told) == {"refused": ("allowed", False)}
    assert told["totals"]["allowed"] == 1


def test_a_change_that_leads_to_the_same_end_is_judged_by_what_was_before(ledger: Ledger) -> None:
    """The grant that is left out was replaced by the call itself: afterwards both accounts are the same."""
    asked = ledger(*BEGINNING, inline("alice", policy("s3:*"), by=user(), at=NOON + 10, event_id="own"))
    assert whys(asked.what_if(["grant"])) == {"own": ("denied", False)}


def test_a_clean_up_tells_what_it_would_have_broken(ledger: Ledger, tmp_path: Path) -> None:
    asked = ledger(
        *BEGINNING,
        get(by=user(), at=NOON + 10, event_id="before"),
        get(by=user(), at=NOON + 30, event_id="after"),
    )
    stop = {"userName": "alice", "accessKeyId": "AKIAALICE0000001", "status": "Inactive"}
    file = tmp_path / "clean-up.ndjson"
    file.write_bytes(orjson.dumps(call("UpdateAccessKey", stop, by=ROOT, at=NOON + 20)) + b"\n")
    told = asked.what_if(file=file)
    assert whys(told) == {"after": ("keyInactive", False)}
    assert told["calls"][0]["because"]["eventName"] == "UpdateAccessKey"
    file.write_bytes(orjson.dumps(call("UpdateAccessKey", stop, by=ROOT, at=NOON + 90)))
    told = asked.what_if(file=file)
    assert (told["calls"], told["replayed"]) == ([], 0)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (call("ListUsers", {}, by=ROOT, at=NOON + 5), "none of its 1 records changes an account"),
        (
            call("DetachUserPolicy", {"userName": "alice", "policyArn": OWN}, by=ROOT, at=NOON + 5),
            "nothing",
        ),
        (call("DeleteUserPolicy", {"userName": "alice", "policyName": "x"}, by=ROOT, at=NOON + 5), "nothing"),
        (
            inline("nobody", policy("*"), by=ROOT, at=NOON + 5),
            "there was no arn:aws:iam::111122223333:user/nobody",
        ),
        ({"no": "record"}, "not-a-log"),
        (call("PutUserPolicy", {}, recipientAccountId="999988887777"), "no account 999988887777"),
    ],
)
def test_records_that_mean_nothing_there_are_refused(
    ledger: Ledger, tmp_path: Path, record: Document, told: str
) -> None:
    asked = ledger(*BEGINNING, get(by=user(), at=NOON + 10))
    file = tmp_path / "with.json"
    file.write_bytes(
        orjson.dumps(record | ({"recipientAccountId": "999988887777"} if "9999" in told else {}))
    )
    with pytest.raises(BadFilter, match=told):
        asked.what_if(file=file)


def test_events_that_changed_nothing_or_are_not_there_are_refused(ledger: Ledger) -> None:
    asked = ledger(*BEGINNING, get(by=user(), at=NOON + 10, event_id="use"))
    with pytest.raises(BadFilter, match="changed no account"):
        asked.what_if(["use"])
    with pytest.raises(UnknownName, match="no event 'other'"):
        asked.what_if(["other"])
    with pytest.raises(BadFilter, match="say what"):
        asked.what_if()


# -- coverage ---------------------------------------------------------------------------------------------------


def used(told: Document) -> dict[tuple[str, int], tuple[str, int, int]]:
    return {
        (one["policy"], one["index"]): (one["use"], one["decisive"], one["shared"])
        for one in told["statements"]
    }


def test_a_statement_decides_alone_or_shares(ledger: Ledger) -> None:
    group = {"groupName": "devs", "policyName": "group", "policyDocument": policy("s3:Get*")}
    asked = ledger(
        *BEGINNING[:2],
        create_group(by=ROOT, at=NOON + 2),
        call("AddUserToGroup", {"groupName": "devs", "userName": "alice"}, by=ROOT, at=NOON + 3),
        call("PutGroupPolicy", group, by=ROOT, at=NOON + 4),
        get(by=user(), at=NOON + 10),
        inline("alice", policy("s3:*"), by=ROOT, at=NOON + 20),
        get(by=user(), at=NOON + 30),
        get(by=user(), at=NOON + 31, error="AccessDenied"),
    )
    assert used(asked.coverage()) == {("group", 0): ("decisive", 1, 1), ("own", 0): ("shadowed", 0, 1)}
    assert used(asked.coverage(since=NOON + 25)) == {
        ("group", 0): ("shadowed", 0, 1),
        ("own", 0): ("shadowed", 0, 1),
    }


def test_what_nobody_needed_tells_who_granted_it(ledger: Ledger) -> None:
    asked = ledger(
        *BEGINNING,
        create_policy(by=ROOT, at=NOON + 3, event_id="made"),
        call(
            "AttachUserPolicy", {"userName": "alice", "policyArn": OWN}, by=ROOT, at=NOON + 4, event_id="gave"
        ),
        call("ListUsers", {}, by=user(), at=NOON + 10),
    )
    (one,) = asked.coverage(unused=True)["statements"]
    assert (one["policyArn"], one["version"], one["use"], one["last"]) == (OWN, "v1", "never", None)
    assert [grant["eventID"] for grant in one["grants"]] == ["made", "gave"]


def test_a_version_that_is_no_longer_in_force_says_so(ledger: Ledger) -> None:
    version = {"policyArn": OWN, "policyDocument": policy("ec2:*"), "setAsDefault": True}
    asked = ledger(
        *BEGINNING[:2],
        create_policy(by=ROOT, at=NOON + 3),
        call("AttachUserPolicy", {"userName": "alice", "policyArn": OWN}, by=ROOT, at=NOON + 4),
        get(by=user(), at=NOON + 10),
        call("CreatePolicyVersion", version, {"policyVersion": {"versionId": "v2"}}, by=ROOT, at=NOON + 20),
    )
    told = {one["version"]: (one["use"], one["inForce"]) for one in asked.coverage()["statements"]}
    assert told == {"v1": ("decisive", False), "v2": ("never", True)}


def test_a_denial_is_counted_by_what_it_refused(ledger: Ledger) -> None:
    asked = ledger(
        *BEGINNING[:2],
        inline("alice", policy("s3:*", effect="Deny"), by=ROOT, at=NOON + 2),
        get(by=user(), at=NOON + 10, error="AccessDenied"),
    )
    assert used(asked.coverage()) == {("own", 0): ("decisive", 1, 0)}


# -- suggestions ------------------------------------------------------------------------------------------------


def test_the_suggestion_is_what_allowed_calls_needed(ledger: Ledger) -> None:
    asked = ledger(
        *BEGINNING,
        get("a*b", by=user(), at=NOON + 10),
        call(
            "PutObject",
            {"bucketName": "books", "key": "a*b"},
            by=user(),
            at=NOON + 11,
            source="s3.amazonaws.com",
        ),
        get("refused", by=user(), at=NOON + 12, error="AccessDenied"),
        call("ListUsers", {}, by=user(), at=NOON + 13),
    )
    told = asked.suggest("alice")
    assert told["policy"]["Statement"] == [
        {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": f"arn:aws:iam::{ACCOUNT}:user/"},
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::books/a${*}b",
        },
    ]
    assert told["calls"] == 3


def test_under_the_suggestion_every_call_is_allowed_again(ledger: Ledger) -> None:
    calls = [
        get("a*b", by=user(), at=NOON + 10),
        get("x/${y}", by=user(), at=NOON + 11),
        *(get(f"many/{number}", by=user(), at=NOON + 12 + number) for number in range(4)),
        call("ListUsers", {}, by=user(), at=NOON + 20),
        call("DescribeInstances", {}, by=user(), at=NOON + 21, source="ec2.amazonaws.com"),
    ]
    for wildcards in (False, True):
        document = ledger(*BEGINNING, *calls).suggest("alice", wildcards=wildcards)["policy"]
        check_document(document, PolicyKind.IDENTITY)
        grant = inline("alice", orjson.dumps(document).decode(), by=ROOT, at=NOON + 3)
        again = ledger(*BEGINNING[:2], grant, *calls)
        assert again.coverage()["unexplained"] == 0
        assert len(again.what_if([grant["eventID"]])["calls"]) == len(calls)


def test_wildcards_stand_only_for_what_has_a_beginning_in_common() -> None:
    needs = [("s3:GetObject", f"arn:aws:s3:::b/x/{name}") for name in "abc"]
    needs += [(f"ec2:Describe{name}", "*") for name in ("Instances", "Volumes", "Images")]
    needs += [("s3:PutObject", "arn:aws:s3:::b/y/a"), ("ec2:RunInstances", "*")]
    plain, merged = policy_for(needs), policy_for(needs, wildcards=True)
    assert plain is not None and "*" not in str([one["Action"] for one in plain["Statement"]])
    assert merged is not None
    assert merged["Statement"] == [
        {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:RunInstances"], "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/x/*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/y/a"},
    ]


def test_what_is_guessed_is_told_as_uncertain(ledger: Ledger) -> None:
    run = {"instancesSet": {"items": [{"minCount": 1}]}}
    asked = ledger(*BEGINNING, call("RunInstances", run, by=user(), at=NOON + 10, source="ec2.amazonaws.com"))
    told = asked.suggest("alice")
    assert {one["action"] for one in told["uncertain"]} == {"ec2:RunInstances"}
    assert all(one["guess"] for one in told["uncertain"])


def test_who_is_not_there_or_has_no_policies_gets_none(ledger: Ledger) -> None:
    asked = ledger(*BEGINNING)
    with pytest.raises(UnknownName, match="'nobody'"):
        asked.suggest("nobody")
    with pytest.raises(BadFilter, match="Root"):
        asked.suggest("root")
