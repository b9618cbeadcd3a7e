"""The condition context of a live call: what its record tells (`ledger.calls`), and what only the moment knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from immutables import Map

from ledger.account.account import Account
from ledger.account.entities import EMPTY, Role, Tag, User
from ledger.authority.recording import Surroundings
from ledger.calls.recorded_context import context_of
from ledger.iam.ec2_instances import instance_arn
from ledger.policy.aws_actions import condition_keys
from ledger.policy.request import Caller
from ledger.record import Record

BOUNDARY_KEY: Final = "iam:PermissionsBoundary"


def live_context(
    record: Record, action: str, resource: str, account: Account, caller: Caller, surroundings: Surroundings
) -> dict[str, tuple[str, ...]]:
    """The condition keys of the question, but for those that follow from who calls."""
    tags = {tag.key: tag.value for tag in tags_of(account, resource).values()}
    told = context_of(record, action=action, resource_tags=tags).values
    context = {key: values for key, values in told.items() if key.lower() not in caller.values}
    context["aws:SecureTransport"] = ("true" if surroundings.secure else "false",)
    if BOUNDARY_KEY not in context and BOUNDARY_KEY.lower() in _keys(action):
        boundary = boundary_of(account, resource)
        if boundary is not None:
            context[BOUNDARY_KEY] = (boundary,)
    instance = _source_instance(record, account)
    if instance is not None:
        context["ec2:SourceInstanceARN"] = (instance,)
    return context


def _source_instance(record: Record, account: Account) -> str | None:
    """The ARN of the EC2 instance that the session's credentials were delivered to: the session is named after it."""
    session = record.document["userIdentity"].get("sessionContext", {})
    there = account.workloads.get(record.identity.session_name or "")
    if "ec2RoleDelivery" not in session or there is None:
        return None
    return instance_arn(account, there.id, there.availability_zone)


@lru_cache(maxsize=1_024)
def _keys(action: str) -> frozenset[str]:
    return frozenset(key.lower() for key in condition_keys(action))


def boundary_of(account: Account, arn: str) -> str | None:
    """The ARN of the policy that bounds the user or role of this ARN."""
    noun, _, rest = arn.rpartition(":")[2].partition("/")
    name = rest.rpartition("/")[2]
    found: User | Role | None = None
    if noun == "user":
        found = account.user_named(name)
    elif noun == "role":
        found = account.role_named(name)
    return None if found is None or found.boundary is None else found.boundary.policy_arn


def tags_of(account: Account, arn: str) -> Map[str, Tag]:
    """The tags of the entity that an ARN names; none where it names none."""
    parts = arn.split(":", 5)
    noun, _, rest = parts[-1].partition("/")
    name = rest.rpartition("/")[2]
    match noun:
        case "user":
            user = account.user_named(name)
            return EMPTY if user is None else user.tags
        case "role":
            role = account.role_named(name)
            return EMPTY if role is None else role.tags
        case "policy":
            policy = account.policy(arn)
            return EMPTY if policy is None else policy.tags
        case "instance-profile":
            profile = account.instance_profile_named(name)
            return EMPTY if profile is None else profile.tags
        case "server-certificate":
            certificate = account.server_certificate_named(name)
            return EMPTY if certificate is None else certificate.tags
    shelves: tuple[Mapping[str, object], ...] = (
        account.mfa_devices,
        account.saml_providers,
        account.oidc_providers,
    )
    for shelf in shelves:
        found = shelf.get(arn)
        if found is not None:
            tags: Map[str, Tag] = getattr(found, "tags", EMPTY)
            return tags
    return EMPTY
