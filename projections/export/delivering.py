"""Delivers an account to a bucket as CloudTrail does: decide, sign, write down in the log what was signed, then the files.

It may be killed between any two of these: before the entry nothing has happened; after it the next run finds what is
missing and writes the same bytes. Objects of an hour are written before the digest that names them, and hours one after
another, so a digest that is there proves all before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from time import gmtime, strftime

from ledger.authority.identifiers import EventIds
from ledger.digests import DIGEST_KEY
from ledger.entry import Entry
from ledger.log import Log
from ledger.log.checkpoints import Checkpoints
from ledger.log.store import Turn
from projections.export.bucket import Bucket
from projections.export.cloudtrail import DeliveredFile
from projections.export.deliveries import (
    TRAIL,
    Delivery,
    Tip,
    Trail,
    delivery_draft,
    is_about_deliveries,
    key_draft,
    positions_about_deliveries,
    trail_of,
)
from projections.export.digests import HOUR, SignedDigest, prefixed, steps
from projections.export.signing_keys import SigningKey, SigningKeys
from projections.export.target import ExportFailed


class DeliveryDiverges(ExportFailed):
    """What was signed can't be made again: the log, or the program that lays it out, has changed since."""


@dataclass(slots=True)
class Delivered:
    """What a run wrote. `tips` are the newest digests of all chains there are."""

    account_id: str
    digests: int = 0
    log_files: int = 0
    entries: int = 0
    rewritten: int = 0  # objects of earlier deliveries that were missing
    tips: tuple[Tip, ...] = ()
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """How to deliver. `whole_hours` leaves the hour that is not over to a later run; `again` writes everything once more."""

    bucket: str
    prefix: str | None
    whole_hours: bool = False
    again: bool = False


def deliver(
    log: Log,
    account_id: str,
    to: Bucket,
    keys: SigningKeys,
    course: Course,
    *,
    checkpoints: Checkpoints | None = None,
    clock: Callable[[], float] = time.time,
) -> Delivered:
    """Bring the account's files in `to` up to date; where `checkpoints` has a key, each digest holds a checkpoint.

    Raises ExportFailed and NoSigningKey, and as Checkpoints.at.
    """
    trail = trail_of(log, account_id)
    _same_place(trail, course)
    _nothing_newer(trail, to, course)
    done = Delivered(account_id, bucket=course.bucket)
    before: tuple[Tip, ...] = ()
    missing = _missing(trail, to, again=course.again)
    for number, delivery in enumerate(trail.deliveries):
        if number >= missing:
            key = keys[delivery.fingerprint]
            _check(log, account_id, delivery, before, key)
            done.rewritten += _write(log, account_id, delivery, before, key, to, Delivered(account_id))
        before = delivery.tips
    fresh = _decided(log, account_id, trail, keys.newest, course, checkpoints, clock)
    if fresh is not None:
        _write(log, account_id, fresh, before, keys.newest, to, done)
        before = fresh.tips
    done.tips = before
    return done


def _same_place(trail: Trail, course: Course) -> None:
    """A digest names its bucket, and the one after it names it too."""
    latest = trail.latest
    if latest is not None and (latest.bucket, latest.prefix) != (course.bucket, course.prefix):
        there = prefixed(latest.bucket, latest.prefix or "").rstrip("/")
        raise ExportFailed(
            f"the digests of account {trail.account_id} go to bucket {there}; one chain can't go to two places"
        )


def _nothing_newer(trail: Trail, to: Bucket, course: Course) -> None:
    """A log that is older than what was delivered from it must not sign those hours once more.

    To look also shows that the place is there, before a chain is bound to it.
    """
    known = "" if trail.latest is None else strftime("%Y%m%dT%H%M%SZ", gmtime(trail.latest.end))
    below = prefixed(course.prefix, f"AWSLogs/{trail.account_id}/CloudTrail-Digest/")
    for key in to.every_key(below):
        found = DIGEST_KEY.fullmatch(key)
        if found is not None and found["trail"] == TRAIL and found["end"] > known:
            raise ExportFailed(
                f"{to} has a digest that the log knows nothing of, {key}: the log is older than what was delivered "
                "from it, as after restoring a backup, or the digest is forged; no hour is signed twice"
            )


def _missing(trail: Trail, to: Bucket, *, again: bool) -> int:
    """The number of the first delivery that is not there as a whole."""
    if again:
        return 0
    for number in range(len(trail.deliveries), 0, -1):
        if all(to.has(tip.key) for tip in trail.deliveries[number - 1].tips):
            return number
    return 0


# ---- what is due


def _decided(
    log: Log,
    account_id: str,
    trail: Trail,
    key: SigningKey,
    course: Course,
    checkpoints: Checkpoints | None,
    clock: Callable[[], float],
) -> Delivery | None:
    """The delivery that is due, signed and written down; None where there is none."""
    due = _due(log, account_id, trail, key, course, clock)
    if due is None:
        return None
    if checkpoints is not None and checkpoints.verifier(account_id) is not None and due.until:
        due = replace(due, checkpoint=checkpoints.at(account_id, due.until).decode())
    before = () if trail.latest is None else trail.latest.tips
    signed = replace(due, tips=_tips(log, account_id, due, before, key))
    if not _written_down(log, account_id, trail, signed, key, clock):
        raise ExportFailed(
            f"account {account_id} is being delivered by another; try again when that has ended"
        )
    return signed


