"""Workloads of a living account, and their services on real sockets."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from ledger.authority.authority import Request
from ledger.iam.deciding import Bearer
from ledger.policy.request import caller_of
from tests.api.living_server import HERE, Account

AWS = Path(sys.executable).with_name("aws")
LIST_USERS = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"},
}


def trusting(service: str) -> str:
    principal = {"Service": service}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(
    account: Account, name: str, service: str = "ec2.amazonaws.com", *, lists: bool = False
) -> None:
    """A role that trusts the service, in an instance profile of the same name."""
    iam = account.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(service))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    if lists:
        iam.put_role_policy(RoleName=name, PolicyName="lists", PolicyDocument=json.dumps(LIST_USERS))


def asked(account: Account, action: str, **parameters: Any) -> dict[str, Any]:
    """A call of root's that has no front door."""
    by = Bearer(caller_of(f"arn:aws:iam::{account.id}:root"))
    told = account.server.authority.call(Request(account.id, action, parameters, HERE, None, by=by))
    assert told.refusal is None, told.refusal
    return dict(told.output)


def run_instance(account: Account, profile: str, name: str = "web-1") -> str:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
    told = asked(account, "ec2:RunInstances", IamInstanceProfile={"Name": profile}, TagSpecifications=tags)
    return str(told["Instances"][0]["InstanceId"])


def run_task(account: Account, role: str, name: str = "task-1") -> str:
    overrides = {"TaskRoleArn": f"arn:aws:iam::{account.id}:role/{role}"}
    told = asked(
        account,
        "ecs:RunTask",
        TaskDefinition="task",
        Overrides=overrides,
        Tags=[{"Key": "Name", "Value": name}],
    )
    return str(told["tasks"][0]["taskArn"])


def without_keys(home: Path) -> dict[str, str]:
    """An environment in which no credential is to be found."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    none = str(home / "none")
    return kept | {
        "AWS_SHARED_CREDENTIALS_FILE": none,
        "AWS_CONFIG_FILE": none,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
        "AWS_MAX_ATTEMPTS": "1",
    }


def aws(account: Account, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """The real aws CLI, at the front door."""
    return subprocess.run(
        [AWS, "--endpoint-url", account.server.url, "--output", "json", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def sdk(account: Account, service: str, session: boto3.Session) -> Any:
    return session.client(
        service, endpoint_url=account.server.url, config=Config(retries={"max_attempts": 0})
    )


def issuances(account: Account) -> list[dict[str, Any]]:
    """What the log has of sessions opened by services."""
    return [it for it in account.records() if it["userIdentity"].get("type") == "AWSService"]
