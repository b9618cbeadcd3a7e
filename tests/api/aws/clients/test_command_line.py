"""The unmodified aws CLI, as a process of its own, walks through an account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.aws.clients.documents import allowing, codes, trusting
from tests.api.aws.clients.watching import Watched
from tests.conftest import absent

AWS = Path(sys.executable).parent / "aws"


class CommandLine:
    """`aws …` with somebody's credentials, and nothing of whoever runs the tests."""

    def __init__(self, aws: Watched, home: Path, key: dict[str, str]) -> None:
        self._aws = aws
        self._url = aws.account.server.url
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            **({"AWS_SESSION_TOKEN": key["SessionToken"]} if "SessionToken" in key else {}),
        }

    def __call__(self, *words: str) -> Any:
        """What the command answers; None where it answers nothing."""
        ran = self.run(*words)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(AWS), "--endpoint-url", self._url, "--output", "json", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.mark.slow
def test_the_aws_cli_walks_through_an_account(aws: Watched, tmp_path: Path) -> None:
    if not AWS.exists():
        absent("the aws CLI is not installed beside this Python")
    before = len(aws.account.records())
    root = CommandLine(aws, tmp_path, aws.account.key)
    made = root("iam", "create-user", "--user-name", "alice", "--tags", "Key=team,Value=red")
    assert made["User"]["Arn"] == aws.arn("user/alice")
    root("iam", "create-group", "--group-name", "admins")
    root("iam", "add-user-to-group", "--user-name", "alice", "--group-name", "admins")
    document = f"file://{tmp_path / 'policy.json'}"
    (tmp_path / "policy.json").write_text(allowing("iam:*", "sts:*", "cloudtrail:*"))
    arn = root("iam", "create-policy", "--policy-name", "own", "--policy-document", document)["Policy"]["Arn"]
    assert root("iam", "attach-group-policy", "--group-name", "admins", "--policy-arn", arn) is None
    key = root("iam", "create-access-key", "--user-name", "alice")["AccessKey"]
    image = tmp_path / "seed.txt"
    device = root(
        *("iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "phone"),
        *("--outfile", str(image), "--bootstrap-method", "Base32StringSeed"),
    )["VirtualMFADevice"]["SerialNumber"]
    _, older, now, following = codes(image.read_bytes())
    root(
        *("iam", "enable-mfa-device", "--user-name", "alice", "--serial-number", device),
        *("--authentication-code1", older, "--authentication-code2", now),
    )

    alice = CommandLine(aws, tmp_path, key)
    assert alice("sts", "get-caller-identity")["Arn"] == aws.arn("user/alice")
    told = alice("sts", "get-session-token", "--serial-number", device, "--token-code", following)
    with_mfa = CommandLine(aws, tmp_path, told["Credentials"])
    trust = trusting(aws.arn("user/alice"))
    with_mfa("iam", "create-role", "--role-name", "deploy", "--assume-role-policy-document", trust)
    role = aws.arn("role/deploy")
    told = alice("sts", "assume-role", "--role-arn", role, "--role-session-name", "build-7")
    denied = CommandLine(aws, tmp_path, told["Credentials"]).run("iam", "list-users")
    assert denied.returncode in (254, 255)  # by the version of the CLI
    assert "(AccessDenied) when calling the ListUsers operation" in denied.stderr

    attributes = "AttributeKey=EventName,AttributeValue=ListUsers"
    (event,) = alice("cloudtrail", "lookup-events", "--lookup-attributes", attributes)["Events"]
    assert json.loads(event["CloudTrailEvent"])["errorCode"] == "AccessDenied"
    assert [user["UserName"] for user in alice("iam", "list-users")["Users"]] == ["alice"]

    records = aws.account.records()[before:]
    assert [record["eventName"] for record in records] == [
        *("CreateUser", "CreateGroup", "AddUserToGroup", "CreatePolicy", "AttachGroupPolicy"),
        *("CreateAccessKey", "CreateVirtualMFADevice", "EnableMFADevice", "GetCallerIdentity"),
        *("GetSessionToken", "CreateRole", "AssumeRole", "ListUsers", "LookupEvents", "ListUsers"),
    ]
    for record in records:
        aws.requests[record["requestID"]] += 1
    aws.secrets |= {key["SecretAccessKey"], image.read_text(), told["Credentials"]["SessionToken"]}