def _due(
    log: Log,
    account_id: str,
    trail: Trail,
    key: SigningKey,
    course: Course,
    clock: Callable[[], float],
) -> Delivery | None:
    with log.turn(account_id) as turn:  # what is appended later is known later
        size, now = turn.size, int(clock())
    latest = trail.latest
    first = 0 if latest is None else latest.until
    start = _beginning(log, account_id, now) if latest is None else latest.end
    if now < start:  # the clock was set back: no digest is earlier than the last
        return None
    end, until = now - now % HOUR, size
    if not course.whole_hours and _any_news(log, account_id, first, size):
        end = max(now, start + 1)
    elif end > start:
        until = _until(log, account_id, first, size, start, end, now)
    else:
        return None
    return Delivery(course.bucket, course.prefix, first, until, start, end, now, key.fingerprint, tips=())


def _beginning(log: Log, account_id: str, now: int) -> int:
    """The hour in which the log begins."""
    opening = log.entry(account_id, 0)
    began = now if opening is None else min(opening.recorded_at // 1000, now)
    return began - began % HOUR


def _any_news(log: Log, account_id: str, first: int, size: int) -> bool:
    """Whether there is something to deliver besides what tells of deliveries."""
    return any(not is_about_deliveries(entry) for entry in _entries(log, account_id, first, size))


def _until(log: Log, account_id: str, first: int, size: int, start: int, end: int, now: int) -> int:
    """The first position that the ledger learned of in the hour that is not over."""
    second = start
    for entry in _entries(log, account_id, first, size):
        second = max(second, min(entry.recorded_at // 1000, now))
        if second >= end:
            return entry.position
    return size


def _entries(log: Log, account_id: str, first: int, until: int) -> Iterator[Entry]:
    return takewhile(lambda entry: entry.position < until, log.read(account_id, first))


def _tips(
    log: Log, account_id: str, delivery: Delivery, before: tuple[Tip, ...], key: SigningKey
) -> tuple[Tip, ...]:
    found: dict[str, Tip] = {}
    for step in _steps(log, account_id, delivery, before, key):
        if isinstance(step, SignedDigest):
            found[step.tip.region] = step.tip
    return tuple(found[region] for region in sorted(found))


def _steps(
    log: Log, account_id: str, delivery: Delivery, before: tuple[Tip, ...], key: SigningKey
) -> Iterator[DeliveredFile | SignedDigest]:
    entries = _entries(log, account_id, delivery.first, delivery.until)
    return steps(account_id, delivery, before, entries, key)


# ---- writing down


def _written_down(
    log: Log,
    account_id: str,
    trail: Trail,
    delivery: Delivery,
    key: SigningKey,
    clock: Callable[[], float],
) -> bool:
    """Append the delivery, and the key where it signs for the first time. False where another was faster."""
    with log.turn(account_id) as turn:
        if tuple(positions_about_deliveries(turn.connection, account_id)) != trail.positions:
            return False
        at, ids = _clock_of(turn, clock)
        drafts = []
        if not trail.knows(key.fingerprint):
            drafts.append(
                key_draft(
                    account_id,
                    key.fingerprint,
                    key.value,
                    since=delivery.start,
                    at=at,
                    event_id=ids.next(clock()),
                )
            )
        drafts.append(delivery_draft(account_id, delivery, at=at, event_id=ids.next(clock())))
        turn.append(drafts)
    return True


def _clock_of(turn: Turn, clock: Callable[[], float]) -> tuple[int, EventIds]:
    """Times and ids of native entries never go back."""
    now, ids = int(clock()), EventIds()
    for entry in turn.read(turn.size - 1):
        if entry.origin.native:
            now = max(now, entry.time)
            ids.saw(entry.record.event_id)
    return now, ids


# ---- the files


def _check(log: Log, account_id: str, delivery: Delivery, before: tuple[Tip, ...], key: SigningKey) -> None:
    """Before anything is written again: it must come out as it was signed."""
    if _tips(log, account_id, delivery, before, key) == delivery.tips:
        return
    told = f"the delivery that entry {account_id}:{delivery.position} tells of comes out otherwise now"
    entries = _entries(log, account_id, delivery.first, delivery.until)
    if erased := next((entry for entry in entries if entry.erased is not None), None):
        told = f"{told}, for the record of entry {erased.position} was erased since"
    raise DeliveryDiverges(f"{told}; nothing was written")


def _write(
    log: Log,
    account_id: str,
    delivery: Delivery,
    before: tuple[Tip, ...],
    key: SigningKey,
    to: Bucket,
    done: Delivered,
) -> int:
    """Every object of the delivery; tells how many."""
    count = 0
    for step in _steps(log, account_id, delivery, before, key):
        count += 1
        if isinstance(step, SignedDigest):
            to.put(step.tip.key, step.content, step.metadata)
            done.digests += 1
        else:
            to.put(prefixed(delivery.prefix, step.path), step.content, {})
            done.log_files += 1
            done.entries += step.entries
    return count
