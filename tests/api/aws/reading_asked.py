"""A ledger that is asked: each read is answered, held against botocore's model, and recorded, as the authority does."""

from __future__ import annotations

from itertools import count
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape

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
from tests.ledger.told import ACCOUNT, NOON

_session = botocore.session.get_session()
_models: dict[str, ServiceModel] = {}
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


def check_output(action: str, output: dict[str, Any]) -> None:
    """Every member is one of the operation's output, of its type, and none that is required is missing."""
    service, _, operation = action.partition(":")
    if service not in _models:
        _models[service] = _session.get_service_model(service)
    shape = _models[service].operation_model(operation).output_shape
    assert shape is not None
    _check(shape, output, operation)


def _check(shape: Shape, value: Any, where: str) -> None:
    match shape.type_name:
        case "structure":
            assert isinstance(value, dict), where
            assert set(value) <= set(shape.members), f"{where}: {set(value) - set(shape.members)}"
            assert set(shape.required_members) <= set(value), (
                f"{where}: {set(shape.required_members) - set(value)}"
            )
            for name, member in value.items():
                _check(shape.members[name], member, f"{where}.{name}")
        case "list":
            assert isinstance(value, list), where
            for index, item in enumerate(value):
                _check(shape.member, item, f"{where}[{index}]")
        case kind:
            types = {"string": str, "timestamp": int, "integer": int, "boolean": bool, "blob": bytes}
            assert type(value) is types[kind], f"{where}: {value!r} is no {kind}"
