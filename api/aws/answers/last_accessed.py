"""Service last accessed details: which services somebody's policies grant, and when each was last used.

A report is no table of ours: its JobId holds the time at which it was asked for, and a digest of who asked for what. So
the call that asked is found in the log again, whatever was restarted since; and only for the one who asked.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from api.aws.answers.access_keys import region_of
from api.aws.answers.reading import reads
from ledger.account.account import Account
from ledger.account.entities import Group, Role, User
from ledger.iam.deciding import Answer, Call, Moment, Resource, anything
from ledger.iam.paging import paged
from ledger.iam.present import check_arn, policy_exists
from ledger.iam.refusals import InvalidInput, NoSuchEntity, ValidationError
from ledger.log.schema import Kind, accounts, entries, strings
from ledger.policy.aws_actions import service_name
from ledger.record import canonical
from projections.investigation import Investigation
from projections.last_uses import Use
from projections.permissions.granted_services import Subject, granted_actions, holders

GENERATE: Final = "iam:GenerateServiceLastAccessedDetails"
SERVICE_LEVEL, ACTION_LEVEL = "SERVICE_LEVEL", "ACTION_LEVEL"
TIME_BYTES = 4
CLOCK_SECONDS = 60  # between what is decided and what is recorded

Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    arn: str
    level: str
    time: int

    @property
    def dates(self) -> Told:
        """A report is made when it is read, so it is complete as soon as it was asked for."""
        return {"JobStatus": "COMPLETED", "JobCreationDate": self.time, "JobCompletionDate": self.time}


def named_in(member: str) -> Resource:
    def of(account: Account, call: Call) -> str:
        return str(call.get(member, ""))

    return of


@reads(GENERATE, on=named_in("Arn"))
def generate_service_last_accessed_details(
    ledger: Investigation, account: Account, call: Call, moment: Moment
) -> Answer:
    _subject(account, call["Arn"], moment.time)
    job = Job(call["Arn"], call.get("Granularity", SERVICE_LEVEL), moment.time)
    return Answer({"JobId": job_id(account, call, job)})


@reads("iam:GetServiceLastAccessedDetails", on=anything)
def get_service_last_accessed_details(
    ledger: Investigation, account: Account, call: Call, moment: Moment
) -> Answer:
    """Services by namespace. What is granted is as of now; every recorded call counts, whatever became of it."""
    job = _job(ledger, account, call)
    subject = _subject(account, job.arn, moment.time)
    granted = granted_actions(account, subject, moment.time)
    page = paged(call, "ServicesLastAccessed", granted, lambda it: it, lambda it: it)
    used = _Used(ledger, holders(account, subject), page["ServicesLastAccessed"], job.level)
    told = [used.service(service, granted[service]) for service in page["ServicesLastAccessed"]]
    return Answer({**job.dates, "JobType": job.level, **page, "ServicesLastAccessed": told})


@reads("iam:GetServiceLastAccessedDetailsWithEntities", on=anything)
def get_service_last_accessed_details_with_entities(
    ledger: Investigation, account: Account, call: Call, moment: Moment
) -> Answer:
    """Who could have used the service by these policies; the latest use first, then those who never did."""
    job = _job(ledger, account, call)
    subject = _subject(account, job.arn, moment.time)
    service = call["ServiceNamespace"]
    people: list[User | Role] = []
    if service in granted_actions(account, subject, moment.time):
        people = holders(account, subject)
    last: dict[str, int] = {}
    for use in ledger.last_uses.uses([holder.id for holder in people]):
        if service_of(use) == service:
            last.setdefault(use.unique_id, use.time)

    def place(holder: User | Role) -> str:
        return f"{2**32 - last.get(holder.id, 0):010}{holder.name.casefold()} {holder.id}"

    page = paged(call, "EntityDetailsList", people, place, lambda it: _entity(it, last.get(it.id)))
    return Answer({**job.dates, **page})


# ---- what a report tells


class _Used:
    """When these users and roles last used these services and, where the report is of that level, their actions."""

    def __init__(
        self, ledger: Investigation, people: list[User | Role], services: list[str], level: str
    ) -> None:
        self._of_actions = level == ACTION_LEVEL
        self._arns = {holder.id: holder.arn for holder in people}
        self._users: dict[str, set[str]] = {service: set() for service in services}
        self._newest: dict[str, Use] = {}  # by the service, and by the action in lower case
        for use in ledger.last_uses.uses(self._arns):  # the newest first
            service = service_of(use)
            if service in self._users:
                self._users[service].add(use.unique_id)
                self._newest.setdefault(service, use)
                if self._of_actions:
                    self._newest.setdefault(use.action.lower(), use)
        uses = list(self._newest.values())
        told = zip(uses, ledger.last_uses.entries(uses), strict=True)
        self._regions = {use: region_of(entry) for use, entry in told}

    def service(self, service: str, actions: Iterable[str]) -> Told:
        told: Told = {
            "ServiceName": service_name(service) or service,
            "ServiceNamespace": service,
            "TotalAuthenticatedEntities": len(self._users[service]),
        }
        newest = self._newest.get(service)
        if newest is None:
            return told
        told |= _some(
            LastAuthenticated=newest.time,
            LastAuthenticatedEntity=self._arns[newest.unique_id],
            LastAuthenticatedRegion=self._regions[newest],
        )
        if self._of_actions:
            told["TrackedActionsLastAccessed"] = [self._action(service, name) for name in actions]
        return told

    def _action(self, service: str, name: str) -> Told:
        use = self._newest.get(f"{service}:{name}".lower())
        if use is None:
            return {"ActionName": name}
        return _some(
            ActionName=name,
            LastAccessedEntity=self._arns[use.unique_id],
            LastAccessedTime=use.time,
            LastAccessedRegion=self._regions[use],
        )


def service_of(use: Use) -> str:
    return use.action.partition(":")[0]


def _entity(holder: User | Role, last: int | None) -> Told:
    kind = "USER" if isinstance(holder, User) else "ROLE"
    entity = {
        "Arn": holder.arn,
        "Name": holder.name,
        "Type": kind,
        "Id": holder.id,
        "Path": holder.path,
    }
    return _some(EntityInfo=entity, LastAuthenticated=last)


def _some(**members: Any) -> Told:
    return {name: value for name, value in members.items() if value is not None}


# ---- of whom


def _subject(account: Account, arn: str, at: int) -> Subject:
    """Raises InvalidInput for what is no ARN of a user, group, role or policy; NoSuchEntity where it is not there."""
    noun, _, named = arn.partition("::")[2].partition(":")[2].partition("/")
    name = named.rsplit("/", 1)[-1]
    found: User | Group | Role | None
    match noun:
        case "user":
            found = account.user_named(name)
        case "group":
            found = account.group_named(name)
        case "role":
            found = account.role_named(name)
        case "policy":
            return _policy(account, arn, at)
        case _:
            raise InvalidInput(f"ARN {arn} is not valid.")
    if found is None or found.arn != arn:
        raise NoSuchEntity(f"ARN {arn} does not exist.")
    return found


def _policy(account: Account, arn: str, at: int) -> str:
    try:
        check_arn(arn)
    except ValidationError as error:
        raise InvalidInput(error.message) from error
    if not policy_exists(account, arn, at):
        raise NoSuchEntity(f"ARN {arn} does not exist.")
    return arn


# ---- the job, and the call that asked for it


def job_id(account: Account, call: Call, job: Job) -> str:
    """A UUID (RFC 9562, version 8): the time in seconds, then the digest of who asked for what."""
    caller = call.by.caller
    who = caller.unique_id or caller.role_arn or caller.arn
    digest = hashlib.sha256(canonical([account.id, who, job.arn, job.level, job.time])).digest()
    raw = bytearray(job.time.to_bytes(TIME_BYTES, "big") + digest[: 16 - TIME_BYTES])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def _job(ledger: Investigation, account: Account, call: Call) -> Job:
    """The job of a JobId; raises NoSuchEntity where no call of this caller asked for one."""
    told = call["JobId"]
    try:
        time = int.from_bytes(uuid.UUID(told).bytes[:TIME_BYTES], "big")
    except ValueError:
        raise _no_job(told) from None
    for request in _asked_for(ledger, account, time):
        job = Job(str(request.get("arn")), str(request.get("granularity", SERVICE_LEVEL)), time)
        if job_id(account, call, job) == told:
            return job
    raise _no_job(told)


def _asked_for(ledger: Investigation, account: Account, time: int) -> Iterable[Told]:
    """The requests for reports that were recorded about that time."""
    e, s, a = entries.c, strings.c, accounts.c
    action = sa.select(s.id).where(s.kind == Kind.ACTION, s.text == GENERATE).scalar_subquery()
    number = sa.select(a.id).where(a.account_id == account.id).scalar_subquery()
    query = sa.select(e.account, e.position).where(
        e.action == action,
        e.account == number,
        e.error.is_(None),
        e.time.between(time - CLOCK_SECONDS, time + CLOCK_SECONDS),
    )
    with ledger.log.engine.connect() as connection:
        keys = [(account, position) for account, position in connection.execute(query)]
        found = ledger.log.fetch_all(connection, keys)
    return [dict(entry.record.request) for entry in found]


def _no_job(told: str) -> NoSuchEntity:
    return NoSuchEntity(f"The job with id {told} cannot be found.")
