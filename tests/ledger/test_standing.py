"""The account that follows the log is, wherever it looks, the fold of all that is in the log."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.account.replay import Replay
from ledger.authority import standing as room
from ledger.authority.standing import Standing
from ledger.entry import NATIVE, Draft, Origin
from ledger.log import Log, open_engine
from ledger.record import read_record
from tests.ledger.told import ACCOUNT, NOON, READ_ONLY, call, create_group, create_user

FILE = Origin("a.json.gz", "ab" * 32)
ALICE = {
    "type": "IAMUser",
    "principalId": "AIDA0000000ALICE1",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "userName": "alice",
    "accessKeyId": "AKIAALICE0000001",
}

OTHER_KEY = {"accessKeyId": "AKIAALICE0000002"}
RENAMED = {"arn": f"arn:aws:iam::{ACCOUNT}:user/eve", "userName": "eve"}

operations = st.sampled_from(
    [
        lambda **how: create_user(**how),
        lambda **how: create_user("bob", **how),
        lambda **how: create_group(**how),
        lambda **how: call("DeleteUser", {"userName": "alice"}, **how),
        lambda **how: call("AddUserToGroup", {"userName": "alice", "groupName": "devs"}, **how),
        lambda **how: call("AttachUserPolicy", {"userName": "alice", "policyArn": READ_ONLY}, **how),
        lambda **how: call("UpdateUser", {"userName": "alice", "newUserName": "eve"}, **how),
        lambda **how: call("ListUsers", {}, **how),
        lambda **how: call("ListUsers", {}, **how | {"by": ALICE}),
        lambda **how: call("ListUsers", {}, **how | {"by": ALICE | OTHER_KEY}),
        lambda **how: call("ListUsers", {}, **how | {"by": ALICE | RENAMED}),
        lambda **how: call("ListUsers", {}, **how | {"by": ALICE | RENAMED | OTHER_KEY}),
        lambda **how: call("CreateUser", {"userName": "eve"}, **how | {"error": "AccessDenied"}),
    ]
)
native = st.tuples(operations, st.integers(0, 1), st.just(NATIVE))
imported = st.tuples(operations, st.integers(-2, 1), st.just(FILE))
histories = st.lists(st.lists(st.one_of(native, native, imported), min_size=1, max_size=6), max_size=6)


@given(histories, st.sampled_from([2, 1_000]))
@settings(max_examples=60, deadline=None)
def test_it_is_the_fold_of_the_log_however_the_log_grew(history: list, read_anew_from: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = Log(open_engine(f"sqlite:///{Path(folder) / 'a.db'}", create=True))
        replay, following = Replay(ACCOUNT), Standing(ACCOUNT)
        now, number, before = NOON, 0, room.READ_ANEW_FROM
        room.READ_ANEW_FROM = read_anew_from
        try:
            for batch in history:
                drafts = []
                for operation, step, origin in batch:
                    number += 1
                    if origin is NATIVE:
                        now += step
                    at = now if origin is NATIVE else now + step
                    document = operation(at=at, event_id=f"e{number:05}")
                    drafts.append(Draft.of(read_record(document), origin))
                log.append(drafts)
                for entry in log.read(ACCOUNT, replay.position):
                    replay.take(entry)
                with log.turn(ACCOUNT) as turn:
                    following.catch_up(turn)
                assert following.position == replay.position
                assert following.account == replay.account
            log.engine.dispose()
        finally:
            room.READ_ANEW_FROM = before
