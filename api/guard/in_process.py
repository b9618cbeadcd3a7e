"""A guard's ledger in the same process: the authority itself, asked by the words that go over HTTP."""

from __future__ import annotations

import orjson

from api.asked_of_authority import HERE, UNKNOWN, AskedOfAuthority
from api.aws.signature import WINDOW_MINUTES
from api.aws.signers import Signers
from api.guard.questions import Decision, Entered, NotKnown, NotReached, Outcome, Question
from api.guard.reading import read_outcome, read_question
from ledger.authority.authority import Authority
from ledger.authority.turns import Closed, Unavailable


class InProcess:
    """`service`: only signatures for this service count. `own`: the calls are the ledger's, of the service iam-ledger.

    `window_minutes` is how far a signed request's time may be from ours.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        service: str | None = None,
        own: bool = False,
        window_minutes: int = WINDOW_MINUTES,
    ) -> None:
        self._asked = AskedOfAuthority(Signers(authority, window_minutes), service=service)
        self._own = own

    async def ask(self, question: Question) -> Decision:
        asked = read_question(question.to_document(), own=self._own)
        try:
            told = await self._asked.decide(asked, HERE)
        except UNKNOWN as error:
            raise NotKnown(error.code, error.message) from error
        except (Unavailable, Closed) as error:
            raise NotReached(str(error)) from error
        return Decision(
            decision=str(told.decided.verdict),
            account_id=told.account_id,
            event_id=told.event_id,
            position=None if told.recorded is None else told.recorded.position,
            receipt=self._asked.receipt(told),
            message=told.message,
            authorization=orjson.loads(told.told),
        )

    async def tell(self, outcome: Outcome) -> Entered:
        try:
            recorded = await self._asked.conclude(read_outcome(outcome.to_document()))
        except (Unavailable, Closed) as error:
            raise NotReached(str(error)) from error
        return Entered(recorded.account_id, recorded.event_id, recorded.position)
