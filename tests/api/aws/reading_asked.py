"""A ledger that is asked: each read is answered, held against botocore's model, and recorded, as the authority does."""

from __future__ import annotations

from itertools import count
from typing import Any

from api.aws.answers import READINGS
from ledger.account.account import Account
from ledger.authority.recording import record_of, recorded
from ledger.entry import Draft
from ledger.iam.deciding import Bearer, Call, Moment
from ledger.log import Log
from ledger.record import read_record
from projections.investigation import Investigation
from projections.permissions.accounts import PastAccounts
from tests.ledger.asking import ROOT_BEARER, WHENCE
from tests.ledger.output_shapes import check_output
from tests.ledger.told import ACCOUNT, NOON

_numbers = count(1)


class Ledger:
    """`told` appends records; a call is answered from them, checked, and appended itself. `time` is the clock."""

    def __init__(self, log: Log, account_id: str = ACCOUNT, *, time: int = NOON + 86_400) -> None:
        self.log = log
        self.account_id = account_id
        self.investigation = Investigation(log)
        self.time = time

    def told(self, *records: dict[str, Any]) -> Ledger:
        self.log.append([Draft.of(read_record(record, account_id=self.account_id)) for record in records])
        return self

    @property
    def account(self) -> Account:
        """At the head."""
        self.investigation.runner.catch_up()
        return PastAccounts(self.log).whole(self.account_id, 2**32)

    def __call__(self, action: str, *, by: Bearer = ROOT_BEARER, **parameters: Any) -> dict[str, Any]:
        reading, account = READINGS[action], self.account
        asked = Call(action, parameters, by)
        assert reading.on(account, asked)
        output = dict(reading.read(self.investigation, account, asked, Moment(self.time)).output)
        check_output(action, output)
        self.told(
            record_of(
                account,
                by,
                action,
                at=self.time,
                event_id=f"01890000-0000-7000-8000-{next(_numbers):012}",
                surroundings=WHENCE,
                read_only=True,
                request=recorded(parameters),
            )
        )
        return output
