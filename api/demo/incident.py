"""Plays the whole day, and writes what AWS would have delivered, the snapshot before it, and the truth.

`python -m api.demo.incident FOLDER` does it from the command line.
"""

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from api.demo.break_in import break_in
from api.demo.company import Company, found
from api.demo.containment import contain
from api.demo.cover_up import cover_up
from api.demo.day import SNAPSHOT_AT, iso
from api.demo.delivered_files import write_delivered
from api.demo.deployments import Deployments
from api.demo.iam_calls import IamCalls
from api.demo.identifiers import Identifiers
from api.demo.machines import Machines
from api.demo.people import People
from api.demo.persistence import persist
from api.demo.sessions import Sessions
from api.demo.snapshot import authorization_details
from api.demo.stage import Stage
from api.demo.trail import Act, Trail
from api.demo.truth_of_calls import Told, TruthOfCalls
from api.demo.truth_of_state import TruthOfState
from api.demo.whereabouts import MAIN, PROD_DATA

SEED = 20260317


@dataclass(frozen=True, slots=True)
class Incident:
    """Where everything was written, and the moments by which one finds one's way."""

    logs: Path
    snapshot: Path
    ground_truth: Path
    files: tuple[Path, ...]
    main_account: str
    other_account: str
    records: dict[str, int]  # by account, each event counted once
    duplicates: int
    snapshot_at: str
    first_malicious_at: str
    key_leaked_at: str
    contained_at: str
    last_malicious_at: str


def write_incident(folder: Path, seed: int = SEED) -> Incident:
    """The same seed gives the same bytes. `folder` is made if it is not there."""
    identifiers = Identifiers(seed)
    company = found(identifiers)
    folder.mkdir(parents=True, exist_ok=True)
    snapshot = folder / "account-snapshot.json"
    _write_json(snapshot, authorization_details(company.account))

    stage = _play(company, identifiers)
    seen = stage.trail.delivered()
    files, twice = write_delivered(folder, seen, identifiers.random)
    records = dict(sorted(Counter(act.account_id for act in seen).items()))
    acts = stage.loot.acts
    incident = Incident(
        logs=folder / "AWSLogs",
        snapshot=snapshot,
        ground_truth=folder / "ground-truth.json",
        files=tuple(files),
        main_account=MAIN,
        other_account=PROD_DATA,
        records=records,
        duplicates=len(twice),
        snapshot_at=iso(SNAPSHOT_AT),
        first_malicious_at=iso(acts["first"].moment),
        key_leaked_at=iso(acts["leak"].moment),
        contained_at=iso(acts["session stopped"].moment),
        last_malicious_at=iso(acts["last"].moment),
    )
    _write_json(incident.ground_truth, _truth(stage, seen, incident, twice))
    return incident


def _play(company: Company, identifiers: Identifiers) -> Stage:
    """The order of telling is the order in which the account changes; the clock is in each call."""
    trail = Trail(identifiers)
    iam, sessions = IamCalls(trail, company.account), Sessions(trail)
    machines = Machines(company, trail, sessions)
    people = People(company, trail, iam, sessions)
    stage = Stage(company, trail, iam, sessions, machines, people, Deployments(company, trail))
    machines.run()
    people.run()
    break_in(stage)
    persist(stage)
    cover_up(stage)
    contain(stage)
    return stage


def _truth(stage: Stage, seen: list[Act], incident: Incident, twice: list[str]) -> Told:
    state = TruthOfState(stage, seen)
    answers = TruthOfCalls(stage, seen).tell() | state.tell()
    return {
        "accounts": {"main": MAIN, "other": PROD_DATA},
        "snapshot_at": incident.snapshot_at,
        "first_malicious_at": incident.first_malicious_at,
        "key_leaked_at": incident.key_leaked_at,
        "contained_at": incident.contained_at,
        "last_malicious_at": incident.last_malicious_at,
        "records": incident.records,
        "files": len(incident.files),
        "duplicates": twice,
        **{question: answers[question] for question in sorted(answers, key=lambda name: int(name[1:]))},
        "state_at_the_end": state.final_state(),
    }


def _write_json(path: Path, told: Told) -> None:
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m api.demo.incident FOLDER")
    print(write_incident(Path(sys.argv[1])))
