"""Clients of a ledger's `/v1/authorize` and `/v1/outcomes`: one that waits, and one for asyncio, which a guard asks with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import httpx
import orjson

from api.guard.credentials import AccessKey, Credential, SessionToken, SignedRequest
from api.guard.questions import Decision, Entered, NotKnown, NotReached, NotUnderstood, Outcome, Question

__all__ = ["AccessKey", "AsyncClient", "Client", "SessionToken", "SignedRequest"]

TIMEOUT_SECONDS: Final = 10.0
BATCH_MAX: Final = 100
_JSON: Final = {"content-type": "application/json", "user-agent": "iam-ledger-client"}
_LIMITS: Final = httpx.Limits(max_connections=256, max_keepalive_connections=256)

Answer = Decision | NotKnown | NotUnderstood | NotReached
"""Of many questions each has its own."""


def question(
    credential: Credential,
    action: str,
    resource: str,
    *,
    context: Mapping[str, str | Sequence[str]] | None = None,
    request: Mapping[str, Any] | None = None,
    **others: Any,
) -> Question:
    """A Question, in whose context a text stands for one value."""
    told = {
        key: (values,) if isinstance(values, str) else tuple(values)
        for key, values in (context or {}).items()
    }
    return Question(credential, action, resource, told, request, **others)


class Client:
    """`url` is that of the ledger, as `http://127.0.0.1:8321`. Raises NotKnown, NotUnderstood and NotReached."""

    def __init__(
        self, url: str, *, timeout: float = TIMEOUT_SECONDS, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(
            base_url=url, timeout=timeout, headers=_JSON, limits=_LIMITS, transport=transport
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def ask(self, asked: Question) -> Decision:
        """The decision; it is in the log, unless its outcome follows."""
        return Decision.from_document(self._post("/v1/authorize", asked.to_document()))

    def ask_many(self, asked: Sequence[Question]) -> list[Answer]:
        """The answers to up to 100 questions, in their order; what has none is answered by its error."""
        return [_answer(told) for told in self._post("/v1/authorize", [one.to_document() for one in asked])]

    def tell(self, outcome: Outcome) -> Entered:
        """Write an allowed call down. Told again, the same outcome is answered the same."""
        return Entered.from_document(self._post("/v1/outcomes", outcome.to_document()))

    def _post(self, path: str, document: Any) -> Any:
        try:
            return _read(self._http.post(path, content=orjson.dumps(document)))
        except httpx.HTTPError as error:
            raise _not_reached(error) from error


class AsyncClient:
    """As Client, for asyncio: a Ledger that a guard asks over HTTP."""

    def __init__(
        self, url: str, *, timeout: float = TIMEOUT_SECONDS, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, timeout=timeout, headers=_JSON, limits=_LIMITS, transport=transport
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, question: Question) -> Decision:
        return Decision.from_document(await self._post("/v1/authorize", question.to_document()))

    async def ask_many(self, asked: Sequence[Question]) -> list[Answer]:
        told = await self._post("/v1/authorize", [one.to_document() for one in asked])
        return [_answer(one) for one in told]

    async def tell(self, outcome: Outcome) -> Entered:
        return Entered.from_document(await self._post("/v1/outcomes", outcome.to_document()))

    async def _post(self, path: str, document: Any) -> Any:
        try:
            return _read(await self._http.post(path, content=orjson.dumps(document)))
        except httpx.HTTPError as error:
            raise _not_reached(error) from error


def _read(response: httpx.Response) -> Any:
    try:
        told = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise NotReached(f"{response.url} answers {response.status_code}, and not as a ledger does") from None
    if response.status_code == 200:
        return told
    raise _failure(told if isinstance(told, dict) else {}, response.status_code)


def _answer(told: dict[str, Any]) -> Answer:
    return Decision.from_document(told) if "decision" in told else _failure(told, told.get("status", 500))


def _failure(told: Mapping[str, Any], status: int) -> NotKnown | NotUnderstood | NotReached:
    detail = str(told.get("detail", f"the ledger answers {status}"))
    if status == 401:
        return NotKnown(str(told.get("code", "")), detail)
    if 400 <= status < 500:
        errors = told.get("errors") or [{}]
        parameter = errors[0].get("parameter")
        return NotUnderstood(str(errors[0].get("detail", detail)), parameter)
    return NotReached(detail)


def _not_reached(error: httpx.HTTPError) -> NotReached:
    return NotReached(f"the ledger can't be reached: {type(error).__name__} {error}".strip())
