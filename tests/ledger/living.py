"""A small authority: decides each call by the account that its own log folds to, and appends it with the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.account.change import Change
from ledger.account.entities import Kind
from ledger.account.replay import Replay
from ledger.authorization import Authorization, authorize
from ledger.calls.called import asked
from ledger.entry import NATIVE, Draft
from ledger.iam.sessions import Session, session_opened
from ledger.log import Log
from ledger.policy.callers import caller_of_identity, holder_named
from ledger.record import Record, read_record
from tests.ledger.told import ACCOUNT


class Living:
    """`call` is a native call; `import_` takes records that others wrote."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.replay = Replay(ACCOUNT)

    def decide(
        self,
        record: Record,
        resource: str | None = None,
        context: Mapping[str, Sequence[str]] | None = None,
        *,
        opened_at: int | None = None,
    ) -> Authorization:
        """The decision on a call, on what the record asks about unless another resource is given.

        `opened_at` is the entry that opened the session which calls.
        """
        caller = caller_of_identity(record.identity)
        assert caller is not None
        holder = holder_named(caller, record.identity)
        return authorize(
            self.replay.account,
            caller,
            holder,
            record.action,
            self._asked_on(record) if resource is None else resource,
            context or {},
            self.replay.position,
            at=record.time,
            session=None if opened_at is None else self._session(opened_at),
        )

    def call(
        self,
        document: dict[str, Any],
        resource: str | None = None,
        *,
        opened_at: int | None = None,
        **context: str,
    ) -> Authorization:
        keys = {key.replace("__", ":"): (value,) for key, value in context.items()}
        decided = self.decide(read_record(document), resource, keys, opened_at=opened_at)
        if not decided.allowed:
            document = document | {"errorCode": "AccessDenied", "responseElements": None}
        self.append(Draft.of(read_record(document), NATIVE, decided.to_bytes()))
        return decided

    def import_(self, *documents: dict[str, Any]) -> None:
        for document in documents:
            self.append(Draft.of(read_record(document)))

    def append(self, draft: Draft) -> None:
        self.log.append([draft], head=self.replay.position)
        for entry in self.log.read(ACCOUNT, self.replay.position):
            self.replay.take(entry)

    def _asked_on(self, record: Record) -> str:
        account = self.replay.account
        found = asked(record, lambda kind, name: account.arn_named(Kind(kind), name)).questions[0]
        return found.resources[0] if found.resources else "*"

    def _session(self, position: int) -> Session:
        entry = self.log.entry(ACCOUNT, position)
        assert entry is not None
        session = session_opened(Change(entry.position, entry.record, entry.origin.native))
        assert session is not None
        return session
