"""Questions of permission under /v1: from the wire, to a question, to the wire."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.answers import Reference, Shape, Time
from api.asking import check_account, check_words, context_keys, moment, the_action, the_resource
from api.reads import Ledger, document, told

router = APIRouter(prefix="/v1")
EXAMPLE_ARN = "arn:aws:iam::210987654321:user/ci-deploy"


class ExplainQuestion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    principal: str = Field(description="ARN, name, unique id or access key", examples=["ci-deploy"])
    action: str = Field(examples=["iam:CreateUser"])
    resource: str | None = Field(None, examples=["arn:aws:iam::210987654321:user/svc-datasync"])
    context: list[str] = Field([], description="KEY=VALUE", examples=[["aws:SourceIp=203.0.113.66"]])
    at: str | None = Field(None, description="at this time; else now", examples=["2026-03-17T13:46:00Z"])
    account: str | None = Field(None, examples=["210987654321"])


class BlameQuestion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    depth: int = Field(0, ge=0, le=32, description="how often to ask why whoever granted it could")


class Grant(BaseModel):
    """An edge that gives permission, and the entry that made it; `because` with a depth."""

    entry: int | None
    account: str
    eventID: str | None
    eventName: str | None
    actor: str | None
    eventTime: Time | None
    sourceIP: str | None
    kind: str = Field(examples=["attachment"])
    about: str
    holder: str = Field(examples=[EXAMPLE_ARN])


class Statement(BaseModel):
    policy: str
    policyArn: str | None
    layer: str = Field(examples=["identity"])
    version: str | None = Field(examples=["v8"])
    index: int
    sid: str | None
    effect: str
    grants: list[Grant]
    ways: list[list[Grant]]


class Untold(Shape):
    kind: str = Field(examples=["conditionKey"])
    about: str = Field(examples=["aws:sourceip"])


class Explained(BaseModel):
    decision: str | None = Field(examples=["allowed"])
    statements: list[Statement]
    missing: list[str]
    inferred: bool
    unknown: list[Untold]
    possible: list[Statement]


class Explanation(Explained):
    principal: str = Field(examples=[EXAMPLE_ARN])
    action: str
    resource: str | None
    at: Time
    semantics: int


class BlameAnswer(Explained):
    event: Reference
    outcome: str
    action: str | None
    resource: str | None
    agreement: str = Field(description="how the inferred decision stands to what AWS did")
    credential: list[dict[str, Any]]
    besides: list[dict[str, Any]]


@router.get("/explain", responses=document(Explanation))
def read_explain(asked: Annotated[ExplainQuestion, Query()], ledger: Ledger) -> Response:
    """Whether it would have been allowed, then, and why: every statement, and who granted it."""
    at = int(time.time()) if asked.at is None else moment("at", asked.at)
    if asked.account is not None:
        check_account(asked.account)
    return told(
        ledger.permissions.explain(
            check_words("principal", asked.principal),
            the_action(asked.action),
            None if asked.resource is None else the_resource(asked.resource),
            at=at,
            context=context_keys(asked.context),
            account=asked.account,
        )
    )


@router.get("/events/{id}/blame", responses=document(BlameAnswer))
def read_blame(id: str, asked: Annotated[BlameQuestion, Query()], ledger: Ledger) -> Response:
    """With what permission a call was made: which statement, through which grants, by whom, when, from where."""
    return told(ledger.permissions.blame_event(check_words("id", id), depth=asked.depth))
