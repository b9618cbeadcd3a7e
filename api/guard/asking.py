"""One call, asked about: from a request and the rule of its route to a decision, or to the answer that turns it away."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from starlette.types import Scope

from api.guard.credentials import presented_in
from api.guard.elements import Ambiguous, chosen, elements_of
from api.guard.questions import Decision, Ledger, NotKnown, NotReached, NotUnderstood, Question
from api.guard.rules import Rule
from ledger.redaction import redact

CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
AGENT_MAX: Final = 1_024
LOG: Final = logging.getLogger(__name__)


class TurnedAway(Exception):
    """The call is not made. `members` are of the problem that says why."""

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.members = status, detail, headers, members


class Asking:
    """`region` and `event_source` are the record's."""

    def __init__(self, ledger: Ledger, *, region: str | None = None, event_source: str | None = None) -> None:
        self.ledger = ledger
        self._region = region
        self._event_source = event_source

    async def decide(
        self,
        scope: Scope,
        rule: Rule | None,
        path: Mapping[str, Any],
        body: bytes | None,
        *,
        outcome_follows: bool,
    ) -> Decision:
        """The decision, which allows it; raises TurnedAway. `path` are the elements of the path, `body` is the whole body
        where the rule or the signature needs it.
        """
        headers, query = dict(scope["headers"]), scope["query_string"]
        raw_path = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        hashed = sha256(body or b"").hexdigest()
        credential = presented_in(scope["method"], raw_path, query, scope["headers"], hashed)
        if credential is None:
            detail = "sign the request (AWS Signature Version 4), or send `Authorization: Bearer` and a session token"
            raise TurnedAway(401, detail, headers=CHALLENGE)
        if rule is None:
            raise TurnedAway(403, "no rule says which permission this needs")
        try:
            told = body if rule.names - path.keys() else None
            elements = elements_of(path, query, told, single=rule.single)
        except Ambiguous as error:
            raise TurnedAway(400, str(error)) from error
        resource = rule.resource_of(elements)
        if resource is None:
            raise TurnedAway(400, f"the request does not say on what to do {rule.action}")
        question = Question(
            credential=credential,
            action=rule.action,
            resource=resource,
            context=_context(scope, headers, rule, elements),
            request=redacted(chosen(elements, rule.request)),
            region=self._region,
            event_source=self._event_source,
            read_only=rule.read_only,
            outcome_follows=outcome_follows,
        )
        try:
            decision = await self.ledger.ask(question)
        except NotKnown as error:
            raise TurnedAway(401, error.message, headers=CHALLENGE, code=error.code) from error
        except NotUnderstood as error:
            raise TurnedAway(400, error.message) from error
        except NotReached as error:
            LOG.error("nobody could say whether a call is allowed: %s", error)
            raise TurnedAway(503, "who may do this is not known now", headers={"Retry-After": "1"}) from error
        if not decision.allowed:
            message = decision.message or "denied"
            raise TurnedAway(403, message, code="AccessDenied", eventID=decision.event_id)
        return decision


def redacted(elements: dict[str, Any] | None) -> dict[str, Any] | None:
    """Without secrets: what a guard chose to tell the ledger."""
    if elements is None:
        return None
    cleaned: dict[str, Any] = redact({"elements": elements})["elements"]
    return cleaned


def _context(
    scope: Scope, headers: Mapping[bytes, bytes], rule: Rule, elements: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    client = scope.get("client")
    context: dict[str, tuple[str, ...]] = {
        "aws:SecureTransport": ("true" if scope.get("scheme") == "https" else "false",)
    }
    if client:
        context["aws:SourceIp"] = (str(client[0]),)
    if agent := headers.get(b"user-agent"):
        context["aws:UserAgent"] = (agent.decode("latin-1")[:AGENT_MAX],)
    for key, name in rule.context.items():
        value = elements.get(name)
        if value is not None:
            context[key] = tuple(map(_text, value)) if isinstance(value, list) else (_text(value),)
    return context


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
