"""Questions of services, put to the authority: the credential proved, the caller's whereabouts told apart from the asker's."""

from __future__ import annotations

import hmac
import os
import uuid
from dataclasses import dataclass
from typing import Final

from api.awaiting import awaited
from api.aws.signature import SignatureError, mismatch
from api.aws.signers import Signers
from api.guard.credentials import AccessKey, Credential, SessionToken, SignedRequest
from api.guard.questions import NotUnderstood, Outcome, Question
from ledger.authority.asking import Inquiry, Told, reads_only, source_of
from ledger.authority.credentials import Presented, Unauthenticated
from ledger.authority.outcomes import NotAReceipt, OutcomeDiffers, Recorded, open_receipt, seal_receipt
from ledger.authority.recording import AGENT_MAX, REGION, Surroundings

SOURCE_IP: Final = "aws:sourceip"
USER_AGENT: Final = "aws:useragent"
SECURE: Final = "aws:securetransport"
_OF_SURROUNDINGS: Final = frozenset({SOURCE_IP, USER_AGENT, SECURE})


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever sends the question: the caller itself, unless the question tells another address or agent of the caller."""

    address: str
    agent: str
    secure: bool


HERE: Final = Asker("127.0.0.1", "iam-ledger", secure=True)
"""The process itself, which is not worth telling."""


class AskedOfAuthority:
    """`decide` and `conclude` put a question to the authority, and wait for the answer without holding up the loop."""

    def __init__(self, signers: Signers, *, service: str | None = None) -> None:
        """`service`: only what is signed for this service counts."""
        self._signers = signers
        self._authority = signers.authority
        self._service = service

    async def decide(self, question: Question, asker: Asker) -> Told:
        """Raises Unauthenticated or SignatureError, where nobody is known; Unavailable and Closed."""
        inquiry = _inquiry(question, self._proved(question.credential), asker)
        future, done = awaited()
        self._authority.services.submit(inquiry, done, outcome_follows=question.outcome_follows)
        told: Told = await future
        return told

    async def conclude(self, outcome: Outcome) -> Recorded:
        """Raises NotUnderstood where the receipt is none, or another outcome was told before; Unavailable and Closed."""
        failure = None if outcome.error_code is None else (outcome.error_code, outcome.error_message)
        try:
            pending = open_receipt(self._authority.vault.keyring, outcome.receipt, self._signers.clock())
            future, done = awaited()
            self._authority.services.conclude(pending, outcome.response, failure, done)
            recorded: Recorded = await future
        except (NotAReceipt, OutcomeDiffers) as error:
            raise NotUnderstood(str(error), "receipt") from error
        return recorded

    def receipt(self, told: Told) -> str | None:
        """What the outcome is to be told with, where it is to be told."""
        return None if told.pending is None else seal_receipt(self._authority.vault.keyring, told.pending)

    def _proved(self, credential: Credential) -> Presented:
        match credential:
            case SessionToken(token):
                return self._authority.borne(token)
            case AccessKey(key_id, secret, token):
                presented = self._authority.presented(key_id, token)
                if not hmac.compare_digest(presented.secret.encode(), secret.encode()):
                    raise mismatch()
                return presented
            case SignedRequest(request):
                return self._signers.signer_of(request, service=self._service)[0]


UNKNOWN: Final = (Unauthenticated, SignatureError)
"""What is raised where nobody is known by the credential: `code` and `message` are AWS's."""


def _inquiry(question: Question, presented: Presented, asker: Asker) -> Inquiry:
    context = question.context
    address = context[SOURCE_IP][0] if SOURCE_IP in context else asker.address
    agent = context[USER_AGENT][0] if USER_AGENT in context else asker.agent
    secure = context[SECURE][0].lower() == "true" if SECURE in context else asker.secure
    asked_from = None
    if asker is not HERE and (address, agent) != (asker.address, asker.agent):
        asked_from = {"sourceIPAddress": asker.address, "userAgent": asker.agent[:AGENT_MAX]}
    read_only = question.read_only
    return Inquiry(
        presented=presented,
        action=question.action,
        resource=question.resource,
        surroundings=Surroundings(
            source_ip=address,
            user_agent=agent,
            request_id=str(uuid.UUID(bytes=os.urandom(16), version=4)),
            region=question.region or REGION,
            secure=secure,
        ),
        source=question.event_source or source_of(question.action),
        read_only=reads_only(question.action) if read_only is None else read_only,
        context={key: values for key, values in context.items() if key not in _OF_SURROUNDINGS},
        request=question.request,
        asked_from=asked_from,
    )
