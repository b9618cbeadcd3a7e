"""What it takes to ask the ledger itself: each question of the read API needs a permission, and is an entry.

The resource is `arn:aws:iam-ledger:::account/NUMBER` where a question names an account, else `*`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api import (
    evidence_reads,
    permission_reads,
    permission_reads_access,
    permission_reads_over_time,
    questions,
)
from api.guard.questions import Decision
from api.guard.rules import Rule, Rules
from ledger.iam.root import CREATE_ACCOUNT
from ledger.log import Log

SERVICE: Final = "iam-ledger"
OTHERS: Final = "this ledger keeps accounts besides yours: ask about your own by its number, in `account` or as ACCOUNT:POSITION"
_ARN: Final = f"arn:aws:{SERVICE}:::account/"
_PLACE: Final = re.compile(r"(\d{1,12}):\d+", re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{1,12}", re.ASCII)


def of_account(elements: Mapping[str, Any]) -> str | None:
    """The account that is asked about; `*` where none is named."""
    told = elements.get("account")
    if told is None:
        return "*"
    return f"{_ARN}{told:0>12}" if isinstance(told, str) and _ACCOUNT.fullmatch(told) else None


def of_event(elements: Mapping[str, Any]) -> str | None:
    """An event that is named by its place names an account."""
    found = _PLACE.fullmatch(str(elements.get("id", "")))
    return "*" if found is None else f"{_ARN}{found[1]:0>12}"


def of_api(elements: Mapping[str, Any]) -> str:
    return f"arn:aws:{SERVICE}:::api"


def _get(
    path: str,
    name: str,
    model: type[BaseModel] = questions.Nothing,
    *,
    of: Callable[[Mapping[str, Any]], str | None] | None = None,
) -> Rule:
    asked = [field.alias or name for name, field in model.model_fields.items()]
    places = re.findall(r"\{(\w+)", path)
    resource = of or (of_account if "account" in asked else "*")
    return Rule("GET", path, f"{SERVICE}:{name}", resource, request=(*places, *asked), read_only=True)


RULES: Final = Rules(
    [
        _get("/openapi.json", "DescribeApi", of=of_api),
        _get("/v1/events", "LookupEvents", questions.EventsQuestion),
        _get("/v1/events/{id}", "GetEvent", of=of_event),
        _get("/v1/events/{id}/blame", "BlameEvent", permission_reads.BlameQuestion, of=of_event),
        _get("/v1/activity/{principal:path}", "LookupActivity", questions.ActivityQuestion),
        _get("/v1/state", "GetState", questions.StateQuestion),
        _get("/v1/diff", "CompareStates", questions.DiffQuestion),
        _get("/v1/history/{kind}/{name:path}", "GetHistory", questions.OfAccount),
        _get("/v1/keys/{id}", "GetKey", questions.KeyQuestion),
        _get("/v1/lineage/{name:path}", "GetLineage", questions.LineageQuestion),
        _get("/v1/findings", "ListFindings", questions.FindingsQuestion),
        _get("/v1/principals", "ListPrincipals", questions.OfAccount),
        _get("/v1/accounts", "ListAccounts"),
        _get("/v1/unknown-callers", "CountUnknownCallers", of=of_api),
        _get("/v1/explain", "ExplainPermission", permission_reads.ExplainQuestion),
        _get("/v1/access/{principal:path}", "GetAccess", permission_reads_access.AccessQuestion),
        _get("/v1/who-can", "ListWhoCan", permission_reads_over_time.WhoCanQuestion),
        _get("/v1/evidence", "ProveEntries", evidence_reads.EvidenceQuestion),
        _get("/v1/log/{account}/checkpoint", "GetCheckpoint", of=of_account),
        _get("/v1/log/{account}/tile/{path:path}", "GetTile", of=of_account),
        _get("/v1/log/{account}/proof/{position}", "ProveEntry", questions.ProofQuestion, of=of_account),
        _get(
            "/v1/log/{account}/consistency", "ProveConsistency", questions.ConsistencyQuestion, of=of_account
        ),
    ]
)


def own_account_only(log: Log) -> Callable[[Decision], Awaitable[str | None]]:
    """Accounts that began in this ledger are strangers to each other, whatever the policies of one of them say.

    So who calls may ask about their own, and about those that were imported; and about all at once only where no
    other account began here.
    """
    began: dict[str, bool] = {}

    def of_strangers(decision: Decision) -> str | None:
        resource = str(decision.authorization["resource"])
        asked = resource.removeprefix(_ARN)
        if asked == decision.account_id or not (asked == "*" or resource.startswith(_ARN)):
            return None
        accounts = log.account_ids() if asked == "*" else [asked]
        for account_id in accounts:
            if account_id == decision.account_id:
                continue
            if account_id not in began:
                first = log.entry(account_id, 0)
                if first is None:
                    continue
                began[account_id] = first.record.action == CREATE_ACCOUNT
            if began[account_id]:
                return OTHERS
        return None

    async def admits(decision: Decision) -> str | None:
        return await run_in_threadpool(of_strangers, decision)

    return admits
