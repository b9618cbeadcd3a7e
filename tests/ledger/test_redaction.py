"""No secret stays in a record, and nothing else goes."""

import json
from pathlib import Path
from typing import Any

import botocore.loaders
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.intake.reading import read_source
from ledger.intake.shapes import Batch
from ledger.intake.sources import Source, find_sources
from ledger.redaction import HIDDEN, is_secret_name, redact

TOKEN = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDq+abc/def=="
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


def record(**members: Any) -> dict[str, Any]:
    return {"eventName": "CreateUser", "eventSource": "iam.amazonaws.com", **members}


def models() -> list[tuple[str, str]]:
    found = []
    for service in ("iam", "sts"):
        shapes = botocore.loaders.Loader().load_service_model(service, "service-2")["shapes"]
        for name, shape in shapes.items():
            for member, target in shape.get("members", {}).items():
                if name == "OriginIdentity":  # who somebody is elsewhere: personal, and no secret
                    continue
                if target.get("sensitive") or shapes[target["shape"]].get("sensitive"):
                    found.append((f"{service}:{name}", member))
    return found


def test_botocore_still_knows_sensitive_members() -> None:
    assert len(models()) >= 17


@pytest.mark.parametrize(("shape", "member"), models())
def test_every_member_that_botocore_calls_sensitive_is_hidden(shape: str, member: str) -> None:
    spelt = {member, member[0].lower() + member[1:], member.upper(), member.lower()}
    for name in spelt:
        told = record(responseElements={"inner": [{name: "x9secret"}]})
        assert redact(told)["responseElements"] == {"inner": [{name: HIDDEN}]}, (shape, name)


@pytest.mark.parametrize(
    "name",
    [
        "secretAccessKey", "SecretAccessKey", "secret_access_key", "AWS_SECRET_ACCESS_KEY", "sessionToken",
        "password", "newPassword", "oldPassword", "masterUserPassword", "base32StringSeed", "qRCodePNG",
        "authenticationCode1", "authenticationCode2", "tokenCode", "privateKey", "addPrivateKey",
        "sAMLAssertion", "webIdentityToken", "tradeInToken", "servicePassword", "serviceCredentialSecret",
        "X-Amz-Security-Token", "x_amz_signature",
    ],
)  # fmt: skip
def test_secret_names_are_known_in_every_spelling(name: str) -> None:
    assert is_secret_name(name)
    for section in ("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"):
        assert redact(record(**{section: {name: "hunter2"}}))[section] == {name: HIDDEN}


def test_a_secret_may_be_a_number_or_a_list() -> None:
    told = record(requestParameters={"tokenCode": 123456, "password": ["a1", {"deep": "b2", "none": None}]})
    assert redact(told)["requestParameters"] == {
        "tokenCode": HIDDEN,
        "password": [HIDDEN, {"deep": HIDDEN, "none": None}],
    }


LOOKALIKES: dict[str, Any] = {
    "nextToken": "AAEAAclp8UFCJ7dny493eHEd80U02Q",
    "clientToken": "D688CB0A-A9EA-4C5D-AE8A-24C28E",
    "clientRequestToken": "9a",
    "httpTokens": "required",
    "passwordResetRequired": True,
    "allowUsersToChangePassword": True,
    "manageMasterUserPassword": "true",
    "requireSymbols": True,
    "maxPasswordAge": 90,
    "passwordReusePrevention": 5,
    "secretId": "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/password-AbCdEf",
    "secretARN": "arn:aws:secretsmanager:us-east-1:111122223333:secret:x",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "authorizationType": "AWS_IAM",
    "signatureVersion": "SigV4",
    "policyDocument": json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Action": ["iam:ChangePassword", "sts:GetSessionToken", "secretsmanager:GetSecretValue"],
                    "Resource": "*",
                    "Condition": {
                        "StringEquals": {"aws:PrincipalTag/password": "x=y", "s3:signatureversion": "AWS4"}
                    },
                }
            ],
        }
    ),
    "publicKey": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "description": "sets the password: use --password=… in the console",
    "tags": [{"key": "team", "value": "secret squad"}],
}


