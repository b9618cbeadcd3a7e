"""Policy cases are files that somebody who knows IAM and no Python can read and add: `tests/policy_cases/`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.plain_evaluation import evaluate

FOLDER = Path(__file__).resolve().parents[1] / "policy_cases"


@dataclass(frozen=True)
class PolicyCase:
    name: str
    because: str
    case: dict[str, Any]
    expect: dict[str, Any]


def cases_in(path: Path) -> Iterator[PolicyCase]:
    content = json.loads(path.read_text(encoding="utf-8"))
    name = f"{path.parent.name}/{path.stem}"
    for each in content.get("cases", [content]):
        case = {**content.get("given", {}), **each["case"]}
        when = f": {each['when']}" if "when" in each else ""
        yield PolicyCase(name + when, content["because"], case, each["expect"])


CASES = [case for path in sorted(FOLDER.glob("*/*.json")) for case in cases_in(path)]
every_case = pytest.mark.parametrize("told", CASES, ids=lambda told: told.name)


def test_every_case_has_a_name_of_its_own() -> None:
    names = [told.name for told in CASES]
    assert sorted(names) == sorted(set(names))


def test_every_subtlety_has_a_case() -> None:
    """The README lists them; some name two ("Subtleties 4 and 5")."""
    reasons = (
        " ".join(told.because for told in CASES)
        .replace("Subtleties", "Subtlety")
        .replace(" and ", ". Subtlety ")
    )
    assert [
        n for n in range(1, 25) if f"Subtlety {n}." not in reasons and f"Subtlety {n}:" not in reasons
    ] == []


@every_case
def test_the_plain_evaluator_decides_every_case(told: PolicyCase) -> None:
    answer = evaluate(told.case)
    if told.expect == {"error": True}:
        assert "error" in answer
    else:
        assert answer == told.expect, told.because


@every_case
def test_the_engine_decides_every_case(told: PolicyCase) -> None:
    from ledger.policy.cases import NotACase, evaluate_case

    if told.expect == {"error": True}:
        with pytest.raises(NotACase):
            evaluate_case(told.case)
    else:
        assert evaluate_case(told.case) == told.expect, told.because
