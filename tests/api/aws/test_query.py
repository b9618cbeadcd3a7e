"""Requests of the Query protocol are read as botocore writes them, and whatever else comes is refused cleanly."""

import time
from random import Random

import pytest
from botocore.model import OperationModel
from hypothesis import given
from hypothesis import strategies as st

from api.aws import models, query, wire
from api.aws.models import Operation, Service, Shape
from api.aws.refusing import WireError
from tests.api.aws.judging import as_form, every_operation, named, random_value

IAM = models.service("iam")
STS = models.service("sts")
CREATE = b"Action=CreateUser&Version=2010-05-08&UserName=alice"


def read(body: bytes, service: Service = IAM) -> dict[str, object]:
    return wire.read(service, body=body).parameters


def refused(body: bytes, code: str, service: Service = IAM) -> str:
    with pytest.raises(WireError) as caught:
        wire.read(service, body=body)
    assert caught.value.code == code
    assert 400 <= caught.value.status < 500
    return caught.value.message


@pytest.mark.parametrize("operation", every_operation("iam", "sts"), ids=named)
def test_what_botocore_writes_is_read_as_it_was_meant(operation: OperationModel) -> None:
    service = models.service(operation.service_model.service_name)
    random = Random(operation.name)
    for _ in range(20):
        meant = random_value(operation.input_shape, random) if operation.input_shape else {}
        request = wire.read(service, body=as_form(operation, meant))
        assert request.operation.name == operation.name
        assert request.parameters == meant


def test_parameters_may_stand_in_the_url() -> None:
    request = wire.read(IAM, query_string=b"Action=GetUser&Version=2010-05-08", body=b"UserName=alice")
    assert (request.operation.name, request.parameters) == ("GetUser", {"UserName": "alice"})


def test_a_list_is_in_the_order_of_its_numbers_not_of_the_request() -> None:
    tags = b"&Tags.member.10.Key=c&Tags.member.2.Key=b&Tags.member.1.Key=a&Tags.member.999999999.Key=d"
    assert read(CREATE + tags)["Tags"] == [{"Key": key} for key in "abcd"]


def test_a_list_without_elements_is_empty_and_no_list_is_none() -> None:
    assert read(CREATE + b"&Tags=")["Tags"] == []
    assert "Tags" not in read(CREATE)


def test_names_that_the_operation_does_not_know_are_passed_over() -> None:
    assert read(CREATE + b"&X-Amz-Signature=abc&Surprise.member.1=x&=y&") == {"UserName": "alice"}


def test_true_is_true_in_any_case_of_letters() -> None:
    for text, meant in ((b"TRUE", True), (b"False", False)):
        told = read(b"Action=CreateLoginProfile&Version=2010-05-08&PasswordResetRequired=" + text)
        assert told == {"PasswordResetRequired": meant}


def test_times_are_seconds_and_bytes_are_bytes() -> None:
    members = {"At": Shape("At", "timestamp"), "Seed": Shape("Seed", "blob")}
    operation = Operation(IAM, "Example", Shape("Input", "structure", members), models.NO_MEMBERS, None)

    def told(at: str, seed: str = "") -> dict[str, object]:
        return query.parameters_of(operation, {"At": at, "Seed": seed})

    assert told("2024-02-29T12:00:00Z", "AP8=") == {"At": 1_709_208_000, "Seed": b"\x00\xff"}
    assert told("2024-02-29T13:00:00.5+01:00")["At"] == 1_709_208_000.5
    assert told("2024-02-29T12:00:00")["At"] == 1_709_208_000
    for at, seed in (
        ("yesterday", ""),
        ("0001-01-01T00:00:00+23:59", ""),
        ("2024-02-29", "!"),
        ("2024-02-29", "A"),
    ):
        with pytest.raises(WireError, match="MalformedInput"):
            told(at, seed)


def test_which_operation_is_meant() -> None:
    assert refused(b"", "MissingAction") == "The request is missing an action or a required parameter."
    assert refused(b"Action=GetRobot&Version=2010-05-08", "InvalidAction") == (
        "Could not find operation GetRobot for version 2010-05-08"
    )
    assert refused(b"Action=GetUser&Version=2011-06-15", "InvalidAction") == (
        "Could not find operation GetUser for version 2011-06-15"
    )
    assert refused(b"Action=GetUser", "InvalidAction") == (
        "Could not find operation GetUser for version NO_VERSION_SPECIFIED"
    )
    refused(b"Action=getuser&Version=2010-05-08", "InvalidAction")
    refused(b"Action=GetUser&Version=2010-05-08", "InvalidAction", STS)


def test_a_refusal_tells_the_operation_where_one_was_meant() -> None:
    for body, meant in ((CREATE + b"&Tags=x", "CreateUser"), (b"Action=GetRobot&Version=2010-05-08", None)):
        with pytest.raises(WireError) as caught:
            wire.read(IAM, body=body)
        assert (caught.value.operation.name if caught.value.operation else None) == meant


def test_a_version_belongs_to_one_service() -> None:
    assert models.service_of_version("2010-05-08") is IAM
    assert models.service_of_version("2011-06-15") is STS
    assert models.service_of_version("2013-11-01") is None  # CloudTrail's, which does not speak Query


