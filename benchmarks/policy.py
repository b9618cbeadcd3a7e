"""How many policy decisions a CPU second: the engine warm and cold, a plain evaluator, and Cedar.

    python benchmarks/policy.py [--bench FOLDER] [--rounds 3] [--shape std]

Workloads of 10,000 requests by 200 users are `policy/workload_*.json.gz` in the folder of benchmarks (`--bench`, or
IAM_LEDGER_BENCH, or ../shared/bench). `std` has 21 statements a user, `heavy` 101; `std_full` adds conditions, roles,
boundaries, session, resource and control policies. The plain evaluator is `tests/oracles/plain_evaluation.py`, which
looks at every statement. Cedar has a PolicySet a principal, parsed beforehand, and does the same work on std and heavy;
it needs the package `cedarpy`, which is not among the project's requirements. All of them tell every statement that
decides, and the engine's answers to all requests are held against the plain evaluator's.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for tests.oracles

from tests.oracles.plain_documents import check_case  # noqa: E402
from tests.oracles.plain_evaluation import NEEDS_NO_PERMISSION, decide  # noqa: E402

try:
    import cedarpy
except ImportError:
    cedarpy = None

SHAPES = ("std", "heavy", "std_full")


@dataclass(frozen=True)
class Workload:
    """`cases` are lines for `iam-ledger evaluate`; cases of one principal share their policy documents."""

    shape: str
    cases: list[dict[str, Any]]


@dataclass(frozen=True)
class EngineRates:
    """Decisions a CPU second, and the engine's answers to all cases."""

    warm: float
    cold: float
    answers: list[dict[str, Any]]


def main() -> None:
    asked = arguments()
    for shape in asked.shape or SHAPES:
        workload = read_workload(asked.bench / "policy" / f"workload_{shape}.json.gz", shape)
        expected = [decide(case) for case in workload.cases]
        print(f"{shape}: {len(workload.cases):,} requests, decisions a CPU second", flush=True)
        rates = {"plain evaluator": rate(lambda w=workload: plain_round(w), asked.rounds)}
        tell("plain evaluator", rates["plain evaluator"])
        if cedarpy is None:
            print("  Cedar: not measured; pip install cedarpy")
        elif (
            shape != "std_full"
        ):  # Cedar knows no layers, variables, or ARNs; translating them would compare inventions
            rates["Cedar"] = cedar_rate(workload, expected, asked.rounds)
            tell("Cedar", rates["Cedar"])
        engine = engine_rates(workload, asked.rounds)
        check_agreement(workload, engine.answers, expected)
        tell("engine, cold", engine.cold)
        tell("engine, warm", engine.warm)
        for peer, theirs in rates.items():
            print(f"  engine / {peer}: cold {engine.cold / theirs:.1f}, warm {engine.warm / theirs:.1f}")


