"""From a source to drafts for the log: every record read, its secrets hidden, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ledger.entry import Draft, Origin
from ledger.intake.reading import Made, Skim, read_source, skim_nothing
from ledger.intake.rejects import Reason, Reject, Skipped
from ledger.intake.shapes import Batch
from ledger.intake.skimming import prepare_skimmed
from ledger.intake.sources import Source
from ledger.log.bodies import Compression, Parts, split
from ledger.log.preparation import Prepared, prepare_parts
from ledger.record import RecordRejected, canonical, read_record
from ledger.redaction import redact
from ledger.suspects import suspects

Drafted = list[Draft] | Reject | Skipped
Outcome = Prepared | Reject | Skipped
Taken = list[tuple[Draft, Parts]]


def read_drafts(source: Source) -> Iterator[Drafted]:
    """The drafts of a source, as they stand together, with what could not be made one in between."""
    for outcome in _read(source, skim_nothing):
        yield [draft for draft, _ in outcome] if isinstance(outcome, list) else outcome


def read_prepared(source: Source, compression: Compression) -> Iterator[Outcome]:
    """As `read_drafts`, with the drafts ready to be written."""

    def skimmed(text: bytes, hint: str | None) -> list[Prepared | Reject] | None:
        return _skimmed(source, text, hint, compression)

    for outcome in _read(source, skimmed):
        yield prepare_parts(outcome, compression) if isinstance(outcome, list) else outcome


def _read(source: Source, skim: Skim[Made]) -> Iterator[Taken | Reject | Skipped | Made]:
    try:
        sha256 = source.sha256
    except OSError as error:
        yield Reject(source.name, "", Reason.UNREADABLE, error.strerror or "cannot be read")
        return
    for outcome in read_source(source, skim=skim):
        if isinstance(outcome, Batch):
            yield from _take(outcome, _origin(outcome.source, sha256))
        else:
            yield outcome


def _origin(name: str, sha256: str | None) -> Origin:
    """A file's name may hold bytes that are no UTF-8."""
    return Origin(name.encode("utf-8", "backslashreplace").decode(), sha256)


def _skimmed(
    source: Source, text: bytes, hint: str | None, compression: Compression
) -> list[Prepared | Reject] | None:
    origin = _origin(source.name, source.sha256)
    rejects: list[Prepared | Reject] = []

    def take(index: int, document: dict[str, Any]) -> tuple[Draft, Parts] | None:
        try:
            return _taken(redact(document), hint, origin)
        except RecordRejected as rejected:
            rejects.append(Reject(source.name, f"record {index + 1}", rejected.reason, rejected.detail))
            return None

    prepared = prepare_skimmed(text, origin, compression, take)
    return None if prepared is None else [*rejects, prepared]


def _take(batch: Batch, origin: Origin) -> Iterator[Taken | Reject]:
    hint = batch.account_hint
    taken: Taken = []
    for index, document in enumerate(batch.documents):
        try:
            taken.append(_taken(document, hint, origin))
        except RecordRejected as rejected:
            yield Reject(batch.source, batch.place(index), rejected.reason, rejected.detail)
    # No secret can stand in what is kept apart from the rest.
    for index in suspects([parts.rest for _, parts in taken]):
        document = taken[index][0].record.document
        cleaned = redact(document)
        if cleaned is not document:
            taken[index] = _taken(cleaned, hint, origin)
    yield taken


def _taken(document: dict[str, Any], hint: str | None, origin: Origin) -> tuple[Draft, Parts]:
    """Raises RecordRejected."""
    try:
        record = read_record(document, account_id=hint)
        text = canonical(document)
    except orjson.JSONEncodeError:
        cleaned = redact(document)
        if cleaned is document:
            raise RecordRejected(Reason.TOO_DEEP, "cannot be written again") from None
        return _taken(cleaned, hint, origin)
    return Draft(record, text, origin), split(record, text)
