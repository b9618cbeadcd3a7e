"""What an export holds, and that it is whole or is not there."""

import csv
import gzip
import io
import os
import re
import resource
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import NATIVE, Draft, Entry, Origin
from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from ledger.record import canonical, format_time, read_record
from projections.activity import Activity, Question
from projections.export import (
    FORMS,
    ExportFailed,
    Form,
    Manifest,
    TargetExists,
    export,
    manifest_of,
    neutralised,
)
from projections.export.cloudtrail import delivered_files
from projections.export.csv_table import COLUMNS
from projections.lines import line

ROOT = Path(__file__).resolve().parents[2]
ACME, LARK = "111111111111", "222222222222"
NAME = re.compile(
    r"AWSLogs/(\d{12})/(CloudTrail(?:-Insight)?)/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/"
    r"\1_\2_\3_\4\5\6T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz"
)
EACH_FORM = pytest.mark.parametrize("form", FORMS)
EACH_FILE_FORM = pytest.mark.parametrize("form", ["ndjson", "csv"])


def a_record(number: int, **members: Any) -> dict[str, Any]:
    second = number % 60
    return {
        "eventVersion": "1.11",
        "eventTime": f"2026-03-17T13:{number // 60 % 60:02}:{second:02}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "eu-central-1",
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.31",
        "recipientAccountId": ACME,
        "userIdentity": {"type": "IAMUser", "userName": "ana", "arn": f"arn:aws:iam::{ACME}:user/ana"},
        "requestParameters": {"bucketName": "ledgers", "key": "a, b"},
        "responseElements": None,
    } | members


