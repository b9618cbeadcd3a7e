"""Who signs a call and from where: credentials with their parents, and the machines that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from api.demo.day import iso

Side = Literal["ordinary", "attack", "response", "aws"]
Kind = Literal[
    "access_key", "console", "session_token", "federation", "role", "instance", "root", "service", "outsider"
]


@dataclass(frozen=True, slots=True)
class Client:
    """A machine as CloudTrail sees it, and on which side its owner really is."""

    address: str
    agent: str
    side: Side = "ordinary"
    vpc_endpoint: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Credential:
    """What a call is signed with: the `userIdentity` it leaves, and the chain that led to it.

    `owner` is the user (or `root`, a service, an instance, a foreign account) at the beginning of the
    chain, whatever was assumed since; `parent` and `made_by` are None where the chain begins.
    """

    kind: Kind
    identity: Mapping[str, Any]
    account_id: str
    arn: str
    owner: str
    key_id: str | None = None
    parent: "Credential | None" = None
    made_by: str | None = None

    def chain(self) -> list["Credential"]:
        """From the beginning to this one."""
        return [*(self.parent.chain() if self.parent else ()), self]


@dataclass(frozen=True, slots=True, eq=False)
class Caller:
    """A credential in the hands of a client."""

    credential: Credential
    client: Client

    def on(self, client: Client) -> "Caller":
        return replace(self, client=client)


def access_key(name: str, user_id: str, account_id: str, key_id: str) -> Credential:
    arn = f"arn:aws:iam::{account_id}:user/{name}"
    identity = _user(name, user_id, account_id, arn, key_id)
    return Credential("access_key", identity, account_id, arn, name, key_id)


def user_session(
    kind: Literal["console", "session_token"],
    parent: Credential,
    key_id: str,
    since: int,
    *,
    mfa: bool,
    made_by: str,
) -> Credential:
    """GetSessionToken or a console sign-in: still an IAMUser, with a temporary key and a session."""
    identity = dict(parent.identity) | {
        "accessKeyId": key_id,
        "sessionContext": {"attributes": _attributes(since, mfa=mfa)},
    }
    return replace(parent, kind=kind, identity=identity, key_id=key_id, parent=parent, made_by=made_by)


def federated(parent: Credential, name: str, key_id: str, since: int, made_by: str) -> Credential:
    account_id = parent.account_id
    arn = f"arn:aws:sts::{account_id}:federated-user/{name}"
    identity = {
        "type": "FederatedUser",
        "principalId": f"{account_id}:{name}",
        "arn": arn,
        "accountId": account_id,
        "accessKeyId": key_id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "IAMUser",
                "principalId": parent.identity["principalId"],
                "arn": parent.arn,
                "accountId": account_id,
                "userName": parent.owner,
            },
            "webIdFederationData": {},
            "attributes": _attributes(since, mfa=False),
        },
    }
    return Credential("federation", identity, account_id, arn, parent.owner, key_id, parent, made_by)


@dataclass(frozen=True, slots=True)
class RoleFace:
    """What a session shows of its role."""

    arn: str
    role_id: str

    @property
    def account_id(self) -> str:
        return self.arn.split(":")[4]

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[1]


def role_session(
    role: RoleFace,
    session_name: str,
    key_id: str | None,
    since: int,
    *,
    owner: str,
    mfa: bool = False,
    parent: Credential | None = None,
    made_by: str | None = None,
    kind: Literal["role", "instance"] = "role",
    extra: Mapping[str, Any] | None = None,
) -> Credential:
    """An assumed role. The session's ARN drops the role's path; the role's own ARN is in the issuer."""
    arn = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session_name}"
    context: dict[str, Any] = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": role.role_id,
            "arn": role.arn,
            "accountId": role.account_id,
            "userName": role.name,
        },
        "attributes": _attributes(since, mfa=mfa),
    }
    if kind == "instance":
        context["ec2RoleDelivery"] = "2.0"
    identity = {
        "type": "AssumedRole",
        "principalId": f"{role.role_id}:{session_name}",
        "arn": arn,
        "accountId": role.account_id,
        **({"accessKeyId": key_id} if key_id else {}),
        "sessionContext": context,
        **(extra or {}),
    }
    return Credential(kind, identity, role.account_id, arn, owner, key_id, parent, made_by)


def root(
    account_id: str, key_id: str, since: int | None, *, mfa: bool, made_by: str | None = None
) -> Credential:
    """The root user: of a console session, or of a long-term key when there is no session (`since` None)."""
    arn = f"arn:aws:iam::{account_id}:root"
    identity: dict[str, Any] = {
        "type": "Root",
        "principalId": account_id,
        "arn": arn,
        "accountId": account_id,
        "accessKeyId": key_id,
    }
    if since is not None:
        identity["sessionContext"] = {"attributes": _attributes(since, mfa=mfa)}
    return Credential("root", identity, account_id, arn, "root", key_id, None, made_by)


def service(name: str, account_id: str) -> Caller:
    """An AWS service on its own behalf: neither key nor account in the identity."""
    credential = Credential("service", {"type": "AWSService", "invokedBy": name}, account_id, name, name)
    return Caller(credential, Client(name, name, "aws"))


def aws_on_behalf_of(account_id: str, invoked_by: str) -> Caller:
    """Events that a service writes about itself: an identity without a type."""
    identity = {"accountId": account_id, "invokedBy": invoked_by}
    credential = Credential("service", identity, account_id, invoked_by, invoked_by)
    return Caller(credential, Client(invoked_by, invoked_by, "aws"))


def seen_from_abroad(credential: Credential) -> Credential:
    """The same caller as the log of another account shows it: AWSAccount, without ARN and key."""
    identity = {
        "type": "AWSAccount",
        "principalId": credential.identity["principalId"],
        "accountId": credential.account_id,
    }
    return replace(credential, kind="outsider", identity=identity)


def outsider(account_id: str, principal_id: str) -> Credential:
    """A caller of an account whose logs nobody here can read."""
    identity = {"type": "AWSAccount", "principalId": principal_id, "accountId": account_id}
    return Credential("outsider", identity, account_id, f"arn:aws:iam::{account_id}:root", account_id)


def _user(name: str, user_id: str, account_id: str, arn: str, key_id: str) -> dict[str, Any]:
    return {
        "type": "IAMUser",
        "principalId": user_id,
        "arn": arn,
        "accountId": account_id,
        "accessKeyId": key_id,
        "userName": name,
    }


def _attributes(since: int, *, mfa: bool) -> dict[str, str]:
    return {"creationDate": iso(since), "mfaAuthenticated": "true" if mfa else "false"}
