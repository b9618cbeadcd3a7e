"""Resources as CloudTrail's LookupEvents tells them: type and name, both from the ARNs that a record mentions.

Source: the examples of LookupEvents in the CloudTrail user guide; the type names are CloudFormation's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ledger.record import Document
from ledger.resources import IAM_NAMES, resources_of


@dataclass(frozen=True, slots=True)
class Type:
    """A type of resource: how its ARN is made, and how SQL's LIKE finds such ARNs, at least."""

    name: str
    arn: re.Pattern[str]
    like: str


def _type(name: str, service: str, rest: str, like: str) -> Type:
    return Type(
        name,
        re.compile(rf"arn:[\w-]+:{service}:[\w-]*:(?:\d{{12}}|aws|):{rest}"),
        f"arn:%:{service}:%:{like}",
    )


TYPES: Final = (
    _type("AWS::IAM::User", "iam", r"user/(?:.*/)?([^/]+)", "user/%"),
    _type("AWS::IAM::Group", "iam", r"group/(?:.*/)?([^/]+)", "group/%"),
    _type("AWS::IAM::Role", "iam", r"role/(?:.*/)?([^/]+)", "role/%"),
    _type("AWS::IAM::Policy", "iam", r"policy/(?:.*/)?([^/]+)", "policy/%"),
    _type("AWS::IAM::InstanceProfile", "iam", r"instance-profile/(?:.*/)?([^/]+)", "instance-profile/%"),
    _type("AWS::IAM::MfaDevice", "iam", r"mfa/(?:.*/)?([^/]+)", "mfa/%"),
    _type("AWS::IAM::SAMLProvider", "iam", r"saml-provider/(.+)", "saml-provider/%"),
    _type("AWS::IAM::OIDCProvider", "iam", r"oidc-provider/(.+)", "oidc-provider/%"),
    _type(
        "AWS::IAM::ServerCertificate",
        "iam",
        r"server-certificate/(?:.*/)?([^/]+)",
        "server-certificate/%",
    ),
    _type("AWS::STS::AssumedRole", "sts", r"assumed-role/(.+)", "assumed-role/%"),
    _type("AWS::S3::Object", "s3", r"([^/]+/.+)", "%/%"),
    _type("AWS::S3::Bucket", "s3", r"([^/]+)", "%"),
    _type("AWS::CloudTrail::Trail", "cloudtrail", r"trail/(.+)", "trail/%"),
    _type("AWS::KMS::Key", "kms", r"key/(.+)", "key/%"),
    _type("AWS::Lambda::Function", "lambda", r"function:([^:]+).*", "function:%"),
    _type("AWS::SecretsManager::Secret", "secretsmanager", r"secret:(.+)", "secret:%"),
    _type("AWS::EC2::Instance", "ec2", r"instance/(.+)", "instance/%"),
)
BY_NAME: Final = {one.name: one for one in TYPES}


def resources_told(document: Document, account_id: str) -> list[dict[str, str]]:
    """ResourceType and ResourceName of what the record mentions: by its ARN, and what has a name by that too.

    An ARN of no type that is known here has no ResourceType.
    """
    told: dict[tuple[str | None, str], None] = {}
    types = _told_types(document)
    for arn in resources_of(document, account_id):
        kind, name = type_of(arn)
        kind = kind or types.get(arn)
        told[kind, arn] = None
        if name is not None:
            told[kind, name] = None
    return [
        {"ResourceType": kind, "ResourceName": name} if kind is not None else {"ResourceName": name}
        for kind, name in told
    ]


def type_of(arn: str) -> tuple[str | None, str | None]:
    """The type of an ARN's resource, and its name without the path."""
    for one in TYPES:
        found = one.arn.fullmatch(arn)
        if found is not None:
            return one.name, found[1]
    return None, None


def arns_of_name(name: str, account_id: str) -> list[str]:
    """The ARNs that something of this bare name has in records, as far as they follow from the name."""
    iam = (f"arn:aws:iam::{account_id}:{kind}/{name}" for kind in (*IAM_NAMES.values(), "policy"))
    return [*iam, f"arn:aws:iam::aws:policy/{name}", f"arn:aws:s3:::{name}"]


def _told_types(document: Document) -> dict[str, str]:
    listed: Any = document.get("resources")
    found: Iterable[Any] = listed if isinstance(listed, list) else ()
    return {
        str(one["ARN"]): one["type"]
        for one in found
        if isinstance(one, dict) and "ARN" in one and isinstance(one.get("type"), str)
    }
