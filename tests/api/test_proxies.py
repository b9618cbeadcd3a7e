"""Whom a call is from, where a proxy stands before the server: the proxy's word counts only where it is trusted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.asking_services import signed_headers
from tests.api.served import Served, served

CLIENT = "203.0.113.9"


def recorded_after(server: Served, call: Callable[[Served, dict[str, str]], None], forwarded: str) -> Any:
    """The record of a call that came with these words of a proxy."""
    call(server, {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"})
    return server.records()[-1]


def of_iam(server: Served, headers: dict[str, str]) -> None:
    url = f"{server.url}/?Action=ListUsers&Version=2010-05-08"
    key = {"AccessKeyId": server.key_id, "SecretAccessKey": server.secret}
    assert httpx.get(url, headers=headers | signed_headers(key, "GET", url, service="iam")).status_code == 200


def of_sign_in(server: Served, headers: dict[str, str]) -> None:
    told = {"account": server.account, "user": "nobody", "password": "x"}
    answered = httpx.post(f"{server.url}/v1/sign-in", json=told, headers=headers, timeout=30)
    assert answered.status_code == 401


@pytest.mark.parametrize("call", [of_iam, of_sign_in])
def test_nobody_s_word_counts_unless_they_are_trusted(
    tmp_path: Path, call: Callable[[Served, dict[str, str]], None]
) -> None:
    with served(tmp_path) as server:
        assert recorded_after(server, call, CLIENT)["sourceIPAddress"] == "127.0.0.1"


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.0/8, 127.0.0.0/8"])
def test_a_trusted_proxy_s_word_counts(tmp_path: Path, trusted: str) -> None:
    with served(tmp_path, IAM_LEDGER_TRUSTED_PROXIES=trusted) as server:
        assert recorded_after(server, of_iam, CLIENT)["sourceIPAddress"] == CLIENT
        assert recorded_after(server, of_sign_in, CLIENT)["sourceIPAddress"] == CLIENT
        # What the client itself wrote there stands before what the proxy has added.
        told = recorded_after(server, of_sign_in, f"192.0.2.1, {CLIENT}")
        assert told["sourceIPAddress"] == CLIENT
        assert told["additionalEventData"]["LoginTo"].startswith("https://")
