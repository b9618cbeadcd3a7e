"""The parameters of each route. A misspelt filter must not mean "no filter", so what is unknown is refused."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.asking import LIMIT, LIMIT_MAX

Order = Literal["newest", "oldest"]


class Nothing(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


class OfAccount(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: str | None = Field(
        None, description="twelve digits; may be left out where there is one", examples=["210987654321"]
    )


class Within(BaseModel):
    """An interval of time."""

    model_config = ConfigDict(extra="forbid")

    since: str | None = Field(
        None, alias="from", description="from this time on", examples=["2026-03-17T13:00:00Z"]
    )
    until: str | None = Field(
        None, alias="to", description="up to and without this time", examples=["2026-03-17T15:00:00Z"]
    )


class Paged(Within):
    after: str | None = Field(None, description="`next` of the page before", examples=["210987654321:4711"])
    limit: int = Field(LIMIT, ge=1, le=LIMIT_MAX, description="entries of a page")

    def words(self) -> dict[str, Any]:
        return self.model_dump()


class EventsQuestion(Paged):
    principal: str | None = Field(None, description="ARN, name or unique id", examples=["ci-deploy"])
    access_key: str | None = Field(None, alias="accessKey", examples=["AKIATCH6YDSY5EZ6PFWP"])
    action: str | None = Field(None, examples=["iam:CreateUser", "iam:Create*"])
    service: str | None = Field(None, examples=["iam"])
    resource: str | None = Field(None, description="ARN, pattern or name", examples=["svc-datasync"])
    source_ip: str | None = Field(
        None, alias="sourceIP", description="address, CIDR or service", examples=["185.220.101.0/24"]
    )
    user_agent: str | None = Field(None, alias="userAgent", description="a part of it, or a pattern")
    error: str | None = Field(None, examples=["AccessDenied"])
    outcome: Literal["succeeded", "failed", "denied"] | None = Field(
        None, description="`failed` is any error, denials included"
    )
    read_only: bool | None = Field(None, alias="readOnly")
    session: str | None = Field(None, examples=["LarkspurBreakGlass/ops-review"])
    account: str | None = Field(None, examples=["210987654321"])
    text: str | None = Field(None, description="anywhere in request, response or message")
    order: Order = "newest"


class ActivityQuestion(Paged):
    account: str | None = Field(None, examples=["210987654321"])
    order: Order = "oldest"


class StateQuestion(OfAccount):
    at: str | None = Field(None, description="at this time; else now", examples=["2026-03-17T12:05:00Z"])
    kind: str | None = Field(None, examples=["user"])
    name: str | None = Field(None, description="its name, ARN or unique id", examples=["ci-deploy"])


class DiffQuestion(OfAccount):
    since: str = Field(alias="from", examples=["2026-03-17T12:05:00Z"])
    until: str = Field(alias="to", examples=["2026-03-17T12:30:00Z"])


class KeyQuestion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: str | None = Field(None, description="what is new from this time on is marked")


class LineageQuestion(Within):
    pass


class FindingsQuestion(Within):
    account: str | None = Field(None, examples=["210987654321"])
    kind: str | None = Field(None, description="only findings of this kind")


class ProofQuestion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    body: bool = Field(True, description="whether to tell the record that the leaf commits to")


class ConsistencyQuestion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    old: int = Field(alias="from", ge=1, le=2**63 - 1, description="the size that the log once had")
    new: int | None = Field(
        None, alias="to", ge=1, le=2**63 - 1, description="the size that it had later; now, if left out"
    )
