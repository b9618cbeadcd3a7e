"""Files become entries: every record is appended, known already, or rejected by name; whatever happens meanwhile."""

import gzip
import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa

from ledger.intake import importer
from ledger.intake.importer import Summary, import_paths
from ledger.intake.sources import Source
from ledger.intake.workers import WorkerFailed, Workers
from ledger.log import Log, open_engine
from ledger.record import canonical

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = ("111122223333", "444455556666", "777788889999")
WORKERS = pytest.mark.parametrize("workers", [0, 1, 2])


def record(number: int, **members: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "userName": f"user-{number % 17}",
            "accountId": ACCOUNTS[number % 3],
        },
        "eventTime": f"2026-01-{1 + number // 86_400 % 28:02}T{number // 3_600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": ("GetObject", "PutObject", "ListObjects")[number % 3],
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"192.0.2.{number % 200}",
        "userAgent": "aws-cli/2.15.30",
        "requestParameters": {"bucketName": f"bucket-{number % 40}", "key": f"part-{number}"},
        "responseElements": None,
        "eventID": str(UUID(int=(number * 2_654_435_761 % 2**32) << 96 | number)),
        "recipientAccountId": ACCOUNTS[number % 3],
        **members,
    }


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(orjson.dumps({"Records": records}), 1))
    return path


def write_many(folder: Path, files: int, each: int) -> Path:
    for number in range(files):
        write(folder / f"{number:04}.json.gz", [record(number * each + n) for n in range(each)])
    return folder


@pytest.fixture
def log(sqlite_url: str) -> Iterator[Log]:
    opened = Log(open_engine(sqlite_url, create=True))
    yield opened
    opened.engine.dispose()


def documents(log: Log) -> dict[str, list[bytes]]:
    found = {}
    for account_id in log.account_ids():
        entries = list(log.read(account_id))
        assert [entry.position for entry in entries] == list(range(len(entries)))
        assert all(entry.intact() for entry in entries)
        found[account_id] = [canonical(entry.document) for entry in entries]
    return found


def test_nothing_is_run_that_lies_in_the_folder_somebody_is_in(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_many(tmp_path / "logs", files=2, each=10)
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "__init__.py").write_text("raise SystemExit('run from the folder')")
    monkeypatch.chdir(tmp_path)
    assert import_paths(log, [folder], workers=2).appended == 20


# -- what becomes of a record -------------------------------------------------------------------------------------


@WORKERS
def test_all_recorded_logs_are_appended_known_or_rejected_by_name(
    real_logs: Path, log: Log, tmp_path: Path, workers: int
) -> None:
    rejects = tmp_path / "rejects.ndjson"
    first = import_paths(log, [real_logs], rejects=rejects, workers=workers)
    assert (first.records, first.appended, first.duplicates) == (3_443, 3_245, 5)
    assert first.rejected == {"no-account": 191, "no-time": 1, "cut-short": 1}
    assert first.records == first.appended + first.duplicates + first.rejected.total()
    assert first.accounts.total() == first.appended == sum(map(log.size, log.account_ids()))

    told = [orjson.loads(line) for line in rejects.read_bytes().splitlines()]
    assert Counter(one["reason"] for one in told) == first.rejected
    assert all(one["file"] and one["place"] for one in told)

    before = documents(log)
    again = import_paths(log, [real_logs], workers=workers)
    assert (again.appended, again.duplicates) == (0, 3_250)
    assert again.accounts == {}
    assert documents(log) == before


def test_an_import_goes_into_either_database(database_url: str, tmp_path: Path) -> None:
    folder = write_many(tmp_path / "logs", files=12, each=250)
    log = Log(open_engine(database_url, create=True))
    assert import_paths(log, [folder], workers=1).appended == 3_000
    assert import_paths(log, [folder]).duplicates == 3_000
    assert {account: len(found) for account, found in documents(log).items()} == dict.fromkeys(
        ACCOUNTS, 1_000
    )
    log.engine.dispose()


