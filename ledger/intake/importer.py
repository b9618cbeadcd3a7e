"""Takes files into the log: read, hide secrets, append in batches, and tell what became of every record.

An import may be interrupted at any moment and repeated: a batch is in the log as a whole or not at all, and what
the log has already is counted as a duplicate.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from ledger.collector import collecting_seldom
from ledger.entry import Draft
from ledger.intake.drafting import read_drafts
from ledger.intake.rejects import Reject, RejectsFile, Skipped
from ledger.intake.sources import Source, find_sources
from ledger.intake.workers import Workers
from ledger.log import Appended, Log
from ledger.log.preparation import Prepared
from ledger.log.vacuuming import settle

DRAFTS_MAX: Final = 5_000  # a batch; they are decoded, and ten times as large as what was made ready
PREPARED_MAX: Final = 40_000  # the more at once, the fewer times each page of an index is written
PREPARED_FIRST: Final = 5_000  # the sooner there is something to write, the sooner all processes have work
BATCH_BYTES_MAX: Final = 32 << 20  # of bodies that were made ready
LOOKED_AHEAD_MAX: Final = 2_000  # sources, to judge how much there is to do and to take samples from
ALONE_BYTES_MAX: Final = 2 << 20  # on disk; below that a second process takes longer to start than it saves
SAMPLE_RECORDS_OF_ONE: Final = 200  # source
SAMPLE_RECORDS: Final = 5_000
SETTLED_MIN: Final = 10_000  # new entries; of fewer a database learns in time by itself
WORKERS_MAX: Final = 2  # more would only wait for the one that writes


@dataclass(slots=True)
class Summary:
    """What an import has done so far. `records` are all that were found: appended, duplicates and rejected ones.

    A file that can't be read at all is rejected too, and is no record.
    """

    files: int = 0
    bytes: int = 0  # on disk
    records: int = 0
    appended: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)  # by reason
    skipped: Counter[str] = field(default_factory=Counter)  # files that are no logs, by reason
    accounts: Counter[str] = field(default_factory=Counter)  # new entries by account
    seconds: float = 0.0
    interrupted: bool = False


Progress = Callable[[Summary], None]
Found = Source | Skipped | Reject
Group = TypeVar("Group", list[Draft], Prepared)


def import_paths(
    log: Log,
    paths: Iterable[str | Path],
    *,
    rejects: Path | None = None,
    progress: Progress | None = None,
    batch_max: int | None = None,
    stdin: BinaryIO | None = None,
    workers: int | None = None,
) -> Summary:
    """Append every record that the paths lead to, and sum up; `progress` sees the sum after each batch.

    What can't be taken in is written to `rejects`. Ctrl-C ends the import after a whole batch and the summary says
    so. `batch_max` bounds the records of a batch, by default as is best. `workers` is the number of processes that read
    beside this one, which writes; None leaves it to the size.
    """
    with RejectsFile(rejects) if rejects else nullcontext() as file, collecting_seldom():
        tally = _Tally(file, progress)
        try:
            _import(log, tally, find_sources(paths, stdin=stdin), batch_max, workers)
            if tally.summary.appended >= SETTLED_MIN:
                settle(log.engine)
        except KeyboardInterrupt:
            tally.summary.interrupted = True
        return tally.summed_up()


def _import(
    log: Log, tally: _Tally, found: Iterable[Found], batch_max: int | None, workers: int | None
) -> None:
    sources = _sources(found, tally)
    ahead = list(islice(sources, LOOKED_AHEAD_MAX))
    every = chain(ahead, sources)
    if workers is None:
        workers = _workers_for(ahead)
    if not workers:
        drafts = _outcomes(((source, read_drafts(source)) for source in every), tally)
        _write(drafts, log, tally, batch_max or DRAFTS_MAX)
        return
    with Workers(workers) as team:
        if not log.dictionaries():
            log.train(_samples(ahead))
        team.tell(log.dictionaries())
        _write_prepared(_outcomes(team.read(every), tally), log, tally, batch_max or PREPARED_MAX)


def _write(groups: Iterable[list[Draft]], log: Log, tally: _Tally, batch_max: int) -> None:
    waiting: list[Draft] = []
    for group in groups:
        waiting += group
        while len(waiting) >= batch_max:
            batch, waiting = waiting[:batch_max], waiting[batch_max:]
            tally.count_batch(len(batch), log.append(batch))
    if waiting:
        tally.count_batch(len(waiting), log.append(waiting))


def _write_prepared(groups: Iterable[Prepared], log: Log, tally: _Tally, batch_max: int) -> None:
    waiting: list[Prepared] = []
    size = body_bytes = 0
    enough = min(batch_max, PREPARED_FIRST)
    for group in groups:
        waiting.append(group)
        size += group.size
        body_bytes += group.body_bytes
        while size >= enough or body_bytes > BATCH_BYTES_MAX:
            every = Prepared.joined(waiting)
            batch, rest = every.part(0, enough), every.part(enough, None)
            waiting, size, body_bytes = [rest], rest.size, rest.body_bytes
            tally.count_batch(batch.size, log.append_prepared(batch))
            enough = min(batch_max, 2 * enough)
    if size:
        tally.count_batch(size, log.append_prepared(Prepared.joined(waiting)))


def _outcomes(
    read: Iterable[tuple[Source, Iterable[Group | Reject | Skipped]]], tally: _Tally
) -> Iterator[Group]:
    """What can be appended; the rest is counted."""
    for source, outcomes in read:
        for outcome in outcomes:
            if isinstance(outcome, Reject | Skipped):
                tally.count(outcome)
            else:
                yield outcome
        tally.count_source(source)


def _sources(found: Iterable[Found], tally: _Tally) -> Iterator[Source]:
    for one in found:
        if isinstance(one, Source):
            yield one
        else:
            tally.count(one)


class _Tally:
    """Keeps the sum, writes the rejects, tells of progress."""

    def __init__(self, rejects: RejectsFile | None, progress: Progress | None) -> None:
        self.summary = Summary()
        self._rejects = rejects
        self._progress = progress
        self._began = time.monotonic()

    def summed_up(self) -> Summary:
        self.summary.seconds = time.monotonic() - self._began
        return self.summary

    def count_batch(self, records: int, appended: Appended) -> None:
        summary = self.summary
        summary.records += records
        summary.appended += appended.count
        summary.duplicates += appended.duplicates
        for account_id, (_, count) in appended.spans.items():
            summary.accounts[account_id] += count
        if self._progress is not None:
            self._progress(self.summed_up())

    def count_source(self, source: Source) -> None:
        self.summary.files += 1
        self.summary.bytes += source.consumed if source.size is None else source.size

    def count(self, one: Reject | Skipped) -> None:
        if isinstance(one, Skipped):
            self.summary.skipped[str(one.reason)] += 1
            return
        self.summary.rejected[str(one.reason)] += 1
        if one.place:
            self.summary.records += 1
        if self._rejects is not None:
            self._rejects.write(one)


def _samples(sources: list[Source]) -> list[Draft]:
    """Records from all over the import, to train the log's first dictionary on."""
    files = [source for source in sources if source.size is not None]
    random.Random(0).shuffle(files)
    samples: list[Draft] = []
    for source in files:
        samples += islice(_drafts_of(source), SAMPLE_RECORDS_OF_ONE)
        if len(samples) >= SAMPLE_RECORDS:
            break
    return samples


def _drafts_of(source: Source) -> Iterator[Draft]:
    for outcome in read_drafts(source):
        if isinstance(outcome, list):
            yield from outcome


def _workers_for(sources: list[Source]) -> int:
    """None for a small import or a single file, which can't be shared."""
    if len(sources) < 2 or sum(source.size or 0 for source in sources) < ALONE_BYTES_MAX:
        return 0
    return min(WORKERS_MAX, os.cpu_count() or 1)
