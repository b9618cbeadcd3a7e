"""Who signed a request: its signature is read, the secret looked up, and the one held against the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from api.aws.canonical_request import RawRequest
from api.aws.signature import WINDOW_MINUTES, check, read_signature
from ledger.authority.authority import Authority
from ledger.authority.credentials import Presented


@dataclass(frozen=True, slots=True)
class Signers:
    """`window_minutes` is how far a request's time may be from ours."""

    authority: Authority
    window_minutes: int = WINDOW_MINUTES
    clock: Callable[[], float] = time.time

    def signer_of(
        self, request: RawRequest, *, service: str | None, normalize: bool = True
    ) -> tuple[Presented, str]:
        """The credential, possession of which is proved, and the region it is scoped to; `service` and `normalize` as in
        `read_signature`. Raises SignatureError and Unauthenticated.
        """
        signature = read_signature(
            request,
            service=service,
            now=self.clock(),
            window_minutes=self.window_minutes,
            normalize=normalize,
        )
        presented = self.authority.presented(signature.access_key_id, signature.session_token)
        check(signature, presented.secret)
        return presented, signature.scope.region
