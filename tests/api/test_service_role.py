"""A role of PostgreSQL that serves the ledger and owns nothing of it: all of serving works, and the log it can't change."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psycopg
import pyotp
import pytest
import sqlalchemy as sa
from alembic import command as alembic_command
from alembic.config import Config

from api.demo.incident import Incident
from ledger.intake.importer import import_paths
from ledger.log import LedgerUnavailable, Log, engine, open_engine
from ledger.log.privileges import log_tables, privileges
from ledger.log.schema import IMMUTABLE
from ledger.vault.keys import new_key
from ledger.vault.rotation import rotate
from ledger.verification.verification import verify_log
from projections.investigation import Investigation
from projections.permissions.verification import verify_decisions
from projections.rebuilding import PROJECTIONS, verify_projections
from projections.runner import Runner
from projections.runner import metadata as of_projections
from projections.sessions import SESSIONS
from tests.api.asking_services import new_person, signed_headers
from tests.api.conftest import Command
from tests.api.living_server import Account, LivingServer
from tests.api.served import served
from tests.conftest import absent
from tests.postgres_server import PostgresServer, conninfo

ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
PASSWORD, OTHER = "Correct-horse-1", "Battery-staple-2"


@dataclass(frozen=True)
class Roles:
    """An empty database of its owner, and a role that owns nothing; each by the URL that it connects with."""

    database: sa.URL
    owner: str
    service: str

    def url(self, role: str) -> str:
        return self.database.set(username=role, password=role).render_as_string(hide_password=False)

    def as_superuser(self, *statements: str) -> None:
        with psycopg.connect(conninfo(self.database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture
def roles(postgres_server: PostgresServer) -> Iterator[Roles]:
    name = secrets.token_hex(4)
    owner, service = f"owner_{name}", f"Service-{name}"  # a name that has to be quoted
    with postgres_server.fresh_database() as url:
        told = Roles(url, owner, service)
        try:
            told.as_superuser(
                f"CREATE ROLE \"{owner}\" LOGIN PASSWORD '{owner}'",
                f"CREATE ROLE \"{service}\" LOGIN PASSWORD '{service}'",
                f'ALTER DATABASE {url.database} OWNER TO "{owner}"',
            )
        except psycopg.errors.InsufficientPrivilege:
            absent("the user of the PostgreSQL server may not make roles")
        yield told
    with psycopg.connect(conninfo(postgres_server.url), autocommit=True) as connection:
        connection.execute(f'DROP ROLE "{owner}"'.encode())
        connection.execute(f'DROP ROLE "{service}"'.encode())


@pytest.fixture
def granted(roles: Roles, command: Command) -> Roles:
    open_engine(roles.url(roles.owner), create=True).dispose()
    given = command("--db", roles.url(roles.owner), "database", "grant", roles.service)
    assert (given.code, given.text) == (0, f"{roles.service} may serve the ledger\n"), given.err
    return roles


@pytest.fixture
def server(granted: Roles) -> Iterator[LivingServer]:
    running = LivingServer(granted.url(granted.service))
    try:
        yield running
    finally:
        running.close()


# -- all of serving works -----------------------------------------------------------------------------------------------


def get(account: Account, path: str) -> httpx.Response:
    url = f"{account.server.url}{path}"
    return httpx.get(url, headers=signed_headers(account.key, "GET", url, service="iam-ledger"), timeout=60)


def sign_in(account: Account, path: str = "", **told: str) -> httpx.Response:
    body = {"account": account.id, "user": "alice", **told}
    return httpx.post(f"{account.server.url}/v1/sign-in{path}", json=body, timeout=60)


def test_the_front_door_the_sign_in_services_and_questions_work(server: LivingServer) -> None:
    account = server.new_account()
    iam = account.client("iam")
    alice = new_person(account, "alice")
    iam.put_user_policy(UserName="alice", PolicyName="all", PolicyDocument=ALL)
    iam.create_login_profile(UserName="alice", Password=PASSWORD)
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")["VirtualMFADevice"]
    device, now = pyotp.TOTP(made["Base32StringSeed"].decode()), time.time()
    codes = {"AuthenticationCode1": device.at(now - 30), "AuthenticationCode2": device.at(now)}
    iam.enable_mfa_device(UserName="alice", SerialNumber=made["SerialNumber"], **codes)
    assert sign_in(account, password="wrong").status_code == 401
    told = sign_in(account, "/password", password=PASSWORD, newPassword=OTHER, mfaCode=device.at(now + 30))
    assert told.status_code == 200, told.text
    account.client("iam", told.json()).list_users()
    session = account.client("sts", alice.key).get_session_token()["Credentials"]
    account.client("sts", session).get_caller_identity()
    iam.delete_access_key(UserName="alice", AccessKeyId=alice.key["AccessKeyId"])

    question = alice.question(credential={"token": session["SessionToken"]})
    answered = httpx.post(f"{server.url}/v1/authorize", json=question)
    assert answered.json()["decision"] == "allowed", answered.text
    events = account.client("cloudtrail").lookup_events()["Events"]
    assert "GetOrder" in {it["EventName"] for it in events}
    for path in (
        f"/v1/events?account={account.id}&text=alice",  # lays out the text
        f"/v1/state?account={account.id}",
        f"/v1/history/user/alice?account={account.id}",
        f"/v1/keys/{session['AccessKeyId']}",
        f"/v1/log/{account.id}/checkpoint",
    ):
        assert get(account, path).status_code == 200, (path, get(account, path).text)
    assert rotate(server.log, server.vault, by="operator") == 0
    assert verify_log(server.log, [account.id]).differing == 0
    assert verify_projections(server.log, [account.id]).differences == ()
    assert verify_decisions(server.log, [account.id]).divergences == []


def test_the_command_serves_by_that_role(granted: Roles, tmp_path: Path) -> None:
    owner, service = (granted.url(role) for role in (granted.owner, granted.service))
    key = {"IAM_LEDGER_VAULT_KEY": new_key()}
    with served(tmp_path, password=PASSWORD, owned_by=owner, served_by=service, **key) as server:
        iam = server.client("iam")
        iam.create_user(UserName="alice")
        assert iam.generate_credential_report()["State"] in ("STARTED", "COMPLETE")
        told = {"account": server.account, "email": "root@example.com", "password": PASSWORD}
        session = httpx.post(f"{server.url}/v1/sign-in", json=told, timeout=60).json()
        server.client("sts", session).get_caller_identity()
        with httpx.Client(timeout=60) as http:
            assert "alice" in server.read(http, f"state?account={server.account}").text
        names = [it["eventName"] for it in server.records()]
    assert {"CreateUser", "GenerateCredentialReport", "ConsoleLogin", "GetState"} <= {*names}
    assert server.process.returncode == 0
    assert (
        server.said.read_text().count("\n") <= 1
    )  # that somebody asked without a credential: whether it is up


def test_import_works_and_trains_a_dictionary(granted: Roles, incident: Incident) -> None:
    log = Log(open_engine(granted.url(granted.service)))
    import_paths(log, [incident.logs])
    assert log.dictionaries()
    assert Investigation(log).findings(None)
    log.engine.dispose()


# -- and the log it can't change ------------------------------------------------------------------------------------------


def refusal(url: str, statement: str) -> str | None:
    """PostgreSQL's SQLSTATE, where it refuses."""
    with psycopg.connect(conninfo(sa.make_url(url))) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            return error.sqlstate
        connection.rollback()
    return None


