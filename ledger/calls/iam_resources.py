"""On what IAM and STS were asked: entities by name, where the ARN needs a path that the request does not tell."""

from __future__ import annotations

import re
from typing import Final

from ledger.calls.question import NOT_TOLD, Guess, Target
from ledger.calls.requested import Requested, members_of
from ledger.calls.resource_patterns import matching
from ledger.policy.aws_actions import AwsAction

ROOT_USER: Final = "AWS ROOT USER"  # what CloudTrail calls root
_KINDS: Final = {
    "user": "username",
    "group": "groupname",
    "role": "rolename",
    "instance-profile": "instanceprofilename",
    "policy": "policyname",
    "server-certificate": "servercertificatename",
    "mfa": "virtualmfadevicename",
    "saml-provider": "name",
}
# What these make gets the path that the request has, or / for want of one.
_MADE: Final = {
    "iam:CreateUser": "user",
    "iam:CreateGroup": "group",
    "iam:CreateRole": "role",
    "iam:CreatePolicy": "policy",
    "iam:CreateInstanceProfile": "instance-profile",
    "iam:CreateVirtualMFADevice": "mfa",
    "iam:UploadServerCertificate": "server-certificate",
}
_WITHOUT_PATH: Final = ("saml-provider", "oidc-provider")
# Listing is asked on the path that is listed, as recorded denials show.
_LISTED: Final = {
    "iam:ListUsers": "user/",
    "iam:ListGroups": "group/",
    "iam:ListRoles": "role/",
    "iam:ListInstanceProfiles": "instance-profile/",
    "iam:ListPolicies": "policy/",
    "iam:ListServerCertificates": "server-certificate/",
    "iam:ListOpenIDConnectProviders": "oidc-provider/*",
    "iam:ListSAMLProviders": "saml-provider/*",
}
_IN_WORDS: Final = re.compile(
    r"(user|group|role|policy|instance profile|server certificate|mfa device|saml provider|oidc provider)"
    r"(?: path)? ?(.*?)(?: version \S+)?$",
    re.IGNORECASE,
)
_ARN_WORDS: Final = {"mfa device": "mfa"}


def iam_targets(requested: Requested, action: AwsAction) -> tuple[Target, ...] | None:
    """None: as the reference's patterns say."""
    if action.name in _LISTED:
        path = (requested.text("pathprefix") or "/").strip("/")
        listed = _LISTED[action.name]
        rest = f"{listed}{path}/" if path and listed.endswith("/") else listed
        return (Target((_arn(requested, rest),)),)
    if action.name == "iam:CreateServiceLinkedRole":
        service = requested.text("awsservicename") or "*"
        return (Target((_arn(requested, f"role/aws-service-role/{service}/*"),)),)
    if action.name == "iam:GetAccessKeyLastUsed":  # asked on the key's user, whom the request does not name
        return (NOT_TOLD,)
    kinds = [(it.name, it.pattern) for it in action.resource_types]
    for kind, pattern in kinds:
        if arns := matching(pattern, (*requested.listed, *requested.named)):
            return tuple(Target((arn,)) for arn in arns)
        name = requested.text(_KINDS.get(kind, ""))
        if name is not None:
            return (entity(requested, kind, name),)
    if not requested.told:
        return (NOT_TOLD,)
    return (the_caller(requested),) if any(kind == "user" for kind, _ in kinds) else None


def sts_targets(requested: Requested, action: AwsAction) -> tuple[Target, ...] | None:
    if action.name == "sts:GetFederationToken":
        name = requested.text("name")
        return (
            (Target((requested.arn("sts", f"federated-user/{name}", region=""),)),) if name else (NOT_TOLD,)
        )
    if action.name == "sts:AssumeRoot":
        target = requested.text("targetprincipal") or ""
        if target.isdigit():
            return (Target((requested.arn("iam", "root", region="", account=target),)),)
        return (Target((target,)),) if target.startswith("arn:") else (NOT_TOLD,)
    if any(it.name == "role" for it in action.resource_types):
        roles = [it for it in (requested.text("rolearn"), *requested.listed) if it and ":role/" in it]
        return (Target((roles[0],)),) if roles else (NOT_TOLD,)
    return None


def in_words(requested: Requested, words: str) -> Target | None:
    """What AWS calls `user bob`, `policy arn:aws:iam::…:policy/p version v2` or, for the caller, `user `."""
    found = _IN_WORDS.fullmatch(words)
    if found is None:
        return None
    told, name = found[1].lower(), found[2].strip()
    kind = _ARN_WORDS.get(told, told.replace(" ", "-"))
    if name.startswith("arn:"):
        return Target((name,))
    if name.startswith("/"):  # the path that was listed
        return Target((_arn(requested, f"{kind}{name}"),))
    if not name:
        return the_caller(requested) if kind == "user" else NOT_TOLD
    return entity(requested, kind, name)


def entity(requested: Requested, kind: str, name: str) -> Target:
    """The entity of that name; its path is told by the record, by the account at that time, or taken to be /."""
    if name == ROOT_USER:
        return Target((_arn(requested, "root"),))
    caller = requested.identity
    if kind == "user" and caller.kind == "IAMUser" and caller.name == name:
        return the_caller(requested)
    made = members_of(requested.record.response).get("arn", ())
    if _MADE.get(requested.record.action) == kind:
        path = (requested.text("path") or "").strip("/")
        return Target((_arn(requested, f"{kind}/{path}/{name}".replace("//", "/")),))
    ending = re.compile(rf"arn:[^:]*:iam::\d*:{re.escape(kind)}/(?:.*/)?{re.escape(name)}", re.IGNORECASE)
    for arn in (*made, requested.arn_of(kind, name)):
        if arn is not None and ending.fullmatch(arn):
            return Target((arn,))
    if caller.kind == "Root" and (kind, name) == ("user", "root"):
        return Target((_arn(requested, "root"),))
    return Target(
        (_arn(requested, f"{kind}/{name}"),), () if kind in _WITHOUT_PATH else (Guess.PATH_NOT_TOLD,)
    )


def the_caller(requested: Requested) -> Target:
    """IAM requests that name no user are about the one who calls."""
    caller = requested.identity
    if (
        caller.kind in ("IAMUser", "Root")
        and caller.arn
        and caller.account_id in (None, requested.account_id)
    ):
        return Target((caller.arn,))
    return NOT_TOLD


def _arn(requested: Requested, rest: str) -> str:
    return requested.arn("iam", rest, region="")
