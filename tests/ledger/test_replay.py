"""The fold that follows a log, entry by entry: at every position it is the fold of all entries before."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.account.account import Account
from ledger.account.change import Change, Sighting
from ledger.account.replay import KEPT_EVERY, Replay
from ledger.account.sightings import SightingKey, sighting_key
from ledger.entry import NATIVE, Draft, Entry, Origin
from ledger.iam import FOLDED_ACTIONS
from ledger.record import read_record
from tests.ledger.told import (
    ACCOUNT,
    ALLOW_TEXT,
    DENY_TEXT,
    NOON,
    READ_ONLY,
    ROOT,
    call,
    create_group,
    create_policy,
    create_role,
    create_user,
    folded,
)

ALICE = {
    "type": "IAMUser",
    "principalId": "AIDA0000000ALICE1",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "userName": "alice",
    "accessKeyId": "AKIAALICE0000001",
}
FILE = Origin("a.json.gz", "ab" * 32)


def entry(position: int, document: dict[str, Any], origin: Origin = NATIVE) -> Entry:
    draft = Draft.of(read_record(document, account_id=ACCOUNT), origin)
    record = draft.record
    return Entry(ACCOUNT, position, 0, record.time, None, b"", b"", b"", origin, record.document)


def at_once(entries: list[Entry]) -> Account:
    """The slow, plain way: everything from the beginning."""
    events: list[Change | Sighting] = []
    seen: dict[SightingKey, Sighting] = {}
    for one in entries:
        record = one.record
        if record.action in FOLDED_ACTIONS and record.succeeded:
            events.append(Change(one.position, record, one.origin.native))
        key = sighting_key(record.identity, ACCOUNT)
        if key is not None and (key not in seen or one.time < seen[key].time):
            seen[key] = Sighting(one.position, one.time, record.identity)
    return folded([*events, *seen.values()])


operations = st.sampled_from(
    [
        lambda **how: create_user(**how),
        lambda **how: create_user("bob", **how),
        lambda **how: create_group(**how),
        lambda **how: create_role(**how),
        lambda **how: create_policy(**how),
        lambda **how: call("DeleteUser", {"userName": "alice"}, **how),
        lambda **how: call("AddUserToGroup", {"userName": "alice", "groupName": "devs"}, **how),
        lambda **how: call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}, **how),
        lambda **how: call("DetachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}, **how),
        lambda **how: call("ListUsers", {}, **how),
        lambda **how: call("UpdateUser", {"userName": "alice", "newUserName": "eve"}, **how),
        lambda **how: call(
            "PutUserPolicy", {"userName": "alice", "policyName": "p", "policyDocument": ALLOW_TEXT}, **how
        ),
        lambda **how: call(
            "PutUserPolicy", {"userName": "alice", "policyName": "p", "policyDocument": DENY_TEXT}, **how
        ),
    ]
)
histories = st.lists(
    st.tuples(
        operations,
        st.integers(0, 6),  # the second
        st.sampled_from([ROOT, ALICE]),
        st.sampled_from([NATIVE, FILE]),
        st.sampled_from([None, None, None, "AccessDenied"]),
    ),
    max_size=14,
)


@settings(max_examples=200)
@given(histories, st.sets(st.integers(0, 14)))
def test_at_every_position_it_is_the_fold_of_all_entries_before(told: list[Any], looked_at: set[int]) -> None:
    entries = [
        entry(position, operation(at=NOON + second, by=by, error=error), origin)
        for position, (operation, second, by, origin, error) in enumerate(told)
    ]
    replay = Replay(ACCOUNT)
    for position, one in enumerate(entries):
        if position in looked_at:  # what was looked at before must change nothing
            assert replay.account == at_once(entries[:position])
        replay.take(one)
    assert replay.position == len(entries)
    assert replay.account == at_once(entries)


def test_a_late_entry_takes_a_long_fold_back() -> None:
    entries = [
        entry(position, create_user(f"user{position}", at=NOON + position, by=ROOT))
        for position in range(3 * KEPT_EVERY)
    ]
    entries += [
        entry(len(entries), call("DeleteUser", {"userName": "user1"}, at=NOON + 5, by=ROOT), FILE),
        entry(len(entries) + 1, create_user("late", at=NOON - 5, by=ALICE), FILE),
    ]
    replay = Replay(ACCOUNT)
    for one in entries:
        replay.take(one)
        assert replay.account.settings.id == ACCOUNT  # looked at each time
    assert replay.account == at_once(entries)
    assert replay.account.user_named("user1") is None
    assert replay.account.user_named("late") is not None


def test_no_entry_is_left_out() -> None:
    replay = Replay(ACCOUNT)
    with pytest.raises(ValueError, match="expected entry 0"):
        replay.take(entry(1, create_user()))
