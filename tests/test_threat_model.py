"""docs/threat-model.md points to tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOLD = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "threat-model.md").read_text())
THREATS = ("edit", "delete", "reorder", "insert", "truncate", "fork", "replayed backup", "clock rollback")


def test_every_test_that_is_named_is_there() -> None:
    assert len(TOLD) > 20
    for file, name in TOLD:
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (file, name)


def test_every_threat_names_a_test() -> None:
    rows = (ROOT / "docs" / "threat-model.md").read_text().splitlines()
    for threat in (*THREATS, "compromised writer", "lost key"):
        (row,) = [row for row in rows if row.startswith(f"| **{threat}**")]
        assert "::test_" in row, threat


def test_the_kinds_of_harm_that_it_names_are_done() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    source = (ROOT / "tests" / "ledger" / "test_witness.py").read_text()
    for told in re.findall(r"can_t_hide_it` \(([^)]+)\)", text):
        for kind in told.split("; "):
            assert f'    "{kind}": (' in source, kind
