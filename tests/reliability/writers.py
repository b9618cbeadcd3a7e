"""R11: many processes write to one account at once, each through an authority of its own.

Each makes users and deletes them again; while they do, somebody reads and signs the log, and always sees a beginning of it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import Any

from ledger.authority.authority import Authority, Request
from ledger.authority.turns import Unavailable
from ledger.checkpoint import Checkpoint, new_ledger_key
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.notes import unverified_text
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, HERE, ROOT, authority_at, forking, new_ledger, started
from tests.reliability.soundness import looked_through, rebuilt_alike

RETRY_SECONDS = 0.05
RETRY_SECONDS_MAX = 90.0
BEGINNING = 2  # entries that every account of these trials begins with
PAIR = (("CreateUser", "EntityAlreadyExists"), ("DeleteUser", "NoSuchEntity"))


@dataclass(frozen=True, slots=True)
class Told:
    """What a writer was answered, after how many failures; `code` is the refusal's."""

    operation: str
    name: str
    event_id: str
    code: str | None
    failures: int


def write(url: str, key: str, mark: str, pairs: int | None, ear: Connection) -> None:
    """Create and delete as many users, or until told to stop, and tell of each answer as soon as it is there."""
    logging.disable()  # of the failures that are the trial's own
    with authority_at(url, key) as authority:
        for number in count() if pairs is None else range(pairs):
            if ear.poll():
                break
            for operation, _ in PAIR:
                ear.send(_call(authority, operation, f"{mark}-{number}"))
    ear.send(None)


def _call(authority: Authority, operation: str, name: str) -> Told:
    """One call; tried again, as clients do, while the ledger can't be used."""
    request = Request(ACCOUNT, f"iam:{operation}", {"UserName": name}, HERE, None, by=ROOT)
    deadline, failures = time.monotonic() + RETRY_SECONDS_MAX, 0
    while True:
        try:
            reply = authority.call(request)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            failures += 1
            time.sleep(RETRY_SECONDS)
            continue
        code = None if reply.refusal is None else reply.refusal.code
        return Told(operation, name, reply.event_id, code, failures)


class Writers:
    """So many processes; `answers` takes in what they are told, and `going` tells whether any still writes."""

    def __init__(self, url: str, key: str, writers: int, pairs: int | None, mark: str = "w") -> None:
        self.answers: list[Told] = []
        self._ears: list[Connection] = []
        self._processes = []
        for number in range(writers):
            hears, ear = forking().Pipe()
            self._processes.append(started(write, url, key, f"{mark}{number}", pairs, ear))
            ear.close()
            self._ears.append(hears)
        self.broke_off = 0
        self._silent = list(self._ears)

    @property
    def all_heard(self) -> bool:
        """Whether each has been answered once: a writer that is still starting must not be what a trial hits."""
        return not self._silent

    @property
    def going(self) -> bool:
        return bool(self._ears)

    def listen(self, seconds: float) -> None:
        """Take in answers for so long."""
        end = time.monotonic() + seconds
        while self._ears and (left := end - time.monotonic()) > 0:
            for ear in wait(self._ears, left):
                assert isinstance(ear, Connection)
                try:
                    told = ear.recv()
                except EOFError:
                    told, self.broke_off = None, self.broke_off + 1
                if told is None:
                    self._ears.remove(ear)
                else:
                    self.answers.append(told)
                if ear in self._silent:
                    self._silent.remove(ear)

    def stop(self) -> None:
        """Have all end after what they are at."""
        for ear in self._ears:
            ear.send(None)
        while self.going:
            self.listen(1)

    def end(self) -> None:
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()


def kept_promises(answers: list[Told], documents: list[dict[str, Any]]) -> list[str]:
    """Each answer is one entry with its outcome; what was tried again has happened once."""
    wrong = []
    there = Counter(document["eventID"] for document in documents)
    errors = {document["eventID"]: document.get("errorCode") for document in documents}
    done = Counter(
        (document["eventName"], document["requestParameters"]["userName"])
        for document in documents
        if document["eventName"] in ("CreateUser", "DeleteUser") and "errorCode" not in document
    )
    refused = dict(PAIR)
    for told in answers:
        what = f"{told.operation} of {told.name}"
        if there[told.event_id] != 1:
            wrong.append(f"{what} was answered and is {there[told.event_id]} times in the log")
        elif (errors[told.event_id] is None) != (told.code is None):
            wrong.append(f"{what} was answered with {told.code}, recorded with {errors[told.event_id]}")
        if done[told.operation, told.name] != 1:
            wrong.append(f"{what} succeeded {done[told.operation, told.name]} times")
        if told.code is not None and (told.code != refused[told.operation] or not told.failures):
            wrong.append(f"{what} was answered with {told.code} after {told.failures} failures")
    return wrong


def many_write(url: str, writers: int, events: int) -> Outcome:
    """`events` entries by so many processes at once. A trial is a look at the log; a hit one at which it had grown."""
    outcome = Outcome()
    key, _ = new_ledger(url)
    pairs = max(1, events // writers // 2)
    engine = open_engine(url)
    log = Log(engine)
    team = Writers(url, key, writers, pairs)
    seen: list[bytes] = []
    checkpoints, signed = (
        Checkpoints(log, new_ledger_key()),
        0,
    )  # which signs nothing that contradicts what it signed
    began = time.monotonic()
    while team.going:
        team.listen(0.2)
        answered = len(team.answers)
        leaves = [entry.leaf_hash for entry in log.read(ACCOUNT, start=max(0, len(seen) - 500))]
        overlap = min(500, len(seen))
        outcome.trials += 1
        outcome.hit += len(leaves) > overlap
        outcome.check(leaves[:overlap] == seen[len(seen) - overlap :], "a reader saw another beginning")
        seen += leaves[overlap:]
        outcome.check(len(seen) >= BEGINNING + answered, "a reader does not see what was acknowledged before")
        size = Checkpoint.of_text(unverified_text(checkpoints.publish(ACCOUNT))).size
        outcome.check(size >= len(seen) and size >= signed, f"of {len(seen)} entries {size} are signed")
        outcome.counts["checkpoints"] += size > signed
        signed = size
    seconds = time.monotonic() - began
    team.end()
    engine.dispose()
    found = looked_through(url, ACCOUNT, seen)
    outcome.found(found.wrong, f"{writers} writers")
    outcome.found(kept_promises(team.answers, found.documents), f"{writers} writers")
    outcome.check(not team.broke_off, f"{team.broke_off} writers broke off")
    outcome.check(
        len(found.leaves) == BEGINNING + len(team.answers) == BEGINNING + writers * pairs * 2,
        f"{len(found.leaves)} entries of {len(team.answers)} answers",
    )
    outcome.found(rebuilt_alike(url), f"{writers} writers")
    outcome.counts[f"entries by {writers} writers"] = len(team.answers)
    outcome.counts["entries a second"] = round(len(team.answers) / seconds)
    return outcome
