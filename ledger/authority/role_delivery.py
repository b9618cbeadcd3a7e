"""Credentials for machines: the service that runs a workload assumes its role for it, again and again.

Source: Amazon EC2 user guide, "Retrieve security credentials from instance metadata"; Amazon ECS developer guide, "Task IAM
role"; the entries are those that EC2 and ECS leave in CloudTrail.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ledger.account.account import Account
from ledger.account.entities import InstanceProfile, ProfileAssociation, Role, TaskRole, Workload
from ledger.authority.authority import Authority, Request
from ledger.authority.recording import EC2, REGION, Surroundings
from ledger.iam.deciding import Bearer
from ledger.iam.issuing import role_of_arn
from ledger.iam.refusals import Refusal
from ledger.policy.request import caller_of

ECS_TASKS: Final = "ecs-tasks.amazonaws.com"
SESSION_SECONDS: Final = 6 * 3600
INSTANCE_SESSION_SECONDS_MIN: Final = 3600

# botocore takes a metadata service that gives it less than this for disturbed, and goes on with the old credentials beyond
# their end. AWS promises new ones five minutes before that.
RENEWED_AHEAD_SECONDS: Final = 1200
REFUSED_AGAIN_SECONDS: Final = 60  # a workload that asks all the time is not to fill the log


class NoWorkload(LookupError):
    """There is no such workload, or more than one."""


class NoRole(LookupError):
    """The workload has no role to act as."""


class NotDelivered(Exception):
    """The service may not assume the role; `refusal` is what it was told."""

    def __init__(self, role: Role, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.role, self.refusal = role, refusal


@dataclass(frozen=True, slots=True)
class Delivered:
    """Credentials of a role session. Times are seconds since 1970."""

    role: Role
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    issued: int
    expiration: int


@dataclass(frozen=True, slots=True)
class _Refused:
    role: Role
    refusal: Refusal
    at: float


def workload_of(account: Account, named: str) -> Workload:
    """The workload of this name or id; raises NoWorkload."""
    found = account.workloads.get(named)
    if found is not None:
        return found
    namesakes = [it for it in account.workloads.values() if it.name == named]
    if len(namesakes) > 1:
        ids = ", ".join(sorted(it.id for it in namesakes))
        raise NoWorkload(f"{len(namesakes)} workloads are called {named!r}; say which: {ids}")
    if not namesakes:
        raise NoWorkload(f"no workload is called {named!r}")
    return namesakes[0]


def profile_of(account: Account, workload: Workload) -> InstanceProfile | None:
    """The instance profile of an instance, if there still is that very one."""
    runs_as = workload.runs_as
    if not isinstance(runs_as, ProfileAssociation):
        return None
    found = account.instance_profile_named(runs_as.profile_arn.rpartition("/")[2])
    if found is None or found.arn != runs_as.profile_arn or runs_as.profile_id not in (None, found.id):
        return None
    return found


def role_of(account: Account, workload: Workload) -> Role:
    """The role that the workload acts as now; raises NoRole."""
    if isinstance(workload.runs_as, TaskRole):
        role = role_of_arn(account, workload.runs_as.role_arn)
        if role is None:
            raise NoRole(f"there is no role {workload.runs_as.role_arn}")
        return role
    profile = profile_of(account, workload)
    if profile is None:
        raise NoRole(f"{workload.id} has no instance profile")
    for role_id in profile.roles:
        return account.roles[role_id]
    raise NoRole(f"the instance profile {profile.name} has no role")


class RoleDelivery:
    """Hands the workloads of an account their credentials, and renews these in good time; may be asked by many threads.

    `session_seconds`: how long credentials last. They are renewed when a quarter of that is left, twenty minutes at least;
    of sessions shorter than forty minutes, when half is left.
    """

    def __init__(
        self,
        authority: Authority,
        account_id: str,
        *,
        session_seconds: int = SESSION_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._account_id = account_id
        self._seconds = session_seconds
        self._ahead = min(max(session_seconds // 4, RENEWED_AHEAD_SECONDS), session_seconds // 2)
        self._clock = clock
        self._lock = threading.Lock()
        self._delivered: dict[str, Delivered] = {}
        self._refused: dict[str, _Refused] = {}

    def account(self) -> Account:
        """As it stands now."""
        return self._authority.look(self._account_id)[0]

    def credentials(self, named: str) -> Delivered:
        """Credentials that work for a while yet. Each issuance is an entry, and each refusal.

        Raises NoWorkload, NoRole, NotDelivered.
        """
        with self._lock:
            account = self.account()
            workload = workload_of(account, named)
            role = role_of(account, workload)
            now = self._clock()
            there = self._delivered.get(workload.id)
            if there is not None and there.role.id == role.id and now < there.expiration - self._ahead:
                return there
            refused = self._refused.get(workload.id)
            if refused is not None and refused.role == role and 0 <= now - refused.at < REFUSED_AGAIN_SECONDS:
                raise NotDelivered(role, refused.refusal)
            return self._issue(workload, role, now)

    def _issue(self, workload: Workload, role: Role, now: float) -> Delivered:
        service = EC2 if workload.is_instance else ECS_TASKS
        request = Request(
            self._account_id,
            "sts:AssumeRole",
            {
                "RoleArn": role.arn,
                "RoleSessionName": workload.id.rpartition("/")[2],
                "DurationSeconds": self._seconds,
            },
            Surroundings(service, service, str(uuid.uuid4()), region_of(workload), secure=True),
            None,
            by=Bearer(caller_of(service)),
        )
        told = self._authority.call(request)
        if told.refusal is not None:
            self._delivered.pop(workload.id, None)
            self._refused[workload.id] = _Refused(role, told.refusal, now)
            raise NotDelivered(role, told.refusal)
        self._refused.pop(workload.id, None)
        given = told.output["Credentials"]
        delivered = Delivered(
            role,
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
            int(now),
            given["Expiration"],
        )
        self._delivered[workload.id] = delivered
        return delivered


def region_of(workload: Workload) -> str:
    """The region where it runs: that of its zone, or in its ARN."""
    if workload.availability_zone is not None:
        return workload.availability_zone[:-1]
    parts = workload.id.split(":")
    return parts[3] if len(parts) > 3 else REGION