def test_postgresql_knows_at_once_how_much_a_large_import_brought(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it plans the first questions as if there were next to nothing."""
    log = Log(open_engine(postgres_url, create=True))
    known = sa.text("SELECT reltuples FROM pg_class WHERE relname = 'entries'")
    import_paths(log, [write_many(tmp_path / "few", files=2, each=250)], workers=0)
    with log.engine.connect() as connection:
        assert (connection.execute(known).scalar() or 0) < 1_000  # if it has looked at all
    monkeypatch.setattr(importer, "SETTLED_MIN", 500)
    import_paths(log, [write_many(tmp_path / "many", files=4, each=250)], workers=0)
    with log.engine.connect() as connection:
        assert connection.execute(known).scalar() == 1_000
    log.engine.dispose()


def test_however_many_processes_read_the_log_is_the_same(tmp_path: Path) -> None:
    folder = write_many(tmp_path / "logs", files=30, each=120)
    found = []
    for workers in (0, 1, 2):
        log = Log(open_engine(str(tmp_path / f"{workers}.sqlite"), create=True))
        summary = import_paths(log, [folder], workers=workers, batch_max=500)
        assert (summary.files, summary.records, summary.appended) == (30, 3_600, 3_600)
        assert summary.bytes == sum(path.stat().st_size for path in folder.iterdir())
        found.append(documents(log))
        log.engine.dispose()
    assert found[0] == found[1] == found[2]


@WORKERS
def test_one_event_delivered_twice_is_counted_once(log: Log, tmp_path: Path, workers: int) -> None:
    shared = [record(number) for number in range(20)]
    write(tmp_path / "trail-one" / "a.json.gz", shared)
    write(tmp_path / "trail-two" / "b.json.gz", [*shared[5:], record(100)])
    summary = import_paths(log, [tmp_path / "trail-*"], workers=workers)
    assert (summary.files, summary.records, summary.appended, summary.duplicates) == (2, 36, 21, 15)


def test_an_entry_tells_the_file_it_came_from(log: Log, tmp_path: Path) -> None:
    path = write(tmp_path / "logs" / "a.json.gz", [record(1)])
    import_paths(log, [path])
    import_paths(log, ["-"], stdin=io.BytesIO(orjson.dumps(record(4))))
    origins = [entry.origin for entry in log.read(ACCOUNTS[1])]
    assert origins[0].file == str(path)
    assert origins[0].sha256 == Source(str(path), path=path).sha256
    assert (origins[1].file, origins[1].sha256) == ("-", None)


@WORKERS
def test_a_bad_record_is_named_and_the_others_go_in(log: Log, tmp_path: Path, workers: int) -> None:
    bad = [
        record(1, eventTime=None),
        record(2, recipientAccountId=None, userIdentity={}),
        record(3, eventName=7),
    ]
    path = write(tmp_path / "logs" / "a.json.gz", [record(0), *bad, record(4)])
    rejects = tmp_path / "rejects.ndjson"
    summary = import_paths(log, [path.parent, tmp_path / "nowhere"], rejects=rejects, workers=workers)
    assert (summary.records, summary.appended) == (5, 2)
    assert summary.rejected == {"no-time": 1, "no-account": 1, "no-action": 1, "not-found": 1}
    told = [orjson.loads(line) for line in rejects.read_bytes().splitlines()]
    assert sorted((one["file"], one["place"]) for one in told) == [
        *((str(path), f"record {number}") for number in (2, 3, 4)),
        (str(tmp_path / "nowhere"), ""),
    ]


def test_records_too_deep_to_be_written_again_are_rejected(log: Log, tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    path = tmp_path / "deep.json"
    path.write_text(
        str([record(1, requestParameters={"x": "DEEP"}), record(4)])
        .replace("'DEEP'", str(deep))
        .replace("'", '"')
        .replace("None", "null")
    )
    summary = import_paths(log, [path])
    assert summary.appended == 1
    assert summary.rejected == {"too-deep": 1}


def test_nothing_found_is_no_error(log: Log, tmp_path: Path) -> None:
    assert import_paths(log, [tmp_path / "empty-folder-that-is-not"]).rejected == {"not-found": 1}
    (tmp_path / "empty").mkdir()
    assert import_paths(log, [tmp_path / "empty"]).records == 0


def test_a_pipe_takes_its_turn_between_files(log: Log, tmp_path: Path) -> None:
    one = write(tmp_path / "1.json.gz", [record(0)])
    two = write(tmp_path / "2.json.gz", [record(6)])
    stdin = io.BytesIO(orjson.dumps(record(3)))
    import_paths(log, [one, "-", two], stdin=stdin, workers=2)
    assert [entry.document["requestParameters"]["key"] for entry in log.read(ACCOUNTS[0])] == [
        "part-0",
        "part-3",
        "part-6",
    ]


@WORKERS
def test_secrets_do_not_reach_the_database(log: Log, tmp_path: Path, workers: int) -> None:
    canary = f"canary{uuid4().hex}"
    token = f"IQoJb3JpZ2luX2VjE{canary}{'A' * 80}"
    records = [
        record(1, responseElements={"credentials": {"accessKeyId": "ASIAX", "sessionToken": token}}),
        record(2, requestParameters={"userName": "x", "password": canary}),
        record(3, requestParameters={"newPassword": canary}, eventTime=None),
        record(4, errorMessage=f"could not use {token}"),
        record(5, additionalEventData={"url": f"https://x/?X-Amz-Security-Token={token}"}),
    ]
    folder = tmp_path / "logs"
    write(folder / "a.json.gz", records)
    summary = import_paths(log, [folder], rejects=tmp_path / "rejects.ndjson", workers=workers)
    assert (summary.appended, summary.rejected) == (4, {"no-time": 1})
    kept = [path for path in tmp_path.iterdir() if path.is_file()]
    assert {"ledger.sqlite", "rejects.ndjson"} <= {path.name for path in kept}
    for path in kept:
        assert canary.encode() not in path.read_bytes()
    for told in documents(log).values():
        assert canary.encode() not in b"".join(told)


# -- interruptions ------------------------------------------------------------------------------------------------


@WORKERS
def test_an_interrupted_import_keeps_whole_batches_and_sums_up(
    log: Log, tmp_path: Path, workers: int
) -> None:
    folder = write_many(tmp_path / "logs", files=20, each=100)
    seen = []

    def interrupts(so_far: Summary) -> None:
        seen.append(so_far.appended)
        if len(seen) == 3:
            raise KeyboardInterrupt

    summary = import_paths(log, [folder], progress=interrupts, batch_max=300, workers=workers)
    assert summary.interrupted
    assert seen == [300, 600, 900]
    assert summary.appended == 900 == sum(map(log.size, log.account_ids()))

    rest = import_paths(log, [folder], workers=workers)
    assert not rest.interrupted
    assert (rest.appended, rest.duplicates) == (1_100, 900)


IMPORT = """
import sys
from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
url, folder, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
import_paths(Log(open_engine(url)), [folder], batch_max=200, workers=workers,
             progress=lambda so_far: print(so_far.appended, so_far.duplicates, flush=True))
"""


@WORKERS
def test_an_import_killed_and_repeated_is_one_import(tmp_path: Path, workers: int) -> None:
    folder = write_many(tmp_path / "logs", files=40, each=60)
    whole = Log(open_engine(str(tmp_path / "whole.sqlite"), create=True))
    import_paths(whole, [folder])
    log = Log(open_engine(str(tmp_path / "killed.sqlite"), create=True))
    mark = uuid4().hex
    for kills in range(3):
        words = [sys.executable, "-c", IMPORT, str(tmp_path / "killed.sqlite"), str(folder), str(workers)]
        with subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "MARK": mark}
        ) as process:
            assert process.stdout is not None
            for _ in range(2 + 3 * kills):
                acknowledged = process.stdout.readline()
            time.sleep(0.003 * kills)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert sum(map(log.size, log.account_ids())) >= int(acknowledged.split()[0])
    assert 0 < sum(map(log.size, log.account_ids())) < 2_400
    last = import_paths(log, [folder], workers=workers)
    assert last.appended + last.duplicates == 2_400
    assert documents(log) == documents(whole)
    assert ended(mark), "a process that reads outlived the one that was killed"
    for one in (log, whole):
        one.engine.dispose()


def ended(mark: str) -> bool:
    """Whether no process is left that was started with the mark."""
    if sys.platform != "linux":
        return True
    for _ in range(100):
        if not any(mark.encode() in environment(path) for path in Path("/proc").glob("[0-9]*/environ")):
            return True
        time.sleep(0.1)
    return False


def environment(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


# -- the processes that read --------------------------------------------------------------------------------------


def sources(folder: Path) -> list[Source]:
    return [Source(str(path), path=path) for path in sorted(folder.iterdir())]


def test_an_error_in_a_reading_process_comes_to_light(tmp_path: Path) -> None:
    folder = write_many(tmp_path / "logs", files=2, each=10)
    with Workers(1) as team:
        team.tell({})
        team._workers[0].send("no task at all")
        with pytest.raises(WorkerFailed, match="Traceback"):
            for _, outcomes in team.read(sources(folder)):
                list(outcomes)


def test_a_reading_process_that_dies_is_noticed(tmp_path: Path) -> None:
    folder = write_many(tmp_path / "logs", files=200, each=10)
    with Workers(2) as team, pytest.raises(WorkerFailed, match="status -9"):
        team.tell({})
        for number, (_, outcomes) in enumerate(team.read(sources(folder))):
            list(outcomes)
            if number == 3:
                team._workers[1]._process.kill()


def test_a_file_that_vanishes_is_a_reject(tmp_path: Path, log: Log) -> None:
    folder = write_many(tmp_path / "logs", files=3, each=10)
    found = sources(folder)
    (folder / "0001.json.gz").unlink()
    with Workers(1) as team:
        team.tell({})
        outcomes = [list(outcomes) for _, outcomes in team.read(found)]
    assert [type(one[0]).__name__ for one in outcomes] == ["Prepared", "Reject", "Prepared"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes")
@pytest.mark.parametrize("workers", [0, 2])
def test_memory_does_not_grow_with_the_import(tmp_path: Path, workers: int) -> None:
    peaks = []
    for files in (100, 400):
        folder = write_many(tmp_path / str(files), files=files, each=150)
        url = str(tmp_path / f"{files}.sqlite")
        open_engine(url, create=True).dispose()
        script = IMPORT.replace("batch_max=200, ", "") + (
            "import re, resource\n"  # RUSAGE_SELF would count what the test's own process held at the fork
            "own = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
            "print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024)"
        )
        words = [sys.executable, "-c", script, url, str(folder), str(workers)]
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 400
    assert peaks[1] - peaks[0] < 60, peaks
