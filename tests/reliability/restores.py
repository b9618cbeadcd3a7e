"""R15: the ledger is lost, and goes on from last night's copy.

What the copy alone allows is held here: it is the beginning of what was lost, it goes on soundly, and nothing that was
given out in between (a session, an access key) acts as anybody. That something is missing no copy can know; that takes
somebody outside who saw a later head.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ledger.log import open_engine
from ledger.log.copying import copy_to
from tests.reliability.clients import iam_client
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, answering, free_port, kill, new_ledger, serve, started
from tests.reliability.soundness import looked_through, rebuilt_alike

TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    f'"Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}}}}]}}'
)
MAY_ASSUME = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}'
)


def gone_on_from_a_copy(folder: Path, sessions: int) -> Outcome:
    """A trial is a session that was opened after the copy, tried when another stands at its position."""
    outcome = Outcome()
    ledger, copy = folder / "ledger.sqlite", folder / "copy.sqlite"
    url = f"sqlite:///{ledger}"
    key, root_key = new_ledger(url)
    port = free_port()
    iam = iam_client(port, root_key)
    process = started(serve, url, key, port)
    answering(process, port)
    for name in ("weak", "strong"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="may", PolicyDocument=MAY_ASSUME)
    ann = iam_client(port, iam.create_access_key(UserName="ann")["AccessKey"], "sts")
    engine = open_engine(url)
    copy_to(engine, copy)
    engine.dispose()
    weak = [_assumed(ann, "weak", number) for number in range(sessions)]
    late_key = iam.create_access_key(UserName="ann")["AccessKey"]
    outcome.check(
        _acts_as(port, weak[0]).endswith("assumed-role/weak/s0"), "a session does not act as it should"
    )
    kill(process)
    lost = looked_through(url, ACCOUNT)

    for beside in ("-wal", "-shm"):
        (folder / f"ledger.sqlite{beside}").unlink(missing_ok=True)
    shutil.copyfile(copy, ledger)
    kept = looked_through(url, ACCOUNT)
    outcome.found(kept.wrong, "the copy")
    outcome.check(lost.leaves[: len(kept.leaves)] == kept.leaves, "the copy is no beginning of what was lost")
    process = started(serve, url, key, port)
    answering(process, port)
    strong = [_assumed(ann, "strong", number) for number in range(sessions)]
    for number, old in enumerate(weak):
        outcome.trials += 1
        now = _acts_as(port, old)
        outcome.check(now == "InvalidClientTokenId", f"a session of a lost entry acts as {now}")
        outcome.hit += _acts_as(port, strong[number]).endswith(f"assumed-role/strong/s{number}")
    outcome.check(_acts_as(port, late_key) == "InvalidClientTokenId", "a key of a lost entry works")
    kill(process)
    gone_on = looked_through(url, ACCOUNT, kept.leaves)
    outcome.found(gone_on.wrong, "gone on from the copy")
    outcome.found(rebuilt_alike(url), "gone on from the copy")
    outcome.counts["entries lost"] = len(lost.leaves) - len(kept.leaves)
    return outcome


def _assumed(sts: Any, role: str, number: int) -> dict[str, str]:
    told = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName=f"s{number}")
    credentials: dict[str, str] = told["Credentials"]
    return credentials


def _acts_as(port: int, credentials: dict[str, str]) -> str:
    """The ARN of whoever the credential makes one, or the error's code."""
    try:
        arn: str = iam_client(port, credentials, "sts").get_caller_identity()["Arn"]
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return arn
