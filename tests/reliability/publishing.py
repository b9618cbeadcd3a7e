"""R12: a fault at each step by which a log is published. Either nothing was written, or all was and an error is told.

An hour of a ledger is an append that fills a tile, a checkpoint, what two witnesses see and cosign of it, and a delivery:
its entry, log files, digests. One step of the hour breaks; then another process goes on from what is there, does the whole
hour again, and everything is verified. After Sunlight's tests of its sequencer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from api.witnessing import WitnessedLogs, make_witness_app
from ledger.checkpoint import account_key, new_ledger_key
from ledger.digests import PublicKeys
from ledger.entry import NATIVE, Draft
from ledger.log import Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.merkle.tiles import TILE_WIDTH
from ledger.notes import Signer
from ledger.record import read_record
from ledger.verification.verification import verify_log
from ledger.witness.cosignature import verifier_of
from ledger.witness.sending import Verdict, examine, send
from ledger.witness.stores import FolderStore, Replace
from ledger.witness.witnesses import Cosigner, OwnPlace, Witness
from projections.export.bucket import FolderBucket
from projections.export.deliveries import trail_of
from projections.export.delivering import Course, deliver
from projections.export.signing_keys import SigningKeys, new_signing_key
from projections.export.validation import Anchors, validate
from tests.api.loopback import on_loopback
from tests.ledger.told import ACCOUNT
from tests.projections.delivering_told import BUCKET, HOUR, MORNING, a_call, files_of
from tests.reliability.outcome import Outcome
from tests.reliability.soundness import looked_through

REGIONS: Final = ("us-east-1", "eu-west-1")
LOG_KEY, WITNESS = new_ledger_key("tested"), Signer.new("witness.example/w1")
DIGEST_KEYS: Final = SigningKeys([new_signing_key(2048)])

COMMITS: Final = {  # what is committed in each step that is one of the database
    "tile": "INSERT INTO tails",  # with the entries that fill it
    "checkpoint": "INSERT INTO checkpoints",
    "cosignature": "INSERT INTO cosignatures",
    "delivery": "INSERT INTO tails",  # with the entry that tells of it
}
STEPS: Final = (*COMMITS, "witness", "log file", "digest")


class Broken(Exception):
    """What is told of the step that broke."""


@dataclass(slots=True)
class Fault:
    """Breaks a step once; with `persists` after it was carried out."""

    step: str
    persists: bool
    hit: bool = False
    doing: str = ""  # what of the database is being written

    def at(self, step: str, carry_out: Callable[[], None]) -> None:
        if step != self.step or self.hit:
            carry_out()
            return
        self.hit = True
        if self.persists:
            carry_out()
        raise Broken(step)


NONE: Final = Fault("", persists=False)


def published_with_faults(url: str, folder: Path, rounds: int) -> Outcome:
    """Every step breaks in both ways, so many times; each time in an hour of its own."""
    outcome = Outcome()
    watched = WitnessedLogs(FolderStore(_made(folder / "cosigner")), WITNESS, [_verifier()])
    _made(folder / "seen")
    with on_loopback(make_witness_app(watched)) as cosigner:
        _Hour(url, folder, cosigner, 0).whole()
        for _ in range(rounds):
            for step in STEPS:
                for persists in (False, True):
                    outcome.trials += 1
                    hour = _Hour(url, folder, cosigner, outcome.trials)
                    where = f"{step}, {'persisted' if persists else 'not persisted'}"
                    outcome.hit += hour.broken_and_made_good(Fault(step, persists), outcome, where)
    return outcome


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _verifier() -> Any:
    return account_key(LOG_KEY, ACCOUNT).verifier


class _Hour:
    def __init__(self, url: str, folder: Path, cosigner: str, number: int) -> None:
        self._url, self._folder, self._cosigner, self._number = url, folder, cosigner, number
        self._now = MORNING + number * HOUR + 100
        self._delivered = folder / "delivered"
        self._drafts = [
            Draft.of(read_record(a_call(region=REGIONS[at % 2], at=self._now), account_id=ACCOUNT), NATIVE)
            for at in range(TILE_WIDTH)
        ]

    def broken_and_made_good(self, fault: Fault, outcome: Outcome, where: str) -> bool:
        with suppress(Broken):
            self._publish(fault)
        left = files_of(self._delivered)
        self.whole()  # as whoever called does, and the next start
        made_good = files_of(self._delivered)
        outcome.check(
            {name: made_good.get(name) for name in left} == left, f"{where}: what was delivered is other"
        )
        outcome.found(self._verified(), where)
        with self._process(NONE) as process:
            process.deliver(again=True)
        again = files_of(self._delivered)
        outcome.check(again == made_good, f"{where}: written once more, it is not the same bytes")
        return fault.hit

    def whole(self) -> None:
        self._publish(NONE)

    def _publish(self, fault: Fault) -> None:
        with self._process(fault) as process:
            fault.doing = "tile"
            process.log.append(self._drafts)
            fault.doing = "checkpoint"
            process.checkpoints.publish(ACCOUNT)
            fault.doing = "cosignature"
            for witness in process.witnesses:
                send(process.log, process.checkpoints, ACCOUNT, witness)
            fault.doing = "delivery"
            process.deliver()

    @contextmanager
    def _process(self, fault: Fault) -> Iterator[_Process]:
        engine = open_engine(self._url, create=True)
        _watch(engine, fault)
        try:
            with Cosigner(self._cosigner, verifier_of(WITNESS)) as cosigner:
                yield _Process(engine, self._folder, self._now, fault, cosigner)
        finally:
            engine.dispose()

    def _verified(self) -> Iterator[str]:
        found = looked_through(self._url, ACCOUNT)
        yield from found.wrong
        calls = sum(one["eventSource"] != "iam-ledger" for one in found.documents)
        if calls != (self._number + 1) * TILE_WIDTH:
            yield f"{calls} calls of {(self._number + 1) * TILE_WIDTH} are there"
        with self._process(NONE) as process:
            log = process.log
            whole = verify_log(log, [ACCOUNT], verifiers=lambda _: [_verifier(), verifier_of(WITNESS)])
            yield from (one.detail for one in whole.listed)
            if whole.cosignatures != whole.checkpoints:
                yield f"{whole.cosignatures} of {whole.checkpoints} checkpoints are cosigned"
            for witness in process.witnesses:
                told = examine(log, process.checkpoints, ACCOUNT, witness)
                if told.verdict is not Verdict.CONTINUES:
                    yield f"{witness.name}: {told.detail}"
            trail = trail_of(log, ACCOUNT)
            bucket = FolderBucket(self._delivered)
            anchors = Anchors.of_trail(trail, log)
            valid = validate(bucket, ACCOUNT, PublicKeys(trail.keys), anchors=anchors)
        yield from map(str, valid.findings)
        if valid.digests != self._number * len(REGIONS):
            yield f"{valid.digests} digests, where each hour of each region has one"


class _Process:
    """What of a ledger publishes it."""

    def __init__(self, engine: sa.Engine, folder: Path, now: int, fault: Fault, cosigner: Cosigner) -> None:
        self.log = Log(engine, clock=lambda: now)
        self.checkpoints = Checkpoints(self.log, LOG_KEY)
        seen = BreakingStore(FolderStore(folder / "seen"), fault)
        self.witnesses: list[Witness] = [OwnPlace("seen", seen, LOG_KEY), cosigner]
        self._bucket = BreakingBucket(folder / "delivered", fault)
        self._now = now

    def deliver(self, *, again: bool = False) -> None:
        course = Course(BUCKET, None, whole_hours=True, again=again)
        deliver(
            self.log,
            ACCOUNT,
            self._bucket,
            DIGEST_KEYS,
            course,
            checkpoints=self.checkpoints,
            clock=lambda: self._now,
        )


class BreakingStore:
    """Where a witness keeps what it has seen."""

    def __init__(self, store: FolderStore, fault: Fault) -> None:
        self._store, self._fault = store, fault

    def newest(self, origin: str) -> bytes | None:
        return self._store.newest(origin)

    def replace(self, origin: str, decide: Replace) -> None:
        self._fault.at("witness", lambda: self._store.replace(origin, decide))

    def set_aside(self, origin: str) -> None:
        self._store.set_aside(origin)


class BreakingBucket(FolderBucket):
    def __init__(self, root: Path, fault: Fault) -> None:
        super().__init__(root)
        self._fault = fault

    def put(self, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
        step = "digest" if "CloudTrail-Digest" in key else "log file"
        put = super().put
        self._fault.at(step, lambda: put(key, content, metadata))


def _watch(engine: sa.Engine, fault: Fault) -> None:
    """Breaks the commit of what the step writes."""

    @sa.event.listens_for(engine, "before_cursor_execute")
    def execute(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(COMMITS.get(fault.doing, "nothing")):
            connection.info["step"] = fault.doing

    @sa.event.listens_for(engine, "commit")
    def commit(connection: sa.Connection) -> None:
        if step := connection.info.pop("step", None):
            raw = connection.connection.dbapi_connection
            assert raw is not None
            if step == fault.step:
                fault.at(step, raw.commit)

    @sa.event.listens_for(engine, "rollback")
    def rollback(connection: sa.Connection) -> None:
        connection.info.pop("step", None)
