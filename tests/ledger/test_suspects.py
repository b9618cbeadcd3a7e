"""Whatever redaction would change is suspected, so what is not suspected need not be looked at closely."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import Draft, Origin
from ledger.intake.drafting import read_drafts
from ledger.intake.reading import read_source
from ledger.intake.shapes import Batch
from ledger.intake.sources import Source, find_sources
from ledger.log.bodies import split
from ledger.record import canonical, read_record
from ledger.redaction import DEPTH_MAX, HEADERS, SECRET_ENDINGS, SECRET_NAMES, redact
from ledger.suspects import suspects

KELVIN = "\N{KELVIN SIGN}"
TOKEN = "FwoGZXIvYXdzEJr//////////wEaDAbCdEfGhIjKlMnOp"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END EC PRIVATE KEY-----"
EVERY_NAME = sorted({*SECRET_NAMES, *SECRET_ENDINGS, *HEADERS})


def record(**members: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "Root", "accountId": "111122223333", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"},
        "eventTime": "2023-07-10T11:42:18Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "eventID": "00000000-0000-0000-0000-000000000001",
        **members,
    }


def rest_of(document: dict[str, Any]) -> bytes:
    """What an import looks at."""
    return split(read_record(document, account_id="111122223333"), canonical(document)).rest


def is_suspect(document: dict[str, Any]) -> bool:
    return suspects([rest_of(document)]) == {0}


@pytest.mark.parametrize("name", EVERY_NAME)
def test_every_name_is_suspected_however_it_is_written(name: str) -> None:
    for spelt in (name, name.upper(), "-".join(name), "_" + "__".join(name), name.replace("k", KELVIN)):
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in spelt)
        for request in (
            {spelt: "hunter2"},
            {"body": json.dumps({spelt: "hunter2"})},
            {"body": f'{{"{escaped}":"hunter2"}}'},
            {"body": json.dumps(json.dumps({spelt: "hunter2"}))},
            {"name": spelt, "value": "hunter2"},
        ):
            assert is_suspect(record(requestParameters=request)), request


def test_only_the_sign_for_kelvin_has_a_small_letter_that_names_are_made_of() -> None:
    small = {chr(code): chr(code).lower() for code in range(128, sys.maxunicode + 1)}
    found = {sign for sign, letters in small.items() if any(letter.isascii() for letter in letters)}
    # The second becomes "i" with a dot above it, which is in no name.
    assert found == {KELVIN, "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"}


def test_most_records_are_not_suspected() -> None:
    for request in (
        None,
        {"userName": "bob", "nextToken": "AAEAAclp8", "secretId": "prod/db", "clientToken": "x=1&y=%20"},
        {"policyDocument": json.dumps({"Action": ["iam:*", "sts:GetCallerIdentity"], "Resource": "*"})},
        {"certificateBody": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"},
    ):
        assert not is_suspect(record(requestParameters=request)), request


def test_the_right_ones_of_a_batch_are_suspected() -> None:
    clean = canonical(record())
    guilty = canonical(record(responseElements={"sessionToken": TOKEN, "password": "hunter2"}))
    assert suspects([]) == set()
    assert suspects([clean, guilty, clean, guilty, guilty, clean]) == {1, 3, 4}


def test_what_one_record_ends_with_and_the_next_begins_with_is_no_name() -> None:
    assert suspects([b'{"a":"pass"}', b'{"word":1}', b"pass", b"word"]) == set()


def test_depth_is_suspected() -> None:
    for levels in (DEPTH_MAX, 2 * DEPTH_MAX):
        told = record(requestParameters={"body": '{"a":' * levels + "1" + "}" * levels})
        assert redact(told) is not told
        assert is_suspect(told)


def spelt(name: str) -> st.SearchStrategy[str]:
    letters = [st.sampled_from([x, x.upper(), x + "-", x + "_", KELVIN if x == "k" else x]) for x in name]
    return st.tuples(*letters).map("".join)


names = st.one_of(
    st.sampled_from(EVERY_NAME).flatmap(spelt),
    st.sampled_from(
        ["Signature", "X-Amz-Signature", "dbPassword", "userName", "value", "name", "Key", "pass", "word"]
    ),
    st.text(max_size=6),
)
strings = st.one_of(
    names,
    st.text(max_size=20),
    st.sampled_from([TOKEN, PEM, f"see {TOKEN}!", "[" * 310 + "]" * 310, '{"a":' * 310 + "1" + "}" * 310]),
    names.map(lambda name: f"https://x?a=1&{name}=hunter2hunter2hunter2"),
    names.map(lambda name: f"{name}%253Dhunter2hunter2hunter2"),
    names.map(lambda name: f'{{"cut": 1, "{name}" : "hunter2'),
    names.map(lambda name: f'{{\\"{name}\\":\\"hunter2\\"'),
    names.map(lambda name: '{"' + "".join(f"\\u{ord(x):04x}" for x in name if x < "\ud800") + '":"hunter2"}'),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), strings),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(names, inner, max_size=3),
        inner.map(json.dumps),
        inner.map(lambda value: json.dumps(value, ensure_ascii=False)),
        inner.map(lambda value: json.dumps({"a": value})[:-2]),
    ),
    max_leaves=8,
)


@settings(max_examples=600)
@given(
    st.dictionaries(
        st.sampled_from(["requestParameters", "errorMessage", "other"]) | names, values, max_size=3
    )
)
def test_whatever_redaction_changes_is_suspected(members: dict[str, Any]) -> None:
    document = {**record(), **members}
    if redact(document) is not document:
        assert is_suspect(document)


def test_an_import_hides_what_redaction_hides(tmp_path: Path) -> None:
    documents = [
        record(requestParameters={"userName": f"user-{number}", **more}, eventID=f"{number:036}")
        for number, more in enumerate([{}, {"password": "hunter2"}, {}, {"x": f"see {TOKEN}"}, {}])
    ]
    path = tmp_path / "logs.json"
    path.write_bytes(canonical({"Records": documents}))
    (drafts,) = read_drafts(Source(str(path), path=path))
    assert isinstance(drafts, list)
    assert [draft.canonical_record for draft in drafts] == [canonical(redact(one)) for one in documents]
    assert drafts == [Draft.of(read_record(redact(one)), drafts[0].origin) for one in documents]
    assert drafts[0].origin == Origin(str(path), drafts[0].origin.sha256)
    assert not any(b"hunter2" in draft.canonical_record for draft in drafts)


def test_in_the_recorded_logs_all_that_is_hidden_is_suspected(real_logs: Path) -> None:
    found = hidden = suspected = 0
    for source in find_sources([real_logs / "invictus-ir_aws_dataset", real_logs / "traildiscover"]):
        if not isinstance(source, Source):
            continue
        for batch in read_source(source):
            assert isinstance(batch, Batch)
            guilty = {index for index, one in enumerate(batch.documents) if redact(one) is not one}
            told = suspects(list(map(rest_of, batch.documents)))
            assert guilty <= told
            found, hidden, suspected = found + len(batch), hidden + len(guilty), suspected + len(told)
    assert hidden == 36
    assert suspected < found / 20, (suspected, found)
