"""`evaluate`: a case a line in, a decision a line out, and no ledger anywhere."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.evaluating import LINE_BYTES_MAX
from ledger.policy.cases import MEMBERS, NotACase, evaluate_case, read_case
from ledger.policy.decision import SEMANTICS
from tests.api.conftest import Command, Ran
from tests.ledger.test_policy_cases import CASES

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "api.cli.main", "--db", "/no/such/folder/no.db", "evaluate")
ALICE = "arn:aws:iam::111122223333:user/alice"
READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
ALLOWED = {
    "decision": "allowed",
    "statements": [{"policy": "p", "index": 0, "sid": None, "effect": "Allow"}],
    "missing": [],
}


def case(**members: Any) -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": [READ]}
    usual = {"principal": ALICE, "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k"}
    return {**usual, "identityPolicies": [{"name": "p", "policy": policy}], **members}


def piped(text: bytes, *words: str) -> Ran:
    done = subprocess.run([*COMMAND, *words], cwd=ROOT, input=text, capture_output=True, timeout=120)
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def answers(ran: Ran) -> list[Any]:
    return [orjson.loads(line) for line in ran.out.splitlines()]


def test_every_policy_case_in_one_stream() -> None:
    """The folder of policy cases, as somebody else's CI would put its own: those that are none are told in place."""
    ran = piped(b"".join(orjson.dumps(told.case) + b"\n" for told in CASES))
    told_all = answers(ran)
    assert len(told_all) == len(CASES)
    for told, answer in zip(CASES, told_all, strict=True):
        if told.expect == {"error": True}:
            assert list(answer) == ["error"], told.name
        else:
            assert answer == told.expect, told.name
    assert ran.code == 1
    assert "are no cases" in ran.err


def test_all_cases_is_success_and_nothing_on_standard_error() -> None:
    ran = piped(
        orjson.dumps(case()) + b"\n" + orjson.dumps(case(action="s3:PutObject")), "--format", "ndjson"
    )
    assert (ran.code, ran.err) == (0, "")
    assert answers(ran) == [ALLOWED, {"decision": "implicitDeny", "statements": [], "missing": ["identity"]}]


def test_nothing_in_nothing_out() -> None:
    assert piped(b"", "-") == Ran(0, b"", "")


def test_files_one_after_the_other_and_no_ledger_is_made(command: Command, tmp_path: Path) -> None:
    first, second = tmp_path / "a.ndjson", tmp_path / "b.ndjson"
    first.write_bytes(orjson.dumps(case()))
    second.write_bytes(b"\n" + orjson.dumps(case()) + b"\n")
    ran = command("--db", tmp_path / "no.db", "evaluate", first, second)
    assert ran.code == 1
    assert answers(ran) == [ALLOWED, {"error": f"{second} line 1: the line is empty"}, ALLOWED]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson", "b.ndjson"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "line 2: column 1: no JSON"),
        (b"  ", "line 2: the line is empty"),
        (b"[1]", "line 2: a case is an object, not list"),
        (b'{"principal":"*","principal":"*"}', "line 2: the key 'principal' stands twice in one object"),
        (b'{"a": {"b": [{"Effect": "Deny", "Effect": "Allow"}]}}', "line 2: the key 'Effect' stands twice"),
        (b'{"a": NaN}', "no JSON"),
        (b'{"a": "\\ud800"}', "no JSON"),
        (b'{"a": "\xff"}', "no JSON"),
        (b"[" * 300 + b"]" * 300, "nested too deep"),
        (b"[" * 100_000, "no JSON"),
        (orjson.dumps(case(identity=[])), "a case has no member 'identity'"),
        (orjson.dumps(case(principal="alice")), "principal: 'alice'"),
        (
            orjson.dumps(case(resourcePolicy={"Statement": {**READ, "Effect": "allow", "Principal": "*"}})),
            "resourcePolicy.Statement.Effect",
        ),
    ],
)
def test_a_line_that_is_no_case_is_told_where_it_stands_and_the_others_go_on(line: bytes, told: str) -> None:
    ran = piped(b"\n".join((orjson.dumps(case()), line, orjson.dumps(case()))))
    first, second, third = answers(ran)
    assert (first, third) == (ALLOWED, ALLOWED)
    assert list(second) == ["error"]
    assert told in second["error"]
    assert (ran.code, ran.err) == (1, "iam-ledger: 1 of 3 lines are no cases\n")


def test_a_line_without_end_is_not_kept_in_memory() -> None:
    longest = orjson.dumps(case()).ljust(LINE_BYTES_MAX)
    ran = piped(b"\n".join((longest, longest + b" " * LINE_BYTES_MAX, orjson.dumps(case()), b" " + longest)))
    told = answers(ran)
    assert [told[0], told[2]] == [ALLOWED, ALLOWED]
    assert [list(told[1]), list(told[3])] == [["error"], ["error"]]
    assert "line 2: the line is longer" in told[1]["error"] and "line 4" in told[3]["error"]


def test_an_answer_comes_before_the_next_question() -> None:
    with subprocess.Popen(COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for _ in range(3):
            process.stdin.write(orjson.dumps(case()) + b"\n")
            process.stdin.flush()
            assert orjson.loads(process.stdout.readline()) == ALLOWED
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--format", "json"), 2, "json"),
        (("--case", "x"), 2, "--case"),
        (("/no/such/cases.ndjson",), 3, "cannot read '/no/such/cases.ndjson': No such file"),
        (("/",), 3, "cannot read '/'"),
    ],
)
def test_what_cannot_be_understood_or_read(
    command: Command, words: tuple[str, ...], code: int, told: str
) -> None:
    ran = command("evaluate", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, b"", 1)
    assert told in ran.err


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(case(trustPolicy=1, sessionPolicies=1, context=1))), values))
def test_rubbish_is_no_case_and_never_a_crash(members: dict[str, Any]) -> None:
    for line in (
        orjson.dumps(_whole(case(**members))),
        orjson.dumps(_whole(members), option=orjson.OPT_INDENT_2),
    ):
        try:
            assert "decision" in evaluate_case(read_case(line))
        except NotACase as error:
            assert str(error)


@given(st.binary(max_size=40))
def test_bytes_are_read_as_json_or_refused(line: bytes) -> None:
    try:
        read_case(line)
    except NotACase as error:
        assert str(error)


def _whole(value: Any) -> Any:
    """What JSON can say of it."""
    match value:
        case dict():
            return {_text(name): _whole(one) for name, one in value.items()}
        case list():
            return [_whole(one) for one in value]
        case str():
            return _text(value)
        case int() if not -(2**63) <= value < 2**64:
            return float(value) if abs(value) < 2**900 else 0
        case _:
            return value


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def test_the_members_of_a_case_are_documented() -> None:
    told = (ROOT / "docs" / "policies.md").read_text()
    assert [name for name in sorted(MEMBERS) if f"`{name}`" not in told] == []
    assert f"their version is {SEMANTICS}," in told.replace("\n", " ")
