"""Policy documents: what AWS is known to have taken is taken, spoilt twins are refused, rubbish does no harm."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ledger.account.managed_policies import policy_arns, versions
from ledger.policy.grammar import (
    MalformedPolicyDocument,
    PolicyKind,
    check_document,
    check_policy,
    check_structure,
)
from tests.ledger.documents import (
    IDENTITY,
    MANAGED,
    ORGANIZATIONS,
    RCP,
    SCP,
    SESSION,
    TRUST,
    VALID,
    policy,
    refusal,
    without,
)
from tests.ledger.real import records_of

# What AWS has taken


def test_every_policy_of_aws_itself_is_taken() -> None:
    documents = [version.document for arn in policy_arns() for version in versions(arn)]
    assert len(documents) == 6194
    for document in documents:
        assert isinstance(document, dict)
        check_document(document, MANAGED)


def test_every_policy_that_the_recorded_logs_saw_taken_is_taken(real_logs: Path) -> None:
    taken = [*policies_of(records_of(real_logs))]
    for file in sorted((real_logs / "traildiscover").rglob("*.json")):
        taken += policies_of(records_within(orjson.loads(file.read_bytes())))
    for file in sorted((real_logs / "cloud-custodian").rglob("*.json.gz")):
        taken += policies_of(records_within(orjson.loads(gzip.decompress(file.read_bytes()))))
    for text, kind in taken:
        check_policy(text, kind)
    assert {kind for _, kind in taken} == {IDENTITY, MANAGED, TRUST, SESSION}


def records_within(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict) and "eventName" in found:
        yield found
    elif isinstance(found, dict | list):
        for inner in found.values() if isinstance(found, dict) else found:
            yield from records_within(inner)


def policies_of(records: Iterator[dict[str, Any]]) -> Iterator[tuple[str, PolicyKind]]:
    kinds = {
        ("CreateRole", "assumeRolePolicyDocument"): TRUST,
        ("UpdateAssumeRolePolicy", "policyDocument"): TRUST,
        ("CreatePolicy", "policyDocument"): MANAGED,
        ("CreatePolicyVersion", "policyDocument"): MANAGED,
        ("PutUserPolicy", "policyDocument"): IDENTITY,
        ("PutGroupPolicy", "policyDocument"): IDENTITY,
        ("PutRolePolicy", "policyDocument"): IDENTITY,
        ("AssumeRole", "policy"): SESSION,
    }
    for record in records:
        if "errorCode" not in record:
            for name, value in (record.get("requestParameters") or {}).items():
                kind = kinds.get((record["eventName"], name))
                if kind is not None:
                    yield value, kind


# Spoiling


def retold(name: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda statement: {**statement, name: value}


@pytest.mark.parametrize("kind", PolicyKind)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda statement: without(statement, "Effect"),
        lambda statement: without(statement, "Action"),
        lambda statement: {name.lower(): value for name, value in statement.items()},
        lambda statement: [statement],
        retold("Effect", "ALLOW"),
        retold("Action", "GetObject"),
        retold("Action", None),
        retold("NotAction", "sts:AssumeRole"),
        retold("Principal", {"Nobody": "*"}),
        retold("Principal", {"Service": 1}),
        retold("NotPrincipal", {"AWS": "111122223333"}),
        retold("Resource", 1),
        retold("Condition", {"StringEquals": {"aws:username": {}}}),
        retold("Condition", {"DateEquals": {"aws:CurrentTime": "now"}}),
        retold("Comment", ""),
    ],
)
def test_one_thing_spoilt_and_the_document_is_refused(
    kind: PolicyKind, spoil: Callable[[dict[str, Any]], Any]
) -> None:
    good = policy(VALID[kind], VALID[kind])
    check_policy(json.dumps(good), kind)
    message, place = refusal(policy(VALID[kind], spoil(VALID[kind])), kind)
    assert place.startswith("Statement[1]")
    assert (message == ORGANIZATIONS) is (kind in (SCP, RCP))


# Rubbish

NAMES = [
    *("Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition", "AWS", "Service", "StringEquals", "IpAddress", "Null", "aws:x"),
]
WORDS = [
    *("2012-10-17", "Allow", "Deny", "*", "s3:Get*", "sts:AssumeRole", "arn:aws:s3:::b", "arn:[a:iam::x:$"),
    *("111122223333", "ec2.amazonaws.com", "true", "\ud800"),
]
texts = st.sampled_from(WORDS) | st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=6)
    ),
    max_leaves=12,
)
strings = texts | st.lists(texts, max_size=2)
conditions = st.dictionaries(st.sampled_from(NAMES), st.dictionaries(texts, scalars, max_size=2), max_size=2)
principals = st.dictionaries(st.sampled_from(["AWS", "Service", "Federated"]), strings, max_size=2)
statements = st.builds(
    lambda good, changes: {**good, **changes},
    st.sampled_from([*VALID.values()]),
    st.fixed_dictionaries(
        {},
        optional={
            "Sid": texts,
            "Principal": principals,
            "Action": strings,
            "Resource": strings,
            "Condition": conditions,
            "NotAction": values,
        },
    ),
)
documents = st.fixed_dictionaries(
    {"Version": st.just("2012-10-17"), "Statement": statements | st.lists(statements, max_size=3)}
)


@given(documents | values, st.sampled_from(PolicyKind))
def test_rubbish_is_refused_or_taken_and_nothing_else(document: Any, kind: PolicyKind) -> None:
    text = json.dumps(document)
    try:
        taken = check_policy(text, kind)
    except MalformedPolicyDocument as refused:
        assert refused.message and refused.place
        event("refused")
    else:
        event("taken")
        assert taken == json.loads(text)
        check_structure(taken, kind)  # whatever AWS takes has a meaning


@given(st.text() | st.text(alphabet='{}[]",:\\ 0ae\n'), st.sampled_from(PolicyKind))
def test_texts_that_are_no_policies_are_refused(text: str, kind: PolicyKind) -> None:
    with pytest.raises(MalformedPolicyDocument):
        check_policy(text, kind)
