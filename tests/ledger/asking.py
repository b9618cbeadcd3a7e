"""An account that is asked: each call is decided, recorded, and folded from its record, as the authority does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from typing import Any

import pytest

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.authority.recording import Surroundings, record_of, recorded
from ledger.iam.deciding import DECISIONS, Answer, Bearer, Call, Moment
from ledger.iam.operations import evolve
from ledger.iam.refusals import Refusal
from ledger.iam.sessions import SESSION_ACTIONS
from ledger.policy.request import caller_of
from ledger.record import read_record
from tests.ledger.output_shapes import check_output
from tests.ledger.told import ACCOUNT, NOON, given

ROOT_BEARER = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))
WHENCE = Surroundings("192.0.2.1", "aws-cli", "7a1c7f1e-0000-4000-8000-000000000001")


class Asked:
    """`call` answers the output, or raises the Refusal; `answer` is the whole Answer of the latest call."""

    def __init__(self, *history: dict[str, Any], by: Bearer = ROOT_BEARER) -> None:
        told = given(*history)
        self.account: Account = told.account
        self.position = told.position
        self.by = by
        self.time = NOON
        self.answer = Answer()
        self.record: dict[str, Any] = {}
        self._fresh = count(1)

    def __call__(
        self,
        operation: str,
        *,
        by: Bearer | None = None,
        facts: dict[str, Any] | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        service = next(it for it in ("iam", "sts", "ec2", "ecs") if f"{it}:{operation}" in DECISIONS)
        action = f"{service}:{operation}"
        asked = Call(action, parameters, by or self.by, facts or {})
        decision = DECISIONS[action]
        assert decision.on(self.account, asked)
        self.answer = decision.decide(self.account, asked, Moment(self.time, self._bytes))
        output = dict(self.answer.output)
        _check(action, output)
        read_only = operation.startswith(("Get", "List"))
        self.position += 1
        self.record = record_of(
            self.account,
            asked.by,
            action,
            at=self.time,
            event_id=f"01890000-0000-7000-8000-{self.position:012}",
            surroundings=WHENCE,
            read_only=read_only,
            request=recorded(parameters) | dict(self.answer.request_told),
            # Whose answer is a credential, CloudTrail writes down whatever the operation is called.
            response=None
            if read_only and action not in SESSION_ACTIONS
            else recorded(output, comma=service == "sts"),
        )
        self.record |= self.answer.extra
        change = Change(self.position, read_record(self.record), native=True)
        self.account = evolve(self.account.settled(), change)
        assert not self.account.noted, f"{action} had to assume {self.account.noted}"
        return output

    def _bytes(self, size: int) -> bytes:
        return sha256(str(next(self._fresh)).encode()).digest()[:size].ljust(size, b"x")


def _check(action: str, output: dict[str, Any]) -> None:
    """A session's token is made when its entry has a position, so no decision knows it."""
    if "Credentials" in output:
        output = {**output, "Credentials": {**output["Credentials"], "SessionToken": "made by the authority"}}
    check_output(action, output)


@contextmanager
def refused(kind: type[Refusal], message: str) -> Iterator[None]:
    """What stands within is refused with this very message."""
    with pytest.raises(kind) as told:
        yield
    assert told.value.message == message
