"""Skimming a file gives what decoding it whole gives, whatever is in it; and does so without decoding where all is usual."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import Origin, body_bytes, commit
from ledger.intake.drafting import read_drafts, read_prepared
from ledger.intake.limits import MIB
from ledger.intake.shapes import MEMBERS
from ledger.intake.skimming import prepare_skimmed
from ledger.intake.sources import Source, find_sources
from ledger.log.bodies import Compression
from ledger.log.preparation import Prepared, prepare

TOKEN = "IQoJb3JpZ2luX2VjEIX//////////wEaCXVzLWVhc3QtMSJHMEUCIQ"
SALTED = {"salt": b"", "commitment": b""}
compression = Compression()

USUAL = {
    "eventVersion": "1.10",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:session",
        "arn": "arn:aws:sts::111122223333:assumed-role/app/session",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {
            "attributes": {"creationDate": "2026-01-23T16:00:00Z", "mfaAuthenticated": "false"}
        },
    },
    "eventTime": "2026-01-23T17:24:26Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "PutObject",
    "awsRegion": "us-west-2",
    "sourceIPAddress": "192.0.2.1",
    "userAgent": "aws-cli/2",
    "requestParameters": {"key": "a", "bucketName": "b"},
    "responseElements": None,
    "additionalEventData": {"bytesTransferredIn": 0, "SignatureVersion": "SigV4"},
    "requestID": "69A9F318067F00E0",
    "eventID": "24f0d8cb-bb3d-4b40-a694-2743a6958469",
    "readOnly": False,
    "resources": [{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::b/a"}],
    "eventType": "AwsApiCall",
    "managementEvent": False,
    "recipientAccountId": "111122223333",
    "eventCategory": "Data",
    "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "s3.us-west-2.amazonaws.com"},
}
Member = tuple[str, str]  # its name, and its value as text


def texts_of(document: dict[str, Any], between: tuple[str, str] = (",", ":")) -> list[Member]:
    return [(name, json.dumps(value, separators=between)) for name, value in document.items()]


def file_of(records: Iterable[list[Member]]) -> bytes:
    listed = ("{" + ",".join(f'"{name}":{text}' for name, text in members) + "}" for members in records)
    return f'{{"Records":[{",".join(listed)}]}}'.encode("utf-8", "surrogatepass")


def write(folder: Path, text: bytes) -> Source:
    path = folder / "111122223333_CloudTrail_us-west-2_20260123T1725Z_abcdefghijklmnop.json"
    path.write_bytes(text)
    return Source(str(path), path=path, named=True)


def assert_skimmed_as_decoded(source: Source) -> int:
    """All columns are the same but salts, which are random, and each commitment is that of the decoded record."""
    skimmed = list(read_prepared(source, compression))
    decoded = list(read_drafts(source))
    drafts = [draft for one in decoded if isinstance(one, list) for draft in one]
    rows = rows_of(one for one in skimmed if isinstance(one, Prepared))
    assert [{**row, **SALTED} for row in rows] == [
        {**row, **SALTED} for row in rows_of([prepare(drafts, compression)])
    ]
    for row, draft in zip(rows, drafts, strict=True):
        body = body_bytes(draft.canonical_record, draft.origin.to_bytes())
        assert row["commitment"] == commit(row["salt"], body)
    assert [one for one in skimmed if not isinstance(one, Prepared)] == [
        one for one in decoded if not isinstance(one, list)
    ]
    return len(rows)


def rows_of(groups: Iterable[Prepared]) -> list[dict[str, Any]]:
    return [dict(zip(Prepared._fields, row, strict=True)) for one in groups for row in zip(*one, strict=True)]


def untaken(text: bytes) -> Prepared | None:
    """What is skimmed of a text, none of whose records may be decoded whole."""

    def take(index: int, document: dict[str, Any]) -> None:
        raise AssertionError(document)

    return prepare_skimmed(text, Origin("file"), compression, take)


ODD_VALUES = (
    "null",
    "true",
    '"null"',
    '"true"',
    '""',
    "[]",
    "{}",
    "0",
    "1.50",
    "-0.0",
    "1e400",
    "123456789012345678",
    "12345678901234567890123",
    "0.12345678901234567890123",
    '"12345678901234567890123"',
    '{"n":12345678901234567890123}',
    '{"n":12345678901234567890123,"n":1}',
    '{"n":0.12345678901234567890123,"n":1}',
    '{"n":[-9223372036854775809,18446744073709551615,-0,12345E901234567]}',
    "0.25",
    "1e5",
    '{"b":1,"a":{"d":2.50,"c":[null,{"z":1,"y":2}]}}',
    '{"a":1,"a":2}',
    '{"p\\u0061ssword":"hunter2"}',
    f'{{"sessionToken":"{TOKEN}","q":1}}',
    f'{{"credentials":{{"sessionToken":"{TOKEN}","accessKeyId":"ASIAEXAMPLE"}}}}',
    f'{{"text":"https://x?X-Amz-Security-Token={TOKEN}"}}',
    '{"body":"{\\"password\\":\\"hunter2\\"}"}',
    '"with \\"quotes\\", \\\\ and \\u0000"',
    '"\\u00e9\\ud83d\\ude00\\u2028/\\/"',
    '"\\ud800"',
    '"aws:s3"',
    '"iam.amazonaws.com"',
    '"AwsConsoleSignIn"',
    '"AccessDenied"',
    '"2026-01-23T17:24:26Z"',
    '"2026-01-23T17:24:26.5Z"',
    '"2026-13-23T17:24:26Z"',
    '"24f0d8cb-bb3d-4b40-a694-2743a6958469"',
    '"24F0D8CB-bb3d-4b40-a694-2743a6958469"',
    '"69A9F318067F00E0"',
    '"111122223333"',
    '{"ConsoleLogin":"Failure"}',
    '{"userName":"bob","policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}',
    '{"user":{"arn":"arn:aws:iam::111122223333:user/team/bob"}}',
    '{"type":"IAMUser","accountId":"444455556666","accessKeyId":"AKIA\\u0041","userName":"bob"}',
    '{"clientProvidedHostHeader":"s3.us-west-2.amazonaws.com"}',
    '{"clientProvidedHostHeader":7}',
    "[" * 100 + "]" * 100,
    "[" * 190 + "]" * 190,
    "[" * 203 + "]" * 203,
    "[" * 260 + "]" * 260,
    "[" * 1200 + "]" * 1200,
    '{"a":' * 203 + "1" + "}" * 203,
    '{"open":',
    "nul",
)
odd_values = st.sampled_from(ODD_VALUES)
names = st.sampled_from([*sorted(MEMBERS), "EventName", "event\\u004eame", "somethingNew", "password"])


@st.composite
def odd_records(draw: st.DrawFn) -> list[Member]:
    members = dict(texts_of(USUAL, draw(st.sampled_from([(",", ":"), (", ", ": ")]))))
    for name in draw(st.lists(st.sampled_from(sorted(members)), max_size=2)):
        members.pop(name, None)
    added = draw(st.lists(st.tuples(names, odd_values), max_size=2))
    return draw(st.permutations([*members.items(), *added])) if added else list(members.items())


@settings(max_examples=1_000)
@given(st.lists(odd_records(), min_size=1, max_size=4))
def test_what_is_skimmed_is_what_is_decoded(
    tmp_path_factory: pytest.TempPathFactory, records: list[list[Member]]
) -> None:
    assert_skimmed_as_decoded(write(tmp_path_factory.getbasetemp(), file_of(records)))


SCRAPS = (b"", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"1", b"-", b".0", b"e5", b" ", b"\xff", b'"a":1,')


@settings(max_examples=500)
@given(odd_records(), st.integers(min_value=0), st.integers(0, 3), st.sampled_from(SCRAPS))
def test_what_was_spoilt_is_skimmed_as_it_is_decoded(
    tmp_path_factory: pytest.TempPathFactory, record: list[Member], place: int, removed: int, scrap: bytes
) -> None:
    text = file_of([record])
    at = place % len(text)
    spoilt = text[:at] + scrap + text[at + removed :]
    assert_skimmed_as_decoded(write(tmp_path_factory.getbasetemp(), spoilt))


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_whatever_stands_for_one_member(name: str, tmp_path: Path) -> None:
    for text in ODD_VALUES:
        records = [texts_of({**USUAL, name: None}), texts_of(USUAL)]
        records[0] = [(one, text if one == name else value) for one, value in records[0]]
        assert_skimmed_as_decoded(write(tmp_path, file_of(records)))


def test_recorded_logs_are_skimmed_as_they_are_decoded(real_logs: Path) -> None:
    sources = [one for one in find_sources([real_logs]) if isinstance(one, Source) and one.size is not None]
    assert sum(map(assert_skimmed_as_decoded, sources)) > 3_000


def test_a_usual_file_is_not_decoded_whole() -> None:
    kept = [
        USUAL,
        USUAL
        | {"requestID": "24f0d8cb-bb3d-4b40-a694-2743a6958469", "sharedEventID": "x", "apiVersion": "1"},
        USUAL | {"vpcEndpointId": "vpce-1", "vpcEndpointAccountId": "111122223333"},
        USUAL | {"errorCode": "AccessDenied", "errorMessage": "no", "sessionCredentialFromConsole": "true"},
        USUAL | {"requestParameters": {"password": "hunter2"}, "responseElements": {"sessionToken": TOKEN}},
    ]
    prepared = untaken(file_of(map(texts_of, kept)))
    assert prepared is not None
    assert prepared.size == len(kept)
    assert not any(secret in body for body in prepared.body for secret in (b"hunter2", TOKEN.encode()))


@pytest.mark.parametrize(
    "text",
    [
        file_of([[*texts_of(USUAL), ("somethingNew", "1")]]),
        file_of([texts_of(USUAL | {"requestParameters": "null"})]),
        file_of([texts_of(USUAL), [*texts_of(USUAL), ("resources", "[12345678901234567890123]")]]),
        file_of([[*texts_of(USUAL), ("resources", "[1e400]"), ("resources", "[]")]]),
        file_of([texts_of(USUAL)]).replace(b'"key"', b'"n":12345678901234567890123,"n":1,"key"'),
        # Written anew they are as long.
        file_of([texts_of(USUAL)]).replace(b'"key"', b'"n":12345678901234567890123,"n":[1e15,1e15],"key"'),
        file_of([texts_of(USUAL)]).replace(b'"key"', b'"n":1234567890123456789.00,"key"'),
        file_of([texts_of(USUAL | {"responseElements": {"a": "b" * MIB}})]),
        file_of([[*texts_of(USUAL | {"eventID": "none"}), ("tlsDetails", "[" * 202 + "]" * 202)]]),
        file_of([texts_of(USUAL | {"eventID": "none", "userIdentity": "{}"})]),
        file_of([texts_of(USUAL)])[:-1],
        file_of([texts_of(USUAL)]).replace(b"{", b'{"Records":[{"n":1e400}],', 1),
        b"\xef\xbb\xbf" + file_of([texts_of(USUAL)]),
        b"[]",
        b"",
    ],
)
def test_what_is_amiss_in_one_record_is_left_to_those_who_decode_all(text: bytes) -> None:
    assert untaken(text) is None
