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
from ledger.record import RecordRejected, canonical, read_record
from ledger.redaction import redact
from ledger.suspects import suspects

Drafted = list[Draft] | Reject | Skipped
Outcome = Prepared | Reject | Skipped


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
    hint = batch.account_hint
    drafts: list[Draft] = []
    for index, (document, text) in enumerate(_without_secrets(batch.documents)):
        try:
            record = read_record(document, account_id=hint)
            if text is None:
                raise RecordRejected(Reason.TOO_DEEP, "cannot be written again")
            drafts.append(Draft(record, text, origin))
        except RecordRejected as rejected:
            yield Reject(batch.source, batch.place(index), rejected.reason, rejected.detail)
    yield drafts


def _without_secrets(documents: list[dict[str, Any]]) -> list[tuple[dict[str, Any], bytes | None]]:
    """Each document with its canonical bytes; None where it cannot be written."""
    texts = list(map(_written, documents))
    cleaned = list(zip(documents, texts, strict=True))
    closely = suspects([text or b"" for text in texts])
    closely.update(index for index, text in enumerate(texts) if text is None)
    for index in closely:
        document = redact(documents[index])
        if document is not documents[index]:
            cleaned[index] = (document, _written(document))
    return cleaned


def _written(document: dict[str, Any]) -> bytes | None:
    try:
        return canonical(document)
    except orjson.JSONEncodeError:
        return None
