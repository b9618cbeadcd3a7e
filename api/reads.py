"""The read API under /v1: from the wire, to a question, to the wire."""

from __future__ import annotations

import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from api import questions as ask
from api.answers import (
    AccountLine,
    ActivityPage,
    DifferenceLine,
    EntityAnswer,
    ErasedAnswer,
    EventAnswer,
    EventsPage,
    Finding,
    HistoryAnswer,
    KeyAnswer,
    LineageAnswer,
    PrincipalLine,
    StateAnswer,
    UnknownCallersAnswer,
)
from api.asking import check_account, check_words, interval, moment, moments, question
from api.unknown_callers import UnknownCallers
from projections.investigation import Investigation
from projections.vocabulary import BadFilter

router = APIRouter(prefix="/v1")


def _investigation(request: Request) -> Investigation:
    found: Investigation = request.app.state.investigation
    return found


Ledger = Annotated[Investigation, Depends(_investigation)]


def told(answer: Any) -> Response:
    """Straight to bytes: what the ledger told is what is sent, and is not checked again."""
    return Response(orjson.dumps(answer), media_type="application/json")


def document(model: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}}


@router.get("/events", responses=document(EventsPage))
def read_events(asked: Annotated[ask.EventsQuestion, Query()], ledger: Ledger) -> Response:
    """Calls, by any combination of filters."""
    return told(ledger.events(question(**asked.words())))


@router.get("/events/{id}", responses=document(EventAnswer | ErasedAnswer))
def read_event(id: str, asked: Annotated[ask.Nothing, Query()], ledger: Ledger) -> Response:
    """One event whole, by its id or as ACCOUNT:POSITION: who, back to the human, and what it changed."""
    return told(ledger.event(check_words("id", id)))


@router.get("/activity/{principal:path}", responses=document(ActivityPage))
def read_activity(
    principal: str, asked: Annotated[ask.ActivityQuestion, Query()], ledger: Ledger
) -> Response:
    """Everything that a principal did over all their credentials, and as the roles they went on to assume."""
    words = asked.words()
    checked = question(principal=principal, **words | {"order": "newest"})
    words["since"], words["until"] = checked.since, checked.until
    return told(ledger.activity(principal, **words))


@router.get("/state", responses=document(StateAnswer | EntityAnswer))
def read_state(asked: Annotated[ask.StateQuestion, Query()], ledger: Ledger) -> Response:
    """The account as it was at a time; with `kind` and `name`, one entity of it."""
    at = int(time.time()) if asked.at is None else moment("at", asked.at)
    if asked.account is not None:
        check_account(asked.account)
    if (asked.kind is None) != (asked.name is None):
        missing = "kind" if asked.kind is None else "name"
        raise BadFilter(missing, "kind and name go together")
    if asked.kind is None or asked.name is None:
        return Response(ledger.state_bytes(asked.account, at), media_type="application/json")
    return told(ledger.state(asked.account, at, asked.kind, check_words("name", asked.name)))


@router.get("/diff", responses=document(list[DifferenceLine]))
def read_diff(asked: Annotated[ask.DiffQuestion, Query()], ledger: Ledger) -> Response:
    """What differs between the account at two times, with the entry behind each change."""
    begin, end = moments(asked.since, asked.until)
    if asked.account is not None:
        check_account(asked.account)
    return told(ledger.diff(asked.account, begin, end))


@router.get("/history/{kind}/{name:path}", responses=document(list[HistoryAnswer]))
def read_history(kind: str, name: str, asked: Annotated[ask.OfAccount, Query()], ledger: Ledger) -> Response:
    """Every version of an entity, and the entry that made it; several entities may have had one name."""
    if asked.account is not None:
        check_account(asked.account)
    return told(ledger.history(asked.account, kind, check_words("name", name)))


@router.get("/keys/{id}", responses=document(KeyAnswer))
def read_key(id: str, asked: Annotated[ask.KeyQuestion, Query()], ledger: Ledger) -> Response:
    """All about an access key: owner, status, use, addresses, denied calls, sessions, what it created."""
    since = None if asked.since is None else moment("since", asked.since)
    return told(ledger.key(check_words("id", id), since=since))


@router.get("/lineage/{name:path}", responses=document(LineageAnswer))
def read_lineage(name: str, asked: Annotated[ask.LineageQuestion, Query()], ledger: Ledger) -> Response:
    """Everything that an entity, key or session created or changed, what those created, what still exists."""
    begin, end = interval(asked.since, asked.until)
    return told(ledger.lineage(check_words("name", name), since=begin, until=end))


@router.get("/findings", responses=document(list[Finding]))
def read_findings(asked: Annotated[ask.FindingsQuestion, Query()], ledger: Ledger) -> Response:
    """What an investigator should look at, each with the entries it rests on."""
    begin, end = interval(asked.since, asked.until)
    if asked.account is not None:
        check_account(asked.account)
    return told(ledger.findings(asked.kind, account=asked.account, since=begin, until=end))


@router.get("/principals", responses=document(list[PrincipalLine]))
def read_principals(asked: Annotated[ask.OfAccount, Query()], ledger: Ledger) -> Response:
    """Who has called: users, roles, services, other accounts."""
    if asked.account is not None:
        check_account(asked.account)
    return told(ledger.principals(asked.account))


@router.get("/accounts", responses=document(list[AccountLine]))
def read_accounts(asked: Annotated[ask.Nothing, Query()], ledger: Ledger) -> Response:
    """The accounts that the ledger holds."""
    return told(ledger.accounts())


@router.get("/unknown-callers", responses=document(UnknownCallersAnswer))
def read_unknown_callers(asked: Annotated[ask.Nothing, Query()], request: Request) -> Response:
    """How many calls this process has refused because nobody is known by what they came with, by reason."""
    unknown: UnknownCallers = request.app.state.unknown_callers
    return told(unknown.to_document())
