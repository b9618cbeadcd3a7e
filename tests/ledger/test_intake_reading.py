"""Whatever form a log comes in, its records are found, and what is no record is named."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.intake.limits import Limits
from ledger.intake.reading import read_source
from ledger.intake.rejects import Reason, Reject, RejectsFile, Skipped
from ledger.intake.shapes import Batch, Found
from ledger.intake.sources import Source, find_sources
from ledger.record import RecordRejected, canonical, read_record

Outcome = tuple[list[Found], list[Reject | Skipped]]
PIECEMEAL = Limits(whole_bytes_max=0)  # always record by record
BOTH = pytest.mark.parametrize("limits", [Limits(), PIECEMEAL], ids=["whole", "piecemeal"])


def record(number: int = 1, **members: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": 'a "quoted" {name}'},
        "eventTime": "2023-07-10T11:42:18Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "requestParameters": {
            "userName": f"user-{number} ]}} \\ é",
            "policyDocument": '{"a":[{"b":"\\"}"}]}',
        },
        "responseElements": None,
        "eventID": f"00000000-0000-0000-0000-{number:012}",
        **members,
    }


def look_up_row(inner: dict[str, Any]) -> dict[str, Any]:
    return {
        "EventId": inner["eventID"],
        "EventName": inner["eventName"],
        "ReadOnly": "true",
        "EventTime": "2022-02-08 09:23:37+11:00",
        "Resources": [],
        "CloudTrailEvent": json.dumps(inner),
    }


def event_bridge(inner: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "account": "444455556666",
        "detail": inner,
    }


def outcome_of(source: Source, limits: Limits | None = None) -> Outcome:
    found: list[Found] = []
    others: list[Reject | Skipped] = []
    for one in read_source(source, limits):
        if isinstance(one, Batch):
            found += one
        else:
            others.append(one)
    return found, others


def read(
    content: bytes, limits: Limits | None = None, *, name: str = "log.json", named: bool = True
) -> Outcome:
    return outcome_of(Source(name, pipe=io.BytesIO(content), named=named), limits)


def documents(content: bytes, limits: Limits | None = None) -> list[dict[str, Any]]:
    found, others = read(content, limits)
    assert others == []
    return [one.document for one in found]


def reasons(outcome: Outcome) -> list[str]:
    return [str(one.reason) for one in outcome[1]]


def lines(values: list[Any], end: bytes = b"\n") -> bytes:
    return b"".join(orjson.dumps(value) + end for value in values)


def pretty(value: Any) -> bytes:
    return json.dumps(value, indent=4, ensure_ascii=False).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "delivered": lambda them: orjson.dumps({"Records": them}),
    "delivered, pretty": lambda them: pretty({"Records": them}),
    "delivered, with more in it": lambda them: orjson.dumps({"a": [{"b": [1]}], "Records": them, "c": {"d": "}]"}}),
    "array": orjson.dumps,
    "array, pretty": pretty,
    "array of delivered": lambda them: orjson.dumps([{"Records": [one]} for one in them]),
    "NDJSON": lines,
    "NDJSON with CRLF": lambda them: lines(them, b"\r\n"),
    "NDJSON with blank lines": lambda them: b"\n\n" + lines(them, b"\n\n  \n"),
    "NDJSON without a last newline": lambda them: lines(them).rstrip(),
    "NDJSON of delivered": lambda them: lines([{"Records": [one]} for one in them]),
    "one after the other": lambda them: lines(them, b""),
    "with commas between": lambda them: lines(them, b",").rstrip(b","),
    "a line each with commas": lambda them: lines(them, b",\n"),
    "pretty, one after the other": lambda them: b"\n".join(pretty(one) for one in them),
    "delivered, one after the other": lambda them: b"".join(orjson.dumps({"Records": [one]}) for one in them),
    "EventBridge array": lambda them: orjson.dumps([event_bridge(one) for one in them]),
    "EventBridge NDJSON": lambda them: lines([event_bridge(one) for one in them]),
    "LookupEvents": lambda them: orjson.dumps({"Events": [look_up_row(one) for one in them], "NextToken": "x"}),
    "LookupEvents, pretty": lambda them: pretty({"Events": [look_up_row(one) for one in them]}),
    "LookupEvents NDJSON": lambda them: lines([look_up_row(one) for one in them]),
    "CloudWatch Logs": lambda them: orjson.dumps(
        {
            "messageType": "DATA_MESSAGE",
            "owner": "111122223333",
            "logEvents": [{"id": "1", "timestamp": 1, "message": json.dumps(one)} for one in them],
        }
    ),
    "SQS to Lambda": lambda them: orjson.dumps(
        {"Records": [{"messageId": "1", "body": json.dumps(event_bridge(one)), "eventSource": "aws:sqs"} for one in them]}
    ),
    "SNS": lambda them: lines([{"Type": "Notification", "Message": json.dumps(one)} for one in them]),
    "SNS to Lambda": lambda them: orjson.dumps(
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(one)}} for one in them]}
    ),
    "SQS messages": lambda them: orjson.dumps({"Messages": [{"Body": json.dumps(one)} for one in them]}),
    "UTF-8 with a mark": lambda them: b"\xef\xbb\xbf" + orjson.dumps({"Records": them}),
    "UTF-16": lambda them: json.dumps({"Records": them}, ensure_ascii=False).encode("utf-16"),
    "UTF-16 without a mark": lambda them: json.dumps(them, ensure_ascii=False).encode("utf-16-le"),
    "UTF-16, big end first": lambda them: json.dumps(them).encode("utf-16-be"),
}  # fmt: skip

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip of two members": lambda text: gzip.compress(text[:100]) + gzip.compress(text[100:]),
    "gzip with zeros behind": lambda text: gzip.compress(text) + bytes(1000),
    "gzip in gzip": lambda text: gzip.compress(gzip.compress(text)),
    "zip": lambda text: zipped({"AWSLogs/log.json": text}),
    "zip of gzip": lambda text: zipped({"log.json.gz": gzip.compress(text)}),
    "zip in zip": lambda text: zipped({"inner.zip": zipped({"log.json": text})}),
    "zstd": lambda text: zstandard.compress(text),
    "zstd of two frames": lambda text: zstandard.compress(text[:100]) + zstandard.compress(text[100:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@BOTH
@pytest.mark.parametrize("form", FORMS)
def test_the_same_records_come_out_of_every_form(form: str, limits: Limits) -> None:
    them = [record(number) for number in range(1, 8)]
    assert documents(FORMS[form](them), limits) == them
    assert documents(FORMS[form](them[:1]), limits) == them[:1]


@BOTH
@pytest.mark.parametrize("packing", PACKINGS)
def test_the_same_records_come_out_of_every_packing(packing: str, limits: Limits, tmp_path: Path) -> None:
    them = [record(number) for number in range(1, 8)]
    packed = PACKINGS[packing](orjson.dumps({"Records": them}))
    assert documents(packed, limits) == them
    path = tmp_path / "told-by-its-bytes.txt"
    path.write_bytes(packed)
    found, others = outcome_of(Source(str(path), path=path), limits)
    assert [one.document for one in found] == them
    assert others == []


def test_a_bare_object_is_one_record() -> None:
    assert documents(orjson.dumps(record())) == [record()]
    assert documents(pretty(record())) == [record()]
    assert documents(orjson.dumps(event_bridge(record()))) == [record()]
    assert documents(orjson.dumps(json.dumps(record()))) == [record()]


@BOTH
@pytest.mark.parametrize(
    "text", [b"[]", b'{"Records":[]}', b'{"Records": [\n]\n}\n', b'{"Records":null}', b"[]\n[]\n"]
)
def test_an_empty_log_is_a_log(text: bytes, limits: Limits) -> None:
    assert read(text, limits) == ([], [])


@BOTH
@pytest.mark.parametrize("text", [b"", b" \r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_none(text: bytes, limits: Limits) -> None:
    assert reasons(read(text, limits)) == [Reason.EMPTY]
    assert reasons(read(gzip.compress(text), limits, named=False)) == [Reason.EMPTY]


def test_places_count_from_one() -> None:
    found, _ = read(orjson.dumps([record(1), record(2)]))
    assert [one.place for one in found] == ["record 1", "record 2"]
    found, _ = read(b"\n" + lines([record(1), record(2)]))
    assert [one.place for one in found] == ["line 1", "line 2"] or [one.place for one in found] == [
        "line 2",
        "line 3",
    ]
    found, _ = read(lines([record(1)]) + b"\n" + lines([record(2)]))
    assert [one.place for one in found] == ["line 1", "line 3"]


def test_batches_are_bounded() -> None:
    them = [record(number) for number in range(25)]
    limits = Limits(batch_records_max=10)
    for form in (orjson.dumps, lines):
        batches = list(read_source(Source("x", pipe=io.BytesIO(form(them))), limits))
        assert [len(batch) for batch in batches if isinstance(batch, Batch)] == [10, 10, 5]


def test_the_account_is_told_by_the_envelope_or_the_name_of_the_file() -> None:
    name = "AWSLogs/777788889999/CloudTrail/777788889999_CloudTrail_us-east-1_20230710T1140Z_abcdefghijklmnop.json"
    found, _ = read(orjson.dumps([record()]), name=name)
    assert found[0].account_hint == "777788889999"
    found, _ = read(orjson.dumps([event_bridge(record()), record()]), name=name)
    assert [one.account_hint for one in found] == ["444455556666", "777788889999"]
    found, _ = read(zipped({name: orjson.dumps([record()])}), name="logs.zip")
    assert (found[0].account_hint, found[0].source) == ("777788889999", f"logs.zip!{name}")
    found, _ = read(orjson.dumps([record()]))
    assert found[0].account_hint is None


# Records that are not quite what they should be


@BOTH
def test_names_in_the_wrong_case_are_put_right_where_the_right_one_is_missing(limits: Limits) -> None:
    wrong = {name[0].upper() + name[1:]: value for name, value in record().items()} | {"Other": 1}
    assert documents(orjson.dumps(wrong), limits) == [record() | {"Other": 1}]
    both = record() | {"EventName": "DeleteUser"}
    assert documents(orjson.dumps(both), limits) == [both]
    twice = {**{k: v for k, v in record().items() if k != "eventName"}, "EventName": "A", "EVENTNAME": "B"}
    (one,) = documents(orjson.dumps(twice), limits)
    assert (one["eventName"], one["EVENTNAME"]) == ("A", "B")


@BOTH
def test_null_true_and_false_written_as_strings_are_read_as_such(limits: Limits) -> None:
    told = record(
        requestParameters="null",
        responseElements="null",
        errorCode="null",
        readOnly="true",
        managementEvent="False",
    )
    (one,) = documents(orjson.dumps([told]), limits)
    assert (one["requestParameters"], one["responseElements"], one["errorCode"]) == (None, None, None)
    assert (one["readOnly"], one["managementEvent"]) == (True, False)
    kept = record(sessionCredentialFromConsole="true", requestParameters={"a": "null", "b": "true"})
    assert documents(orjson.dumps([kept]), limits) == [kept]


@BOTH
@pytest.mark.parametrize(
    "members",
    [
        {"userIdentity": {"accountId": "111122223333", "invokedBy": "AWS Internal"}},
        {"userIdentity": None},
        {"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}},
        {"requestParameters": None, "errorCode": "AccessDenied"},
        {"requestParameters": {"name": "HIDDEN_DUE_TO_SECURITY_REASONS"}},
        {"eventID": "no id at all"},
        {"eventTime": "2023-07-10T11:42:18.123Z"},
        {"eventCategory": "NetworkActivity"},
    ],
)
def test_oddities_of_real_records_are_no_reason_to_change_them(
    members: dict[str, Any], limits: Limits
) -> None:
    assert documents(orjson.dumps({"Records": [record(**members)]}), limits) == [record(**members)]


def test_an_insight_has_no_action() -> None:
    insight = {
        "eventVersion": "1.07",
        "eventTime": "2023-07-10T11:42:18Z",
        "eventType": "AwsCloudTrailInsight",
    }
    assert documents(orjson.dumps({"Records": [insight]})) == [insight]


@BOTH
def test_what_stands_among_records_and_is_none_is_named(limits: Limits) -> None:
    text = orjson.dumps({"Records": [record(1), {"a": 1}, record(2)]})
    found, others = read(text, limits)
    assert [one.place for one in found] == ["record 1", "record 3"]
    assert [(one.place, one.reason) for one in others if isinstance(one, Reject)] == [
        ("record 2", "not-a-record")
    ]
    found, others = read(lines([record(1)]) + b'7\n"x"\n' + lines([record(2)]), limits)
    assert [one.place for one in found] == ["line 1", "line 4"]
    assert [one.reason for one in others] == ["not-a-record", "not-a-record"]


# Files that are damaged


@BOTH
def test_a_file_cut_short_gives_what_was_whole_and_says_so(limits: Limits) -> None:
    text = orjson.dumps({"Records": [record(1), record(2), record(3)]})
    cut = text[:-200]
    found, others = read(cut, limits)
    assert [one.document for one in found] == [record(1), record(2)]
    where = text.rindex(b'{"eventVersion"')
    assert [(one.place, one.reason) for one in others if isinstance(one, Reject)] == [
        (f"record 3 at byte {where:,}", "cut-short")
    ]


@BOTH
@pytest.mark.parametrize("form", ["delivered", "delivered, pretty", "array", "array, pretty", "LookupEvents"])
def test_wherever_a_file_is_cut_it_is_noticed(form: str, limits: Limits) -> None:
    text = FORMS[form]([record(1), record(2)])
    for end in range(1, len(text), 7):
        found, others = read(text[:end], limits)
        assert len(others) == 1, end
        assert all(one.document in (record(1), record(2)) for one in found)


def test_a_gzip_cut_short_gives_what_was_whole_and_says_so() -> None:
    packed = gzip.compress(orjson.dumps({"Records": [record(number) for number in range(1000)]}))
    for end in (5, 15, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        found, others = read(packed[:end])
        assert [one.reason for one in others] == ["cut-short"], end
        assert [one.document for one in found] == [record(number) for number in range(len(found))]
        assert len(found) > 300 or end < 100
    zst = zstandard.compress(lines([record(number) for number in range(1000)]))
    assert "cut-short" in reasons(read(zst[:-4]))


def test_a_gzip_with_a_bad_checksum_or_rubbish_behind_is_corrupt() -> None:
    packed = bytearray(gzip.compress(orjson.dumps({"Records": [record(1), record(2)]})))
    assert reasons(read(bytes(packed) + b"rubbish")) == ["corrupt"]
    packed[-6] ^= 1
    found, others = read(bytes(packed))
    assert [one.reason for one in others] == ["corrupt"]
    assert len(found) <= 2


def test_a_broken_or_encrypted_zip_is_named() -> None:
    packed = bytearray(zipped({"a.json": orjson.dumps([record(1)]), "b.json": orjson.dumps([record(2)])}))
    assert reasons(read(bytes(packed[:-30]))) == ["corrupt"]
    encrypted = bytearray(packed)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(signature) + flags] |= 1
    found, others = read(bytes(encrypted))
    assert [one.reason for one in others] == ["encrypted"]
    assert [one.document for one in found] == [record(2)]


@BOTH
def test_a_file_that_begins_in_mid_record_gives_what_follows(limits: Limits) -> None:
    text = orjson.dumps({"Records": [record(1), record(2), record(3)]})
    for at in (20, 30, 100, 150, 300):
        found, others = read(text[at:], limits)
        assert [one.document for one in found] == [record(2), record(3)], at
        assert others, at


@BOTH
def test_a_record_that_was_torn_off_costs_no_other(limits: Limits) -> None:
    parts = [orjson.dumps(record(number)) for number in (1, 2, 3, 4)]
    for cut in range(20, len(parts[1]) - 1, 11):
        for text in (
            b"[" + b",".join([parts[0], parts[1][:cut], parts[2], parts[3]]) + b"]",
            b"\n".join([parts[0], parts[1][:cut], *parts[2:]]),
        ):
            found, others = read(text, limits)
            them = [one.document for one in found]
            assert record(1) in them
            assert record(4) in them or cut > 0
            assert others, cut


@BOTH
def test_a_bad_line_costs_no_other(limits: Limits) -> None:
    text = (
        lines([record(1)])
        + b'{"eventVersion": oops}\n'
        + b"rubbish\n"
        + b'{"a":"\xff"}\n'
        + lines([record(2)])
    )
    found, others = read(text, limits)
    assert [(one.place, one.document) for one in found] == [("line 1", record(1)), ("line 5", record(2))]
    assert [(one.place, str(one.reason)) for one in others if isinstance(one, Reject)] == [
        ("line 2", "malformed-json"),
        ("line 3", "malformed-json"),
        ("line 4", "not-utf-8"),
    ]
    found, others = read(lines([record(1), record(2)])[:-50], limits)
    assert ([one.place for one in found], [one.reason for one in others]) == (["line 1"], ["cut-short"])


@BOTH
@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (b'"\xff\xfe"', "not-utf-8"),
        (b'"\xed\xa0\x80"', "not-utf-8"),
        (b'"\\ud800"', "malformed-json"),
        (b'"a\x00b"', "malformed-json"),
        (b'"a\nb"', "malformed-json"),
        (b"NaN", "malformed-json"),
        (b"-Infinity", "malformed-json"),
        (b"1e999", "malformed-json"),
        (b"18446744073709551616", "inexact-number"),
        (b"-9223372036854775809", "inexact-number"),
        (b"123456789012345678901234567890", "inexact-number"),
        (b"0.1000000000000000055511151231257827", "inexact-number"),
        (b"[" * 300 + b"]" * 300, "too-deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "too-deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
        (b'"' + b"x" * 1_100_000 + b'"', "too-large"),
        (b'{"a":' + b"1," * 5 + b"}", "malformed-json"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_kept_costs_no_other(spoilt: bytes, reason: str, limits: Limits) -> None:
    bad = orjson.dumps(record(2, other="SPOILT")).replace(b'"SPOILT"', spoilt)
    text = b'{"Records":[' + b",".join([orjson.dumps(record(1)), bad, orjson.dumps(record(3))]) + b"]}"
    found, others = read(text, limits)
    assert [one.document for one in found] == [record(1), record(3)]
    assert reasons(([], others)) == [reason]
    assert isinstance(others[0], Reject)
    assert others[0].place.startswith("record 2")
    found, others = read(
        b"\n".join([orjson.dumps(record(1)), bad.replace(b"\n", b"\t"), orjson.dumps(record(3))]), limits
    )
    assert [one.place for one in found] == ["line 1", "line 3"]


@BOTH
@pytest.mark.parametrize(
    "number", ["18446744073709551615", "-9223372036854775808", "0.30000000000000004", "4.0816326530612245e-07",
               "1.7976931348623157e308", '"123456789012345678901234567890"', '"a, 123456789012345678901,"'],
)  # fmt: skip
def test_numbers_that_can_be_kept_are(number: str, limits: Limits) -> None:
    text = orjson.dumps([record(1, other="NUMBER")]).replace(b'"NUMBER"', number.encode())
    (one,) = documents(text, limits)
    assert one["other"] == json.loads(number)


def test_what_is_found_can_always_be_written_again() -> None:
    for depth in range(190, 210):
        text = orjson.dumps([record(1, other="X")]).replace(b'"X"', b"[" * depth + b"]" * depth)
        found, others = read(text)
        assert len(found) + len(others) == 1
        for one in found:
            canonical(one.document)


# Files that are no logs


@BOTH
@pytest.mark.parametrize(
    "text",
    [b"MIT License\n\nCopyright", b"\x89PNG\r\n\x1a\n\0\0", b'{"name": "package", "version": 1}', b"[1, 2, 3]", b"null",
     b'"x"', b"[section]\nkey = value\n", b"{% block %}", bytes(range(256)), b"x" * 3_000_000, b"[" * 100_000, b"{" * 3_000_000,
     b'"' * 999_999, b"\\" * 99_999, b'{"a":"' + b"x" * 3_000_000],
    ids=range(15),
)  # fmt: skip
def test_what_is_no_log_is_a_fault_only_if_it_was_named(text: bytes, limits: Limits) -> None:
    assert reasons(read(text, limits)) == [Reason.NOT_A_LOG]
    ((_, outcome),) = [read(text, limits, named=False)]
    assert [(type(one), one.reason) for one in outcome] == [(Skipped, Reason.NOT_A_LOG)]


def test_a_file_that_is_named_like_a_log_must_be_one() -> None:
    name = "111111111111_CloudTrail_eu-central-1_20171211T1505Z_A6kvhMoVeCsc7v8U.json"
    (one,) = read(b"<html>", name=name, named=False)[1]
    assert isinstance(one, Reject)


def test_a_digest_is_no_log_and_no_fault() -> None:
    digest = {
        "awsAccountId": "1",
        "digestS3Object": "x",
        "logFiles": [{"s3Object": "y", "newestEventTime": "z"}],
    }
    for limits in (Limits(), PIECEMEAL):
        assert [type(one) for one in read(gzip.compress(orjson.dumps(digest)), limits)[1]] == [Skipped]


def test_a_notification_of_s3_is_not_the_log_itself() -> None:
    told = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "x",
            "userIdentity": {"principalId": "x"}, "requestParameters": {"sourceIPAddress": "x"}, "s3": {}}  # fmt: skip
    assert reasons(read(orjson.dumps({"Records": [told]}))) == [Reason.NOT_A_LOG]


def test_a_tar_is_not_unpacked() -> None:
    tar = bytearray(1024)
    tar[257:262] = b"ustar"
    assert reasons(read(gzip.compress(bytes(tar)))) == [Reason.UNSUPPORTED]


# Files that want too much


def bomb(kind: str) -> bytes:
    blank = b" " * 4_000_000
    return {
        "gzip": gzip.compress,
        "zip": lambda text: zipped({"a": text}),
        "zstd": zstandard.compress,
        "xz": lzma.compress,
    }[kind](blank)


@pytest.mark.parametrize("kind", ["gzip", "zip", "zstd", "xz"])
def test_what_inflates_too_far_is_turned_away(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(bomb(kind))
    by_size = Limits(whole_bytes_max=1000, inflated_bytes_max=1_000_000)
    assert reasons(outcome_of(Source("bomb", path=path), by_size)) == [Reason.INFLATES_TOO_FAR]
    by_ratio = Limits(whole_bytes_max=1000, ratio_bytes_min=1_000_000)
    assert reasons(outcome_of(Source("bomb", path=path), by_ratio)) == [Reason.INFLATES_TOO_FAR]


def test_members_of_a_zip_share_one_allowance() -> None:
    packed = zipped({f"{number}.json": orjson.dumps([record(number)]) for number in range(50)})
    found, others = read(packed, Limits(inflated_bytes_max=10_000))
    assert 5 < len(found) < 50
    assert set(reasons(([], others))) == {"inflates-too-far"}
    assert reasons(read(packed, Limits(members_max=10))) == ["too-large"]


def test_layers_have_an_end() -> None:
    text = orjson.dumps([record()])
    for _ in range(6):
        text = zipped({"x": text})
    assert reasons(read(text)) == [Reason.INFLATES_TOO_FAR]


# Properties


@settings(max_examples=300)
@given(st.binary(max_size=300), st.booleans())
@example(b",", True)
@example(b",", False)
@example(b'{"Records":[]}', True)
@example(b'{"Records":[]}', False)
def test_rubbish_is_never_raised_over(content: bytes, whole: bool) -> None:
    for packed, text in (
        (content, content),
        (gzip.compress(content), content),
        (b"\x1f\x8b" + content, None),
        (b"PK\x03\x04" + content, None),
        (b"{" + content, b"{" + content),
        (b"\x28\xb5\x2f\xfd" + content, None),
    ):
        found, others = read(packed, None if whole else PIECEMEAL)
        nothing = text is not None and (
            not text.strip(b" \t\r\n[],{}\x1e\0\x0b\x0c") or b"".join(text.split()) == b'{"Records":[]}'
        )
        assert found or others or nothing


scraps = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\x00", b"\xff", b'{"Records":[', b"]}", b"null",
     b'{"eventVersion":', b'},{"eventVersion":1}', b"1" * 25, b"\xef\xbb\xbf", b"\xff\xfe", orjson.dumps(record(7)),
     orjson.dumps(look_up_row(record(8)))]
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(scraps, max_size=25).map(b"".join))
def test_scraps_of_json_are_never_raised_over(content: bytes) -> None:
    for limits in (None, PIECEMEAL, Limits(record_bytes_max=200, whole_bytes_max=0)):
        for one in read(content, limits)[0]:
            canonical(one.document)


@settings(max_examples=200)
@given(st.integers(0, 6), st.sampled_from(sorted(FORMS)), st.integers(0, 10**9), scraps, st.integers(0, 300))
def test_a_loss_is_never_silent(count: int, form: str, at: int, scrap: bytes, gone: int) -> None:
    """Bytes are lost or put in: either nothing of a record is changed, or something is said of it."""
    them = [record(number) for number in range(count + 1)]
    text = FORMS[form](them)
    at %= len(text)
    spoilt = text[:at] + (scrap if gone < 20 else b"") + text[at + gone :]
    for limits in (None, PIECEMEAL):
        found, others = read(spoilt, limits)
        sound = sum(document in [one.document for one in found] for document in them)
        assert others or sound >= len(them) - 2  # where two ends happen to fit together, nobody can tell


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_recorded_logs_come_out_of_every_wrapping_the_same(real_logs: Path, data: st.DataObject) -> None:
    paths = sorted((real_logs / "invictus-ir_aws_dataset").rglob("*.json.gz"))
    path = data.draw(st.sampled_from(paths))
    them = orjson.loads(gzip.decompress(path.read_bytes()))["Records"][: data.draw(st.integers(1, 40))]
    text = FORMS[data.draw(st.sampled_from(sorted(FORMS)))](them)
    if packing := data.draw(st.sampled_from([None, *sorted(PACKINGS)])):
        text = PACKINGS[packing](text)
    assert documents(text, data.draw(st.sampled_from([None, PIECEMEAL, Limits(batch_records_max=7)]))) == them


# The recorded logs


COUNTS = {
    "cloud-custodian": {"found": 24, "no-time": 1, "not-a-log": 1},
    "cloudgrep": {"found": 2, "cut-short": 1, "not-a-log": 1},
    "invictus-ir_aws_dataset": {"found": 2900, "not-a-log": 2},
    "oracles": {"found": 191, "no-account": 191},
    "plaso": {"found": 3, "not-a-log": 1},
    "traildiscover": {"found": 315, "not-a-log": 1},
    "trailscraper": {"found": 7, "not-a-log": 1},
    "aws-managed-policies": {"not-a-log": 3},
}


@BOTH
@pytest.mark.parametrize("folder", COUNTS)
def test_every_recorded_log_is_read_or_named(folder: str, limits: Limits, real_logs: Path) -> None:
    counted: Counter[str] = Counter()
    for source in find_sources([real_logs / folder]):
        if not isinstance(source, Source):
            counted[str(source.reason)] += 1
            continue
        found, others = outcome_of(source, limits)
        counted.update(str(one.reason) for one in others)
        counted["found"] += len(found)
        for one in found:
            try:
                read_record(one.document, account_id=one.account_hint)
            except RecordRejected as error:
                counted[error.reason] += 1
    assert {name: count for name, count in counted.items() if count} == COUNTS[folder]


def test_nothing_of_the_log_that_was_cut_short_is_taken_silently(real_logs: Path) -> None:
    path = real_logs / "cloudgrep/tests/data/bad_cloudtrail.json"
    found, others = outcome_of(Source(str(path), path=path))
    assert found == []
    assert others == [
        Reject(str(path), "record 1 at byte 13", Reason.CUT_SHORT, "the file ends within this record")
    ]


# The list of rejects


def test_a_reject_can_be_shown_on_a_terminal() -> None:
    _, (one,) = read(b'{"\\u001b[2J\\nfake: line": 1}', name="a\x1b[0m\n.json")
    assert isinstance(one, Reject)
    assert str(one).isprintable()
    assert one.detail.isprintable()


def test_rejects_are_written_as_ndjson_once_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "rejects.ndjson"
    with RejectsFile(path):
        pass
    assert not path.exists()
    with RejectsFile(path) as rejects:
        rejects.write(Reject("a\udcff.json", "record 1", Reason.CUT_SHORT, "x" * 9_999))
        rejects.write(Reject("b.json", "", "no-time", "eventTime None"))
    assert rejects.count == 2
    first, second = map(orjson.loads, path.read_bytes().splitlines())
    assert (first["file"], first["place"], first["reason"]) == ("a\\udcff.json", "record 1", "cut-short")
    assert len(first["detail"]) == 500
    assert second == {"file": "b.json", "place": "", "reason": "no-time", "detail": "eventTime None"}
    assert path.stat().st_mode & 0o777 == 0o600
