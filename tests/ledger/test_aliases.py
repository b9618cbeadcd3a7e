"""An account alias is one account's of a ledger, however many processes give them out. Asked of both databases."""

from collections.abc import Iterator
from itertools import chain

import pytest

from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.authority.recording import Surroundings
from ledger.entry import Draft, Origin
from ledger.iam.deciding import Bearer
from ledger.iam.refusals import EntityAlreadyExists, Refusal
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.record import read_record
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault
from tests.at_once import said_at_once
from tests.ledger.told import NOON, call

HERE = Surroundings("127.0.0.1", "test", "00000000-0000-4000-8000-000000000000")
ONE, OTHER, THIRD = "111111111111", "222222222222", "333333333333"
FILE = Origin("trail.json.gz", "ab" * 32)


@pytest.fixture
def authority(database_url: str) -> Iterator[Authority]:
    engine = open_engine(database_url, create=True)
    made = Authority(Log(engine), Vault(engine, Keyring(new_key())))
    for account in (ONE, OTHER):
        begin(made.turns, account, email="root@example.com", password_hash="none", around=HERE)
    yield made
    made.close()
    engine.dispose()


def asked(authority: Authority, account: str, action: str, alias: str) -> Refusal | None:
    root = Bearer(caller_of(f"arn:aws:iam::{account}:root"))
    return authority.call(
        Request(account, f"iam:{action}", {"AccountAlias": alias}, HERE, None, by=root)
    ).refusal


def create(authority: Authority, account: str, alias: str) -> Refusal | None:
    return asked(authority, account, "CreateAccountAlias", alias)


def imported(database_url: str, account: str, name: str, alias: str, at: int) -> None:
    engine = open_engine(database_url)
    document = call(name, {"accountAlias": alias}, at=at, recipientAccountId=account)
    assert Log(engine).append([Draft.of(read_record(document), FILE)]).count == 1
    engine.dispose()


def test_what_another_account_has_is_refused_in_awss_words_and_recorded(authority: Authority) -> None:
    assert create(authority, ONE, "acme") is None
    refusal = create(authority, OTHER, "acme")
    assert isinstance(refusal, EntityAlreadyExists)
    assert refusal.message == "The account alias acme already exists."
    assert create(authority, OTHER, "acme-too") is None
    account, size = authority.look(OTHER)
    assert account.settings.alias is not None and account.settings.alias.name == "acme-too"
    assert size == 3


def test_what_was_given_up_is_free_again(authority: Authority) -> None:
    assert create(authority, ONE, "acme") is None
    assert create(authority, ONE, "acme-corp") is None  # takes its place
    assert create(authority, OTHER, "acme") is None
    assert isinstance(create(authority, ONE, "acme"), EntityAlreadyExists)
    assert asked(authority, OTHER, "DeleteAccountAlias", "acme") is None
    assert create(authority, ONE, "acme") is None


def test_an_account_that_was_imported_has_its_alias_until_its_records_say_otherwise(
    authority: Authority, database_url: str
) -> None:
    imported(database_url, THIRD, "CreateAccountAlias", "acme", NOON)
    assert isinstance(create(authority, ONE, "acme"), EntityAlreadyExists)
    imported(database_url, THIRD, "DeleteAccountAlias", "acme", NOON + 60)
    assert create(authority, ONE, "acme") is None


def test_an_import_is_told_as_it_was(authority: Authority, database_url: str) -> None:
    assert create(authority, ONE, "acme") is None
    imported(database_url, THIRD, "CreateAccountAlias", "acme", NOON)
    account, _ = authority.look(THIRD)
    assert account.settings.alias is not None and account.settings.alias.name == "acme"


TAKE = """
import sys
from tests.ledger.test_aliases import *
url, keys, first = sys.argv[1:]
engine = open_engine(url)
authority = Authority(Log(engine), Vault(engine, Keyring(keys)))
print("ready", flush=True)
sys.stdin.readline()
print(*(int(create(authority, account, alias) is None) for account, alias in wanted(int(first))), flush=True)
authority.close()
"""


def wanted(first: int) -> list[tuple[str, str]]:
    """The accounts of one process, each of which wants an alias."""
    return [(f"{first + number:012}", f"alias-{number}") for number in range(10)]


def test_of_four_processes_that_want_an_alias_at_once_one_gets_it(database_url: str) -> None:
    engine, keys = open_engine(database_url, create=True), new_key()
    made = Authority(Log(engine), Vault(engine, Keyring(keys)))
    processes = (100, 200, 300, 400)
    for account, _ in chain.from_iterable(map(wanted, processes)):
        begin(made.turns, account, email="root@example.com", password_hash="none", around=HERE)
    made.close()
    engine.dispose()
    said = said_at_once(TAKE, [(database_url, keys, str(first)) for first in processes], seconds_max=120)
    got = [list(map(int, line.split())) for line in said]
    assert [sum(winners) for winners in zip(*got, strict=True)] == [1] * 10
