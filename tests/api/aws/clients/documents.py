"""Policies and calls that these tests share."""

from __future__ import annotations

import json
import time

import pyotp

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
SERVICE_ROLE_POLICY = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy"


def allowing(*actions: str, resource: str = "*", sid: str | None = None) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [statement | ({} if sid is None else {"Sid": sid})]}
    )


def trusting(principal: str, *actions: str) -> str:
    kind = "Service" if principal.endswith(".amazonaws.com") else "AWS"
    statement = {
        "Effect": "Allow",
        "Principal": {kind: principal},
        "Action": list(actions) or "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trusting_provider(arn: str, action: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def codes(seed: bytes) -> list[str]:
    """A device's codes of two steps ago, one ago, now and the next; made early in a step, so that `now` stays now."""
    left = 30 - time.time() % 30
    if left < 4:
        time.sleep(left)
    device, step = pyotp.TOTP(seed.decode()), int(time.time()) // 30
    return [device.generate_otp(step + further) for further in (-2, -1, 0, 1)]
