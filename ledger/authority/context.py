"""The condition context of a live call: what its record tells (`ledger.calls`), and what only the moment knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson
from immutables import Map

from ledger.account.account import Account
from ledger.account.entities import EMPTY, Role, Tag, User
from ledger.authority.recording import Surroundings
from ledger.calls.recorded_context import REMEMBERED_LENGTH_MAX, of_caller, of_request, of_time
from ledger.iam.deciding import Bearer
from ledger.iam.ec2_instances import instance_arn
from ledger.policy.aws_actions import condition_keys
from ledger.policy.request import account_in
from ledger.record import Record, read_record

KEPT_MAX: Final = 4_096  # callers, each with one address and one agent; and questions
BOUNDARY_KEY: Final = "iam:permissionsboundary"


def whose(by: Bearer, around: Surroundings) -> tuple[object, ...]:
    """What tells who calls with which access key, and whence."""
    session = None if by.session is None else by.session.position
    caller = by.access_key_id, by.caller.arn, session
    return *caller, around.source_ip, around.user_agent, around.region, around.secure


class Contexts:
    """The condition keys of live calls, in lower case.

    Those that depend neither on the time nor on what is asked for are kept: reading them costs more than the decision.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], dict[str, tuple[str, ...]]] = {}
        self._at = 0  # of the latest call
        self._time: dict[str, tuple[str, ...]] = {}  # what is told of that second
        self._account: Account | None = None
        self._asked: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}

    def of_caller(
        self, document: dict[str, Any], at: int, account: Account, by: Bearer, surroundings: Surroundings
    ) -> dict[str, tuple[str, ...]]:
        """Who calls, when and whence, but for what follows from the caller alone. `at` is the time of the record."""
        place = whose(by, surroundings)
        found = self._kept.get(place)
        if found is None:
            told = _lower(of_caller(read_record(document)))
            found = {key: values for key, values in told.items() if key not in by.caller.values}
            found["aws:securetransport"] = ("true" if surroundings.secure else "false",)
            if by.access_key_id is not None:  # nothing short tells other callers from one another
                if len(self._kept) >= KEPT_MAX:
                    self._kept.clear()
                self._kept[place] = found
        if at != self._at:
            self._at, self._time = at, _lower(of_time(at, mfa_since=None))
        told = {**found, **self._time}
        if by.session is not None and by.mfa:
            told |= _lower(of_time(at, mfa_since=by.session.time))
        instance = _source_instance(document, account)
        if instance is not None:
            told["ec2:sourceinstancearn"] = (instance,)
        return told

    def of_question(
        self, record: Record, action: str, resource: str, account: Account
    ) -> Mapping[str, tuple[str, ...]]:
        """Of a record in which no outcome stands yet, what depends on what is asked for; the account is the resource's,
        where that is known.

        Kept while the account stays the same value, whoever asks.
        """
        if account is not self._account:
            self._account, self._asked = account, {}
        # as text, for it is remembered, and bytes that orjson has made keep the 4 KiB they were made in
        request = orjson.dumps(record.document["requestParameters"]).decode()
        place = record.action, action, resource, request
        found = self._asked.get(place)
        if found is None:
            found = _of_question(record.action, request, action, resource, account)
            if len(request) <= REMEMBERED_LENGTH_MAX:
                if len(self._asked) >= KEPT_MAX:
                    self._asked.clear()
                self._asked[place] = found
        return found


def _of_question(
    called: str, request: str, action: str, resource: str, account: Account
) -> dict[str, tuple[str, ...]]:
    tags = {tag.key: tag.value for tag in tags_of(account, resource).values()}
    told = _lower(of_request(request, called=called, action=action, resource_tags=tags))
    if BOUNDARY_KEY not in told and BOUNDARY_KEY in _keys(action):
        boundary = boundary_of(account, resource)
        if boundary is not None:
            told[BOUNDARY_KEY] = (boundary,)
    return told


def _lower(told: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {key.lower(): values for key, values in told.items()}


def _source_instance(document: dict[str, Any], account: Account) -> str | None:
    """The ARN of the EC2 instance that the session's credentials were delivered to: the session is named after it."""
    identity = document["userIdentity"]
    if "ec2RoleDelivery" not in identity.get("sessionContext", {}):
        return None
    there = account.workloads.get(identity["arn"].rpartition("/")[2])
    return None if there is None else instance_arn(account, there.id, there.availability_zone)


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
    """The tags of the entity of the account that an ARN names; none where it names none."""
    if account_in(arn) not in (None, account.id):
        return EMPTY
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