def arguments() -> argparse.Namespace:
    bench = os.environ.get("IAM_LEDGER_BENCH", str(ROOT.parent / "shared" / "bench"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", action="append", choices=SHAPES, help="one of them; default: all")
    parser.add_argument("--bench", type=Path, default=Path(bench), help="where policy/ is")
    parser.add_argument("--rounds", type=int, default=3, help="the median is told")
    return parser.parse_args()


def tell(who: str, told: float) -> None:
    print(f"  {who:18}{told:12,.0f}", flush=True)


def rate(one_round: Callable[[], tuple[int, float]], rounds: int) -> float:
    """Decisions a CPU second, the median of the rounds; one round before is not counted."""
    one_round()
    return statistics.median(
        decisions / seconds for decisions, seconds in (one_round() for _ in range(rounds))
    )


# The workload


def read_workload(path: Path, shape: str) -> Workload:
    if not path.is_file():
        sys.exit(f"there is no {path}; --bench names the folder of benchmarks")
    with gzip.open(path) as stream:
        told = json.load(stream)
    holders = {"user": told["users"], "role": told["roles"]}
    identity = {
        (kind, name): identity_policies(told, name, holder)
        for kind, of_kind in holders.items()
        for name, holder in of_kind.items()
    }
    cases = [case_of(told, request, holders, identity) for request in told["requests"]]
    for case in cases:
        check_case(case)
    return Workload(shape, cases)


def identity_policies(told: dict[str, Any], name: str, holder: dict[str, Any]) -> list[dict[str, Any]]:
    """Inline and managed ones, and those of the user's groups."""
    groups = {group: told["groups"][group] for group in holder.get("groups", [])}
    return [
        policy
        for owner, each in {name: holder, **groups}.items()
        for policy in (
            *({"name": f"{owner}/{inline}", "policy": text} for inline, text in each["inline"].items()),
            *({"name": managed, "policy": told["managed"][managed]} for managed in each["managed"]),
        )
    ]


def case_of(
    told: dict[str, Any], request: dict[str, Any], holders: dict[str, Any], identity: dict[Any, Any]
) -> dict[str, Any]:
    kind, name = request["kind"], request["name"]
    boundary, session = holders[kind][name]["boundary"], request.get("session")
    case = {
        **{part: request[part] for part in ("principal", "action", "resource", "context")},
        "identityPolicies": identity[kind, name],
        "serviceControlPolicies": told["scps"],
        "resourceAccount": told["account"],
    }
    if boundary is not None:
        case["permissionsBoundary"] = told["boundaries"][boundary]
    if session is not None:
        case["sessionPolicies"] = [{"name": f"session{session}", "policy": told["sessions"][session]}]
    if "resource_policy" in request:
        case["resourcePolicy"] = told["resource_policies"][request["resource_policy"]]
    return case


# The engine


def engine_rates(workload: Workload, rounds: int) -> EngineRates:
    """TO BE FILLED IN with the engine's compiled form: documents compiled once and shared between holders.

    Warm: `rate` over all cases, the documents compiled and the caches filled by the round before. Cold: the same
    requests once, with compiled documents and empty caches. Answers: in the format of `iam-ledger evaluate`.
    """
    raise SystemExit("the engine's half of this benchmark is not written yet")


def check_agreement(
    workload: Workload, answers: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    """Engine and plain evaluator answer every request alike, or the first that differs is told as a line of JSON."""
    for case, answer, wanted in zip(workload.cases, answers, expected, strict=True):
        if answer != wanted:
            print(json.dumps(case))
            sys.exit(f"the engine says {json.dumps(answer)}, the plain evaluator {json.dumps(wanted)}")
    print(f"  engine and plain evaluator agree on all {len(answers):,}")


# The plain evaluator


def plain_round(workload: Workload) -> tuple[int, float]:
    began = time.process_time()
    for case in workload.cases:
        decide(case)
    return len(workload.cases), time.process_time() - began


# Cedar


def cedar_rate(workload: Workload, expected: list[dict[str, Any]], rounds: int) -> float:
    """A PolicySet handle a principal; action and resource are texts of the context, matched by `like`."""
    handles: dict[str, Any] = {}
    asked = []
    for case in workload.cases:
        principal = case["principal"]
        if principal not in handles:
            handles[principal] = cedarpy.PolicySet.from_str(cedar_policies(case["identityPolicies"]))
        asked.append((cedar_request(case), handles[principal]))
    nobody = cedarpy.Entities.from_json_str("[]")

    def one_round() -> tuple[int, float]:
        began = time.process_time()
        for request, policies in asked:
            cedarpy.is_authorized(request, policies, nobody)
        return len(asked), time.process_time() - began

    for (request, policies), wanted in zip(asked, expected, strict=True):
        # That some calls need no permission is no rule of a policy.
        if request["context"]["action"] not in NEEDS_NO_PERMISSION:
            check_cedar(cedarpy.is_authorized(request, policies, nobody), wanted)
    return rate(one_round, rounds)


def check_cedar(result: Any, wanted: dict[str, Any]) -> None:
    """The same decision, determined by as many statements: Cedar tells those whose effect decided."""
    deciding = "Allow" if wanted["decision"] == "allowed" else "Deny"
    statements = [each for each in wanted["statements"] if each["effect"] == deciding]
    if result.allowed is not (wanted["decision"] == "allowed") or result.diagnostics.errors:
        sys.exit(f"Cedar says {result.decision} {result.diagnostics.errors}, the plain evaluator {wanted}")
    if len(result.diagnostics.reasons) != len(statements):
        sys.exit(f"Cedar gives {result.diagnostics.reasons}, the plain evaluator {statements}")


def cedar_request(case: dict[str, Any]) -> dict[str, Any]:
    return {
        "principal": {"type": "User", "id": case["principal"]},
        "action": {"type": "Action", "id": "call"},
        "resource": {"type": "Resource", "id": "it"},
        "context": {"action": case["action"].lower(), "resource": case["resource"]},
    }


def cedar_policies(named: list[dict[str, Any]]) -> str:
    return "\n".join(cedar_policy(statement) for each in named for statement in each["policy"]["Statement"])


def cedar_policy(statement: dict[str, Any]) -> str:
    # Cedar compares with case and knows no `?`; the workloads have none, and actions are lowered on both sides.
    if set(statement) != {"Effect", "Action", "Resource"} or "?" in json.dumps(statement):
        sys.exit(f"a statement that is not translated to Cedar: {statement}")
    effect = {"Allow": "permit", "Deny": "forbid"}[statement["Effect"]]
    actions = cedar_likes("context.action", [action.lower() for action in texts(statement["Action"])])
    resources = cedar_likes("context.resource", texts(statement["Resource"]))
    return f"{effect}(principal, action, resource) when {{ ({actions}) && ({resources}) }};"


def cedar_likes(field: str, patterns: list[str]) -> str:
    return " || ".join(
        f"{field} like {json.dumps(text)}" if "*" in text else f"{field} == {json.dumps(text)}"
        for text in patterns
    )


def texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


if __name__ == "__main__":
    main()
