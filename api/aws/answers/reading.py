"""The table of AWS's reads that are answered from what the projections know, and how each is entered.

Such a read changes nothing, so it is answered outside the transaction that writes its entry. It is answered as of the
head: the investigation takes in what was appended before it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from ledger.account.account import Account
from ledger.authority.authority import Authority
from ledger.iam.deciding import DECISIONS, Answer, Call, Decision, Moment, Resource
from ledger.log import Log
from ledger.vault.store import Vault
from projections.investigation import Investigation

Read = Callable[[Investigation, Account, Call, Moment], Answer]


@dataclass(frozen=True, slots=True)
class Reading:
    """`on` tells the resource that permission is asked for."""

    action: str
    read: Read
    on: Resource


READINGS: Final[dict[str, Reading]] = {}


def reads(action: str, *, on: Resource) -> Callable[[Read], Read]:
    """This function answers a call of `action` from the ledger and the account at its head, or raises a Refusal."""

    def enter(function: Read) -> Read:
        assert action not in READINGS, f"{action} is read twice"
        READINGS[action] = Reading(action, function, on)
        return function

    return enter


def seconds(told: Any) -> float:
    """A timestamp of a request, as either protocol gives it, in seconds since 1970."""
    return told.timestamp() if isinstance(told, datetime) else float(told)


def authority_over(
    ledger: Investigation,
    vault: Vault,
    more: Mapping[str, Decision] | None = None,
    *,
    may_write: Callable[[str], None] = lambda account_id: None,
) -> Authority:
    """The authority over the ledger's accounts, which answers these reads, too, and decides what is given `more`.

    `may_write` is as in Log.
    """
    reads = {
        action: Decision(action, partial(reading.read, ledger), reading.on, outside=True)
        for action, reading in READINGS.items()
    }
    decisions = {**DECISIONS, **reads, **(more or {})}
    return Authority(Log(ledger.log.engine, may_write=may_write), vault, decisions=decisions)
