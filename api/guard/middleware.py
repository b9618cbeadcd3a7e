"""The guard of a service: asks the ledger before each call, and writes each call down with what came of it.

A denial is written down at once. An allowed call runs, and its entry, with the elements of its answer, is durable before
the answer goes out; whatever the handler raises is recorded too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.guard.asking import Asking, TurnedAway, redacted
from api.guard.credentials import is_signed
from api.guard.elements import Gone, TooLarge, again, chosen, object_of, whole_body
from api.guard.questions import Decision, Ledger, NotReached, NotUnderstood, Outcome
from api.guard.rules import Public, Rule, Rules
from api.problem_answers import problem
from api.unknown_callers import Reason

DECISION: Final = "iam_ledger.decision"
"""Where the scope of a guarded call holds its Decision."""

BODY_BYTES_MAX: Final = 1 << 20
TELL_ATTEMPTS: Final = 3
TELL_PAUSE_SECONDS: Final = 0.2
FAILED: Final = ("InternalFailure", "the handler failed")
LOG: Final = logging.getLogger(__name__)


class Guard:
    """`rules` say which route means what; a route that they do not speak of is refused.

    `region` and `event_source` are the record's. `body_bytes_max` bounds the bodies that are read whole: of signed requests,
    and where an element stands in them; and how much of an answer is looked through for elements. `admits` may say why
    what the policies allow is refused all the same. `unknown` is told AWS's code where nobody is known to call.
    """

    def __init__(
        self,
        app: ASGIApp,
        ledger: Ledger,
        rules: Rules | Iterable[Rule | Public],
        *,
        region: str | None = None,
        event_source: str | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
        admits: Callable[[Decision], Awaitable[str | None]] | None = None,
        unknown: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._app = app
        self._admits = admits
        self._unknown = unknown
        self._asking = Asking(ledger, region=region, event_source=event_source)
        self._rules = rules if isinstance(rules, Rules) else Rules(rules)
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._guard(scope, receive, send)
        else:  # no rule speaks of what is no call over HTTP
            await send({"type": "websocket.close", "code": 1008})

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        matched = self._rules.match(scope["method"], path)
        if matched is not None and isinstance(matched.rule, Public):
            await self._app(scope, receive, send)
            return
        rule = matched.rule if matched is not None and isinstance(matched.rule, Rule) else None
        body = None
        if rule is not None and (rule.needs_body or is_signed(dict(scope["headers"]), scope["query_string"])):
            try:
                body = await whole_body(receive, self._body_bytes_max)
            except TooLarge:
                detail = f"the body has more than {self._body_bytes_max} bytes"
                await problem(413, detail)(scope, receive, send)
                return
            except Gone:
                return
            receive = again(body, receive)
        path_elements = {} if matched is None else matched.elements
        follows = rule is not None and rule.record == "after"
        try:
            decision = await self._asking.decide(scope, rule, path_elements, body, outcome_follows=follows)
        except TurnedAway as away:
            if away.status == HTTPStatus.UNAUTHORIZED:
                self._unknown(away.members.get("code", Reason.NO_CREDENTIAL))
            refusal = problem(away.status, away.detail, headers=away.headers, **away.members)
            await refusal(scope, receive, send)
            return
        assert rule is not None
        await self._run(rule, decision, {**scope, DECISION: decision}, receive, send)

    async def _run(self, rule: Rule, decision: Decision, scope: Scope, receive: Receive, send: Send) -> None:
        if decision.receipt is None:
            await self._app(scope, receive, send)
            return
        held = _Held(self._asking.ledger, rule, decision, send, self._body_bytes_max)
        reason = None if self._admits is None else await self._admits(decision)
        if reason is not None:
            await held.conclude(None, ("AccessDenied", reason))
            refusal = problem(403, reason, code="AccessDenied", eventID=decision.event_id)
            await refusal(scope, receive, send)
            return
        try:
            await self._app(scope, receive, held.send)
        except Exception:
            await held.conclude(None, FAILED)
            raise
        await held.finish()


class _Held:
    """An answer that is not let go before its call is written down."""

    def __init__(
        self, ledger: Ledger, rule: Rule, decision: Decision, send: Send, body_bytes_max: int
    ) -> None:
        assert decision.receipt is not None
        self._ledger = ledger
        self._rule = rule
        self._receipt = decision.receipt
        self._event_id = decision.event_id
        self._send = send
        self._left = body_bytes_max
        self._kept: list[Message] = []
        self._concluded = False
        self._replaced = False  # the answer is another, for the call could not be written down

    async def send(self, message: Message) -> None:
        if self._replaced:
            return
        if self._concluded:
            await self._send(message)
            return
        self._kept.append(message)
        if message["type"] == "http.response.start":
            if message["status"] >= 400:
                await self._let_go(None, _error_of(message["status"]))
            elif not self._rule.response:
                await self._let_go(None, None)
        elif message["type"] == "http.response.body":
            self._left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                await self._let_go(self._elements(), None)
            elif self._left < 0:
                await self._let_go(None, None)

    async def finish(self) -> None:
        """The handler has returned."""
        if not self._concluded:
            await self._let_go(None, FAILED)

    async def conclude(self, response: Mapping[str, Any] | None, error: tuple[str, str] | None) -> bool:
        """Write the call down, if that is not done; False where it can't be."""
        if self._concluded:
            return True
        self._concluded = True
        code, message = error or (None, None)
        outcome = Outcome(self._receipt, response, code, message)
        for attempt in range(TELL_ATTEMPTS):
            try:
                await self._ledger.tell(outcome)
                return True
            except (
                NotUnderstood
            ) as refused:  # it took too long, and the ledger has written it down without an outcome
                LOG.warning("the outcome of %s was not taken: %s", self._event_id, refused.message)
                return True
            except NotReached as failed:
                LOG.error("the outcome of %s could not be told: %s", self._event_id, failed)
                await asyncio.sleep(TELL_PAUSE_SECONDS * attempt)
        return False

    async def _let_go(self, response: Mapping[str, Any] | None, error: tuple[str, str] | None) -> None:
        if not await self.conclude(response, error):
            self._replaced = True
            self._kept = []
            detail = "the call was made, and could not be written down with its outcome"
            refusal = problem(503, detail, eventID=self._event_id)
            self._kept.append({"type": "http.response.start", "status": 503, "headers": refusal.raw_headers})
            self._kept.append({"type": "http.response.body", "body": refusal.body})
        kept, self._kept = self._kept, []
        for message in kept:
            await self._send(message)

    def _elements(self) -> Mapping[str, Any] | None:
        body = b"".join(
            message.get("body", b"") for message in self._kept if message["type"] == "http.response.body"
        )
        return redacted(chosen(object_of(body) or {}, self._rule.response))


def _error_of(status: int) -> tuple[str, str]:
    """`NotFound`, `404 Not Found`; of a status that has no name its number."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        return f"Status{status}", str(status)
    return "".join(
        word.capitalize() for word in phrase.replace("-", " ").replace("'", "").split()
    ), f"{status} {phrase}"
