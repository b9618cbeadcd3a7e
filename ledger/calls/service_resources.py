"""On what services are asked that do not go by the reference's patterns alone: S3, EC2, SQS, CloudWatch Logs, …

Sources: the services' pages of the Service Authorization Reference, and the messages of recorded denials, which show
the ARN that was asked about where a call names no resource of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ledger.calls.action_names import api_gateway_call, operation_of
from ledger.calls.iam_resources import iam_targets, sts_targets
from ledger.calls.question import NOT_TOLD, Guess, Target
from ledger.calls.requested import Requested, members_of, plain
from ledger.calls.resource_patterns import TARGETS_MAX, filled, matching, targets_by_pattern
from ledger.policy.aws_actions import AccessLevel, AwsAction, ResourceType

Targets = tuple[Target, ...]

_EC2_ID: Final = re.compile(r"[a-z][a-z-]*-[0-9a-f]{8,40}")
# What EC2's requests call a resource, where that is not the resource's kind.
_EC2_MEMBERS: Final = {
    "dedicated-host": ("hostid",),
    "elastic-ip": ("allocationid",),
    "ipam-pool": ("ipampoolid",),
    "key-pair": ("keyname",),
    "security-group": ("groupid", "securitygroupid"),
    "vpc-flow-log": ("flowlogid",),
}
_EC2_KINDS: Final = {
    "acl": "network-acl",
    "ami": "image",
    "dopt": "dhcp-options",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "lt": "launch-template",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "pl": "prefix-list",
    "rtb": "route-table",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "tgw": "transit-gateway",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
# Where a call is about all there is, these are asked about, and not `*`.
_ACCOUNT_WIDE: Final = {
    "ce": "/{operation}",
    "lightsail": "*",
    "sns": "*",
}


def targets_of(requested: Requested, action: AwsAction) -> Targets:
    """What the action was asked on; several targets, where it must be allowed on each."""
    service = action.name.partition(":")[0]
    special = _SERVICES.get(service)
    found = special(requested, action) if special is not None else None
    if found is not None:
        return found
    found = targets_by_pattern(requested, action)
    if service in _ACCOUNT_WIDE and (not action.resource_types or Guess.ALL_OF_THEM in found[0].guess):
        rest = _ACCOUNT_WIDE[service].format(operation=operation_of(requested.record))
        return (Target((requested.arn(service, rest),)),)
    return found


def _s3(requested: Requested, action: AwsAction) -> Targets | None:
    kinds = {it.name for it in action.resource_types}
    if action.name == "s3:ListAllMyBuckets":  # policies write `*` or this; both match it
        return (Target((f"arn:{requested.partition}:s3:::*",)),)
    if not kinds & {"bucket", "object"}:
        return None
    bucket = requested.text("bucketname", "bucket")
    if bucket is None:
        found = [arn for arn in requested.listed if arn.split(":")[2] == "s3"]
        wanted = [arn for arn in found if ("/" in arn) == ("object" in kinds)]
        return tuple(Target((arn,)) for arn in wanted) or (NOT_TOLD,)
    return (s3_target(requested, bucket, requested.text("key"), of_object="object" in kinds),)


def s3_target(requested: Requested, bucket: str, key: str | None, *, of_object: bool) -> Target:
    """A bucket or an object; `bucket` may be the ARN of an access point."""
    point = bucket.startswith("arn:")
    arn = bucket if point else f"arn:{requested.partition}:s3:::{bucket}"
    if not of_object:
        return Target((arn,))
    within = f"{arn}/object" if point else arn
    return Target((f"{within}/{key}",)) if key else Target((f"{within}/*",), (Guess.PART_NOT_TOLD,))


def _ec2(requested: Requested, action: AwsAction) -> Targets | None:
    if not action.resource_types:
        return None
    if action.name in ("ec2:CreateTags", "ec2:DeleteTags"):
        return _ec2_tagged(requested, action)
    members = dict(requested.members)
    if (
        action.name == "ec2:RunInstances"
    ):  # without a subnet it runs in the default one, which the answer tells
        for name, texts in members_of(requested.record.response).items():
            if name in ("imageid", "subnetid", "groupid"):
                members.setdefault(name, texts)
    found: list[Target] = []
    any_required = any(it.required for it in action.resource_types)
    for kind in sorted(action.resource_types, key=lambda it: not it.required):
        names = _EC2_MEMBERS.get(kind.name, (plain(kind.name), f"{plain(kind.name)}id"))
        told = [text for name in names for spelt in (name, f"{name}s") for text in members.get(spelt, ())]
        guess = () if kind.required or not any_required else (Guess.OPTIONAL_RESOURCE,)
        for text in told[:TARGETS_MAX]:
            found.append(_ec2_target(requested, kind.pattern, text, guess, by_name=kind.name == "key-pair"))
        if not told and kind.required:
            found.append(_ec2_new(requested, action, kind))
    if any(it.resources for it in found):
        return tuple(found)
    level = action.level in (AccessLevel.LIST, AccessLevel.READ)
    return (Target(("*",), (Guess.ALL_OF_THEM,)),) if level and not found else (NOT_TOLD,)


def _ec2_target(
    requested: Requested, pattern: str, text: str, guess: tuple[Guess, ...], *, by_name: bool
) -> Target:
    if matching(pattern, (text,)):
        return Target((text,), guess)
    if by_name or _EC2_ID.fullmatch(text):
        place = pattern.rpartition("${")[2].rstrip("}")
        return Target((filled(requested, pattern, {place: text}),), guess)
    # Nothing has such an id: EC2 then asks about any.
    return Target((filled(requested, pattern, {}),), (*guess, Guess.PART_NOT_TOLD))


def _ec2_new(requested: Requested, action: AwsAction, kind: ResourceType) -> Target:
    """What the call makes has no id yet; what it uses without naming it (a default) has one that is not told."""
    name = action.name.partition(":")[2]
    if not requested.told or not name.startswith(("Create", "Run", "Allocate", "Copy", "Register", "Import")):
        return NOT_TOLD
    makes = plain(kind.name) in name.lower() or kind.name in ("network-interface", "volume", "snapshot")
    return Target((filled(requested, kind.pattern, {}),), () if makes else (Guess.PART_NOT_TOLD,))


def _ec2_tagged(requested: Requested, action: AwsAction) -> Targets:
    patterns = {it.name: it.pattern for it in action.resource_types}
    found = []
    for text in requested.members.get("resourceid", ())[:TARGETS_MAX]:
        pattern = patterns.get(_EC2_KINDS.get(text.rpartition("-")[0], ""))
        if pattern is None:
            arn = requested.arn("ec2", f"*/{text}")
            found.append(Target((arn,), (Guess.PART_NOT_TOLD,)))
        else:
            found.append(_ec2_target(requested, pattern, text, (), by_name=False))
    return tuple(found) or (NOT_TOLD,)


def _kms(requested: Requested, action: AwsAction) -> Targets | None:
    """Rights go by the key, never by an alias of it; the record lists the key."""
    kinds = [it for it in action.resource_types if it.required]
    if [it.name for it in kinds] != ["key"]:
        return None
    keys = matching(kinds[0].pattern, (*requested.listed, *requested.named))
    if keys:  # two, where one key's data is encrypted by another: which is which is not told
        return (Target(tuple(keys)),)
    key = requested.text("keyid", "targetkeyid")
    return (Target((requested.arn("kms", f"key/{key}"),)),) if key and "/" not in key else (NOT_TOLD,)


def _secrets_manager(requested: Requested, action: AwsAction) -> Targets | None:
    if not action.resource_types:
        return None
    told = requested.text("secretid", "name")
    if told is None:
        return (NOT_TOLD,)
    if told.startswith("arn:"):
        return (Target((told,)),)
    # A secret's ARN ends with six characters of AWS's own, and policies often write them as `-??????`.
    guess = (Guess.PART_NOT_TOLD,)
    return (Target((requested.arn("secretsmanager", f"secret:{told}-??????"),), guess),)


def _sqs(requested: Requested, action: AwsAction) -> Targets | None:
    name = requested.text("queueurl", "queuename")
    if name is None or not action.resource_types:
        return None
    parts = name.rstrip("/").split("/")
    owner = parts[-2] if len(parts) > 2 and parts[-2].isdigit() else requested.account_id
    return (Target((requested.arn("sqs", parts[-1], account=owner),)),)


def _sns(requested: Requested, action: AwsAction) -> Targets | None:
    if action.name in ("sns:Unsubscribe", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes"):
        told = (requested.text("subscriptionarn") or "").rpartition(":")[0]
        return (Target((told,)),) if told.startswith("arn:") else (NOT_TOLD,)
    name = requested.text("name")
    if action.name == "sns:CreateTopic" and name:
        return (Target((requested.arn("sns", name),)),)
    return None


def _logs(requested: Requested, action: AwsAction) -> Targets | None:
    """IAM is asked about `log-group:NAME:log-stream:STREAM` even for a group; policies write groups in three ways."""
    group = requested.text("loggroupname", "loggroupidentifier")
    if action.name == "logs:DescribeLogGroups":
        return (Target((requested.arn("logs", "log-group::log-stream:"), "*")),)
    if group is None or group.startswith("arn:"):
        return None
    stream = requested.text("logstreamname")
    told = requested.arn("logs", f"log-group:{group}:log-stream:{stream or ''}")
    return (Target((told,) if stream else (told, requested.arn("logs", f"log-group:{group}"))),)


def _lambda(requested: Requested, action: AwsAction) -> Targets | None:
    kinds = {it.name for it in action.resource_types if it.required}
    name = requested.text("functionname")
    if name is None or not any(it.startswith("function") for it in kinds):
        return None
    if name.startswith("arn:"):
        return (Target((name,)),)
    account, _, rest = name.rpartition("function:")
    owner = account.rstrip(":") if account.rstrip(":").isdigit() else requested.account_id
    return (Target((requested.arn("lambda", f"function:{rest}", account=owner),)),)


def _dynamodb(requested: Requested, action: AwsAction) -> Targets | None:
    tables = list(requested.members.get("tablename", ()))
    items = requested.record.request.get("requestItems")
    if isinstance(items, dict):
        tables += [it for it in items if isinstance(it, str)]
    index = requested.text("indexname")
    if not tables or not any(it.name == "table" for it in action.resource_types):
        return None
    targets = []
    for table in tables[:TARGETS_MAX]:
        arn = table if table.startswith("arn:") else requested.arn("dynamodb", f"table/{table}")
        queried = index and any(it.name == "index" for it in action.resource_types)
        targets.append(Target((f"{arn}/index/{index}" if queried else arn,)))
    return tuple(targets)


def _ssm(requested: Requested, action: AwsAction) -> Targets | None:
    if action.name in ("ssm:SendCommand", "ssm:StartSession"):
        named = requested.text("documentname", "name")
        if named is None and action.name == "ssm:StartSession":
            named = "SSM-SessionManagerRunShell"
        found = []
        if named:
            owner = "" if named.startswith("AWS-") else requested.account_id
            found.append(Target((requested.arn("ssm", f"document/{named}", account=owner),)))
        for text in (*requested.members.get("instanceids", ()), *requested.members.get("target", ())):
            service, kind = ("ssm", "managed-instance") if text.startswith("mi-") else ("ec2", "instance")
            found.append(Target((requested.arn(service, f"{kind}/{text}"),)))
        return tuple(found) if requested.members else (NOT_TOLD,)
    if not action.resource_types and action.level in (AccessLevel.LIST, AccessLevel.READ):
        return (Target((requested.arn("ssm", "*"),)),)
    if requested.text("resourcetype") == "Parameter" and (name := requested.text("resourceid")):
        return (Target((requested.arn("ssm", f"parameter/{name.lstrip('/')}"),)),)
    return None


def _rds(requested: Requested, action: AwsAction) -> Targets | None:
    """RDS keeps its names in lower case."""
    found = targets_by_pattern(requested, action)
    return tuple(replace(it, resources=tuple(arn.lower() for arn in it.resources)) for it in found)


def _api_gateway(requested: Requested, _action: AwsAction) -> Targets | None:
    call = api_gateway_call(requested.record)
    if call is None:
        return (NOT_TOLD,)
    values = {name: texts[0] for name, texts in requested.members.items()}
    path = re.sub(r"\{(\w+)\}", lambda place: values.get(plain(place[1]), "*"), call[1])
    guess = (Guess.PART_NOT_TOLD,) if "*" in path else ()
    return (Target((requested.arn("apigateway", path, account=""),), guess),)


_SERVICES: Final[dict[str, Callable[[Requested, AwsAction], Targets | None]]] = {
    "apigateway": _api_gateway,
    "dynamodb": _dynamodb,
    "ec2": _ec2,
    "iam": iam_targets,
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "rds": _rds,
    "s3": _s3,
    "secretsmanager": _secrets_manager,
    "sns": _sns,
    "sqs": _sqs,
    "ssm": _ssm,
    "sts": sts_targets,
}
