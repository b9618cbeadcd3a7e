"""FastAPI's way to the guard: who calls, and permissions that stand at a route or are asked for within its handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from api.guard.asking import Asking, TurnedAway
from api.guard.middleware import DECISION
from api.guard.questions import Decision
from api.guard.rules import Resource, Rule


def decision_of(request: Request) -> Decision:
    """The decision on this call. Raises RuntimeError on a route that no guard stands before, or that is public."""
    found = request.scope.get(DECISION)
    if not isinstance(found, Decision):
        raise RuntimeError(f"{request.method} {request.url.path} is not guarded, and nobody is known to call")
    return found


Caller = Annotated[Decision, Depends(decision_of)]
"""The type of a handler's parameter: `caller.principal` is the ARN of who calls, `caller.account_id` their account."""


class Permission:
    """A dependency: the route needs this permission, and every call of it is an entry, made before the handler runs.

    What comes of the call is not in the entry: for that there is the middleware, which sees the answer. Under the
    middleware a Permission is a second question about the same caller, and an entry of its own.
    """

    def __init__(
        self,
        asking: Asking,
        action: str,
        resource: str | Resource = "*",
        *,
        request: tuple[str, ...] = (),
        context: Mapping[str, str] | None = None,
        read_only: bool | None = None,
    ) -> None:
        self._asking = asking
        self._rule = Rule(
            "*",
            "/",
            action,
            resource,
            request=request,
            context=context or {},
            record="before",
            read_only=read_only,
        )

    async def __call__(self, request: Request) -> Decision:
        """Raises HTTPException where the caller is unknown or may not."""
        body = await request.body()
        try:
            decision = await self._asking.decide(
                request.scope, self._rule, request.path_params, body, outcome_follows=False
            )
        except TurnedAway as away:
            raise HTTPException(away.status, away.detail, headers=dict(away.headers or {})) from away
        request.scope.setdefault(DECISION, decision)
        return decision
