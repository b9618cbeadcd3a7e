"""How many policy decisions a CPU second: the engine warm and cold, a plain evaluator, and Cedar.

    python benchmarks/policy.py [--bench FOLDER] [--rounds 5] [--shape std]

Workloads of 10,000 requests by 200 users are `policy/workload_*.json.gz` in the folder of benchmarks (`--bench`, or
IAM_LEDGER_BENCH, or ../shared/bench). `std` has 21 statements a user, `heavy` 101; `std_full` adds conditions, roles,
boundaries, session, resource and control policies. The plain evaluator is `tests/oracles/plain_evaluation.py`, which
looks at every statement. Cedar has a PolicySet a principal, parsed beforehand, and does the same work on std and heavy;
it needs the package `cedarpy`, which is not among the project's requirements. All of them tell every statement that
decides, and the engine's answers to all requests are held against the plain evaluator's.
"""

from __future__ import annotations

import argparse
import gc
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

from ledger.policy import patterns  # noqa: E402
from ledger.policy.cases import told  # noqa: E402
from ledger.policy.decision import Layer, Source  # noqa: E402
from ledger.policy.document import Policy  # noqa: E402
from ledger.policy.evaluation import Policies, PolicySet, evaluate  # noqa: E402
from ledger.policy.request import Caller, caller_of, request_of  # noqa: E402
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


Round = Callable[[], tuple[int, float]]
"""Decides everything once; tells how many decisions that were, and the CPU seconds that they took."""


def main() -> None:
    asked = arguments()
    for shape in asked.shape or SHAPES:
        workload = read_workload(asked.bench / "policy" / f"workload_{shape}.json.gz", shape)
        expected = [decide(case) for case in workload.cases]
        engine = Engine(workload)
        engine.cold()
        check_agreement(workload, engine.answers(), expected)
        rounds: dict[str, Round] = {"plain evaluator": lambda w=workload: plain_round(w)}  # type: ignore[misc]
        # Cedar knows no layers, variables, or ARNs; translating them would compare inventions
        if cedarpy is not None and shape != "std_full":
            rounds["Cedar"] = cedar_rounds(workload, expected)
        peers = list(rounds)
        rounds |= {"engine, cold": engine.cold, "engine, warm": engine.warm}
        print(f"{shape}: {len(workload.cases):,} requests, decisions a CPU second")
        if cedarpy is None:
            print("  Cedar: not measured; pip install cedarpy")
        rates = rates_of(rounds, asked.rounds)
        for who, rate in rates.items():
            print(f"  {who:18}{rate:12,.0f}")
        for peer in peers:
            cold, warm = rates["engine, cold"] / rates[peer], rates["engine, warm"] / rates[peer]
            print(f"  engine / {peer}: cold {cold:.1f}, warm {warm:.1f}")
        compiled = statistics.median(engine.compiled_ms)
        print(f"  engine: the policies of all holders compiled in {compiled:.0f} ms", flush=True)