SNAPSHOT = a_record(
    0,
    eventSource="iam-ledger.local",
    eventName="ImportAccountSnapshot",
    eventID="snapshot",
    awsRegion=None,
    requestParameters={"UserDetailList": [{"UserName": "ana", "UserId": "AIDAANA"}]},
)
INSIGHT = {
    "eventVersion": "1.11",
    "eventTime": "2026-03-17T13:09:00Z",
    "eventID": "insight",
    "eventCategory": "Insight",
    "eventType": "AwsCloudTrailInsight",
    "awsRegion": "eu-central-1",
    "recipientAccountId": ACME,
    "insightDetails": {"state": "Start", "eventName": "RunInstances"},
}
HISTORY = [
    SNAPSHOT,
    *(a_record(number * 37) for number in range(20)),
    a_record(401, eventSource="iam.amazonaws.com", eventName="CreateUser", awsRegion="us-east-1"),
    a_record(402, errorCode="AccessDenied", errorMessage="=no", userAgent='=HYPERLINK("https://x.example")'),
    a_record(403, recipientAccountId=LARK, awsRegion="us-west-2"),
    a_record(3, eventID="late", requestParameters={"note": "späť \u2028 \x00"}),
    INSIGHT,
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return ledger_of(HISTORY, tmp_path_factory.mktemp("export") / "ledger.sqlite")


@pytest.fixture
def everything(log: Log) -> list[Entry]:
    return list(Activity(log).every(Question(order="oldest")))


def ledger_of(records: Iterable[dict[str, Any]], path: Path) -> Log:
    log = Log(open_engine(str(path), create=True))
    origin = Origin("trail.json.gz", "0" * 64)
    log.append([Draft.of(read_record(record), origin) for record in records])
    return log


def entries_of(records: Iterable[dict[str, Any]]) -> list[Entry]:
    """As a question gives them, oldest first, without a database."""
    entries = [an_entry(record, position) for position, record in enumerate(records)]
    return sorted(entries, key=lambda entry: (entry.time, entry.account_id, entry.position))


def an_entry(document: dict[str, Any], position: int) -> Entry:
    record = read_record(document)
    return Entry(
        account_id=record.account_id,
        position=position,
        recorded_at=1_773_752_832_123,
        time=record.time,
        previous=None,
        principal=bytes(16),
        salt=bytes(32),
        leaf_hash=sha256(b"%d" % position).digest(),
        origin=NATIVE,
        document=document,
    )


def exported(entries: Iterable[Entry], form: Form, to: Path | io.BytesIO, **also: Any) -> Manifest:
    return export(entries, form=form, to=to, question={"service": "s3"}, clock=lambda: 1_773_752_832, **also)


def reread(folder: Path) -> list[dict[str, Any]]:
    """The records in the order in which an import reads them: by path."""
    return [
        record
        for path in sorted(folder.rglob("*.json.gz"))
        for record in orjson.loads(gzip.decompress(path.read_bytes()))["Records"]
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def counted(records: Iterable[dict[str, Any]]) -> Counter[bytes]:
    return Counter(map(canonical, records))


# Lines of JSON


def test_ndjson_is_one_canonical_line_for_each_entry(everything: list[Entry], tmp_path: Path) -> None:
    exported(everything, "ndjson", tmp_path / "events.ndjson")
    written = (tmp_path / "events.ndjson").read_bytes()
    assert written.endswith(b"\n")
    assert written.splitlines() == [canonical(line(entry)) for entry in everything]
    first = orjson.loads(written.split(b"\n", 1)[0])
    assert (first["account"], first["position"], first["eventID"]) == (ACME, 0, "snapshot")
    assert first["record"] == SNAPSHOT


# A table


def table(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def test_csv_has_a_header_and_a_row_for_each_entry(everything: list[Entry], tmp_path: Path) -> None:
    exported(everything, "csv", tmp_path / "events.csv")
    written = (tmp_path / "events.csv").read_bytes()
    assert written.split(b"\r\n", 1)[0].decode().split(",") == list(COLUMNS)
    rows = table(written)
    assert [(row["account"], int(row["position"])) for row in rows] == [
        (entry.account_id, entry.position) for entry in everything
    ]
    row = next(row for row in rows if row["eventID"].endswith("37"))
    assert row["time"] == "2026-03-17T13:00:37Z"
    assert row["actor"] == f"arn:aws:iam::{ACME}:user/ana"
    assert row["readOnly"] == "true"
    assert row["resources"] == "arn:aws:s3:::ledgers/a, b arn:aws:s3:::ledgers"
    assert orjson.loads(row["requestParameters"]) == {"bucketName": "ledgers", "key": "a, b"}
    assert row["responseElements"] == ""


def test_no_cell_of_a_table_is_a_formula(everything: list[Entry]) -> None:
    out = io.BytesIO()
    exported(everything, "csv", out)
    denied = next(row for row in table(out.getvalue()) if row["outcome"] == "denied")
    assert denied["userAgent"] == '\'=HYPERLINK("https://x.example")'
    assert denied["errorMessage"] == "'=no"


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "-", "−1", "＝1+1", "＋1", "－1", "＠SUM(A1)", "﹦1"]
)
@pytest.mark.parametrize("before", ["", " ", "\t", "\r", "\n", "\u00a0\u3000", "\ufeff", "\u200b", "\x00"])
def test_what_begins_like_a_formula_is_neutralised(before: str, cell: str) -> None:
    assert neutralised(before + cell) == "'" + before + cell


@pytest.mark.parametrize("cell", ["\tx", "\rx", "\nx", "\t"])
def test_so_is_what_begins_with_a_cut(cell: str) -> None:
    assert neutralised(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell",
    ["", " ", "a=b", "a-b", "198.51.100.7", "2026-03-17T13:00:00Z", '{"a":"=1"}', "'=1", "_", "ö", "7", "/-"],
)
def test_what_does_not_stays_as_it_is(cell: str) -> None:
    assert neutralised(cell) == cell


@given(st.text())
def test_a_neutralised_cell_is_read_back_as_it_was_but_for_one_apostrophe(cell: str) -> None:
    told = neutralised(cell)
    assert told in (cell, "'" + cell)
    assert neutralised(told) == told
    assert told.lstrip()[:1] not in set("=+-@＝＋－＠")


# CloudTrail's form


def test_the_records_come_back_as_they_were_kept(everything: list[Entry], tmp_path: Path) -> None:
    exported(everything, "cloudtrail", tmp_path / "logs")
    assert counted(reread(tmp_path / "logs")) == counted(HISTORY)


def test_an_empty_ledger_that_imports_them_holds_the_same(everything: list[Entry], tmp_path: Path) -> None:
    exported(everything, "cloudtrail", tmp_path / "logs")
    again = Log(open_engine(str(tmp_path / "again.sqlite"), create=True))
    summary = import_paths(again, [tmp_path / "logs"])
    assert (summary.appended, summary.rejected) == (len(HISTORY), {})
    for account_id in (ACME, LARK):
        kept = counted(entry.document for entry in everything if entry.account_id == account_id)
        assert counted(entry.document for entry in again.read(account_id)) == kept


def test_files_have_the_names_that_cloudtrail_gives(everything: list[Entry], tmp_path: Path) -> None:
    exported(everything, "cloudtrail", tmp_path)
    names = sorted(path for path in contents(tmp_path) if path != "manifest.json")
    assert all(NAME.fullmatch(name) for name in names)
    places = {found.group(1, 2, 3) for name in names if (found := NAME.fullmatch(name))}
    assert places == {
        (ACME, "CloudTrail", "eu-central-1"),
        (ACME, "CloudTrail", "us-east-1"),
        (ACME, "CloudTrail-Insight", "eu-central-1"),
        (LARK, "CloudTrail", "us-west-2"),
    }
    assert any(
        "/2026/03/17/111111111111_CloudTrail_eu-central-1_20260317T1305Z_0000" in name for name in names
    )


def test_a_file_holds_five_minutes_of_one_region(everything: list[Entry]) -> None:
    for file in delivered_files(everything):
        records = orjson.loads(gzip.decompress(file.content))["Records"]
        assert len(records) == file.entries
        assert len({read_record(record).time // 300 for record in records}) == 1


def test_full_files_are_followed_by_others_in_order() -> None:
    entries = entries_of(a_record(0, eventID=f"{number:04}") for number in range(50))
    files = list(delivered_files(entries, file_bytes_max=2_000))
    assert len(files) > 5
    assert all(len(gzip.decompress(file.content)) <= 2_000 + len(b'{"Records":[]}') for file in files)
    in_order = [
        record["eventID"]
        for file in sorted(files)
        for record in orjson.loads(gzip.decompress(file.content))["Records"]
    ]
    assert in_order == [f"{number:04}" for number in range(50)]


def test_many_regions_at_once_do_not_exceed_what_is_held() -> None:
    entries = entries_of(
        a_record(0, eventID=f"{number:04}", awsRegion=f"xx-place-{number % 40}") for number in range(400)
    )
    files = list(delivered_files(entries, held_bytes_max=10_000))
    assert sum(file.entries for file in files) == 400
    assert len({file.path for file in files}) == len(files) > 40


def test_a_record_that_no_file_holds_is_a_file() -> None:
    entries = entries_of([a_record(0, requestParameters={"text": "x" * 5_000}), a_record(1)])
    assert [file.entries for file in delivered_files(entries, file_bytes_max=1_000)] == [1, 1]


@pytest.mark.parametrize(
    "region", ["../../../etc", "/etc", "a/b", "", "EU", "a" * 300, 7, None, "..", "x\x00y"]
)
def test_a_region_that_is_none_leads_nowhere(region: Any, tmp_path: Path) -> None:
    exported(entries_of([a_record(0, awsRegion=region)]), "cloudtrail", tmp_path / "logs")
    assert [path for path in contents(tmp_path / "logs") if "/no-region/" in path]
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_newest_first_is_our_own_mistake(everything: list[Entry], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="older than the entry before it"):
        exported(reversed(everything), "cloudtrail", tmp_path / "logs")
    assert list(tmp_path.iterdir()) == []


json_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | json_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
    max_leaves=6,
)
records = st.builds(
    a_record,
    st.integers(0, 900),
    recipientAccountId=st.sampled_from([ACME, LARK]),
    awsRegion=st.sampled_from(["us-east-1", "eu-west-1", "cn-north-1"]) | json_values,
    eventSource=st.sampled_from(["iam.amazonaws.com", "s3.amazonaws.com", "iam-ledger.local"]),
    requestParameters=json_values,
    eventID=json_texts,
)


@given(st.lists(records, max_size=25), st.integers(500, 3_000), st.integers(500, 5_000))
def test_any_records_survive_and_changes_of_the_account_keep_their_order(
    given_records: list[dict[str, Any]], file_bytes_max: int, held_bytes_max: int
) -> None:
    entries = entries_of(given_records)
    files = sorted(delivered_files(entries, file_bytes_max=file_bytes_max, held_bytes_max=held_bytes_max))
    assert all(NAME.fullmatch(file.path) for file in files)
    again = [record for file in files for record in orjson.loads(gzip.decompress(file.content))["Records"]]
    assert counted(again) == counted(given_records)

    def changes(documents: Iterable[dict[str, Any]], account_id: str) -> list[bytes]:
        ours = (one for one in documents if one["recipientAccountId"] == account_id)
        iam = [
            one for one in ours if one["eventSource"].startswith("iam") and one["awsRegion"] != "cn-north-1"
        ]
        return [canonical(one) for one in sorted(iam, key=lambda one: one["eventTime"])]

    for account_id in (ACME, LARK):
        assert changes(again, account_id) == changes((entry.document for entry in entries), account_id)


@given(st.lists(records, max_size=25))
def test_every_form_is_the_same_each_time(given_records: list[dict[str, Any]]) -> None:
    entries = entries_of(given_records)
    with TemporaryDirectory() as folder:
        for form in FORMS:
            one, other = Path(folder, f"{form}1"), Path(folder, f"{form}2")
            one.mkdir()
            other.mkdir()
            for to in (one, other):
                exported(entries, form, to if form == "cloudtrail" else to / "events")
            assert contents(one) == contents(other)


# The manifest


def test_the_manifest_says_what_was_asked_and_what_was_found(log: Log, tmp_path: Path) -> None:
    entries = list(Activity(log).every(Question(service="s3", order="oldest")))
    manifest = exported(entries, "ndjson", tmp_path / "s3.ndjson")
    document = orjson.loads(manifest_of(tmp_path / "s3.ndjson").read_bytes())
    files = document.pop("files")
    assert document == manifest.document()
    assert document["question"] == {"service": "s3"}
    assert document["createdAt"] == "2026-03-17T13:07:12Z"
    assert document["entries"] == len(entries) == 23
    assert document["time"] == {"first": "2026-03-17T13:00:00Z", "last": "2026-03-17T13:11:43Z"}
    ours, theirs = document["accounts"]
    positions = [entry.position for entry in entries if entry.account_id == ACME]
    assert (ours["account"], ours["count"], ours["first"], ours["last"], ours["leftOut"]) == (
        ACME,
        22,
        min(positions),
        max(positions),
        max(positions) - min(positions) + 1 - 22,
    )
    leaf_hashes = b"".join(entry.leaf_hash for entry in entries if entry.account_id == ACME)
    assert ours["leafHashes"] == sha256(leaf_hashes).hexdigest()
    assert (theirs["account"], theirs["count"], theirs["leftOut"]) == (LARK, 1, 0)
    written = (tmp_path / "s3.ndjson").read_bytes()
    assert files == [
        {
            "path": "s3.ndjson",
            "bytes": len(written),
            "sha256": sha256(written).hexdigest(),
            "entries": 23,
        }
    ]


def test_the_manifest_lists_every_file(everything: list[Entry], tmp_path: Path) -> None:
    manifest = exported(everything, "cloudtrail", tmp_path)
    found = contents(tmp_path)
    document = orjson.loads(found.pop("manifest.json"))
    assert {file["path"]: (file["bytes"], file["sha256"]) for file in document["files"]} == {
        path: (len(content), sha256(content).hexdigest()) for path, content in found.items()
    }
    assert sum(file["entries"] for file in document["files"]) == manifest.entries == len(everything)
    assert (document["fileCount"], document["fileBytes"]) == (len(found), sum(map(len, found.values())))


@EACH_FORM
def test_an_export_of_nothing_is_an_export(form: Form, tmp_path: Path) -> None:
    to = tmp_path / "nothing"
    manifest = exported([], form, to)
    path = to / "manifest.json" if form == "cloudtrail" else manifest_of(to)
    document = orjson.loads(path.read_bytes())
    assert (manifest.entries, document["entries"], document["accounts"]) == (0, 0, [])
    assert document["time"] == {"first": None, "last": None}


@EACH_FILE_FORM
def test_to_a_stream_goes_what_would_go_to_a_file(
    form: Form, everything: list[Entry], tmp_path: Path
) -> None:
    out = io.BytesIO()
    manifest = exported(everything, form, out)
    exported(everything, form, tmp_path / "events")
    assert out.getvalue() == (tmp_path / "events").read_bytes()
    assert manifest.entries == len(everything)


# Nothing is lost, nothing is half done


@EACH_FORM
def test_what_stands_there_is_not_touched(form: Form, everything: list[Entry], tmp_path: Path) -> None:
    to = tmp_path / "out"
    if form == "cloudtrail":
        to.mkdir()
        (to / "mine").write_text("mine")
    else:
        to.write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(TargetExists, match=re.escape(str(to))):
        exported(everything, form, to)
    assert contents(tmp_path) == before


@EACH_FILE_FORM
def test_nor_is_another_manifest(form: Form, everything: list[Entry], tmp_path: Path) -> None:
    (tmp_path / "out.manifest.json").write_text("mine")
    with pytest.raises(TargetExists, match=r"out\.manifest\.json exists"):
        exported(everything, form, tmp_path / "out")
    assert contents(tmp_path) == {"out.manifest.json": b"mine"}


@EACH_FORM
def test_an_earlier_export_is_overwritten_when_asked(
    form: Form, everything: list[Entry], tmp_path: Path
) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    for folder, times in ((once, [everything]), (twice, [everything[:3], everything])):
        folder.mkdir()
        for entries in times:
            manifest = exported(entries, form, folder / "out", overwrite=True)
            assert manifest.entries == len(entries)
    assert contents(twice) == contents(once)


def test_a_folder_that_is_no_export_is_never_overwritten(everything: list[Entry], tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"product": "something else"}')
    with pytest.raises(TargetExists, match="holds no export to overwrite"):
        exported(everything, "cloudtrail", tmp_path, overwrite=True)
    assert list(contents(tmp_path)) == ["manifest.json"]


def test_an_empty_folder_may_be_filled(everything: list[Entry], tmp_path: Path) -> None:
    exported(everything, "cloudtrail", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["AWSLogs", "manifest.json"]


@EACH_FILE_FORM
def test_a_folder_or_a_pipe_is_no_file(form: Form, everything: list[Entry], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for to in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(TargetExists, match="no ordinary file"):
            exported(everything, form, to, overwrite=True)


@EACH_FILE_FORM
def test_a_link_is_followed(form: Form, everything: list[Entry], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    exported(everything, form, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").stat().st_size > 0


def test_a_file_is_no_folder(everything: list[Entry], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TargetExists, match="is no folder"):
        exported(everything, "cloudtrail", tmp_path / "file", overwrite=True)


def test_a_stream_is_no_folder(everything: list[Entry]) -> None:
    out = io.BytesIO()
    with pytest.raises(ExportFailed, match="name a folder"):
        exported(everything, "cloudtrail", out)
    assert out.getvalue() == b""


@EACH_FORM
@pytest.mark.parametrize("to", ["absent/out", "file/out", "x" * 300])
def test_a_place_that_cannot_be_written_is_told(
    form: Form, to: str, everything: list[Entry], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportFailed, match=f"cannot write {re.escape(str(tmp_path / to))}: ") as caught:
        exported(everything, form, tmp_path / to)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {"file": b"mine"}


@EACH_FORM
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_question_that_breaks_off_leaves_nothing(
    form: Form, overwrite: bool, everything: list[Entry], tmp_path: Path
) -> None:
    def breaking_off() -> Iterator[Entry]:
        yield from everything
        raise KeyboardInterrupt

    if overwrite:
        exported(everything[:3], form, tmp_path / "out")
    before = contents(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        exported(breaking_off(), form, tmp_path / "out", overwrite=overwrite)
    assert contents(tmp_path) == before
    assert (tmp_path / "out").exists() == overwrite


@EACH_FILE_FORM
def test_a_full_device_is_told(form: Form, everything: list[Entry]) -> None:
    with (
        pytest.raises(ExportFailed, match="cannot write the output: No space left on device"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        export(everything, form=form, to=full, question={})


@EACH_FILE_FORM
def test_that_the_reader_had_enough_is_no_failure_of_ours(form: Form, everything: list[Entry]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as pipe, pytest.raises(BrokenPipeError):
        export(everything, form=form, to=pipe, question={})


@EACH_FORM
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_grows_too_large_for_the_disk_leaves_nothing(
    form: Form, overwrite: bool, everything: list[Entry], tmp_path: Path
) -> None:
    if overwrite:
        exported(everything[:3], form, tmp_path / "out")
    before = contents(tmp_path)
    with file_size_limited_to(200), pytest.raises(ExportFailed, match=r"cannot write .*/out: "):
        exported(everything, form, tmp_path / "out", overwrite=overwrite)
    assert contents(tmp_path) == before


class file_size_limited_to:  # noqa: N801
    """The system refuses to write on, as it does when a disk is full."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)
        signal.signal(signal.SIGXFSZ, self.handler)


@EACH_FORM
def test_a_killed_export_leaves_nothing_that_bears_the_name(form: Form, log: Log, tmp_path: Path) -> None:
    script = """if True:
        import os, sys
        from pathlib import Path
        from ledger.log import Log, open_engine
        from projections.activity import Activity, Question
        from projections.export import export

        def killed():
            yield from Activity(Log(open_engine(sys.argv[1]))).every(Question(order="oldest"))
            os.kill(os.getpid(), 9)

        export(killed(), form=sys.argv[3], to=Path(sys.argv[2]), question={})
        """
    arguments = [str(log.engine.url.database), str(tmp_path / "out"), form]
    ended = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert left
    assert all(".partial" in str(path) for path in left)


# Size


@pytest.mark.slow
@EACH_FORM
def test_a_hundred_thousand_entries_need_no_more_memory_than_a_few(form: Form, tmp_path: Path) -> None:
    def many(count: int) -> Iterator[Entry]:
        entry = an_entry(a_record(0), 0)
        for number in range(count):
            seconds = entry.time + number // 20
            document = a_record(0, eventTime=format_time(seconds), eventID=f"{number:08}")
            yield replace(entry, position=number, time=seconds, document=document)

    def peak_of(count: int) -> int:
        tracemalloc.start()
        try:
            assert exported(many(count), form, tmp_path / str(count)).entries == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(10_000)  # what is remembered on the way, such as how a time is written
    assert peak_of(100_000) < peak_of(9_999) + 4 * 2**20
