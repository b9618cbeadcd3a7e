"""Members of the battery whose full form is that of tests, with the numbers that they take from the environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.reliability.outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]
_COUNTED = re.compile(r"(\d+) (passed|failed|error|skipped)")


def suite(tests: Sequence[str], numbers: Mapping[str, int]) -> Outcome:
    """A trial is a test; `numbers` say how often each does what it does."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "--timeout", "0", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, **{name: str(number) for name, number in numbers.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ran.stdout.splitlines()
    counted = {what: int(count) for count, what in _COUNTED.findall(lines[-1] if lines else "")}
    outcome = Outcome(trials=counted.get("passed", 0) + counted.get("failed", 0) + counted.get("error", 0))
    outcome.hit = counted.get("passed", 0)
    for name, number in numbers.items():
        outcome.counts[name.removeprefix("IAM_LEDGER_TEST_").lower().replace("_", " ")] = number
    outcome.wrong = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    outcome.left_out = [line for line in lines if line.startswith("SKIPPED")]
    outcome.check(ran.returncode == 0 or bool(outcome.wrong), f"pytest ended with {ran.returncode}")
    return outcome
