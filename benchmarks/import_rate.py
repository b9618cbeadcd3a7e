"""How fast delivered files become entries, beside the least that any store must do with the same bytes.

    python benchmarks/import_rate.py [--mb 100] [--files FOLDER] [--bench FOLDER] [--rounds 1]

The peer inflates each file, decodes it, and inserts each record's text into a table of one column: SQLite with the
same settings, 1,000 records a transaction. It keeps no index, hides no secret, hashes nothing. The files are those
of `cloudtrail/gen_files.py` in the folder of benchmarks (`--bench`, or IAM_LEDGER_BENCH, or ../shared/bench).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parents[1]
PEER_RECORDS = 1_000  # a transaction


def main() -> None:
    arguments = parse()
    if arguments.run:
        folder, database = map(Path, arguments.run[1:])
        print(json.dumps({"import": run_import, "peer": run_peer}[arguments.run[0]](folder, database)))
        return
    with tempfile.TemporaryDirectory(prefix="iam-ledger-import-") as name:
        scratch = Path(name)
        files = arguments.files or generate(arguments.bench, scratch / "files", arguments.mb)
        for _ in range(arguments.rounds):
            peer = measure("peer", files, scratch)
            ours = measure("import", files, scratch)
            report(peer, ours)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    bench = os.environ.get("IAM_LEDGER_BENCH", str(ROOT.parent / "shared" / "bench"))
    parser.add_argument("--mb", type=int, default=100, help="uncompressed, of generated files")
    parser.add_argument("--files", type=Path, help="a folder of .json.gz files, instead of generated ones")
    parser.add_argument("--bench", type=Path, default=Path(bench), help="where cloudtrail/gen_files.py is")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def generate(bench: Path, folder: Path, megabytes: int) -> Path:
    generator = bench.resolve() / "cloudtrail" / "gen_files.py"
    if not generator.is_file():
        sys.exit(f"there is no {generator}; --bench names the folder of benchmarks, --files one of logs")
    words = [sys.executable, "-B", str(generator), str(folder), str(megabytes)]
    subprocess.run(words, check=True, cwd=generator.parent, stdout=subprocess.DEVNULL)
    return folder


def measure(what: str, files: Path, scratch: Path) -> dict[str, float]:
    """In a process of its own, so that its memory is its own."""
    database = scratch / f"{what}.sqlite"
    words = [sys.executable, __file__, "--run", what, str(files), str(database)]
    done = subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    found["bytes"] = database.stat().st_size / found["records"]
    for path in scratch.glob(f"{what}.sqlite*"):
        path.unlink()
    return found


def report(peer: dict[str, float], ours: dict[str, float]) -> None:
    for name, found in (("peer", peer), ("import", ours)):
        rate = found["records"] / found["seconds"]
        print(f"{name:>7}: {rate:8,.0f} events/s, {found['bytes']:6,.0f} bytes an event", end="")
        print(f", {found['cpu'] / found['records'] * 1e6:5.1f} us of processor an event", end="")
        print(f", peak memory {found['memory']:,.0f} MB", end="")
        print(
            f" + {found['readers']:,.0f} MB at most for each process that reads" if found["readers"] else ""
        )
    print(
        f"  ratio: {peer['seconds'] / ours['seconds']:.2f} (by processor time {peer['cpu'] / ours['cpu']:.2f})"
    )


def run_import(files: Path, database: Path) -> dict[str, float]:
    sys.path.insert(0, str(ROOT))
    from ledger.intake.importer import import_paths
    from ledger.log import Log, open_engine

    log = Log(open_engine(str(database), create=True))
    summary = import_paths(log, [files])
    assert summary.records == summary.appended, summary
    log.engine.dispose()
    return {"records": summary.records, "seconds": summary.seconds, **spent()}


def run_peer(files: Path, database: Path) -> dict[str, float]:
    sys.path.insert(0, str(ROOT))
    from ledger.log import open_engine
    from ledger.log.engine import writing

    engine = open_engine(str(database), create=True)  # for its settings
    with writing(engine) as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "page_size",
                "synchronous",
                "cache_size",
                "mmap_size",
                "temp_store",
                "wal_autocheckpoint",
            )
        }
    driver = engine.dialect.loaded_dbapi
    engine.dispose()
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    began, records = time.monotonic(), 0
    connection = driver.connect(str(database), isolation_level=None)
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {value}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, record BLOB NOT NULL)")
    waiting: list[tuple[bytes]] = []

    def insert() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO records (record) VALUES (?)", waiting)
        connection.execute("COMMIT")
        waiting.clear()

    for path in sorted(files.rglob("*.json.gz")):
        for record in orjson.loads(gzip.decompress(path.read_bytes()))["Records"]:
            waiting.append((orjson.dumps(record),))
            records += 1
            if len(waiting) == PEER_RECORDS:
                insert()
    insert()
    seconds = time.monotonic() - began
    connection.close()
    return {"records": records, "seconds": seconds, **spent()}


def spent() -> dict[str, float]:
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu": sum(one.ru_utime + one.ru_stime for one in (mine, children)),
        "memory": mine.ru_maxrss * unit / 1e6,
        "readers": children.ru_maxrss * unit / 1e6,
    }


if __name__ == "__main__":
    main()