def arguments() -> argparse.Namespace:
    bench = os.environ.get("IAM_LEDGER_BENCH", str(ROOT.parent / "shared" / "bench"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", action="append", choices=SHAPES, help="one of them; default: all")
    parser.add_argument("--bench", type=Path, default=Path(bench), help="where policy/ is")
    parser.add_argument("--rounds", type=int, default=5, help="the median is told")
    return parser.parse_args()


def rates_of(rounds: dict[str, Round], count: int) -> dict[str, float]:
    """Decisions a CPU second of each, the median; they take turns, for how fast the machine is changes with the minute.

    One turn before is not counted.
    """
    found: dict[str, list[float]] = {who: [] for who in rounds}
    for turn in range(count + 1):
        for who, one_round in rounds.items():
            decisions, seconds = one_round()
            if turn:
                found[who].append(decisions / seconds)
    return {who: statistics.median(each) for who, each in found.items()}


def settle_heap() -> None:
    """Spare whoever is measured that the garbage collector goes through what the benchmark itself holds."""
    gc.collect()
    gc.freeze()


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


class Engine:
    """Documents are compiled once and shared between holders; nothing else is there before the first request.

    Cold: each request once, every cache empty but for the compiled documents. Warm: the same requests again.
    """

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._ready: list[Asked] = []
        self.compiled_ms: list[float] = []  # for the policies of all holders

    def cold(self) -> tuple[int, float]:
        settle_heap()
        self._ready, milliseconds = prepared(self._workload)
        self.compiled_ms.append(milliseconds)
        settle_heap()
        return engine_round(self._ready)

    def warm(self) -> tuple[int, float]:
        return engine_round(self._ready)

    def answers(self) -> list[dict[str, Any]]:
        """To all requests, in the format of `iam-ledger evaluate`, with the caches filled."""
        return [
            told(evaluate(request_of(*asked, resource_account=account), policies))
            for asked, account, policies in self._ready
        ]


Asked = tuple[tuple[Caller, str, str, dict[str, tuple[str, ...]]], str | None, Policies]


def engine_round(ready: list[Asked]) -> tuple[int, float]:
    began = time.process_time()
    for asked, account, policies in ready:
        evaluate(request_of(*asked, resource_account=account), policies)
    return len(ready), time.process_time() - began


def prepared(workload: Workload) -> tuple[list[Asked], float]:
    """The requests with the policies of their holders, compiled anew; and the milliseconds that compiling took."""
    patterns.compiled.cache_clear()
    documents: dict[int, Policy] = {}
    sets: dict[tuple[object, ...], PolicySet] = {}
    together: dict[tuple[Any, ...], Policies] = {}

    def policy_set(layer: Layer, named: list[tuple[str, dict[str, Any]]]) -> PolicySet:
        key = (layer, *((name, id(document)) for name, document in named))
        if key not in sets:
            sets[key] = PolicySet(
                (documents.setdefault(id(document), Policy(document)), Source(layer, name))
                for name, document in named
            )
        return sets[key]

    def identity_of(case: dict[str, Any]) -> PolicySet:
        return policy_set(
            Layer.IDENTITY, [(each["name"], each["policy"]) for each in case["identityPolicies"]]
        )

    holders = {id(case["identityPolicies"]): case for case in workload.cases}
    began = time.process_time()
    for case in holders.values():
        identity_of(case)
    milliseconds = (time.process_time() - began) * 1e3
    ready = []
    for case in workload.cases:
        boundary, sessions = case.get("permissionsBoundary"), case.get("sessionPolicies")
        resource = case.get("resourcePolicy")
        in_force = (
            identity_of(case),
            None if boundary is None else policy_set(Layer.BOUNDARY, [("boundary", boundary)]),
            None
            if sessions is None
            else policy_set(
                Layer.SESSION, [(f"session:{each['name']}", each["policy"]) for each in sessions]
            ),
            None if resource is None else policy_set(Layer.RESOURCE, [("resource", resource)]),
            False,
            tuple(
                policy_set(
                    Layer.SERVICE_CONTROL,
                    [(f"scp:{level}:{number}", each) for number, each in enumerate(listed)],
                )
                for level, listed in enumerate(case["serviceControlPolicies"])
            ),
        )
        if in_force not in together:
            together[in_force] = Policies(*in_force)
        context = {
            key: tuple(values) if isinstance(values, list) else (values,)
            for key, values in case["context"].items()
        }
        caller = caller_of(case["principal"], case["context"].get("aws:PrincipalArn"))
        ready.append(
            ((caller, case["action"], case["resource"], context), case["resourceAccount"], together[in_force])
        )
    return ready, milliseconds


def check_agreement(
    workload: Workload, answers: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    """Engine and plain evaluator answer every request alike, or the first that differs is told as a line of JSON."""
    for case, answer, wanted in zip(workload.cases, answers, expected, strict=True):
        if answer != wanted:
            print(json.dumps(case))
            sys.exit(f"the engine says {json.dumps(answer)}, the plain evaluator {json.dumps(wanted)}")
    print(f"{workload.shape}: engine and plain evaluator agree on all {len(answers):,}")


# The plain evaluator


def plain_round(workload: Workload) -> tuple[int, float]:
    began = time.process_time()
    for case in workload.cases:
        decide(case)
    return len(workload.cases), time.process_time() - began


# Cedar


def cedar_rounds(workload: Workload, expected: list[dict[str, Any]]) -> Round:
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
    return one_round


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
