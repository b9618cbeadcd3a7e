"""A decision that was stored with a call is told with it; of what was imported there is none."""

from __future__ import annotations

from pathlib import Path

from api.answers import EventAnswer
from ledger.log import Log, open_engine
from projections.investigation import Investigation
from tests.api.conftest import Command
from tests.ledger.living import Living
from tests.ledger.told import ACCOUNT, ALLOW_TEXT, ROOT, call, create_user

OBJECT = "arn:aws:s3:::b/k"


def test_an_event_tells_the_decision_that_was_stored_with_it(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    log = Log(open_engine(str(path), create=True))
    living = Living(log)
    living.call(create_user(by=ROOT))
    request = {"userName": "alice", "policyName": "reads", "policyDocument": ALLOW_TEXT}
    living.call(call("PutUserPolicy", request, by=ROOT))
    alice = {
        "type": "IAMUser",
        "principalId": "AIDA0000000ALICE1",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
        "accountId": ACCOUNT,
        "userName": "alice",
    }
    living.call(call("GetObject", {"bucketName": "b"}, by=alice, source="s3.amazonaws.com"), OBJECT)
    living.import_(call("GetObject", {"bucketName": "b"}, by=alice, source="s3.amazonaws.com"))
    ask = Investigation(log)
    told = ask.event(f"{ACCOUNT}:2")
    EventAnswer.model_validate(told)
    stored = told["authorization"]
    assert (stored["decision"], stored["resource"]) == ("allowed", OBJECT)
    assert [grant["entry"] for grant in stored["statements"][0]["ways"][0]] == [1]
    assert ask.event(f"{ACCOUNT}:3")["authorization"] is None
    log.engine.dispose()
    shown = command("--db", path, "event", f"{ACCOUNT}:2").text
    assert "the decision that was stored with it" in shown
    assert "Allow by reads" in shown
