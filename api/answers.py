"""The shapes of answers, as the OpenAPI document shows them. Answers are not checked against them on the way out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.unknown_callers import Reason

Time = str
EXAMPLE_TIME = "2026-03-17T13:26:48Z"


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Reference(Shape):
    """What it takes to name an entry."""

    account: str = Field(examples=["210987654321"])
    position: int
    eventID: str = Field(examples=["706846f8-33c3-4e14-9ab3-3d88dbf7524d"])
    eventName: str = Field(examples=["CreatePolicyVersion"])
    time: Time = Field(examples=[EXAMPLE_TIME])
    actor: str


class Line(Shape):
    """An entry, with what was read off its record beside it."""

    account: str = Field(examples=["210987654321"])
    position: int
    recordedAt: Time
    time: Time = Field(examples=[EXAMPLE_TIME])
    eventID: str
    action: str = Field(examples=["iam:CreatePolicyVersion"])
    actor: str
    actorType: str
    principal: str | None
    accessKey: str | None
    sourceIP: str | None
    userAgent: str | None
    error: str | None
    errorMessage: str | None
    outcome: Literal["succeeded", "failed", "denied"]
    readOnly: bool
    region: str | None
    resources: list[str]
    record: dict[str, Any] = Field(description="the CloudTrail record")


class EventsPage(Shape):
    events: list[Line]
    next: str | None = Field(description="the cursor of the next page", examples=["210987654321:4711"])


class Hop(BaseModel):
    """One step from a credential back to who opened it."""

    credential: str | None
    session: str | None
    principal: str | None
    type: str
    openedBy: Reference | None
    time: Time | None
    sourceIP: str | None
    userAgent: str | None
    mfa: bool | None
    assumed: list[str] = Field(description="why a step is not certain")


class Difference(Shape):
    kind: str = Field(examples=["policy"])
    name: str
    id: str | None
    change: Literal["created", "changed", "deleted"]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    entry: Reference | None
    entries: list[Reference]


class DifferenceLine(Difference):
    pass


class Who(BaseModel):
    label: str
    human: str | None
    chain: list[Hop]


class Result(Shape):
    outcome: str
    error: str | None
    message: str | None


class EventAnswer(BaseModel):
    entry: Line
    who: Who
    result: Result
    changed: list[Difference]
    authorization: dict[str, Any] | None = Field(
        description="the decision that was stored with the call; null where none was made here"
    )


class ErasedEntry(Shape):
    account: str = Field(examples=["210987654321"])
    position: int
    recordedAt: Time
    eventID: str | None = Field(description="null where it may have told of somebody")


class Erasure(Shape):
    by: Reference
    operator: str
    reason: str


class ErasedAnswer(Shape):
    """Of an event whose record was erased."""

    entry: ErasedEntry
    erased: Erasure
    leafHash: str


class Credential(BaseModel):
    accessKey: str | None
    kind: str
    via: list[Hop]


class PrincipalLine(BaseModel):
    account: str
    type: str
    name: str | None
    arn: str | None
    id: str | None
    firstSeen: Time | None
    lastSeen: Time | None
    calls: int
    denied: int
    keys: list[Any]


class ActivityPage(BaseModel):
    principal: PrincipalLine
    credentials: list[Credential]
    events: list[dict[str, Any]] = Field(description="as in /v1/events, with `as`: the session or user")
    next: str | None


class StateAnswer(BaseModel):
    """Members are named as GetAccountAuthorizationDetails names them."""

    account: str
    users: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    roles: list[dict[str, Any]]
    policies: list[dict[str, Any]]


class EntityAnswer(RootModel[dict[str, Any]]):
    """One entity, with the members that GetAccountAuthorizationDetails gives its kind."""


class VersionLine(BaseModel):
    since: Time
    change: Literal["created", "changed", "deleted"]
    entry: Reference | None
    document: dict[str, Any] | None


class HistoryAnswer(BaseModel):
    kind: str
    name: str
    id: str
    versions: list[VersionLine]


class Made(BaseModel):
    kind: str
    name: str
    id: str | None
    entry: Reference | None
    exists: bool
    endedBy: Reference | None
    assumed: list[str]
    calls: int | None = Field(None, description="made with it, where it can call")
    made: list[Made] = Field(description="what it went on to create")


class KeyAnswer(BaseModel):
    accessKey: str
    account: str | None
    owner: dict[str, Any] | None
    createdBy: Reference | None
    createdAt: Time | None
    status: Literal["Active", "Inactive", "Deleted", "Unknown"]
    statusHistory: list[dict[str, Any]]
    firstUsed: Time | None
    lastUsed: Time | None
    calls: int
    denied: int
    failed: int
    addresses: list[dict[str, Any]]
    agents: list[dict[str, Any]]
    services: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    deniedCalls: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    created: list[Made]


class LineageAnswer(BaseModel):
    root: dict[str, Any]
    made: list[Made]
    changed: list[dict[str, Any]]


class Finding(BaseModel):
    kind: str
    severity: str
    title: str
    account: str
    time: Time
    subject: Any
    detail: dict[str, Any]
    entries: list[Reference]


class AccountLine(Shape):
    account: str
    entries: int
    firstEvent: Time
    lastEvent: Time


class UnknownCallersAnswer(Shape):
    since: Time = Field(description="when the process began to count")
    calls: dict[Reason, int]