@pytest.mark.parametrize(
    "fields",
    [
        b"Tags=x",
        b"Tags=&Tags.member.1.Key=a",
        b"Tags.=&Tags.member.1.Key=a",
        b"Tags.member=x",
        b"Tags.member.=x",
        b"Tags.member.0.Key=x",
        b"Tags.member.-1.Key=x",
        b"Tags.member.1e3.Key=x",
        b"Tags.member.01.Key=x",
        b"Tags.member.1234567890.Key=x",
        b"Tags.1.Key=x",
        b"Tags.member.1=x",
        b"Tags.member.1.=x",
        b"Tags.member.1.Key.member.1=x",
        b"Path.member.1=x",
        b"UserName.x=y",
    ],
)
def test_what_does_not_fit_the_shape_is_malformed(fields: bytes) -> None:
    refused(CREATE + b"&" + fields, "MalformedInput")


@pytest.mark.parametrize(
    "number", ["", " 1", "1_0", "٣", "1.0", "0x1", "2147483648", "-2147483649", "9" * 5000]
)
def test_what_is_no_integer_is_malformed(number: str) -> None:
    refused(b"Action=ListUsers&Version=2010-05-08&MaxItems=" + number.encode(), "MalformedInput")


@pytest.mark.parametrize("text", ["", "yes", "1", "true "])
def test_what_is_neither_true_nor_false_is_malformed(text: str) -> None:
    refused(
        b"Action=CreateLoginProfile&Version=2010-05-08&PasswordResetRequired=" + text.encode(),
        "MalformedInput",
    )


@pytest.mark.parametrize(
    "entries",
    [
        b"x",
        b"Properties=x",
        b"Properties.entry.1.key=a",
        b"Properties.entry.1.value=a",
        b"Properties.entry.1.key=a&Properties.entry.1.value=b&Properties.entry.2.key=a&Properties.entry.2.value=c",
        b"Properties.member.1.key=a&Properties.member.1.value=b",
    ],
)
def test_a_map_has_a_value_for_each_key_and_each_key_once(entries: bytes) -> None:
    members = {"Properties": Shape("P", "map", key=Shape("K", "string"), item=Shape("V", "string"))}
    operation = Operation(IAM, "Example", Shape("Input", "structure", members), models.NO_MEMBERS, None)
    if entries == b"x":
        assert query.parameters_of(operation, {"Properties": ""}) == {"Properties": {}}
        return
    with pytest.raises(WireError, match="MalformedInput"):
        query.parameters_of(operation, query.fields_of(entries))


@pytest.mark.parametrize(
    "body",
    [
        CREATE + b"&UserName=bob",
        CREATE + b"&User%4eame=bob",
        CREATE + b"&Path=%",
        CREATE + b"&Path=%4",
        CREATE + b"&Path=%zz",
        CREATE + b"&Path=%ff",
        CREATE + b"&Path=\xff",
        CREATE + b"&\xff=x",
        CREATE + b"&Path=%ed%a0%80",  # half a surrogate pair
        b"&".join(b"%d=" % number for number in range(query.FIELDS_MAX + 1)),
    ],
)
def test_what_is_no_form_or_may_be_read_in_two_ways_is_refused(body: bytes) -> None:
    refused(body, "MalformedQueryString")


def test_a_name_in_url_and_body_is_a_name_given_twice() -> None:
    with pytest.raises(WireError, match="more than once"):
        wire.read(IAM, query_string=b"UserName=alice", body=CREATE)


def test_no_message_repeats_a_long_text() -> None:
    assert len(refused(b"Version=2010-05-08&Action=" + b"x" * 500_000, "InvalidAction")) < 500


def test_a_request_has_its_bounds() -> None:
    refused(CREATE + b"&Path=" + b"x" * wire.BODY_SIZE_MAX, "RequestEntityTooLarge")


@pytest.mark.parametrize(
    "body",
    [
        b"&" * 9_999,
        b"%41" * 340_000,
        CREATE + b"&Tags.member.1" + b".member.1" * 110_000 + b"=x",
        CREATE + b"&" + b"." * 1_000_000,
        CREATE + b"".join(b"&Tags.member.%d.Key=" % (999_999_999 - number) for number in range(9_990)),
        CREATE + b"&Tags.member." + b"9" * 1_000_000 + b".Key=x",
        b"Action=ListUsers&Version=2010-05-08&MaxItems=" + b"9" * 1_000_000,
    ],
    ids=["ampersands", "escapes", "deep", "dots", "far", "number", "integer"],
)
def test_time_is_linear_in_the_size_of_the_request(body: bytes) -> None:
    began = time.process_time()
    try:
        wire.read(IAM, body=body)
    except WireError as refusal:
        assert 400 <= refusal.status < 500
    assert time.process_time() - began < 2  # seconds; a quadratic reader takes minutes


words = (b"%41", b"%c3%a9", b"member", b"1", b"0", b"Tags", b"Key", b"entry", b"key", b"PermissionsBoundary")
signs = (b"&", b"=", b"%", b"+", b".", b"\xff", b"&Tags.member.1.Key=x", b"&UserName", b"&Path")
pieces = st.sampled_from((*words, *signs))


@given(st.lists(st.one_of(pieces, st.binary(max_size=4)), max_size=30).map(b"".join))
def test_rubbish_is_read_or_refused_and_nothing_else(rubbish: bytes) -> None:
    for body in (rubbish, CREATE + rubbish):
        try:
            wire.read(IAM, body=body)
        except WireError as refusal:
            assert 400 <= refusal.status < 500
