"""What we answer is what botocore's clients understand, and never less or more than the model says."""

from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.model import OperationModel
from hypothesis import given
from hypothesis import strategies as st

from api.aws import models, wire
from api.aws.models import Operation
from api.aws.outputs import OutputMistake
from api.aws.refusing import FAULT_NAMESPACE
from api.aws.xml_text import escaped
from tests.api.aws.judging import MODELS, every_operation, named, random_value, understood

ID = "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"


def operation_of(service: str, name: str) -> Operation:
    found = models.service(service).operation(name)
    assert found is not None
    return found


@pytest.mark.parametrize("operation", every_operation(*models.SERVICES), ids=named)
def test_what_we_answer_is_understood_as_it_was_meant(operation: OperationModel) -> None:
    ours = operation_of(operation.service_model.service_name, operation.name)
    random = Random(operation.name)
    for required_only in (True, *[False] * 20):
        shape = operation.output_shape
        meant = random_value(shape, random, required_only=required_only) if shape else {}
        told = understood(operation, wire.answer(ours, meant, ID))
        metadata = told.pop("ResponseMetadata")
        assert (metadata["HTTPStatusCode"], metadata["RequestId"]) == (200, ID)
        assert told == meant


def test_an_answer_looks_like_those_of_aws() -> None:
    user = {
        "Path": "/",
        "UserName": "a",
        "UserId": "AIDA",
        "Arn": "arn:…",
        "CreateDate": 1_700_000_000,
        "Tags": [],
    }
    reply = wire.answer(operation_of("iam", "CreateUser"), {"User": user}, ID)
    assert reply.headers == {"Content-Type": "text/xml", "x-amzn-RequestId": ID}
    assert reply.body.decode() == (
        '<CreateUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateUserResult><User><Path>/</Path>'
        "<UserName>a</UserName><UserId>AIDA</UserId><Arn>arn:…</Arn><CreateDate>2023-11-14T22:13:20Z</CreateDate>"
        f"<Tags></Tags></User></CreateUserResult><ResponseMetadata><RequestId>{ID}</RequestId></ResponseMetadata>"
        "</CreateUserResponse>"
    )
    assert wire.answer(operation_of("iam", "DeleteUser"), {}, ID).body.decode() == (
        '<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata>'
        f"<RequestId>{ID}</RequestId></ResponseMetadata></DeleteUserResponse>"
    )


USER = {"Path": "/", "UserName": "a", "UserId": "AIDA", "Arn": "arn", "CreateDate": 0}


@pytest.mark.parametrize(
    ("service", "name", "output"),
    [
        ("iam", "GetUser", {}),
        ("iam", "GetUser", {"User": {**USER, "Arn": None}}),
        ("iam", "GetUser", {"User": {key: value for key, value in USER.items() if key != "UserId"}}),
        ("iam", "GetUser", {"User": {**USER, "Colour": "red"}}),
        ("iam", "ListUsers", {"Users": [USER, {**USER, "Tags": [{"Key": "a"}]}]}),
        ("iam", "DeleteUser", {"User": USER}),
        ("cloudtrail", "LookupEvents", {"Happenings": []}),
        ("cloudtrail", "ListTags", {"ResourceTagList": [{"TagsList": [{"Value": "no key"}]}]}),
    ],
)
def test_an_output_that_is_not_the_models_is_our_mistake(
    service: str, name: str, output: dict[str, Any]
) -> None:
    with pytest.raises(OutputMistake):
        wire.answer(operation_of(service, name), output, ID)


def test_what_is_none_is_absent() -> None:
    said = wire.answer(operation_of("iam", "GetUser"), {"User": {**USER, "Tags": None}}, ID)
    assert b"Tags" not in said.body
    assert wire.answer(operation_of("cloudtrail", "LookupEvents"), {"NextToken": None}, ID).body == b"{}"


everything = st.text(st.characters(codec=None), max_size=50)


@given(everything)
def test_any_text_makes_well_formed_xml(text: str) -> None:
    body = wire.answer(operation_of("iam", "GetUser"), {"User": {**USER, "Path": text}}, text).body
    (read,) = (node.text or "" for node in ElementTree.fromstring(body).iter() if node.tag.endswith("}Path"))
    assert len(read) == len(text)
    assert all(one in (other, "\N{REPLACEMENT CHARACTER}") for one, other in zip(read, text, strict=True))


def test_what_xml_can_not_hold_is_replaced_and_everything_else_is_kept() -> None:
    assert escaped("\x00\x08\x0b\x1f\ud800\ufffe\uffff") == "\N{REPLACEMENT CHARACTER}" * 7
    kept = "\t\n\r &<>\"' \x7f\x85\u2028\ue000\U0010ffff"
    assert ElementTree.fromstring(f"<a>{escaped(kept)}</a>").text == kept
    assert ElementTree.fromstring(f'<a b="{escaped("<&>")}"/>').get("b") == "<&>"


@pytest.mark.parametrize("name", models.SERVICES)
@pytest.mark.parametrize("status", [404, 500])
def test_a_refusal_is_understood(name: str, status: int) -> None:
    message = 'The user with name <b>"é"&\x01\ud800 cannot be found.'
    reply = wire.refuse(models.service(name), "NoSuchEntity", status, message, ID)
    told = understood(MODELS[name].operation_model(MODELS[name].operation_names[0]), reply)
    assert told["Error"]["Code"] == "NoSuchEntity"
    assert told["Error"]["Message"].startswith('The user with name <b>"é"&')
    assert told["ResponseMetadata"]["RequestId"] == ID
    assert told["ResponseMetadata"]["HTTPStatusCode"] == status
    if name != "cloudtrail":
        assert told["Error"]["Type"] == ("Sender" if status < 500 else "Receiver")


def test_before_a_service_is_known_the_front_door_answers() -> None:
    body = wire.refuse(
        None, "MissingAuthenticationToken", 403, "Missing Authentication Token", ID
    ).body.decode()
    assert body.startswith(f'<ErrorResponse xmlns="{FAULT_NAMESPACE}"><Error><Type>Sender</Type>')
