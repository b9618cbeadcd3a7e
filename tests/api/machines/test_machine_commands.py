"""`iam-ledger machine`: from the registration to a program that runs with no key, all of it real processes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from tests.api.conftest import Command
from tests.api.living_server import Account, LivingServer
from tests.api.machines.workloads import asked, aws, issuances, make_role, sdk

PROGRAM = Path(sys.executable).with_name("iam-ledger")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingServer]:
    """One whose vault's key is in a file beside the ledger, as that of `init` is."""
    from ledger.vault.keys import read_key_file, write_key_file

    path = tmp_path_factory.mktemp("commanded") / "ledger.sqlite"
    write_key_file(path.with_name("ledger.sqlite.key"))
    server = LivingServer(f"sqlite:///{path}", read_key_file(path.with_name("ledger.sqlite.key")))
    yield server
    server.close()


@pytest.fixture
def machine(command: Command, server: LivingServer, account: Account, keyless: dict[str, str]) -> Command:
    """Runs `iam-ledger machine …` on the account."""

    def ran(word: str, *words: object) -> object:
        url = str(server.log.engine.url.database)
        return command("--db", url, "machine", word, *words, "--account", account.id)

    return ran  # type: ignore[return-value]


@contextmanager
def serving(server: LivingServer, account: Account, *words: str) -> Iterator[dict[str, str]]:
    """`machine serve` in a process of its own; what it says that the workload needs in its environment."""
    url = str(server.log.engine.url.database)
    process = subprocess.Popen(
        [PROGRAM, "--db", url, "machine", "serve", "--account", account.id, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = 1 if words[1] == "web-1" else 2
        told = [process.stdout.readline().rstrip("\n").partition("=") for _ in range(lines)]
        assert all(it[0] for it in told), process.stderr.read()
        yield {name: value for name, _, value in told}
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)


def test_a_machine_is_registered_swapped_detached_listed_and_removed(
    machine: Command, account: Account
) -> None:
    for name in ("web", "batch"):
        make_role(account, name)
    instance = machine("register", "web-1", "--instance-profile", "web", "--zone", "eu-west-1b").text.strip()

    def listed() -> object:
        return machine("list", "--format", "json").json

    told = {
        "name": "web-1",
        "id": instance,
        "instanceProfile": f"arn:aws:iam::{account.id}:instance-profile/web",
        "role": f"arn:aws:iam::{account.id}:role/web",
    }
    assert listed() == [told]
    assert machine("swap", "web-1", "--instance-profile", "batch").code == 0
    told |= {
        "instanceProfile": f"arn:aws:iam::{account.id}:instance-profile/batch",
        "role": f"arn:aws:iam::{account.id}:role/batch",
    }
    assert listed() == [told]
    assert machine("detach", instance).code == 0
    assert listed() == [told | {"instanceProfile": None, "role": None}]
    again = machine("detach", "web-1")
    assert (again.code, again.err) == (1, "iam-ledger: web-1 has no instance profile\n")
    assert machine("swap", "web-1", "--instance-profile", "web").code == 0
    assert "web-1" in machine("list").text
    assert machine("remove", "web-1").code == 0
    assert listed() == []
    names = [it["eventName"] for it in account.records() if it["eventSource"] == "ec2.amazonaws.com"]
    assert names == [
        "RunInstances",
        "ReplaceIamInstanceProfileAssociation",
        "DisassociateIamInstanceProfile",
        "AssociateIamInstanceProfile",
        "TerminateInstances",
    ]


def test_what_makes_no_sense_is_told_in_one_line(machine: Command, account: Account) -> None:
    make_role(account, "web", "ecs-tasks.amazonaws.com")
    assert machine("register", "task-1", "--role", "web").code == 0
    assert machine("register", "web-1", "--instance-profile", "web").code == 0
    for words, code, line in (
        (("register", "x"), 2, "either --instance-profile or --role says what it acts as"),
        (
            ("register", "x", "--role", "web", "--zone", "moon"),
            2,
            "--zone: 'moon' is no availability zone, such as us-east-1a",
        ),
        (("register", "x", "--role", "no"), 1, "ClientException: Role is not valid"),
        (("register", "task-1", "--role", "web"), 1, "there is a workload called 'task-1' already"),
        (("remove", "x"), 1, "no workload is called 'x'"),
        (
            ("swap", "task-1", "--instance-profile", "web"),
            2,
            "a task keeps its role; remove it, and register it with another",
        ),
        (
            ("serve", "--workload", "web-1", "--session-seconds", "3599"),
            2,
            "--session-seconds: an instance's are 3600 at least",
        ),
        (("serve", "--workload", "x"), 1, "no workload is called 'x'"),
        (
            ("remove", "task-1", "--signed"),
            2,
            "--signed needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
    ):
        ran = machine(*words)
        assert (ran.code, ran.err) == (code, f"iam-ledger: {line}\n")


def test_whoever_signs_needs_permission_for_the_machine_and_to_pass_its_role(
    machine: Command, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_role(account, "web")
    iam = account.client("iam")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    register = ("register", "web-1", "--instance-profile", "web", "--signed")
    resource = f"arn:aws:ec2:us-east-1:{account.id}:instance/*"
    assert f"not authorized to perform: ec2:RunInstances on resource: {resource}" in machine(*register).err

    def allow(**statement: object) -> None:
        document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "*", **statement}}
        name = "".join(str(statement["Action"]).split(":"))
        iam.put_user_policy(UserName="alice", PolicyName=name, PolicyDocument=json.dumps(document))

    allow(Action="ec2:RunInstances")
    assert "not authorized to perform: iam:PassRole on resource: arn:aws:iam::" in machine(*register).err
    allow(Action="iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
    assert machine(*register).code == 0
    records = [it for it in account.records() if it["eventName"] == "RunInstances"]
    assert [it.get("errorCode") for it in records] == ["AccessDenied", "AccessDenied", None]
    assert {it["userIdentity"]["userName"] for it in records} == {"alice"}
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
    wrong = machine("remove", "web-1", "--signed")
    assert (wrong.code, wrong.err) == (
        2,
        "iam-ledger: AWS_ACCESS_KEY_ID: The security token included in the request is invalid.\n",
    )


def test_the_aws_cli_on_a_registered_instance_needs_nothing_but_what_serve_prints(
    machine: Command, server: LivingServer, account: Account, keyless: dict[str, str]
) -> None:
    make_role(account, "web", lists=True)
    instance = machine("register", "web-1", "--instance-profile", "web").text.strip()
    with serving(server, account, "--workload", "web-1") as told:
        assert set(told) == {"AWS_EC2_METADATA_SERVICE_ENDPOINT"}
        ran = aws(account, keyless | told, "sts", "get-caller-identity")
        assert json.loads(ran.stdout)["Arn"].endswith(f":assumed-role/web/{instance}"), ran.stderr
        assert json.loads(aws(account, keyless | told, "iam", "list-users").stdout) == {"Users": []}


def test_a_task_s_token_can_stand_in_a_file_that_is_its_owner_s_alone(
    machine: Command, server: LivingServer, account: Account, keyless: dict[str, str], tmp_path: Path
) -> None:
    make_role(account, "worker", "ecs-tasks.amazonaws.com", lists=True)
    machine("register", "task-1", "--role", "worker")
    file = tmp_path / "token"
    file.write_text("an earlier one")
    file.chmod(0o644)
    with serving(server, account, "--workload", "task-1", "--token-file", str(file)) as told:
        assert told["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] == str(file)
        assert file.stat().st_mode & 0o777 == 0o600
        ran = aws(account, keyless | told, "iam", "list-users")
        assert json.loads(ran.stdout) == {"Users": []}, ran.stderr
    with serving(server, account, "--workload", "task-1") as told:
        assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" in told
        ran = aws(account, keyless | told, "iam", "list-users")
        assert json.loads(ran.stdout) == {"Users": []}, ran.stderr


def test_a_program_runs_on_while_its_credentials_rotate_under_it(
    machine: Command,
    server: LivingServer,
    account: Account,
    keyless: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With sessions of six seconds boto3 asks before every call, and gets new ones when half is over."""
    make_role(account, "worker", "ecs-tasks.amazonaws.com", lists=True)
    machine("register", "task-1", "--role", "worker")
    with serving(server, account, "--workload", "task-1", "--session-seconds", "6") as told:
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        iam = sdk(account, "iam", boto3.Session())
        until = time.monotonic() + 13
        while time.monotonic() < until:
            assert iam.list_users()["Users"] == []
            time.sleep(0.5)
    keys = {it["responseElements"]["credentials"]["accessKeyId"] for it in issuances(account)}
    assert len(keys) >= 4
    listed = [it for it in account.records() if it["eventName"] == "ListUsers"]
    assert {it["userIdentity"]["accessKeyId"] for it in listed} <= keys
    assert all("errorCode" not in it for it in listed)
    assert asked(account, "iam:ListUsers")["Users"] == []
