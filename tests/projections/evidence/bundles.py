"""Ledgers whose evidence is looked at, and strangers who look at it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ledger.checkpoint import account_key, new_ledger_key
from ledger.entry import leaf_hash
from ledger.log import Log
from ledger.log.checkpoints import Checkpoints
from projections.evidence import Chosen, Files, chosen_activity, make_bundle, write_bundle
from projections.evidence.heads import Heads
from projections.evidence.verify_evidence import verify
from tests.ledger.test_every_log import ACCOUNT, ALICE, BOB, draft

KEY = new_ledger_key("tested")
CAROL = {
    **ALICE,
    "principalId": "AIDACAROL",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/carol",
    "userName": "carol",
}
FIRST = 1767322800  # 2026-01-02T03:00:00Z
A, B = ALICE, BOB
CALLERS = [A, B, B, A, A, B, A, B, B, B, CAROL, B]  # one a minute, from FIRST on


def minute(number: int) -> int:
    return FIRST + 60 * number


def fill(log: Log) -> None:
    log.append(
        [
            draft(userIdentity=caller, eventTime=f"2026-01-02T03:{number:02}:00Z")
            for number, caller in enumerate(CALLERS)
        ]
    )


def heads_of(log: Log) -> Heads:
    return Heads(Checkpoints(log, KEY))


def bundle(log: Log, heads: Heads, chosen: Chosen) -> Files:
    return make_bundle(log, heads, chosen, question={"asked": "by a test"})


def activity(log: Log, principal: str, **narrowed: Any) -> Files:
    heads = heads_of(log)
    return bundle(log, heads, chosen_activity(log, heads, principal, **narrowed))


def public(account: str) -> str:
    return str(account_key(KEY, account).verifier)


def told(files: Files) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files["evidence.json"])
    return found


def retold(files: Files, document: dict[str, Any]) -> Files:
    """The bundle with another document."""
    return {**files, "evidence.json": json.dumps(document).encode()}


def of_log(document: dict[str, Any], account: str = ACCOUNT) -> dict[str, Any]:
    found: dict[str, Any] = document["logs"][account]
    return found


def shown(files: Files, account: str = ACCOUNT) -> list[int]:
    """The positions of which the records are told."""
    return [int(position) for position in of_log(told(files), account)["salts"]]


def wrong(files: Files, *keys: str) -> str:
    """What does not hold; empty where all does."""
    try:
        said(files, *keys)
    except Exception as error:
        return str(error) if isinstance(error, ValueError) else repr(error)
    return ""


def said(files: Files, *keys: str) -> list[str]:
    return list(verify(files, list(keys)))


def without(files: Files, position: int) -> Files:
    """As if there had never been such an entry: the hash of its leaf alone is left."""
    document = told(files)
    log = of_log(document)
    log["hashes"][f"{position}+1"] = leaf_hash(log["leaves"].pop(str(position)).encode()).hex()
    log["salts"].pop(str(position), None)
    kept = {name: raw for name, raw in files.items() if not name.endswith(f"-{position}.json")}
    return retold(kept, document)


class Stranger:
    """Has nothing but Python's own library, and the program that came with the bundle."""

    def __init__(self, folder: Path, files: Files, name: str = "bundle.zip") -> None:
        self.bundle = folder / name
        write_bundle(files, self.bundle)
        self._program = folder / "verify_evidence.py"
        self._program.write_bytes(files["verify_evidence.py"])

    def looks(self, *words: str) -> tuple[int, list[str]]:
        """The status, and what was printed."""
        ran = subprocess.run(
            [sys.executable, "-I", "-S", str(self._program), str(self.bundle), *words],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PYTHONIOENCODING": "utf-8"},
        )
        assert "Traceback" not in ran.stderr, ran.stderr
        return ran.returncode, (ran.stdout + ran.stderr).splitlines()
