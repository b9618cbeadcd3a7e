"""What the README says of being the IAM of one's own services, typed into a shell as it stands there."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
PROGRAMS = Path(sys.executable).parent


def commands() -> list[str]:
    section = README.read_text().partition("\n## Be the IAM of your own services\n")[2].partition("\n## ")[0]
    return re.findall(r"^    (\S.*)$", section, re.M)


@pytest.mark.slow
def test_an_account_begins_and_the_aws_cli_manages_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ear:
        port = ear.getsockname()[1]
    script = ["set -e"]
    for line in commands():
        if line.startswith("iam-ledger init"):
            line = f'{line} > told; export $(grep "^AWS_" told)'
        elif line == "iam-ledger serve":
            up = f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>&-; do kill -0 $! && sleep 0.2; done"
            line = f"iam-ledger serve --port {port} > served 2>&1 & trap 'kill %1' EXIT; {up}"
        elif "AKIA…" in line:
            continue  # what init has told
        script.append(line.replace("8321", str(port)))
    usual = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IAM_LEDGER_"))
    }
    usual |= {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    ran = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=usual,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    for said in ('"UserName": "alice"', '"SecretAccessKey"', '"EventName": "CreateUser"'):
        assert said in ran.stdout
