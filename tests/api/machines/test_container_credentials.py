"""A task becomes its role: real SDKs and the real aws CLI, by the container credentials protocol."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.exceptions import CredentialRetrievalError

from api.machines.container_credentials import PATH, ContainerCredentials
from ledger.authority.role_delivery import RoleDelivery
from tests.api.living_server import Account
from tests.api.loopback import on_loopback
from tests.api.machines.workloads import asked, aws, issuances, make_role, run_task, sdk, trusting

ECS = "ecs-tasks.amazonaws.com"
TOKEN = "the-token-of-the-task"


@pytest.fixture
def task(account: Account) -> str:
    make_role(account, "worker", ECS, lists=True)
    return run_task(account, "worker")


@pytest.fixture
def url(
    account: Account, task: str, keyless: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    delivery = RoleDelivery(account.server.authority, account.id)
    with on_loopback(ContainerCredentials(delivery, "task-1", token=TOKEN), proxy_headers=False) as url:
        told = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
        }
        keyless |= told
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        yield f"{url}{PATH}"


def test_boto3_in_the_task_acts_as_its_role(account: Account, task: str, url: str) -> None:
    session = boto3.Session()
    name = task.rpartition("/")[2]
    told = sdk(account, "sts", session).get_caller_identity()
    assert told["Arn"] == f"arn:aws:sts::{account.id}:assumed-role/worker/{name}"
    assert sdk(account, "iam", session).list_users()["Users"] == []
    (opened,) = issuances(account)
    assert opened["userIdentity"] == {"type": "AWSService", "invokedBy": ECS}
    assert opened["requestParameters"]["roleSessionName"] == name
    listed = account.records()[-1]
    assert "ec2RoleDelivery" not in listed["userIdentity"]["sessionContext"]


def test_the_aws_cli_reads_the_token_from_a_file(
    account: Account, url: str, keyless: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    del keyless["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    keyless["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(file)
    ran = aws(account, keyless, "sts", "get-caller-identity")
    assert ":assumed-role/worker/" in json.loads(ran.stdout)["Arn"], ran.stderr


def test_only_who_has_the_token_is_answered(account: Account, url: str) -> None:
    for headers in ({}, {"Authorization": ""}, {"Authorization": TOKEN[:-1]}, {"Authorization": b"\xff"}):
        refused = httpx.get(url, headers=headers)  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["code"]) == (401, "Unauthorized")
    assert not issuances(account)
    told = httpx.get(url, headers={"Authorization": TOKEN})
    assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
    assert set(told.json()) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert told.json()["RoleArn"] == f"arn:aws:iam::{account.id}:role/worker"


def test_there_is_one_path_and_one_method(url: str) -> None:
    known = {"Authorization": TOKEN}
    assert httpx.get(f"{url}/other", headers=known).status_code == 404
    assert httpx.post(url, headers=known).status_code == 405


def test_a_role_that_does_not_trust_ecs_is_not_handed_out(account: Account, url: str) -> None:
    document = trusting("ec2.amazonaws.com")
    account.client("iam").update_assume_role_policy(RoleName="worker", PolicyDocument=document)
    refused = httpx.get(url, headers={"Authorization": TOKEN})
    assert (refused.status_code, refused.json()["code"]) == (403, "AccessDenied")
    with pytest.raises(CredentialRetrievalError):
        sdk(account, "sts", boto3.Session()).get_caller_identity()
    assert {it["errorCode"] for it in issuances(account)} == {"AccessDenied"}


def test_a_task_that_has_ended_or_lost_its_role_gets_nothing(account: Account, task: str, url: str) -> None:
    known = {"Authorization": TOKEN}
    asked(account, "ecs:StopTask", Task=task)
    assert httpx.get(url, headers=known).status_code == 404
    run_task(account, "worker")  # another of the same name
    assert httpx.get(url, headers=known).status_code == 200
    iam = account.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="worker", RoleName="worker")
    iam.delete_role_policy(RoleName="worker", PolicyName="lists")
    iam.delete_role(RoleName="worker")
    assert httpx.get(url, headers=known).json()["code"] == "NoCredentials"
