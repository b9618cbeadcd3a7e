"""Witnesses over real HTTP, as they are typed, and a restored backup that is noticed."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from api.cli.exits import Exit
from api.sending import Sending
from api.witnessing import WitnessedLogs, make_witness_app
from ledger.checkpoint import KEY_FILE_VARIABLE, Checkpoint, account_key, new_ledger_key
from ledger.key_files import write_key_file
from ledger.log import Log, NotToBeWritten, open_engine
from ledger.log.checkpoints import Checkpoints
from ledger.notes import Signer, open_note, unverified_text
from ledger.proof import ConsistencyProof
from ledger.vault.keys import new_key
from ledger.witness.cosignature import cosign, verifier_of
from ledger.witness.fence import AGAIN_SECONDS, Fence
from ledger.witness.sending import Verdict, examine, send
from ledger.witness.stores import FolderStore
from ledger.witness.witnesses import Cosigner, NotHeard, witness_named
from tests.api.conftest import Command, Ran
from tests.api.living_server import Account, LivingServer
from tests.api.loopback import on_loopback
from tests.ledger.test_every_log import ACCOUNT, draft, drafts
from tests.ledger.test_tiles import unguarded
from tests.ledger.test_witness import KEY as TESTED
from tests.ledger.test_witness import LEAVES, OTHERS, SIGNER, request

ROOT = Path(__file__).resolve().parents[2]
WITNESS = Signer.new("witness.example/w1")
OWN = "100000000001"  # the first account of a living server
SIZE = "text/x.tlog.size"


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder


@pytest.fixture
def url(seen: Path) -> Iterator[str]:
    with on_loopback(make_witness_app(WitnessedLogs(FolderStore(seen), WITNESS, [SIGNER.verifier]))) as found:
        yield found


@pytest.fixture
def cosigner(url: str) -> Iterator[Cosigner]:
    with Cosigner(url, verifier_of(WITNESS)) as made:
        yield made


@pytest.fixture
def log(sqlite_url: str) -> Iterator[Log]:
    opened = Log(open_engine(sqlite_url, create=True))
    yield opened
    opened.engine.dispose()


# -- the protocol, asked as anybody may -------------------------------------------------------------------------------


def post(url: str, raw: bytes) -> tuple[int, str, bytes]:
    answer = httpx.post(f"{url}/add-checkpoint", content=raw)
    return answer.status_code, answer.headers["Content-Type"], answer.content


def test_what_continues_is_cosigned_and_kept(url: str, seen: Path) -> None:
    for old, new in ((0, 5), (5, 5), (5, 19)):
        raw = request(old, new)
        status, _, lines = post(url, raw)
        assert status == 200
        note = raw.partition(b"\n\n")[2]
        assert open_note(note + lines, [verifier_of(WITNESS)]) == unverified_text(note)
        (file,) = seen.glob("*.checkpoint")
        assert file.read_bytes() == note + lines


def test_a_stale_size_is_told_as_the_specification_says(url: str) -> None:
    assert post(url, request(0, 5))[0] == 200
    assert post(url, request(0, 7)) == (409, SIZE, b"5\n")
    assert post(url, request(3, 3)) == (409, SIZE, b"5\n")
    assert post(url, request(5, 5, OTHERS)) == (409, SIZE, b"5\n")
    assert post(url, request(5, 7))[0] == 200


def test_each_refusal_has_its_status_and_changes_nothing(url: str, seen: Path) -> None:
    assert post(url, request(0, 5))[0] == 200
    (file,) = seen.glob("*.checkpoint")
    before = file.read_bytes()
    note = request(0, 5).partition(b"\n\n")[2]
    elsewhere = account_key(TESTED, "999999999999")
    for raw, status in (
        (b"nonsense", 400),
        (b"x" * 100_000, 400),
        (b"old 9\n\n" + note, 400),
        (request(5, 9, signer=Signer.new(SIGNER.name)), 403),
        (request(5, 9).replace(SIGNER.name.encode(), elsewhere.name.encode()), 404),
        (request(5, 9, OTHERS), 422),
        (ConsistencyProof(5, (LEAVES[0],), note).to_bytes(), 422),
    ):
        assert post(url, raw)[0] == status, raw[:40]
    assert httpx.get(f"{url}/add-checkpoint").status_code == 405
    assert file.read_bytes() == before


def test_of_two_histories_that_are_sent_at_once_one_is_seen(url: str) -> None:
    told: list[int] = []
    sent = [request(0, 7, leaves) for leaves in (LEAVES, OTHERS) * 8]
    threads = [threading.Thread(target=lambda raw=raw: told.append(post(url, raw)[0])) for raw in sent]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(told) == [200] + [409] * 15


def test_it_remembers_over_a_restart_and_keeps_nothing_where_it_can_t_write(url: str, seen: Path) -> None:
    assert post(url, request(0, 7))[0] == 200
    again = WitnessedLogs(FolderStore(seen), WITNESS, [SIGNER.verifier])
    with on_loopback(make_witness_app(again)) as other:
        assert post(other, request(0, 9)) == (409, SIZE, b"7\n")
        (file,) = seen.glob("*.checkpoint")
        file.write_bytes(b"")
        assert post(other, request(0, 9))[0] == 503
        assert file.read_bytes() == b""
        shutil.rmtree(seen)
        assert post(other, request(7, 9))[0] == 503


# -- the ledger's side ------------------------------------------------------------------------------------------------


def test_a_log_is_sent_and_examined_over_http(log: Log, cosigner: Cosigner) -> None:
    made = Checkpoints(log, TESTED)
    log.append(drafts(3))
    assert examine(log, made, ACCOUNT, cosigner).verdict is Verdict.NOTHING_SEEN
    log.append(drafts(300))
    made = Checkpoints(log, TESTED)
    sent = send(log, made, ACCOUNT, cosigner)  # it does not know what was seen, and is told by a 409
    assert (sent.verdict, sent.seen) == (Verdict.CONTINUES, 303)
    assert open_note(made.current(ACCOUNT) + sent.cosignatures, [verifier_of(WITNESS)])
    found = cosigner.newest(SIGNER.name)
    assert found is not None and found.size == 303
    assert send(log, made, ACCOUNT, cosigner, old=303).verdict is Verdict.CONTINUES


def test_what_a_witness_cosigns_is_kept_under_the_checkpoint(log: Log, cosigner: Cosigner) -> None:
    made = Checkpoints(log, TESTED)
    log.append(drafts(3))
    bare = made.publish(ACCOUNT)
    line = send(log, made, ACCOUNT, cosigner).cosignatures
    assert made.current(ACCOUNT) == made.fresh(ACCOUNT) == made.at(ACCOUNT, 3) == bare + line
    assert open_note(bare + line, [verifier_of(WITNESS)]) == unverified_text(bare)
    assert made.signed(ACCOUNT) == bare
    time.sleep(1.1)  # the time that a witness signs with is in seconds
    assert send(log, made, ACCOUNT, cosigner).cosignatures != line
    assert made.current(ACCOUNT) == bare + line  # the first one stays
    log.append(drafts(1))
    assert b"witness" not in made.current(ACCOUNT)  # of a new one nobody has said anything yet
    assert made.at(ACCOUNT, 3) == bare + line


def test_of_what_was_never_stored_no_cosignature_is_kept(log: Log) -> None:
    made = Checkpoints(log, TESTED)
    log.append(drafts(3))
    note = made.publish(ACCOUNT)
    renamed = Checkpoints(log, new_ledger_key("renamed")).publish(ACCOUNT)
    made.keep_cosignatures(ACCOUNT, renamed, cosign(unverified_text(renamed), WITNESS, at=1))
    made.keep_cosignatures(ACCOUNT, request(0, 5).partition(b"\n\n")[2], b"")
    assert made.current(ACCOUNT) == note


class Reticent(Cosigner):
    """As a witness that tells what it must by the specification, and no more."""

    def newest(self, origin: str) -> Checkpoint | None:
        return None


@pytest.mark.parametrize("kind", [Cosigner, Reticent])
def test_a_log_that_is_shorter_or_another_is_noticed_over_http(
    log: Log, url: str, tmp_path: Path, kind: type[Cosigner]
) -> None:
    log.append(drafts(5))
    with kind(url, verifier_of(WITNESS)) as witness:
        assert send(log, Checkpoints(log, TESTED), ACCOUNT, witness).seen == 5
        forged = Log(open_engine(str(tmp_path / "forged.sqlite"), create=True))
        made = Checkpoints(forged, TESTED, clock=iter(range(1000)).__next__)
        for count, verdict in ((3, Verdict.SHORTER), (2, Verdict.OTHER), (9, Verdict.OTHER)):
            forged.append(drafts(count))
            found = examine(forged, made, ACCOUNT, witness)
            assert (found.verdict, found.seen) == (verdict, 5)
            assert send(forged, made, ACCOUNT, witness).verdict is verdict
        forged.engine.dispose()
        assert examine(log, Checkpoints(log, TESTED), ACCOUNT, witness).verdict is Verdict.CONTINUES


def test_a_witness_that_is_not_there_or_is_another_is_not_believed(log: Log, url: str) -> None:
    log.append(drafts(3))
    made = Checkpoints(log, TESTED)
    with Cosigner(url, verifier_of(Signer.new("witness.example/w1"))) as imposter:
        assert send(log, made, ACCOUNT, imposter).verdict is Verdict.NOT_HEARD
        with pytest.raises(NotHeard):
            imposter.newest(SIGNER.name)
    with Cosigner("http://127.0.0.1:1", verifier_of(WITNESS)) as nobody:
        assert examine(log, made, ACCOUNT, nobody).verdict is Verdict.NOT_HEARD
    made = Checkpoints(log, new_ledger_key("unknown-there"))
    with Cosigner(url, verifier_of(WITNESS)) as stranger:
        assert send(log, made, ACCOUNT, stranger).verdict is Verdict.NOT_HEARD


# -- while it serves ------------------------------------------------------------------------------------------------------


def test_new_checkpoints_are_seen_while_it_serves_and_at_its_end(
    log: Log, cosigner: Cosigner, seen: Path
) -> None:
    made = Checkpoints(log, TESTED)
    log.append(drafts(3))
    made.publish(ACCOUNT)
    with Sending(log, made, Fence(log, made, [cosigner])):
        until = time.monotonic() + 30
        while (found := cosigner.newest(SIGNER.name)) is None:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert found.size == 3
        log.append(drafts(2))
        made.publish(ACCOUNT)
    found = cosigner.newest(SIGNER.name)
    assert found is not None and found.size == 5


def test_before_a_witness_was_heard_nothing_is_written(log: Log, tmp_path: Path, seen: Path) -> None:
    now = [0.0]
    made = Checkpoints(log, TESTED)
    log.append(drafts(3))
    missing = tmp_path / "not-mounted"
    fence = Fence(log, made, [witness_named(str(missing), TESTED)], clock=lambda: now[0])
    with pytest.raises(NotToBeWritten, match="no witness was heard yet"):
        fence.check(ACCOUNT)
    missing.mkdir()
    with pytest.raises(NotToBeWritten):
        fence.check(ACCOUNT)  # not more often than once a second
    now[0] += 1
    fence.check(ACCOUNT)
    missing.rename(tmp_path / "gone")
    fence.check(ACCOUNT)  # one that goes away later stops nobody


def test_one_witness_that_is_heard_is_enough_and_one_that_contradicts_too_much(
    log: Log, seen: Path, tmp_path: Path
) -> None:
    made = Checkpoints(log, TESTED)
    log.append(drafts(3))
    good = witness_named(str(seen), TESTED)
    gone = witness_named(str(tmp_path / "gone"), TESTED)
    Fence(log, made, [gone, good]).check(ACCOUNT)
    (tmp_path / "other").mkdir()
    other = witness_named(str(tmp_path / "other"), TESTED)
    other.submit(request(0, 7))
    with pytest.raises(NotToBeWritten, match="7 entries were seen, and the log has 3"):
        Fence(log, made, [good, other]).check(ACCOUNT)


def test_what_contradicts_the_log_while_it_is_written_to_stops_that(
    log: Log, seen: Path, tmp_path: Path
) -> None:
    """Somebody with a stolen key has the witness see a log of their own, which continues what it has seen."""
    made = Checkpoints(log, TESTED)
    log.append(drafts(3))
    made.publish(ACCOUNT)
    witness = witness_named(str(seen), TESTED)
    fence = Fence(log, made, [witness])
    fence.check(ACCOUNT)
    with Sending(log, made, fence):
        until = time.monotonic() + 30
        while witness.newest(SIGNER.name) is None:
            assert time.monotonic() < until
            time.sleep(0.05)
        stolen = [entry.leaf_hash for entry in log.read(ACCOUNT)] + LEAVES
        witness.submit(request(3, 9, stolen))
        fence.check(ACCOUNT)
        log.append(drafts(7))
        made.publish(ACCOUNT)
        while True:
            try:
                fence.check(ACCOUNT)
            except NotToBeWritten as error:
                assert "the first 9 entries are not those that were seen" in str(error)
                return
            assert time.monotonic() < until
            time.sleep(0.05)


# -- a restored backup ------------------------------------------------------------------------------------------------


@contextmanager
def witness_of(kind: str, folder: Path) -> Iterator[str]:
    """What `--witness` takes: the folder, or a server that watches the account's log and keeps it there."""
    if kind == "folder":
        yield str(folder)
        return
    watched = account_key(TESTED, OWN).verifier
    with on_loopback(make_witness_app(WitnessedLogs(FolderStore(folder), WITNESS, [watched]))) as at:
        yield f"{at}#{verifier_of(WITNESS)}"


