"""Who asks, and through which entries of a Principal element a statement names them.

Source: IAM user guide, "AWS JSON policy elements: Principal", "… NotPrincipal", "IAM identifiers", "AWS global
condition context keys" (aws:PrincipalArn, aws:PrincipalType, aws:username …).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.oracles.plain_conditions import list_of
from tests.oracles.plain_text import Context

USER = re.compile(r"arn:([\w-]+):iam::(\d{12}):user/(?:.*/)?([^/]+)")
ROLE = re.compile(r"arn:([\w-]+):iam::(\d{12}):role/(?:.*/)?([^/]+)")
ROLE_SESSION = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/([^/]+)")
ROOT = re.compile(r"arn:([\w-]+):iam::(\d{12}):root")
FEDERATED_USER = re.compile(r"arn:([\w-]+):sts::(\d{12}):federated-user/(.+)")
SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
UNIQUE_ID = re.compile(r"A(IDA|ROA)[A-Z0-9]+(:.+)?")

TYPES = {
    "root": "Account",
    "user": "User",
    "role session": "AssumedRole",
    "federated user": "FederatedUser",
    "anonymous": "Anonymous",
}


class NoPrincipal(ValueError):
    """A text that names nobody who could ask."""


@dataclass(frozen=True, slots=True)
class Principal:
    kind: str
    name: str
    partition: str = ""
    account: str | None = None
    arn: str | None = None
    """The user's, the session's … own; None for "some session of a role"."""
    role_arn: str | None = None

    @property
    def has_identity_policies(self) -> bool:
        """Not the root user, for which identity policies do not exist, nor who has no account."""
        return self.kind in ("user", "role session", "federated user")

    @property
    def is_service_linked(self) -> bool:
        return self.role_arn is not None and ":role/aws-service-role/" in self.role_arn


def principal_of(text: str, context: Context) -> Principal:
    if text == "*":
        return Principal("anonymous", text)
    if found := ROOT.fullmatch(text):
        return Principal("root", "root", found[1], found[2], text)
    if found := USER.fullmatch(text):
        return Principal("user", found[3], found[1], found[2], text)
    if found := FEDERATED_USER.fullmatch(text):
        return Principal("federated user", found[3], found[1], found[2], text)
    if found := ROLE.fullmatch(text):
        return Principal("role session", found[3], found[1], found[2], role_arn=text)
    if found := ROLE_SESSION.fullmatch(text):
        partition, account, role, _ = found.groups()
        return Principal("role session", role, partition, account, text, role_arn_of(found, context))
    if SERVICE.fullmatch(text):
        return Principal("service", text)
    raise NoPrincipal(f"no principal: {text!r}")


def role_arn_of(session: re.Match[str], context: Context) -> str:
    """The role of a session. The session's ARN leaves out the role's path; aws:PrincipalArn has it."""
    for given in context.get("aws:principalarn", []):
        found = ROLE.fullmatch(given)
        if found and found.groups() == session.groups()[:3]:
            return given
    partition, account, role, _ = session.groups()
    return f"arn:{partition}:iam::{account}:role/{role}"


def keys_of(who: Principal) -> dict[str, str]:
    """The context keys that follow from the principal, in lower case."""
    keys = {"aws:principalisawsservice": "true" if who.kind == "service" else "false"}
    if who.kind in TYPES:
        keys["aws:principaltype"] = TYPES[who.kind]
    if who.kind == "service":
        keys["aws:principalservicename"] = who.name
    if who.account is not None:
        keys["aws:principalaccount"] = who.account
        # "For IAM roles, the request context returns the ARN of the role, not the ARN of the user that assumed
        # the role."
        keys["aws:principalarn"] = who.role_arn or str(who.arn)
    if who.kind == "user":
        keys["aws:username"] = who.name
    return keys


def way(kind: str, entry: str, who: Principal, context: Context) -> str | None:
    """How one entry of a Principal element names the principal, if it does."""
    if kind == "AWS":
        # "All principals": "*" and {"AWS": "*"} are equivalent.
        if entry == "*":
            return "any"
        # "The account ARN and the shortened account ID behave the same way."
        if who.account is not None and entry in (who.account, f"arn:{who.partition}:iam::{who.account}:root"):
            return "account"
        if entry == who.arn:
            return "user" if who.kind == "user" else "session"
        if entry == who.role_arn:
            return "role"
        # "when the principal is deleted, its unique ID appears in the policy because AWS can no longer map it back
        # to a valid ARN"
        if UNIQUE_ID.fullmatch(entry):
            for user_id in context.get("aws:userid", []):
                if user_id == entry:
                    return "user" if who.kind == "user" else "session"
                if user_id.startswith(entry + ":"):
                    return "role"
    if kind == "Service" and who.kind == "service" and entry == who.name:
        return "service"
    if kind == "Federated" and entry in context.get("aws:federatedprovider", []):
        return "federated"
    return None


def ways(element: Any, who: Principal, context: Context) -> set[str]:
    entries = {"AWS": "*"} if element == "*" else element
    found = {way(kind, entry, who, context) for kind in entries for entry in list_of(entries[kind])}
    return {each for each in found if each is not None}


def ways_named(statement: dict[str, Any], who: Principal, context: Context) -> set[str]:
    """All the ways by which the statement applies to the principal; empty where it does not."""
    if "NotPrincipal" not in statement:
        return ways(statement["Principal"], who, context)
    listed = ways(statement["NotPrincipal"], who, context)
    if statement["Effect"] == "Allow":
        # "NotPrincipal with Allow": "allows all principals except the one named"
        return set() if listed else {"any"}
    # "NotPrincipal with Deny": "you must also specify the account ARN of the not-denied principal … If an
    # assumed-role user is being evaluated, AWS might validate the account first, then the role, and then the
    # assumed-role user."
    to_be_listed = {
        "user": {"user", "account"},
        "root": {"account"},
        "federated user": {"session", "account"},
        "role session": {"session", "role", "account"} if who.arn else {"role", "account"},
        "service": {"service"},
        "anonymous": {"federated"},
    }[who.kind]
    return set() if "any" in listed or listed >= to_be_listed else {"any"}
