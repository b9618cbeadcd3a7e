"""From a source to drafts for the log: every record read, its secrets hidden, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ledger.entry import Draft, Origin
from ledger.intake.reading import read_source
from ledger.intake.rejects import Reason, Reject, Skipped
from ledger.intake.shapes import Batch
from ledger.intake.sources import Source
from ledger.log.bodies import Compression
from ledger.log.preparation import Prepared, prepare
from ledger.record import RecordRejected, read_record
from ledger.redaction import redact

Drafted = list[Draft] | Reject | Skipped
Outcome = list[Prepared] | Reject | Skipped


def read_drafts(source: Source) -> Iterator[Drafted]:
    """The drafts of a source, as they stand together, with what could not be made one in between."""
    try:
        sha256 = source.sha256
    except OSError as error:
        yield Reject(source.name, "", Reason.UNREADABLE, error.strerror or "cannot be read")
        return
    for outcome in read_source(source):
        if isinstance(outcome, Batch):
            yield from _drafts(outcome, sha256)
        else:
            yield outcome


def read_prepared(source: Source, compression: Compression) -> Iterator[Outcome]:
    """As `read_drafts`, with the drafts ready to be written."""
    for outcome in read_drafts(source):
        yield prepare(outcome, compression) if isinstance(outcome, list) else outcome


def _drafts(batch: Batch, sha256: str | None) -> Iterator[Drafted]:
    # A file's name may hold bytes that are no UTF-8.
    origin = Origin(batch.source.encode("utf-8", "backslashreplace").decode(), sha256)
    drafts: list[Draft] = []
    for index, document in enumerate(batch.documents):
        try:
            drafts.append(_draft(document, batch.account_hint, origin))
        except RecordRejected as rejected:
            yield Reject(batch.source, batch.place(index), rejected.reason, rejected.detail)
    yield drafts


def _draft(document: dict[str, Any], account_hint: str | None, origin: Origin) -> Draft:
    record = read_record(redact(document), account_id=account_hint)
    try:
        return Draft.of(record, origin)
    except orjson.JSONEncodeError as error:
        raise RecordRejected(Reason.TOO_DEEP, "cannot be written again") from error
