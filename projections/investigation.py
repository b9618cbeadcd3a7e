"""The one door to every question: the command line and the read API ask here, and so give the same answers.

Answers are plain dicts, lists and texts, ready for JSON. Times in questions are seconds since 1970, in answers
RFC 3339. Every question first takes in what was appended, so everyone reads their own writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.account.managed_policies import doubtful, managed_policy
from ledger.entry import Entry
from ledger.log import EntryDamaged, Log
from ledger.log.erasing import records_erased
from ledger.log.schema import HAS_RECORD, accounts, entries
from ledger.record import format_time
from projections import findings as signs
from projections.activity import Activity, Question
from projections.credentials import key_report
from projections.history import Difference, History, Version
from projections.last_uses import LastUses
from projections.lineage import lineage
from projections.lines import Line, line, moment, ref
from projections.naming import account_named, events_named
from projections.permissions.permissions import Permissions
from projections.principals import principal_activity, principals
from projections.refolding import HISTORY
from projections.runner import Progress, Runner
from projections.sessions import SESSIONS, Sessions
from projections.vocabulary import UnknownName

Answer = dict[str, Any]


class Investigation:
    """The questions that one ledger answers. For `progress`, see `Activity`; a rebuild tells it too."""

    def __init__(self, log: Log, progress: Progress | None = None) -> None:
        self.log = log
        self.runner = Runner(log, [HISTORY, SESSIONS])
        self.entries = Activity(log, progress)
        self._progress = progress
        self.account_history = History(log)
        self.sessions = Sessions(log)
        self.last_uses = LastUses(log)
        self._permissions = Permissions(log, self.sessions)

    # -- who did what -------------------------------------------------------------------------------------------

    def events(self, question: Question) -> Answer:
        """One page of entries, and the cursor of the next."""
        page = self.entries.page(question)
        return {"events": [line(entry) for entry in page.entries], "next": page.next}

    def every_event(self, question: Question) -> Iterator[Line]:
        return (line(entry) for entry in self.entries.every(question))

    def event(self, named: str) -> Answer:
        """One event whole, by its id or as `account:position`: who, what, on what, result, what it changed."""
        self.runner.catch_up()
        told = [self._event(entry) for entry in events_named(self.log, named)]
        return told[0] if len(told) == 1 else {"events": told}

    def _event(self, entry: Entry) -> Answer:
        if entry.erased is not None:
            return self._erased(entry, entry.erased.by)
        record = entry.record
        chain = self.sessions.chain_of(entry)
        changed = self.account_history.changes_by(entry.account_id, entry.position)
        told = line(entry)
        return {
            "entry": told,
            "who": {
                "label": record.identity.label,
                "human": chain[-1]["principal"] if chain else None,
                "chain": chain,
            },
            "result": {
                "outcome": told["outcome"],
                "error": told["error"],
                "message": told["errorMessage"],
            },
            "changed": [self._difference(one, {entry.position: ref(entry)}) for one in changed],
            "authorization": None if entry.authorization is None else orjson.loads(entry.authorization),
            "leafHash": entry.leaf_hash.hex(),
            "origin": {"file": entry.origin.file, "sha256": entry.origin.sha256},
        }

    def _erased(self, entry: Entry, by: int) -> Answer:
        """What is left of an event, and the entry that says that it was erased, by whom and why. Raises EntryDamaged."""
        erasing = self.log.entry(entry.account_id, by)
        if erasing is None or entry.position not in records_erased(
            erasing.record, native=erasing.origin.native
        ):
            missing = f"its record is missing, and entry {by} does not say that it was erased"
            raise EntryDamaged(entry.account_id, entry.position, missing)
        said = erasing.record.request
        return {
            "entry": {
                "account": entry.account_id,
                "position": entry.position,
                "recordedAt": moment(entry.recorded_at),
                "eventID": entry.document.get("eventID"),
            },
            "erased": {"by": ref(erasing), "operator": said.get("operator"), "reason": said.get("reason")},
            "leafHash": entry.leaf_hash.hex(),
        }

    def activity(
        self,
        principal: str,
        *,
        account: str | None = None,
        since: int | None = None,
        until: int | None = None,
        order: str = "oldest",
        after: str | None = None,
        limit: int = 100,
    ) -> Answer:
        """Everything that a principal did over all their credentials, and as the roles they went on to assume."""
        self.runner.catch_up()
        return principal_activity(
            self.log,
            self.sessions,
            principal,
            account=account,
            since=since,
            until=until,
            order=order,
            after=after,
            limit=limit,
        )

    def key(self, access_key_id: str, *, since: int | None = None) -> Answer:
        """All that is known of one access key."""
        self.runner.catch_up()
        return key_report(self.log, self.account_history, self.sessions, access_key_id, since=since)

    def lineage(self, named: str, *, since: int | None = None, until: int | None = None) -> Answer:
        """Everything it created or changed, what those went on to create, and what of it still exists."""
        self.runner.catch_up()
        return lineage(self.log, self.account_history, self.sessions, named, since=since, until=until)

    def principals(self, account: str | None = None) -> list[Answer]:
        if account is not None:
            account_named(self.log, account)
        return principals(self.log, account)

    def findings(
        self,
        kind: str | None = None,
        *,
        account: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> list[Answer]:
        """What an investigator should look at, each with the entries it rests on."""
        self.runner.catch_up()
        return signs.findings(
            self.log,
            self.account_history,
            self.sessions,
            kind=kind,
            account=account,
            since=since,
            until=until,
            now=int(time.time()),
        )

    # -- the account at a time ----------------------------------------------------------------------------------

    def state_bytes(self, account: str | None, at: int) -> bytes:
        """The whole account at a time, as JSON text."""
        self.runner.catch_up()
        return self.account_history.state_bytes(account_named(self.log, account), at)

    def state(self, account: str | None, at: int, kind: str | None = None, name: str | None = None) -> Answer:
        """The account at a time, or one entity of it."""
        if kind is None or name is None:
            found: Answer = orjson.loads(self.state_bytes(account, at))
            return found
        self.runner.catch_up()
        entity = self.account_history.entity(account_named(self.log, account), kind, name, at)
        if entity is None and kind == "policy":
            entity = _of_aws(name, at)
        if entity is None:
            raise UnknownName(f"there was no {kind} {name!r} at {format_time(at)}")
        return entity

    def diff(self, account: str | None, since: int, until: int) -> list[Answer]:
        """What differs between the account at two times, with the entry behind each difference."""
        self.runner.catch_up()
        account_id = account_named(self.log, account)
        found = self.account_history.differences(account_id, since, until)
        positions = sorted({position for one in found for position in one.positions})
        refs = self._refs(account_id, positions)
        return [self._difference(one, refs) for one in found]

    def history(self, account: str | None, kind: str, name: str) -> list[Answer]:
        """Every entity that ever had the name, with all its versions and the entries that made them."""
        self.runner.catch_up()
        account_id = account_named(self.log, account)
        found = self.account_history.named(account_id, kind, name)
        if not found:
            raise UnknownName(f"account {account_id} never had a {kind} {name!r}")
        positions = sorted({version.position for one in found for version in one})
        refs = self._refs(account_id, positions)
        return [
            {
                "kind": one[0].kind,
                "name": _last_name(one),
                "id": one[0].unique_id,
                "versions": [
                    {
                        "since": format_time(version.since),
                        "change": _change(before, version),
                        "entry": refs.get(version.position),
                        "document": version.document,
                    }
                    for before, version in zip([None, *one[:-1]], one, strict=True)
                ],
            }
            for one in found
        ]

    # -- with what permission -----------------------------------------------------------------------------------

    @property
    def permissions(self) -> Permissions:
        """The questions of permission, to be asked at once: what was appended until now is taken in."""
        self.runner.catch_up()
        return self._permissions

    # -- the ledger ---------------------------------------------------------------------------------------------

    def accounts(self) -> list[Answer]:
        e = entries.c
        query = (
            sa.select(accounts.c.account_id, accounts.c.size, sa.func.min(e.time), sa.func.max(e.time))
            .join(entries, sa.and_(e.account == accounts.c.id, HAS_RECORD))
            .group_by(accounts.c.account_id, accounts.c.size)
            .order_by(accounts.c.account_id)
        )
        with self.log.engine.connect() as connection:
            return [
                {
                    "account": account_id,
                    "entries": size,
                    "firstEvent": format_time(first),
                    "lastEvent": format_time(last),
                }
                for account_id, size, first, last in connection.execute(query)
            ]

    def rebuild(self) -> None:
        """Throw all projections away and build them again from the log."""
        self.runner.rebuild()
        self.last_uses.runner.rebuild()
        self.entries.runner.rebuild(progress=self._progress)

    def _refs(self, account_id: str, positions: list[int]) -> dict[int, Answer]:
        return {entry.position: ref(entry) for entry in self.log.entries_at(account_id, positions)}

    @staticmethod
    def _difference(one: Difference, refs: dict[int, Answer]) -> Answer:
        made_by = [refs[position] for position in one.positions if position in refs]
        return {
            "kind": one.kind,
            "name": one.name,
            "id": one.unique_id,
            "change": one.change,
            "before": one.before,
            "after": one.after,
            "entry": made_by[-1] if made_by else None,
            "entries": made_by,
        }


def _of_aws(arn: str, at: int) -> Answer | None:
    """A policy of AWS's own as it was in force at a time, whether or not the account's records tell of it."""
    version = managed_policy(arn, at)
    if version is None:
        return None
    created = None if version.create_date is None else format_time(version.create_date)
    return {
        "PolicyName": arn.rsplit("/", 1)[-1],
        "Arn": arn,
        "DefaultVersionId": version.version_id,
        "PolicyVersionList": [
            {
                "VersionId": version.version_id,
                "IsDefaultVersion": True,
                "CreateDate": created,
                "Document": version.document,
            }
        ],
        "Assumed": ["another version may have been in force at that time"] if doubtful(arn, at) else [],
    }


def _last_name(one: list[Version]) -> str:
    return next((version.name for version in reversed(one) if version.document is not None), one[-1].name)


def _change(before: Version | None, version: Version) -> str:
    if version.document is None:
        return "deleted"
    return "created" if before is None or before.document is None else "changed"
