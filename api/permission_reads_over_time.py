"""`GET /v1/who-can`: who could do something, when, by what, and whether they did."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.asking import check_account, context_keys, the_action, the_resource, when
from api.questions import OfAccount, Within
from api.reads import Ledger, told

router = APIRouter(prefix="/v1")


class WhoCanQuestion(Within, OfAccount):
    action: str = Field(examples=["s3:GetObject"])
    resource: str = Field(examples=["arn:aws:s3:::larkspur-finance/payroll/2025-04.csv"])
    at: str | None = Field(None, description="at this time; else now", examples=["2026-03-17T13:50:00Z"])
    context: list[str] = Field(default_factory=list, description="condition keys, KEY=VALUE each")


class Interval(BaseModel):
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    able: str = Field(description="`yes`; `perhaps` where what nobody told decides")
    opened: dict[str, Any] | None = Field(description="the event that did; null where it began before")
    closed: dict[str, Any] | None
    statements: list[dict[str, Any]]
    possible: list[dict[str, Any]]
    missing: list[str]
    unknown: list[dict[str, Any]]
    calls: dict[str, Any]


class Able(BaseModel):
    principal: str
    kind: str
    id: str | None
    account: str | None
    intervals: list[Interval]


class WhoCanAnswer(BaseModel):
    action: str
    resource: str
    account: str
    principals: list[Able]
    otherCalls: list[dict[str, Any]]
    unknown: list[dict[str, Any]]
    semantics: int


@router.get("/who-can", responses={200: {"model": WhoCanAnswer}})
def read_who_can(asked: Annotated[WhoCanQuestion, Query()], ledger: Ledger) -> Response:
    """Who could do it at a time or over an interval, by what, and whether they did."""
    times = when(asked.at, asked.since, asked.until, now=int(time.time()))
    if asked.account is not None:
        check_account(asked.account)
    return told(
        ledger.permissions.who_can(
            the_action(asked.action),
            the_resource(asked.resource),
            **times,
            context=context_keys(asked.context),
            account=asked.account,
        )
    )