FORBIDDEN = "42501"  # insufficient_privilege
CHANGES = (
    "UPDATE {0} SET {1} = {1}",
    "DELETE FROM {0}",
    "DELETE FROM {0} WHERE false",
    "TRUNCATE {0} CASCADE",
    "ALTER TABLE {0} DISABLE TRIGGER ALL",
    "ALTER TABLE {0} ADD COLUMN more integer",
    "ALTER TABLE {0} OWNER TO CURRENT_USER",
    "DROP TABLE {0} CASCADE",
    "CREATE TRIGGER mine BEFORE INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
    "LOCK TABLE {0} IN ACCESS EXCLUSIVE MODE",
)


def test_postgresql_itself_refuses_to_change_what_is_written(server: LivingServer, granted: Roles) -> None:
    server.new_account()
    url = granted.url(granted.service)
    tables = [table for table in log_tables() if table.name in (*IMMUTABLE, "checkpoints")]
    assert len(tables) == len(IMMUTABLE) + 1
    for table in tables:
        for change in CHANGES:
            statement = change.format(table.name, next(iter(table.primary_key)).name)
            assert refusal(url, statement) == FORBIDDEN, statement
    for statement in (
        "DELETE FROM accounts", "TRUNCATE accounts CASCADE", "UPDATE accounts SET account_id = '1'",
        "UPDATE tails SET account = 7", "DELETE FROM tails", "UPDATE tiles SET level = 9", "DELETE FROM tiles",
        "DROP TRIGGER entries_append_only ON entries", "DROP FUNCTION ledger_refuse() CASCADE",
        "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica", "CREATE TABLE mine (id integer)", "DROP TABLE vault_secrets",
        "UPDATE alembic_version SET version_num = '0001'", "DROP TABLE sessions", "CREATE SCHEMA mine",
        f"SET ROLE {granted.owner}",
    ):  # fmt: skip
        assert refusal(url, statement) == FORBIDDEN, statement
    assert refusal(url, "UPDATE accounts SET size = 0") == "23001"  # this it may, and the trigger refuses
    assert refusal(url, "SELECT count(*) FROM entries") is None