@pytest.mark.parametrize("name", LOOKALIKES)
def test_what_merely_looks_alike_stays(name: str) -> None:
    told = record(requestParameters={name: LOOKALIKES[name]}, responseElements=None)
    assert redact(told) is told


@pytest.mark.parametrize("mask", [None, "", HIDDEN, "****", "<sensitiveDataRemoved>", True])
def test_what_aws_has_hidden_stays_as_it_is(mask: Any) -> None:
    told = record(requestParameters={"password": mask, "credentials": {"sessionToken": mask}})
    assert redact(told) is told


def test_json_within_a_string_is_looked_through() -> None:
    inner = json.dumps({"Password": "hunter2", "user": "bob", "more": json.dumps({"SessionToken": "x1"})})
    cleaned = redact(record(requestParameters={"body": inner}))["requestParameters"]["body"]
    assert json.loads(cleaned)["Password"] == HIDDEN
    assert json.loads(json.loads(cleaned)["more"]) == {"SessionToken": HIDDEN}
    assert json.loads(cleaned)["user"] == "bob"


def test_json_that_was_cut_off_or_has_a_key_twice_is_looked_through() -> None:
    for text in (
        '{"password": "hunter2", "a": "x',
        '{"password":"hunter2","password":null}',
        '{"password": "hunter2',
    ):
        assert "hunter2" not in redact(record(requestParameters={"body": text}))["requestParameters"]["body"]
    escaped = '{"a": "{\\"user\\": \\"bob\\", \\"password\\": \\"hunter2\\"}", "cut'
    cleaned = redact(record(requestParameters={"body": escaped}))["requestParameters"]["body"]
    assert cleaned == escaped.replace("hunter2", HIDDEN)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (TOKEN, HIDDEN),
        (f"the token {TOKEN} expired", f"the token {HIDDEN} expired"),
        ("FwoGZXIvYXdzEJr//////////wEaDAbCdEfGhIjKlMnOp", HIDDEN),
        ("FQoGZXIvYXdzEJr//////////wEaDAbCdEfGhIjKlMnOp", HIDDEN),
        (
            f"https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Security-Token={TOKEN}&X-Amz-Signature={'ab' * 32}",
            f"https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Security-Token={HIDDEN}&X-Amz-Signature={HIDDEN}",
        ),
        (
            f"https://x/?to=https%3A%2F%2Fb%3FX-Amz-Signature%3D{'ab' * 32}%26X-Amz-Date%3D1",
            f"https://x/?to=https%3A%2F%2Fb%3FX-Amz-Signature%3D{HIDDEN}%26X-Amz-Date%3D1",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential=AKIA/20230101/us-east-1/s3/aws4_request, Signature={'ab' * 32}",
            f"AWS4-HMAC-SHA256 Credential=AKIA/20230101/us-east-1/s3/aws4_request, Signature={HIDDEN}",
        ),
        (f"key: {PEM} end", f"key: {HIDDEN} end"),
        (PEM[:50], HIDDEN),
        ("UserName=bob&Password=hunter2&x=1", f"UserName=bob&Password={HIDDEN}&x=1"),
    ],
)
def test_secrets_are_known_by_their_looks(text: str, cleaned: str) -> None:
    assert redact(record(errorMessage=text))["errorMessage"] == cleaned
    told = record(requestParameters={"x": [text], "headers": {"a": text}})
    assert redact(told)["requestParameters"] == {"x": [cleaned], "headers": {"a": cleaned}}


