"""What somebody typed leads to the same files in the same order everywhere, and no file is passed over silently."""

import gzip
import hashlib
import io
import os
from pathlib import Path

import orjson
import pytest

from ledger.intake.limits import Limits
from ledger.intake.reading import read_source
from ledger.intake.rejects import Reason, Reject, Skipped
from ledger.intake.shapes import Batch
from ledger.intake.sources import Source, find_sources

LOG = b'{"Records":[]}'


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LOG)


def told(root: Path, *paths: str | Path) -> list[str]:
    return [
        f"{Path(one.name).relative_to(root)}"
        if isinstance(one, Source)
        else f"{one.reason} {Path(one.source).relative_to(root)}"
        for one in find_sources(paths)
    ]


def test_a_folder_gives_all_that_is_in_it_by_name(tmp_path: Path) -> None:
    tree(tmp_path, "b/2.json", "b/10.json", "a.json.gz", "c/d/e/x.log", "B.json")
    assert told(tmp_path, tmp_path) == ["B.json", "a.json.gz", "b/10.json", "b/2.json", "c/d/e/x.log"]


def test_paths_keep_their_order_and_globs_are_sorted(tmp_path: Path) -> None:
    tree(tmp_path, "z.json", "a/2.json", "a/1.json", "a/b/3.json")
    assert told(tmp_path, tmp_path / "z.json", f"{tmp_path}/a/*.json") == ["z.json", "a/1.json", "a/2.json"]
    assert told(tmp_path, f"{tmp_path}/**/*.json") == ["a/1.json", "a/2.json", "a/b/3.json", "z.json"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    tree(tmp_path, "log[1].json")
    assert told(tmp_path, tmp_path / "log[1].json") == ["log[1].json"]


def test_what_is_plainly_no_log_is_listed_in_a_folder_and_read_where_it_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "LICENSE", "README.md", "notes.MD", "x.json", ".DS_Store", "license-plates.json")
    assert told(tmp_path, tmp_path) == [
        "not-a-log .DS_Store",
        "not-a-log LICENSE",
        "not-a-log README.md",
        "license-plates.json",
        "not-a-log notes.MD",
        "x.json",
    ]
    assert told(tmp_path, tmp_path / "LICENSE") == ["LICENSE"]


def test_digests_are_listed_not_read(tmp_path: Path) -> None:
    name = "111122223333_CloudTrail-Digest_us-east-1_trail_us-east-1_20230710T114000Z.json.gz"
    tree(
        tmp_path,
        "AWSLogs/1/CloudTrail-Digest/us-east-1/x.json.gz",
        f"y/{name}",
        "AWSLogs/1/CloudTrail/x.json.gz",
    )
    assert told(tmp_path, tmp_path) == [
        "AWSLogs/1/CloudTrail/x.json.gz",
        "digest AWSLogs/1/CloudTrail-Digest/us-east-1/x.json.gz",
        f"digest y/{name}",
    ]


def test_links_in_a_circle_and_files_met_twice_come_once(tmp_path: Path) -> None:
    tree(tmp_path, "a/x.json")
    (tmp_path / "a" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b.json").symlink_to(tmp_path / "a" / "x.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    assert told(tmp_path, tmp_path, tmp_path / "a" / "x.json") == [
        "not-a-log a/round",
        "a/x.json",
        "not-a-log b.json",
        "unreadable gone.json",
        "not-a-log a/x.json",
    ]


def test_a_path_that_leads_nowhere_is_a_reject(tmp_path: Path) -> None:
    (one,) = find_sources([tmp_path / "no*.json"])
    assert isinstance(one, Reject)
    assert one.reason is Reason.NOT_FOUND


def test_standard_input_is_a_source_without_size_or_hash() -> None:
    (source,) = find_sources(["-"], stdin=io.BytesIO(orjson.dumps([{"eventName": "a", "eventSource": "b"}])))
    assert isinstance(source, Source)
    assert (source.name, source.size, source.sha256) == ("-", None, None)
    (batch,) = read_source(source)
    assert isinstance(batch, Batch)
    assert len(batch) == 1
    (one,) = find_sources(["-"])
    assert isinstance(one, Reject)


def test_a_pipe_may_be_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    tree(tmp_path, "x.json")
    assert told(tmp_path, tmp_path) == ["not-a-log pipe", "x.json"]
    (source,) = find_sources([tmp_path / "pipe"])
    assert isinstance(source, Source)
    assert source.size is None


def test_the_hash_is_that_of_the_bytes_on_disk_and_of_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"
    packed = gzip.compress(orjson.dumps([{"eventName": "a", "eventSource": "b"}]))
    path.write_bytes(packed)
    source = Source(str(path), path=path)
    assert source.sha256 == hashlib.sha256(packed).hexdigest()
    assert source.size == len(packed)
    path.write_bytes(b"something else by now")
    (batch,) = read_source(source)
    assert isinstance(batch, Batch)


def test_a_long_file_that_changes_after_it_was_hashed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.intake.sources.HELD_BYTES_MAX", 10)
    path = tmp_path / "x.json"
    path.write_bytes(orjson.dumps([{"eventName": "a", "eventSource": "b"}]))
    source = Source(str(path), path=path)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(orjson.dumps([{"eventName": "a", "eventSource": "c"}]) + b" ")
    assert [str(one.reason) for one in read_source(source) if not isinstance(one, Batch)] == [Reason.CHANGED]


@pytest.mark.parametrize("limits", [Limits(), Limits(whole_bytes_max=0)])
def test_all_of_a_file_counts_as_consumed_when_it_was_read(limits: Limits, tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(LOG))
    source = Source(str(path), path=path)
    assert source.consumed == 0
    assert list(read_source(source, limits)) == []
    assert source.consumed == source.size


def test_a_file_that_is_gone_when_it_is_to_be_read_is_a_reject(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(LOG)
    source = Source(str(path), path=path)
    path.unlink()
    (one,) = read_source(source)
    assert isinstance(one, Reject)
    assert one.reason is Reason.UNREADABLE


def test_a_file_in_a_folder_that_turns_out_to_be_no_log_is_listed(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_bytes(b'{"name": "x"}')
    (source,) = find_sources([tmp_path])
    assert isinstance(source, Source)
    assert [type(one) for one in read_source(source)] == [Skipped]
    (source,) = find_sources([tmp_path / "package.json"])
    assert isinstance(source, Source)
    assert [type(one) for one in read_source(source)] == [Reject]
