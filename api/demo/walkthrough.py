"""`iam-ledger demo`: the bundled incident in a ledger of its own, and its investigation, question by question.

Everything that is told here is an answer of the ledger; the truth that is written beside the logs is not read.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from api.cli import account_tables, event_tables, key_tables, permission_tables
from api.cli.exits import Exit, Failed
from api.cli.opening import opened_log
from api.cli.permissions import DEPTH_MAX
from api.cli.printing import cell, clock, plain, short, show
from api.demo.incident import Incident, write_incident
from api.demo.whereabouts import MAIN, PROD_DATA
from ledger.intake.baseline import import_snapshot
from ledger.intake.importer import import_paths
from ledger.log import LedgerUnavailable, Log
from ledger.record import format_time, parse_time
from projections.activity import Question
from projections.investigation import Investigation

LEDGER = Path("iam-ledger-demo.db")
HOUR = 3_600
ROWS_MAX = 12
GRAVITY = ("critical", "high", "medium", "low")

Told = dict[str, Any]


def walk_through(folder: Path | None, ledger: Path = LEDGER) -> None:
    """Write the incident, import it into a fresh `ledger`, and investigate. Raises Failed."""
    _make_room(ledger)
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(TemporaryDirectory(prefix="iam-ledger-")))
        try:
            incident = write_incident(place)
        except OSError as error:
            raise Failed(f"cannot write into {place}: {error.strerror}", Exit.UNAVAILABLE) from error
        with opened_log(str(ledger), create=True) as log:
            _import(log, incident, kept=folder is not None, ledger=ledger)
            _Walk(Investigation(log), ledger).through(until=parse_time(incident.snapshot_at) + 24 * HOUR - 1)


def _make_room(ledger: Path) -> None:
    """Remove what an earlier demo left, and nothing else."""
    if not ledger.exists():
        return
    refusal = f"{ledger} is not a demo's ledger and stays as it is; move it away, or run the demo elsewhere"
    try:
        with opened_log(str(ledger)) as log:
            if not set(log.account_ids()) <= {MAIN, PROD_DATA}:
                raise Failed(refusal)
    except LedgerUnavailable as error:
        raise Failed(refusal) from error
    for name in (ledger.name, f"{ledger.name}-wal", f"{ledger.name}-shm"):
        ledger.with_name(name).unlink(missing_ok=True)


def _import(log: Log, incident: Incident, *, kept: bool, ledger: Path) -> None:
    import_snapshot(log, incident.snapshot, taken_at=parse_time(incident.snapshot_at))
    done = import_paths(log, [incident.logs])
    show(
        cell("An incident, and its investigation", "bold"),
        cell(
            f"{done.appended:,} records of {len(done.accounts)} accounts from {done.files} CloudTrail files, and a "
            f"snapshot of the account from before, are now in {ledger} ({done.seconds:.1f} s, "
            f"{done.duplicates} duplicates, {done.rejected.total()} rejected)."
        ),
    )
    if kept:
        show(cell(f"The files are in {incident.logs.parent}."))


class _Walk:
    """One investigation, from a suspicion to what is left behind. Each step asks what the one before told."""

    def __init__(self, ask: Investigation, ledger: Path) -> None:
        self.ask = ask
        self.command = f"{_program()} --db {ledger}"
        self._number = 0

    def through(self, until: int) -> None:
        suspect = self._suspect()
        began = self._began(suspect)
        key = self._key(suspect, began)
        longest = self._credentials(suspect)
        self._lineage(suspect, began)
        self._findings(key["account"], began)
        changed = self._difference(key["account"], began, until)
        self._event(changed, suspect)
        self._blame(changed)
        self._next(suspect, key, longest, changed, began, until)

    def _suspect(self) -> Told:
        self._step("Who was refused most often?", "principals")
        found = sorted(self.ask.principals(), key=lambda one: -one["denied"])
        show(account_tables.principals(found[:5]))
        suspect = found[0]
        self._so(f"{short(suspect['arn'])} was refused {suspect['denied']} times. A program does not probe.")
        return suspect

    def _began(self, suspect: Told) -> int:
        question = Question(principal=suspect["arn"], outcome="denied", order="oldest", limit=8)
        self._step(
            "What was it refused?", f"events --principal {short(suspect['arn'])} --denied --oldest -n 8"
        )
        page = self.ask.events(question)["events"]
        show(event_tables.events(page))
        first = parse_time(page[0]["time"])
        self._so(f"It begins at {clock(page[0]['time'])}, from {plain(page[0]['sourceIP'])}.")
        return first - first % HOUR

    def _key(self, suspect: Told, began: int) -> Told:
        reports = [self.ask.key(name, since=began) for name in suspect["keys"]]
        told = max(reports, key=lambda one: int(one["denied"]))
        self._step("Which key, and whose?", f"key {told['accessKey']} --since {_at(began)}")
        show(*key_tables.key_summary(told))
        new = [one for one in told["addresses"] if one["new"]]
        told_new = ", ".join(f"{plain(one['address'])} ({one['count']} calls)" for one in new)
        self._so(
            f"New addresses since {clock(_at(began))}: {told_new or 'none'}. It opened {len(told['sessions'])} "
            f"sessions."
        )
        return told

    def _credentials(self, suspect: Told) -> list[Told]:
        name = short(suspect["arn"])
        self._step("How far did it get?", f"activity {name}")
        told = self.ask.activity(suspect["arn"], limit=1)
        show(*event_tables.credentials(told))
        chains = [one["via"] for one in told["credentials"] if one["via"]]
        longest: list[Told] = max(chains, key=len, default=[])
        if longest:
            show(event_tables.chain(longest))
            self._so(
                f"{event_tables.hop_name(longest[0])} is {name} in the end, {len(longest) - 1} steps away."
            )
        return longest

    def _lineage(self, suspect: Told, began: int) -> None:
        name = short(suspect["arn"])
        self._step("What did it create, and what of it is left?", f"lineage {name} --from {_at(began)}")
        told = self.ask.lineage(suspect["arn"], since=began)
        show(*key_tables.lineage(told | {"changed": []}))

    def _findings(self, account: str, began: int) -> None:
        self._step("What else deserves a look?", f"findings --account {account} --from {_at(began)}")
        found = self.ask.findings(account=account, since=began)
        found.sort(key=lambda one: (_gravity(one), one["time"]))
        show(key_tables.findings(found[:ROWS_MAX]))
        self._more(len(found))

    def _difference(self, account: str, began: int, until: int) -> list[Told]:
        words = f"--account {account} --from {_at(began)} --to {_at(until)}"
        self._step("The account before and after?", f"diff {words}")
        found = self.ask.diff(account, began, until)
        show(*event_tables.differences(found[:ROWS_MAX]))
        self._more(len(found))
        return found

    def _event(self, changed: list[Told], suspect: Told) -> None:
        """The change by which it got its power, if it changed a policy."""
        made = [one for one in changed if one["kind"] == "policy" and one["entries"]]
        entries = [entry for one in made for entry in one["entries"] if entry["actor"] == suspect["arn"]]
        entry = next((entry for entry in entries if entry["eventName"] == "CreatePolicyVersion"), None)
        if entry is None:
            return
        self._step("How did it get from refused to allowed?", f"event {entry['eventID']}")
        show(*event_tables.event(self.ask.event(f"{entry['account']}:{entry['position']}")))

    def _blame(self, changed: list[Told]) -> None:
        """With what permission the first user was made that nobody had ordered."""
        made = next((one for one in changed if one["kind"] == "user" and one["change"] == "created"), None)
        if made is None or not made["entries"]:
            return
        entry = made["entries"][0]
        self._step(
            f"With what permission was {plain(made['name'])} made, and why could they?",
            f"blame {entry['eventID']} --recursive",
        )
        show(
            *permission_tables.blame(
                self.ask.permissions.blame_event(f"{entry['account']}:{entry['position']}", depth=DEPTH_MAX)
            )
        )

    def _next(
        self, suspect: Told, key: Told, chain: list[Told], changed: list[Told], began: int, until: int
    ) -> None:
        show("", cell("Now you", "bold"))
        name, account = short(suspect["arn"]), key["account"]
        show(cell(f"  {self.command} …", "dim"))
        for words in self._commands(name, account, chain, changed, began, until):
            show(cell(f"  {words}"))
        show(
            "", cell("`--format json` gives every answer to a program; `serve` gives them over HTTP.", "dim")
        )

    def _commands(
        self, name: str, account: str, chain: list[Told], changed: list[Told], began: int, until: int
    ) -> Iterator[str]:
        yield f"activity {name} --from {_at(began)} --all"
        if chain and chain[0].get("session"):
            yield f"events --session {chain[0]['session']}"
        yield f"events --action 'iam:*' --changing --from {_at(began)} --oldest"
        yield "events --text AdministratorAccess --changing"
        yield f"state user {name} --account {account} --at {_at(began)}"
        if changed:
            one = changed[0]
            yield f"history {one['kind']} {one['name']} --account {account}"
        yield f"access {name} --account {account} --at {_at(began)}"
        yield f"who-can iam:CreateUser '*' --account {account} --from {_at(began)} --to {_at(until)}"
        yield f"diff --permissions --account {account} --from {_at(began)} --to {_at(until)}"
        yield f"export --format cloudtrail --to evidence --principal-activity {name}"
        yield "serve"

    # -- telling ------------------------------------------------------------------------------------------------

    def _step(self, question: str, words: str) -> None:
        self._number += 1
        show("", cell(f"{self._number}. {question}", "bold cyan"), cell(f"$ {self.command} {words}", "dim"))

    def _so(self, sentence: str) -> None:
        show(cell(f"→ {sentence}", "italic"))

    def _more(self, count: int) -> None:
        if count > ROWS_MAX:
            show(cell(f"… and {count - ROWS_MAX} more", "dim"))


def _gravity(finding: Told) -> int:
    severity = str(finding["severity"]).lower()
    return GRAVITY.index(severity) if severity in GRAVITY else len(GRAVITY)


def _at(seconds: int) -> str:
    """A time as short as the command line takes it."""
    return format_time(seconds).removesuffix("Z").removesuffix(":00")


def _program() -> str:
    """What the reader has to type: the command itself where it is on the path, or where it stands."""
    if shutil.which("iam-ledger"):
        return "iam-ledger"
    called = Path(sys.argv[0])
    if called.name == "iam-ledger" and called.is_absolute() and called.is_relative_to(Path.cwd()):
        return str(called.relative_to(Path.cwd()))
    return str(called) if called.name == "iam-ledger" else "python -m api.cli.main"
