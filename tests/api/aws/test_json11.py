"""Requests of the JSON protocol are read as botocore writes them, and whatever else comes is refused cleanly."""

from random import Random
from typing import Any

import orjson
import pytest
from botocore.model import OperationModel
from hypothesis import given
from hypothesis import strategies as st

from api.aws import json11, models, wire
from api.aws.models import NO_MEMBERS, Operation, Shape
from api.aws.refusing import WireError
from tests.api.aws.judging import as_json, every_operation, named, random_value

TRAIL = models.service("cloudtrail")
LOOKUP = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"


def refused(body: bytes, *, target: str | None = LOOKUP) -> str:
    with pytest.raises(WireError) as caught:
        wire.read(TRAIL, target=target, body=body)
    assert caught.value.status == 400
    return caught.value.code


@pytest.mark.parametrize("operation", every_operation("cloudtrail"), ids=named)
def test_what_botocore_writes_is_read_as_it_was_meant(operation: OperationModel) -> None:
    random = Random(operation.name)
    for _ in range(20):
        meant = random_value(operation.input_shape, random)
        target, body = as_json(operation, meant)
        request = wire.read(TRAIL, target=target, body=body)
        assert request.operation.name == operation.name
        assert request.parameters == meant


def test_the_target_may_leave_out_the_packages() -> None:
    for target in (LOOKUP, "CloudTrail_20131101.LookupEvents"):
        assert wire.read(TRAIL, target=target, body=b"{}").operation.name == "LookupEvents"


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "LookupEvents",
        ".LookupEvents",
        "CloudTrail_20131101.",
        "CloudTrail_20131101.Lookup",
        f"x{LOOKUP}",
    ],
)
def test_another_target_is_an_unknown_operation(target: str | None) -> None:
    assert refused(b"{}", target=target) == "UnknownOperationException"


def test_nothing_is_an_empty_structure_and_null_is_absent() -> None:
    for body in (b"", b"{}", b' {"NextToken": null, "Surprise": [1]} '):
        assert wire.read(TRAIL, target=LOOKUP, body=body).parameters == {}


def test_fractions_of_seconds_are_kept() -> None:
    body = b'{"StartTime": 1700000000.25, "EndTime": 1.7e9}'
    assert wire.read(TRAIL, target=LOOKUP, body=body).parameters == {
        "StartTime": 1_700_000_000.25,
        "EndTime": 1_700_000_000,
    }


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"{",
            b"[]",
            b'"x"',
            b"null",
            b"\xff",
            b'{"NextToken": "\xff"}',
            b'{"NextToken": "\\ud800"}',
            b"NaN",
        ),
        *(
            b'{"MaxResults": "1"}',
            b'{"MaxResults": true}',
            b'{"MaxResults": 1.5}',
            b'{"MaxResults": 2147483648}',
        ),
        *(
            b'{"NextToken": 1}',
            b'{"StartTime": "today"}',
            b'{"StartTime": true}',
            b'{"StartTime": 1e300}',
            b'{"LookupAttributes": {}}',
        ),
        *(
            b'{"LookupAttributes": [null]}',
            b'{"LookupAttributes": ["x"]}',
            b"[" * 100_000,
            b'{"A":' * 100_000,
        ),
    ],
)
def test_what_does_not_fit_the_shape_can_not_be_read(body: bytes) -> None:
    assert refused(body) == "SerializationException"


@pytest.mark.parametrize(
    ("kind", "good", "meant", "bad"),
    [
        ("boolean", True, True, "true"),
        ("long", 2**62, 2**62, 2**63),
        ("double", 0.5, 0.5, "0.5"),
        ("blob", "AP8=", b"\x00\xff", "A"),
        ("blob", "", b"", 1),
    ],
)
def test_each_kind_of_value(kind: str, good: Any, meant: Any, bad: Any) -> None:
    operation = Operation(TRAIL, "X", Shape("I", "structure", {"V": Shape("V", kind)}), NO_MEMBERS, None)
    assert json11.parameters_of(operation, orjson.dumps({"V": good})) == {"V": meant}
    with pytest.raises(WireError, match="SerializationException"):
        json11.parameters_of(operation, orjson.dumps({"V": bad}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["LookupAttributes", "AttributeKey", "StartTime", "MaxResults", "x"]), inner
        )
    ),
    max_leaves=10,
)


@given(anything.map(orjson.dumps) | st.binary(max_size=40))
def test_rubbish_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        wire.read(TRAIL, target=LOOKUP, body=body)
    except WireError as refusal:
        assert refusal.status == 400
