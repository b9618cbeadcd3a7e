"""Takes entries out of the ledger: for another tool, for a spreadsheet, or as the evidence of a case.

Everything streams: an export of any size needs the same memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, assert_never

from ledger.entry import Entry
from projections.export.cloudtrail import delivered_files
from projections.export.csv_table import csv_table, neutralised
from projections.export.manifest import AccountSpan, FileList, Manifest, Tally
from projections.export.ndjson import ndjson
from projections.export.target import (
    MANIFEST_NAME,
    ExportFailed,
    TargetExists,
    failures_told,
    manifest_of,
    new_file,
    new_folder,
    write_whole,
)

__all__ = [
    "FORMS",
    "MANIFEST_NAME",
    "AccountSpan",
    "ExportFailed",
    "Form",
    "Manifest",
    "TargetExists",
    "export",
    "manifest_of",
    "neutralised",
]

Form = Literal["ndjson", "csv", "cloudtrail"]
FORMS: Final[tuple[Form, ...]] = ("ndjson", "csv", "cloudtrail")


def export(
    entries: Iterable[Entry],
    *,
    form: Form,
    to: Path | BinaryIO,
    question: Mapping[str, Any],
    overwrite: bool = False,
    clock: Callable[[], float] = time.time,
) -> Manifest:
    """Write the entries to a file, a folder (`cloudtrail`) or a stream; whole, or not at all but for a stream.

    The manifest is written to `FILE.manifest.json` or into the folder; for a stream it is only returned. `question`
    is what was asked, ready for JSON. For `cloudtrail` the entries must come oldest first. Raises ExportFailed, of
    which TargetExists is one kind, and lets a stream's BrokenPipeError pass.
    """
    job = _Export(form, question, clock)
    with failures_told(str(to) if isinstance(to, Path) else "the output"), job.files:
        if not isinstance(to, Path):
            return job.to_stream(entries, to)
        if form == "cloudtrail":
            return job.to_folder(entries, to, overwrite=overwrite)
        return job.to_file(entries, to, overwrite=overwrite)


class _Export:
    """One export, on its way."""

    def __init__(self, form: Form, question: Mapping[str, Any], clock: Callable[[], float]) -> None:
        self.form = form
        self.question = question
        self.clock = clock
        self.tally = Tally()
        self.files = FileList()

    def to_stream(self, entries: Iterable[Entry], to: BinaryIO) -> Manifest:
        for chunk in self._chunks(entries):
            to.write(chunk)
        to.flush()
        return self._manifest()

    def to_file(self, entries: Iterable[Entry], to: Path, *, overwrite: bool) -> Manifest:
        with new_file(to, overwrite=overwrite) as (unfinished, unfinished_manifest):
            written = write_whole(unfinished, self._chunks(entries))
            self.files.add(to.name, size=written.size, sha256=written.sha256, entries=self.tally.entries)
            manifest = self._manifest()
            write_whole(unfinished_manifest, self.files.manifest_text(manifest))
        return manifest

    def to_folder(self, entries: Iterable[Entry], to: Path, *, overwrite: bool) -> Manifest:
        with new_folder(to, overwrite=overwrite) as unfinished:
            for file in delivered_files(self.tally.counted(entries)):
                path = unfinished / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.content)
                digest = sha256(file.content).hexdigest()
                self.files.add(file.path, size=len(file.content), sha256=digest, entries=file.entries)
            manifest = self._manifest()
            write_whole(unfinished / MANIFEST_NAME, self.files.manifest_text(manifest))
        return manifest

    def _chunks(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        match self.form:
            case "ndjson":
                return ndjson(self.tally.counted(entries))
            case "csv":
                return csv_table(self.tally.counted(entries))
            case "cloudtrail":
                raise ExportFailed("CloudTrail's form is a folder of files; name a folder to export to")
        assert_never(self.form)

    def _manifest(self) -> Manifest:
        return self.tally.manifest(
            form=self.form,
            question=self.question,
            created_at=int(self.clock()),
            file_count=self.files.count,
            file_bytes=self.files.bytes,
        )
