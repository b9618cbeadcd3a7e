"""docs/threat-model.md points to tests that are there."""

import re
from pathlib import Path

import ledger.log.schema
import ledger.vault.tables
import ledger.witness.stores
import projections.rebuilding
import projections.runner

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


def test_every_table_there_is_has_a_row_that_says_what_shows_a_change() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    (told,) = re.findall(r"^## Table by table\n(.+?)^## ", text, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in told.splitlines() if "|" in row)))
    there = [ledger.log.schema.metadata, projections.runner.metadata, ledger.witness.stores.metadata]
    assert named == {name for metadata in there for name in metadata.tables} | {"alembic_version"}
