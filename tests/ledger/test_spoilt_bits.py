"""No bit of a ledger can be turned unnoticed: not in any column of any table, and not in the file.

`IAM_LEDGER_TEST_SPOILINGS` says how many bits are turned in each column (200 in the long form), and ten times as many in
the file.
"""

import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ledger.erasure import erase
from ledger.log import LedgerUnavailable, Log, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.log.reading import DictionaryDamaged
from ledger.log.schema import metadata
from ledger.notes import Signer, Verifier, unverified_text
from ledger.verification.findings import Found
from ledger.verification.verification import verify_log
from ledger.witness.cosignature import cosign, verifier_of
from tests.ledger.test_erasure import personal
from tests.ledger.test_every_log import ACCOUNT
from tests.ledger.test_verification import KEY, TABLES, various, verifiers

WITNESS = Signer.new("witness.example/w1")
ROUNDS = int(os.environ.get("IAM_LEDGER_TEST_SPOILINGS", "3"))
FILE_ROUNDS = ROUNDS * 10

# A bit of these may be one that no reading depends on; then every entry reads as before.
# An identity that went blank with the records that bore it means nobody any more.
MAY_BE_WITHOUT_MEANING = {("dictionaries", "content"), ("entries", "body"), ("identities", "principal")}


def fill(log: Log) -> None:
    log.append(various(320))
    Checkpoints(log, KEY).publish(ACCOUNT)
    log.append([*various(20), personal()])
    erase(log, ACCOUNT, [1, log.size(ACCOUNT) - 1], reason="case 4711", by="the officer")
    note = Checkpoints(log, KEY).publish(ACCOUNT)
    line = cosign(unverified_text(note), WITNESS, at=1_767_322_800)
    Checkpoints(log, KEY).keep_cosignatures(ACCOUNT, note, line)
    log.append(various(20))


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    opened = Log(open_engine(database_url, create=True))
    opened.train(various(2_100))
    fill(opened)
    yield opened
    opened.engine.dispose()


def verified(log: Log) -> Found:
    try:
        again = Log(log.engine)  # that remembers nothing
    except DictionaryDamaged:
        return Found(differing=1)
    return verify_log(again, again.account_ids(), verifiers=keys)


def keys(account_id: str) -> list[Verifier]:
    return [*verifiers(account_id), verifier_of(WITNESS)]


def dump(log: Log) -> list[Any]:
    again = Log(log.engine)
    return [list(again.read(account_id)) for account_id in again.account_ids()]


class Unscrupulous:
    """Somebody who has the database: no guard, no foreign key."""

    def __init__(self, log: Log) -> None:
        url = log.engine.url
        self._sqlite = log.engine.dialect.name == "sqlite"
        self.engine = sa.create_engine(url)
        if self._sqlite:
            sa.event.listen(self.engine, "connect", _in_a_hurry)
            with self.engine.begin() as connection:
                names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                for name in names.scalars().all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")

    def run(self, statement: sa.Executable) -> int:
        with self.engine.begin() as connection:
            if not self._sqlite:
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            return int(connection.execute(statement).rowcount)

    def rows(self, table: sa.Table) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)).all())


def _in_a_hurry(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def turned(column: sa.Column[Any], value: Any, chance: random.Random) -> Any:
    """The value with one bit turned; of a text one that leaves it a text."""
    match value:
        case bool():
            return not value
        case int():
            small, big = isinstance(column.type, sa.SmallInteger), isinstance(column.type, sa.BigInteger)
            width = 15 if small else 63 if big else 31
            return value ^ (1 << chance.randrange(width))
        case bytes():
            at, bit = chance.randrange(len(value)), 1 << chance.randrange(8)
            return value[:at] + bytes((value[at] ^ bit,)) + value[at + 1 :]
        case str():
            at, bit = chance.randrange(len(value)), 1 << chance.randrange(5)
            return value[:at] + chr(ord(value[at]) ^ bit) + value[at + 1 :]
    raise TypeError(value)


def test_no_table_of_the_log_is_left_out() -> None:
    """Those of the vault, which stand beside them, change and go; see docs/threat-model.md."""
    assert {*TABLES, "erasures"} == {name for name in metadata.tables if not name.startswith("vault_")}


@pytest.mark.parametrize("name", [*TABLES, "erasures"])
def test_no_bit_of_a_column_can_be_turned_unnoticed(log: Log, name: str) -> None:
    assert verified(log).listed == []
    table, chance = metadata.tables[name], random.Random(name)
    told, attacker = dump(log), Unscrupulous(log)
    rows = attacker.rows(table)
    key = list(table.primary_key.columns)
    for column in table.columns:
        filled = [row for row in rows if row._mapping[column.name] not in (None, "", b"")]
        assert filled, column
        for _ in range(ROUNDS if filled else 0):
            row = chance.choice(filled)
            before = row._mapping[column.name]
            after = turned(column, before, chance)
            at = [one == row._mapping[one.name] for one in key]
            spoilt = [one == (after if one is column else row._mapping[one.name]) for one in key]
            if isinstance(after, str) and ("\x00" in after or after == before):
                continue
            try:
                assert attacker.run(sa.update(table).where(*at).values({column.name: after})) == 1
            except sa.exc.IntegrityError:  # another row is there
                continue
            found = verified(log)
            unread = found.differing == 0
            if unread:
                assert (name, column.name) in MAY_BE_WITHOUT_MEANING, (column, row, before, after)
                assert dump(log) == told, (column, row, before, after)
            assert attacker.run(sa.update(table).where(*spoilt).values({column.name: before})) == 1
    assert verified(log).listed == []
    attacker.engine.dispose()


def test_no_bit_of_the_file_can_be_turned_unnoticed(tmp_path: Path) -> None:
    whole = tmp_path / "whole.sqlite"
    opened = Log(open_engine(str(whole), create=True))
    opened.train(various(2_100))
    fill(opened)
    meant = dump(opened)
    opened.engine.dispose()
    raw, told, chance = whole.read_bytes(), content(whole), random.Random(4)
    found_of = 0
    for number in range(FILE_ROUNDS):
        at = chance.randrange(len(raw))
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(raw[:at] + bytes((raw[at] ^ 1 << chance.randrange(8),)) + raw[at + 1 :])
        if found(path):
            found_of += 1
        else:
            assert content(path) == told or read(path) == meant, at
        for left in tmp_path.glob(f"{number}.sqlite*"):
            left.unlink()
    assert found_of  # else nothing was looked at


def found(path: Path) -> bool:
    try:
        engine = open_engine(str(path))
    except LedgerUnavailable:
        return True
    try:
        log = Log(engine)
        return verify_log(log, log.account_ids(), verifiers=keys).differing > 0
    except (sa.exc.DatabaseError, DictionaryDamaged):  # of `Log` itself
        return True
    finally:
        engine.dispose()


def read(path: Path) -> list[Any] | None:
    """Every entry, where nothing but the packing of bodies is other than it was."""
    whole = path.with_name("whole.sqlite")
    changed = [
        name for name, one, other in zip(TABLES, content(path), content(whole), strict=True) if one != other
    ]
    if not {"dictionaries", "entries"}.issuperset(changed):
        return None
    engine = open_engine(str(path))
    try:
        return dump(Log(engine))
    finally:
        engine.dispose()


def content(path: Path) -> list[Any]:
    """All rows of the log's tables, as somebody reads them who knows nothing of the ledger."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return [sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in TABLES]
