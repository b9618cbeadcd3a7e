"""A file of any length is read in little memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

READ = """
import json, resource, sys
from ledger.intake.reading import read_source
from ledger.intake.shapes import Batch
from ledger.intake.sources import Source

record = json.dumps({
    "eventVersion": "1.08", "eventTime": "2023-07-10T11:42:18Z", "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser", "userIdentity": {"type": "IAMUser"}, "requestParameters": {"x": "y" * 7000},
}).encode()

class Endless:
    def __init__(self, first, again, last, size):
        self.parts, self.left, self.again, self.last = first, size, again * (2**18 // len(again) + 1), last
    def read(self, size):
        while len(self.parts) < size and self.left > 0:
            self.parts += self.again
            self.left -= len(self.again)
            if self.left <= 0:
                self.parts += self.last
        part, self.parts = self.parts[:size], self.parts[size:]
        return part
    def close(self):
        pass

first, again, last = {
    "one line": (b'{"Records":[' + record, b"," + record, b"]}"),
    "NDJSON": (b"", record + b"\\n", b""),
    "no JSON": (b"x", b"x", b"x"),
    "one string": (b'{"eventName":"', b"x", b'"}'),
    "one number": (b'{"eventName":', b"1", b"}"),
    "one deep array": (b"", b"[", b""),
    "one deep object": (b"", b'{"a":', b""),
    "backslashes": (b'{"a":"', b"\\\\\\\\", b'"}'),
    "blanks": (b"", b" ", b""),
}[sys.argv[1]]
found = 0
others = []
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for one in read_source(Source("-", pipe=Endless(first, again, last, int(sys.argv[2])))):
    if isinstance(one, Batch):
        found += len(one)
    else:
        others.append(str(one.reason))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([found, others[:5], len(others), grown // 1024]))
"""


@pytest.mark.parametrize(
    ("kind", "found", "reasons"),
    [
        ("one line", 42_000, []),
        ("NDJSON", 42_000, []),
        ("no JSON", 0, ["not-a-log"]),
        ("one string", 0, ["too-large"]),
        ("one number", 0, ["too-large"]),
        ("one deep array", 0, ["not-a-log"]),
        ("one deep object", 0, ["not-a-log"]),
        ("backslashes", 0, ["not-a-log"]),
        ("blanks", 0, ["empty"]),
    ],
)
def test_300_megabytes_are_read_in_little_memory(kind: str, found: int, reasons: list[str]) -> None:
    size = 30_000_000 if kind == "one deep object" else 300_000_000  # every bracket costs
    told = subprocess.run(
        [sys.executable, "-c", READ, kind, str(size)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    records, others, _, grown_mib = json.loads(told.stdout)
    assert records == pytest.approx(found, rel=0.05)
    assert others == reasons
    assert grown_mib < 150