@contextmanager
def living(database: Path, vault_key: str, named: str) -> Iterator[LivingServer]:
    witnesses = [witness_named(named, TESTED)]
    server = LivingServer(f"sqlite:///{database}", vault_key, checkpoint_key=TESTED, witnesses=witnesses)
    try:
        yield server
    finally:
        server.close()


def create(server: LivingServer, account: Account, name: str) -> None:
    Account(server, account.id, account.key).client("iam").create_user(UserName=name)


@pytest.mark.parametrize("kind", ["folder", "http"])
def test_a_restored_backup_is_not_written_to_until_somebody_acknowledges_it(
    tmp_path: Path, seen: Path, kind: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last night's backup is restored and started; the witness has seen the day since."""
    write_key_file(tmp_path / "key", TESTED.secret_text())
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    database, backup, vault_key = tmp_path / "ledger.sqlite", tmp_path / "backup.sqlite", new_key()
    with witness_of(kind, seen) as named:
        ask = ("--db", database, "witness")
        with living(database, vault_key, named) as server:
            account = server.new_account()
            create(server, account, "alice")
        shutil.copy(database, backup)
        with living(database, vault_key, named) as server:
            create(server, account, "bob")
            size = server.log.size(account.id)
        assert command(*ask, "send", "--witness", named).code == Exit.DONE

        for left in tmp_path.glob("ledger.sqlite*"):
            left.unlink()
        shutil.copy(backup, database)
        with living(database, vault_key, named) as server:
            restored = server.log.size(account.id)
            assert restored < size
            for _ in range(2):
                with pytest.raises(ClientError) as refused:
                    create(server, account, "mallory")
                assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
                assert "`iam-ledger witness acknowledge" in str(refused.value)
            told = command(*ask, "status", "--witness", named)
            assert told.code == Exit.NOT_ALL
            assert f"{size} entries were seen, and the log has {restored}" in " ".join(told.text.split())
            assert command(*ask, "acknowledge", "--witness", named, "--reason", " ").code == Exit.USAGE
            assert server.log.size(account.id) == restored

            done = command(*ask, "acknowledge", "--witness", named, "--reason", "the disk broke")
            assert done.code == Exit.DONE, done.err
            assert ("never goes back" in done.err) == (kind == "http")
            time.sleep(AGAIN_SECONDS)
            create(server, account, "carol")
            records = Account(server, account.id, account.key).records()
            assert [one["eventName"] for one in records[restored:]] == ["AcknowledgeWitness", "CreateUser"]
            assert records[restored]["requestParameters"]["seenSize"] == size
        sent = command(*ask, "send", "--witness", named)
        assert sent.code == (Exit.NOT_ALL if kind == "http" else Exit.DONE)  # that witness never goes back


# -- as it is typed -----------------------------------------------------------------------------------------------------


@pytest.fixture
def typed(command: Command, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    monkeypatch.delenv("IAM_LEDGER_WITNESS", raising=False)
    log = Log(open_engine(sqlite_url, create=True))
    log.append(drafts(3))
    log.engine.dispose()
    return lambda *words: command("--db", sqlite_url, *words)


def test_a_witness_is_served_and_sent_to_as_typed(
    typed: Callable[..., Ran], sqlite_url: str, tmp_path: Path, seen: Path
) -> None:
    assert typed("checkpoint", "new-key").code == 0
    key_of_log = typed("checkpoint", "key").text.strip()
    public = typed(
        "witness", "new-key", "--file", tmp_path / "w", "--name", "witness.example/w1"
    ).text.strip()
    assert typed("witness", "new-key", "--file", tmp_path / "w").code == Exit.UNAVAILABLE
    words = ["witness", "serve", "--dir", str(seen), "--key-file", str(tmp_path / "w"), "--log", key_of_log]
    with subprocess.Popen(
        [sys.executable, "-m", "api.cli.main", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        named = process.stdout.readline().decode().split(" answers on ")[1].strip()
        assert named.endswith(f"#{public}")
        until = time.monotonic() + 30
        while typed("witness", "send", "--witness", named).code != 0:
            assert time.monotonic() < until
            time.sleep(0.1)
        told = typed("witness", "status", "--witness", named, "--format", "json").json["findings"]
        verified = typed("verify", "--witness", named)
        proof = tmp_path / "proof"
        proof.write_bytes(typed("prove", f"{ACCOUNT}:1").out)
        checked = typed("check", proof, "--key", public, "--key", key_of_log)
        elsewhere = typed("check", proof, "--key", str(verifier_of(Signer.new("witness.example/w1"))))
        log = Log(open_engine(sqlite_url))
        with unguarded(log) as connection:
            connection.exec_driver_sql(
                "UPDATE cosignatures SET line = CAST(replace(CAST(line AS TEXT), 'AAA', 'AAB') AS BLOB)"
            )
            connection.commit()
        log.engine.dispose()
        spoilt = typed("verify", "--witness", named)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert [(one["verdict"], one["seen"], one["account"]) for one in told] == [("continues", 3, ACCOUNT)]
    assert verified.code == 0 and "anchored up to 3 of 3 entries" in verified.text
    assert "1 cosignatures of witnesses verified" in verified.text
    assert (checked.code, checked.err) == (0, "iam-ledger: witness.example/w1 has cosigned the checkpoint\n")
    assert elsewhere.code == 1 and "not signed by witness.example/w1" in elsewhere.err
    assert spoilt.code == 1 and "a cosignature under the checkpoint of size 3: the signature" in spoilt.text
    away = typed("verify", "--witness", named)
    assert "was not heard" in away.err and "not anchored" in away.text
    assert typed("witness", "status", "--witness", named).code == Exit.UNAVAILABLE


def test_several_are_named_by_the_environment(
    typed: Callable[..., Ran], tmp_path: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed("checkpoint", "new-key").code == 0
    monkeypatch.setenv("IAM_LEDGER_WITNESS", f"{seen} sqlite:///{tmp_path / 'seen.sqlite'}")
    assert typed("witness", "send").code == 0
    told = typed("witness", "status", "--format", "json").json["findings"]
    assert [(one["verdict"], one["seen"]) for one in told] == [("continues", 3)] * 2
    assert typed("witness", "acknowledge", "--reason", "none").code == Exit.NOT_ALL


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("send",), Exit.USAGE),
        (("send", "--witness", "https://witness.example"), Exit.USAGE),
        (("send", "--witness", "nowhere"), Exit.UNAVAILABLE),  # there is no key, either
        (("serve", "--dir", "nowhere", "--key-file", "k", "--log", "l"), Exit.UNAVAILABLE),
    ],
)
def test_what_can_t_be_done_is_told_in_a_line(
    typed: Callable[..., Ran], words: tuple[str, ...], code: Exit
) -> None:
    ran = typed("witness", *words)
    assert (ran.code, ran.out) == (code, b"")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_what_is_appended_while_it_serves_is_seen(
    typed: Callable[..., Ran], sqlite_url: str, seen: Path, end: signal.Signals
) -> None:
    assert typed("checkpoint", "new-key").code == 0
    words = ["--db", sqlite_url, "serve", "--port", "0", "--witness", str(seen)]
    with subprocess.Popen(
        [sys.executable, "-m", "api.cli.main", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split(" answers on ")[1].strip()
        until = time.monotonic() + 30
        log = Log(open_engine(sqlite_url))
        for size in (3, 5):  # what is there at first, and what comes later
            while not any(f"\n{size}\n" in file.read_text() for file in seen.glob("*.checkpoint")):
                assert time.monotonic() < until
                time.sleep(0.05)
            log.append(drafts(2))
        assert httpx.get(f"{url}/accounts").status_code == 401
        process.send_signal(end)
        _, err = process.communicate(timeout=30)
        log.engine.dispose()
    assert process.returncode == 0
    assert err == b"calls by unknown callers, which leave no entry: MissingAuthenticationToken 1\n"
    (file,) = seen.glob("*.checkpoint")
    assert "\n7\n" in file.read_text()  # at the end, whatever is left is sent


TRAIL_FILE = {"Records": [{**draft().record.document, "eventID": "00000000-0000-4000-8000-00000000000f"}]}


def test_no_command_writes_to_a_log_that_a_witness_contradicts(
    typed: Callable[..., Ran], sqlite_url: str, tmp_path: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup is restored; whatever is typed then, nothing is added to it before somebody has acknowledged that."""
    later, snapshot = tmp_path / "later.json", tmp_path / "snapshot.json"
    later.write_text(json.dumps(TRAIL_FILE))
    snapshot.write_text('{"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}')
    database = Path(sqlite_url.removeprefix("sqlite:///"))
    taken = ("--snapshot", snapshot, "--taken-at", "2026-01-02T03:04:05Z", "--account", ACCOUNT)
    ways = [
        ("import", later),
        ("import", *taken),
        ("export", "--format", "cloudtrail", "--to", tmp_path / "to"),
    ]
    erase = ("erase", f"{ACCOUNT}:0", "--reason", "case 4711", "--yes")
    assert typed("checkpoint", "new-key").code == typed("digest-keys", "new", "--bits", 2048).code == 0
    backup = shutil.copy(database, tmp_path / "backup.sqlite")
    log = Log(open_engine(sqlite_url))
    log.append(drafts(2))
    log.engine.dispose()
    assert typed("witness", "send", "--witness", seen).code == 0
    for left in tmp_path.glob(f"{database.name}-*"):
        left.unlink()
    shutil.copy(backup, database)
    monkeypatch.setenv("IAM_LEDGER_WITNESS", str(seen))
    for words in [*ways, erase]:
        ran = typed(*words)
        assert ran.code == Exit.UNAVAILABLE, words
        assert "5 entries were seen, and the log has 3" in ran.err
    assert typed("import", later, "--witness", seen).code == Exit.UNAVAILABLE
    log = Log(open_engine(sqlite_url))
    assert log.size(ACCOUNT) == 3
    assert typed("witness", "acknowledge", "--reason", "the disk broke").code == 0
    for words in ways:
        assert typed(*words).code == 0, words
    assert log.size(ACCOUNT) == 3 + 1 + 2 + 2  # the acknowledgement, what was imported, a key and a delivery
    log.engine.dispose()


def test_without_a_key_nothing_is_served_for_witnesses_to_see(typed: Callable[..., Ran], seen: Path) -> None:
    ran = typed("serve", "--port", 0, "--witness", seen)
    assert ran.code == Exit.UNAVAILABLE
    assert "checkpoint new-key" in ran.err


# -- faults -----------------------------------------------------------------------------------------------------------


class Failing(httpx.HTTPTransport):
    """A connection that breaks: before the request has come, or after it was answered."""

    def __init__(self, *, arrives: bool) -> None:
        super().__init__()
        self._arrives = arrives
        self.broken = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.broken or request.method != "POST":
            return super().handle_request(request)
        if self._arrives:
            super().handle_request(request).close()
        raise httpx.ReadError("pulled the plug")


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("grown", [0, 2])
def test_a_fault_while_it_is_sent_is_made_good_by_the_next(
    log: Log, url: str, seen: Path, arrives: bool, grown: int
) -> None:
    log.append(drafts(3))
    made = Checkpoints(log, TESTED)
    transport = Failing(arrives=arrives)
    with Cosigner(url, verifier_of(WITNESS), transport=transport) as witness:
        assert send(log, made, ACCOUNT, witness).verdict is Verdict.NOT_HEARD
        assert len(list(seen.glob("*.checkpoint"))) == arrives
        if grown:
            log.append(drafts(grown))
        transport.broken = False
        found = send(log, made, ACCOUNT, witness)
        assert (found.verdict.contradicts, found.seen) == (False, 3 + grown)
        assert examine(log, made, ACCOUNT, witness).verdict is Verdict.CONTINUES
