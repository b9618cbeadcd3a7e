"""`/v1/access`: everything that a principal could do at a time."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.asking import check_account, check_words, moment
from api.questions import OfAccount
from api.reads import Ledger, document, told

router = APIRouter(prefix="/v1")


class AccessQuestion(OfAccount):
    at: str | None = Field(None, description="at this time; else now", examples=["2026-03-17T13:06:00Z"])


class AccessAnswer(BaseModel):
    """Permissions in order of risk, each with its statements and their grants."""

    principal: str
    account: str
    at: str
    risk: str | None = Field(description="null where nobody told what was granted", examples=["escalates"])
    permissions: list[dict[str, Any]]
    denies: list[dict[str, Any]]
    withheld: list[dict[str, Any]] = Field(description="what allows nothing, for something keeps all of it")
    boundary: str | None
    always: list[str] = Field(description="actions that need no permission")
    escalations: list[dict[str, Any]] = Field(description="ways to raise its own permission")
    roles: list[dict[str, Any]] = Field(description="roles within reach, hop by hop")
    beyond: list[str] = Field(description="patterns of roles in accounts whose logs are not here")
    unknown: list[dict[str, str]]


@router.get("/access/{principal:path}", responses=document(AccessAnswer))
def read_access(principal: str, asked: Annotated[AccessQuestion, Query()], ledger: Ledger) -> Response:
    """Everything that a principal could do at a time, in order of risk, and the roles it could reach."""
    at = int(time.time()) if asked.at is None else moment("at", asked.at)
    if asked.account is not None:
        check_account(asked.account)
    return told(ledger.permissions.access(check_words("principal", principal), at=at, account=asked.account))
