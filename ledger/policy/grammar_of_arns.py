"""How actions, resources and principals must be spelt for AWS to take them, and what it says of the others.

The messages were recorded from AWS where not said otherwise. Which documents led to them is known for few; what is
made of that is conjecture, held against the 6,194 versions of AWS's own policies and the recorded logs, which pass.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

PARTITIONS = (
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-eusc",
)
IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
# What the user guide and the service authorization reference let a role's trust policy speak of.
TRUST_ACTIONS = (
    "assumerole",
    "assumerolewithsaml",
    "assumerolewithwebidentity",
    "tagsession",
    "setsourceidentity",
    "setcontext",
)
NOT_STS = "AssumeRole policy may only specify STS AssumeRole actions."

_VENDOR_OF_ACTION = re.compile(r"[A-Za-z0-9*?-]+", re.ASCII)
_VENDOR_OF_RESOURCE = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_PARTITION = "(" + "|".join(PARTITIONS) + ")"
_HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
_PRINCIPALS = {
    "AWS": re.compile(
        rf"\*|\d{{12}}|A(IDA|ROA)[A-Z0-9]{{12,124}}"
        rf"|arn:{_PARTITION}:iam::(\d{{12}}|cloudfront):(root|(user|role)/[^*?]+)"
        rf"|arn:{_PARTITION}:sts::\d{{12}}:(self|assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?/]+)",
        re.ASCII,
    ),
    "Service": re.compile(rf"(?!amazonaws\.com$){_HOST}", re.ASCII),
    "Federated": re.compile(rf"arn:{_PARTITION}:iam::\d{{12}}:(saml|oidc)-provider/[^*?]+|{_HOST}", re.ASCII),
    "CanonicalUser": re.compile(r"[0-9a-f]{64}", re.ASCII),
}


def fault_of_action(action: str) -> str | None:
    if action == "*":
        return None
    vendor, colon, name = action.partition(":")
    if not colon:
        return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
    if ":" in name:
        return "Actions/Condition can contain only one colon."
    if not _VENDOR_OF_ACTION.fullmatch(vendor):
        return f"Vendor {vendor} is not valid"
    return None


def fault_of_trust_action(action: str) -> str | None:
    vendor, _, name = action.lower().partition(":")
    if vendor == "sts" and any(fnmatchcase(known, name.replace("[", "[[]")) for known in TRUST_ACTIONS):
        return None
    return NOT_STS


def fault_of_resource(resource: str) -> str | None:
    """`arn:aws:rds:*` is taken: AWS fills up what is missing with `:*`, and quotes what it made of it."""
    if resource == "*":
        return None
    if not resource.startswith("arn:"):
        return f'Resource {resource} must be in ARN format or "*".'
    parts = _VARIABLE.sub("$", resource).split(":", 5)
    missing = 6 - len(parts)
    resource += ":*" * missing
    _, partition, vendor, region, account, path = parts + ["*"] * missing
    if not any(fnmatchcase(known, partition.replace("[", "[[]")) for known in PARTITIONS):
        return f'Partition "{partition}" is not valid for resource "{resource}".'
    if not _VENDOR_OF_RESOURCE.fullmatch(vendor):
        return "Resource vendor must be fully qualified and cannot contain regexes."
    if vendor == "iam":
        return _fault_of_iam_resource(resource, region, path)
    # Recorded for a bucket. Access points, jobs and access grants of S3 have regions, and accounts as well.
    if vendor == "s3" and region not in ("", "*") and not account:
        return f"Resource {resource} can not contain region information."
    return None


def fault_of_principal(type_: str, principal: str, *, of_a_role: bool) -> str | None:
    """The type stands in capitals in AWS's message: `"SERVICE":"amazonaws.com"` (aws-cdk-examples#801).

    Whether the user or role exists, which AWS asks too, is not asked here. No canonical user can assume a role.
    """
    if _PRINCIPALS[type_].fullmatch(principal) and not (of_a_role and type_ == "CanonicalUser"):
        return None
    return f'Invalid principal in policy: "{type_.upper()}":"{principal}"'


def _fault_of_iam_resource(resource: str, region: str, path: str) -> str | None:
    if region and region != "*":
        return f"IAM resource {resource} cannot contain region information."
    if path not in ("*", "root") and not path.startswith(IAM_PATHS):
        return f'IAM resource path must either be "*", root, or start with {", ".join(IAM_PATHS)}.'
    return None
