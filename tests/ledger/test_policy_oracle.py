"""The fast engine against the plain evaluator, on random cases.

`IAM_LEDGER_TEST_POLICY_CASES` says how many.
"""

import json
import os
from collections import Counter
from typing import Any

import pytest

from tests.oracles.plain_conditions import key_holds, list_of
from tests.oracles.plain_evaluation import evaluate, request_of
from tests.oracles.random_cases import OPERATORS, random_case

CASES = int(os.environ.get("IAM_LEDGER_TEST_POLICY_CASES", "20000"))
LAYERS = {"identity", "boundary", "session", "resource", "trust", "scp", "rcp"}


def documents_of(case: dict) -> list[dict]:
    named = [*case["identityPolicies"], *(case.get("sessionPolicies") or [])]
    levels = [*case.get("serviceControlPolicies", []), *case.get("resourceControlPolicies", [])]
    single = [case.get("permissionsBoundary"), case.get("resourcePolicy")]
    documents = [each["policy"] for each in named] + [each for level in levels for each in level]
    return documents + [each for each in single if each is not None]


def engine(case: dict[str, Any]) -> dict[str, Any]:
    from ledger.policy.cases import NotACase, evaluate_case

    try:
        return evaluate_case(case)
    except NotACase:
        return {"error": True}


def plainly(case: dict[str, Any]) -> dict[str, Any]:
    answer = evaluate(case)
    return {"error": True} if "error" in answer else answer


@pytest.mark.timeout(300 + CASES // 200)
def test_the_engine_decides_as_the_plain_evaluator_does() -> None:
    for number in range(CASES):
        case = random_case(number)
        decided, expected = engine(case), plainly(case)
        if decided != expected:
            print(json.dumps(case))
            pytest.fail(f"random case {number}: the engine says {decided}, the plain evaluator {expected}")


ASKED = ("principal", "action", "resource", "context", "resourceAccount")


@pytest.mark.timeout(300 + CASES // 200)
def test_what_policies_were_asked_before_changes_no_answer() -> None:
    """The policies of one case are asked what other cases ask, by whom they say, and all of it twice."""
    from ledger.policy.cases import NotACase, policies_in, request_in, told
    from ledger.policy.evaluation import evaluate as decide

    compared = 0
    for number in range(0, CASES // 4, 4):
        case = random_case(number)
        others = [
            {**case, **{member: other.get(member) for member in ASKED}}
            for other in map(random_case, range(number, number + 4))
        ]
        try:
            policies = policies_in(case)
        except NotACase:
            continue
        for asked in (*others, *others):
            expected = evaluate({member: value for member, value in asked.items() if value is not None})
            if "error" not in expected:
                assert told(decide(request_in(asked), policies)) == expected, json.dumps(asked)
                compared += 1
    assert compared > CASES // 4


def test_the_random_cases_reach_every_decision_and_every_layer() -> None:
    answers = [evaluate(random_case(number)) for number in range(5_000)]
    decisions = Counter(answer.get("decision", "error") for answer in answers)
    missing = Counter(layer.split(":")[0] for answer in answers for layer in answer.get("missing", []))
    told = Counter(
        (each["policy"][:2], each["effect"]) for answer in answers for each in answer.get("statements", [])
    )
    assert decisions["allowed"] > 1_200
    assert decisions["explicitDeny"] > 700
    assert decisions["implicitDeny"] > 1_000
    assert decisions["error"] > 100
    assert set(missing) == LAYERS
    assert min(missing.values()) > 50
    assert len(told) == 16
    assert min(told.values()) > 40


def test_the_random_cases_reach_both_outcomes_of_every_operator() -> None:
    outcomes: Counter = Counter()
    for number in range(10_000):
        case = random_case(number)
        if "error" in evaluate(case):
            continue
        context = request_of(case).context
        for document in documents_of(case):
            for statement in list_of(document["Statement"]):
                for name, keys in statement.get("Condition", {}).items():
                    for key, wanted in keys.items():
                        given = context.get(key.lower())
                        held = key_holds(name, list_of(wanted), given, document.get("Version"), context)
                        outcomes[name, held] += 1
    names = [name for kind in OPERATORS for name in OPERATORS[kind]]
    names = [
        prefix + name for prefix in ("", "ForAllValues:", "ForAnyValue:") for name in names if name != "Null"
    ]
    expected = {(name + end, held) for name in names for end in ("", "IfExists") for held in (True, False)}
    expected |= {("Null", True), ("Null", False)}
    assert expected - set(outcomes) == set()
