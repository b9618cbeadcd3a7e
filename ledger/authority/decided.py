"""Decisions on live calls: may whoever calls do that on this, by the account as it stands?

Who asks the same again within a second, while the account has stayed the same value, gets the same decision, and it is
not made anew: clients that poll, and services that ask for each of their requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from ledger.account.account import Account
from ledger.authority.context import Contexts, whose
from ledger.authority.credentials import holder_of_bearer
from ledger.authority.recording import Surroundings
from ledger.authority.turns import Now
from ledger.authorization import Authorization, authorize
from ledger.iam.deciding import Bearer
from ledger.policy.entitlements import Entitlements
from ledger.record import Record, canonical


class Asking(NamedTuple):
    """Who calls, and the record of the call as far as no outcome stands in it. `said` are condition keys of a token or
    assertion that vouches for the caller.
    """

    by: Bearer
    record: Record
    surroundings: Surroundings
    said: Mapping[str, tuple[str, ...]]


class Decided:
    """Nothing is remembered of callers without an access key, whom nothing short tells from one another, and of calls
    that another account takes part in.
    """

    def __init__(self, entitlements: Entitlements, contexts: Contexts) -> None:
        self._entitlements = entitlements
        self._contexts = contexts
        self._account: Account | None = None
        self._second = 0
        # What stands in its JSON around the positions is known from the second time on: most are asked for once.
        self._kept: dict[tuple[object, ...], tuple[Authorization, tuple[bytes, bytes] | None]] = {}

    def on(self, asking: Asking, action: str, resource: str, now: Now) -> tuple[Authorization, bytes]:
        """The decision, and the same as canonical JSON."""
        by, around = asking.by, asking.surroundings
        if by.access_key_id is None or now.there is not None:
            made = self._decide(asking, action, resource, now)
            return made, made.to_bytes()
        if now.account is not self._account or now.time != self._second:
            self._account, self._second, self._kept = now.account, now.time, {}
        request = orjson.dumps(asking.record.document["requestParameters"]).decode()
        place = (*whose(by, around), action, resource, request)
        found = self._kept.get(place)
        if found is None:
            made = self._decide(asking, action, resource, now)
            self._kept[place] = made, None
            return made, made.to_bytes()
        made, told = found
        if told is None:
            told = made.around_positions()
            self._kept[place] = made, told
        positions = {now.account.id: now.position}
        return made.before(positions), canonical(positions).join(told)

    def _decide(self, asking: Asking, action: str, resource: str, now: Now) -> Authorization:
        by, account = asking.by, now.account
        there = None if now.there is None else (now.there.account, now.there.position)
        context = self._contexts.of_call(
            asking.record, action, resource, account, by, asking.surroundings, there and there[0]
        )
        return authorize(
            account,
            by.caller,
            holder_of_bearer(by),
            action,
            resource,
            {**context, **asking.said},
            now.position,
            at=now.time,
            session=by.session,
            entitlements=self._entitlements,
            there=there,
        )
