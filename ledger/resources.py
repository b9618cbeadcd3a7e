"""Which resources a record names: what the question "who touched this?" searches by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.record import Document

RESOURCES_MAX = 32  # of one record; a call on a thousand objects is found by its other parts
LENGTH_MAX = 1024

# What IAM and STS requests call the thing they act on, and the kind of ARN it has.
IAM_NAMES = {
    "userName": "user",
    "groupName": "group",
    "roleName": "role",
    "instanceProfileName": "instance-profile",
    "virtualMFADeviceName": "mfa",
}


def resources_of(document: Document, account_id: str) -> list[str]:
    """ARNs, and for IAM the ARNs that names stand for (without a path), in the order in which they stand.

    Taken from `resources[].ARN`, from ARNs among the request parameters and one level below, and from what an
    IAM request names. S3 calls name their bucket and object.
    """
    found: dict[str, None] = {}
    listed = document.get("resources")
    if type(listed) is list:
        for resource in listed:
            if type(resource) is dict:
                arn = resource.get("ARN") or resource.get("ARNPrefix")
                if type(arn) is str:
                    found[arn] = None
    iam = document.get("eventSource") == "iam.amazonaws.com"
    request = document.get("requestParameters")
    if type(request) is dict:
        for name, value in request.items():
            kind = type(value)
            if kind is str:
                if value[:4] == "arn:":
                    found[value] = None
                elif name == "bucketName":
                    _add_bucket(found, value, request)
                elif iam and name in IAM_NAMES:
                    found[f"arn:aws:iam::{account_id}:{IAM_NAMES[name]}/{value}"] = None
            elif kind is dict or kind is list:
                _add_below(found, value)
    if iam and type(response := document.get("responseElements")) is dict:
        for made in response.values():  # what was created, with its path
            if type(made) is dict:
                _add_below(found, made)
    if not found:
        return []
    if len(found) > RESOURCES_MAX:
        found = dict.fromkeys(list(found)[:RESOURCES_MAX])
    return [arn for arn in found if len(arn) <= LENGTH_MAX and "\x00" not in arn]


def _add_bucket(found: dict[str, None], bucket: str, request: Mapping[str, Any]) -> None:
    key = request.get("key")
    if type(key) is str and key:
        found[f"arn:aws:s3:::{bucket}/{key}"] = None
    found[f"arn:aws:s3:::{bucket}"] = None


def _add_below(found: dict[str, None], value: Any) -> None:
    members = value.values() if type(value) is dict else value
    for member in members:
        if type(member) is str and member[:4] == "arn:":
            found[member] = None