def test_the_owner_is_refused_by_triggers_alone(granted: Roles) -> None:
    """Which is why it should not be the owner who serves."""
    url = granted.url(granted.owner)
    assert refusal(url, "DELETE FROM entries") == "23001"
    assert refusal(url, "ALTER TABLE entries DISABLE TRIGGER ALL") is None


# -- what is granted, and to whom -----------------------------------------------------------------------------------------


def test_a_table_that_says_nothing_is_only_added_to() -> None:
    new = sa.Table("erasures", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    assert [*privileges(new)] == ["SELECT", "INSERT"]
    for table in log_tables():
        if table.name in (*IMMUTABLE, "checkpoints"):
            assert [*privileges(table)] == ["SELECT", "INSERT"]
    for table in of_projections.sorted_tables:
        assert [*privileges(table)] == ["SELECT", "INSERT", "UPDATE", "DELETE"]


def test_more_than_is_needed_is_taken_away_again(granted: Roles, command: Command) -> None:
    owner, service = (granted.url(role) for role in (granted.owner, granted.service))
    granted.as_superuser(f'GRANT ALL ON entries, accounts TO "{granted.service}"')
    assert refusal(service, "UPDATE entries SET position = position") != FORBIDDEN
    assert command("--db", owner, "database", "grant", granted.service).code == 0
    assert refusal(service, "UPDATE entries SET position = position") == FORBIDDEN
    assert refusal(service, "UPDATE accounts SET id = id") == FORBIDDEN


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ('GRANT "{owner}" TO "{service}"', "may become it"),
        ('ALTER ROLE "{service}" SUPERUSER', "may become it"),
        ('GRANT pg_write_all_data TO "{service}"', "has UPDATE on"),
        ("GRANT DELETE ON entries TO PUBLIC", "has DELETE on entries by another way"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public"),
    ],
)
def test_who_may_do_more_by_another_way_is_no_service_role(
    roles: Roles, command: Command, before: str, said: str
) -> None:
    owner = roles.url(roles.owner)
    open_engine(owner, create=True).dispose()
    roles.as_superuser(before.format(owner=roles.owner, service=roles.service))
    given = command("--db", owner, "database", "grant", roles.service)
    assert given.code == 2
    assert said in given.err
    assert given.err.count("\n") == 1
    roles.as_superuser(f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{roles.service}"')


def test_neither_is_who_is_not_there_and_only_the_owner_can_give(granted: Roles, command: Command) -> None:
    owner, service = (granted.url(role) for role in (granted.owner, granted.service))
    assert "there is no role 'nobody'" in command("--db", owner, "database", "grant", "nobody").err
    assert "may become it" in command("--db", owner, "database", "grant", granted.owner).err
    told = command("--db", service, "database", "grant", "pg_monitor")
    assert (told.code, f"only {granted.owner}" in told.err) == (2, True)


def test_who_was_given_nothing_is_told_what_it_takes(roles: Roles, command: Command) -> None:
    open_engine(roles.url(roles.owner), create=True).dispose()
    told = command("--db", roles.url(roles.service), "accounts")
    assert (told.code, "`iam-ledger database grant`" in told.err) == (3, True)


def test_an_sqlite_file_has_no_roles(command: Command, tmp_path: Path) -> None:
    open_engine(str(tmp_path / "ledger.db"), create=True).dispose()
    told = command("--db", tmp_path / "ledger.db", "database", "grant", "service")
    assert (told.code, "has no roles" in told.err) == (2, True)


# -- what the owner does while others serve -------------------------------------------------------------------------------


def test_after_the_owner_has_rebuilt_the_projections_serving_goes_on(
    server: LivingServer, granted: Roles, command: Command
) -> None:
    account = server.new_account()
    state = f"/v1/state?account={account.id}"
    assert get(account, state).status_code == 200
    told = command("--db", granted.url(granted.service), "rebuild")
    assert (told.code, "takes the ledger's owner" in told.err) == (3, True)
    assert command("--db", granted.url(granted.owner), "rebuild").code == 0
    account.client("iam").create_user(UserName="afterwards")
    assert "afterwards" in get(account, state).text


def test_another_version_of_a_projection_waits_for_the_owner(granted: Roles) -> None:
    newer = replace(SESSIONS, version=SESSIONS.version + 1)
    owner, service = (Log(open_engine(granted.url(role))) for role in (granted.owner, granted.service))
    Runner(owner, PROJECTIONS).catch_up()
    with owner.engine.begin() as connection:  # the cursors of what was built before
        connection.execute(sa.text("INSERT INTO projection_cursors VALUES ('sessions', 1, 0, 0)"))
    with pytest.raises(LedgerUnavailable, match="iam-ledger database grant"):
        Runner(service, [newer]).catch_up()
    Runner(owner, [newer]).prepare()
    Runner(service, [newer]).catch_up()
    for log in (owner, service):
        log.engine.dispose()


def test_a_ledger_of_an_older_schema_waits_for_the_owner(roles: Roles) -> None:
    """A migration that the service's role comes upon first; afterwards what it makes is granted, too."""
    owner, service = (roles.url(role) for role in (roles.owner, roles.service))
    config = Config()
    config.set_main_option("script_location", str(Path(engine.__file__).parent / "migrations"))
    older = sa.create_engine(owner)
    with older.begin() as connection:
        config.attributes["connection"] = connection
        alembic_command.upgrade(config, "0003")
    older.dispose()
    roles.as_superuser(f'GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO "{roles.service}"')
    with pytest.raises(LedgerUnavailable, match=r"this role may not use .*database grant"):
        open_engine(service)
    open_engine(owner).dispose()
    assert refusal(service, "INSERT INTO checkpoints VALUES (1, 1, 'x')") is None
    assert refusal(service, "INSERT INTO tiles VALUES (1, 1, 1, 'x') ON CONFLICT DO NOTHING") is None
    assert refusal(service, "UPDATE tiles SET hashes = hashes") is None
    assert refusal(service, "DELETE FROM tiles") == FORBIDDEN