def test_values_of_an_authorization_header_are_hidden() -> None:
    told = record(requestParameters={"headers": {"Authorization": "Bearer abc", "cookie": ["a=b"]}})
    assert redact(told)["requestParameters"]["headers"] == {"Authorization": HIDDEN, "cookie": [HIDDEN]}
    config = record(requestParameters={"authorization": {"type": "JWT"}})
    assert redact(config) is config


def test_a_value_whose_name_stands_beside_it_is_hidden() -> None:
    told = record(
        requestParameters={
            "environment": [{"name": "DB_PASSWORD", "value": "x1"}, {"name": "A", "value": "b"}]
        }
    )
    assert redact(told)["requestParameters"]["environment"] == [
        {"name": "DB_PASSWORD", "value": HIDDEN},
        {"name": "A", "value": "b"},
    ]


def test_a_section_may_be_a_list_or_a_string() -> None:
    assert redact(record(requestParameters=[{"password": "x1"}]))["requestParameters"] == [
        {"password": HIDDEN}
    ]
    assert (
        redact(record(requestParameters='{"password":"x1"}'))["requestParameters"]
        == f'{{"password":"{HIDDEN}"}}'
    )
    assert redact(record(password="x1"))["password"] == HIDDEN


def test_the_record_given_is_not_changed() -> None:
    told = record(requestParameters={"a": {"password": "x1"}}, responseElements={"b": 1})
    before = orjson.dumps(told)
    cleaned = redact(told)
    assert orjson.dumps(told) == before
    assert cleaned["responseElements"] is told["responseElements"]


def test_depth_is_no_way_out() -> None:
    deep: Any = {"password": "hunter2"}
    for _ in range(240):
        deep = {"a": deep}
    assert b"hunter2" not in orjson.dumps(redact(record(requestParameters=deep)))
    for levels in (400, 2_000):
        text = '{"a":' * levels + '{"password":"hunter2"}' + "}" * levels
        assert b"hunter2" not in orjson.dumps(redact(record(requestParameters={"body": text})))


def test_long_and_hostile_strings_take_no_long_time() -> None:
    for text in (
        "\\" * 500_000 + '"',
        '{"a":"' * 100_000,
        "=" * 500_000,
        "%25" * 200_000,
        "-----BEGIN " * 50_000,
    ):
        redact(record(requestParameters={"a": text, "b": "{" + text}))


names = st.sampled_from(
    ["password", "SessionToken", "userName", "secret_access_key", "nextToken", "value", "name"]
)
texts = st.one_of(
    st.text(max_size=20), st.sampled_from([TOKEN, PEM, HIDDEN, "a=b", '{"password":"x1"}', '{"a":{}}'])
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(names | st.text(max_size=8), inner, max_size=4),
        inner.map(lambda value: json.dumps(value)),
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["requestParameters", "responseElements", "other"]), values))
def test_redacting_twice_is_redacting_once(told: dict[str, Any]) -> None:
    once = redact(told)
    assert redact(once) is once
    if once is not told:
        assert once != told


@given(values)
def test_whatever_stands_beside_it_a_secret_is_hidden(beside: Any) -> None:
    secret = "q7-Zx_hunter2"
    told = record(
        requestParameters={
            "a": beside,
            "b": [beside, {"Password": secret, "c": json.dumps({"tokenCode": secret})}],
        }
    )
    assert secret not in json.dumps(redact(told))


def test_in_the_recorded_logs_only_session_tokens_are_hidden(real_logs: Path) -> None:
    changed = 0
    for source in find_sources([real_logs / "invictus-ir_aws_dataset", real_logs / "traildiscover"]):
        if not isinstance(source, Source):
            continue
        for batch in read_source(source):
            assert isinstance(batch, Batch)
            for document in batch.documents:
                cleaned = redact(document)
                if cleaned is not document:
                    changed += 1
                    token = document["responseElements"]["credentials"]["sessionToken"]
                    assert orjson.dumps(cleaned) == orjson.dumps(document).replace(
                        token.encode(), HIDDEN.encode()
                    )
    assert changed == 36
