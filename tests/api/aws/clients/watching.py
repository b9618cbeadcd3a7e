"""An account whose clients are watched: every answer is held against its model, every call is found in the log again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ledger.account.account import Account as State
from ledger.account.replay import Replay
from ledger.entry import body_bytes
from ledger.record import canonical
from projections.permissions.verification import verify_decisions
from tests.api.living_server import Account
from tests.ledger.output_shapes import check_output

# What no record may hold, wherever it was said or answered. One-time codes are too short to be looked for.
SECRETS: Final = frozenset(
    {
        *("SecretAccessKey", "SessionToken", "Base32StringSeed", "Password", "NewPassword", "OldPassword"),
        *("SAMLAssertion", "WebIdentityToken"),
    }
)


class Watched:
    """`iam` is a client of root's; `settle` closes the books."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.id = account.id
        self.begun = len(account.records())
        self.requests: Counter[str] = Counter()
        self.secrets: set[str] = set()
        self.busy = (
            False  # with hundreds of calls in a second, each of which `verify` would fold anew for the next
        )
        self._note(account.key)
        self.iam = self.client("iam")

    def client(self, service: str, credentials: Mapping[str, str] | None = None, **config: Any) -> Any:
        """Real boto3; `credentials` as they were answered, root's key if none are given."""
        found = self.account.client(service, None if credentials is None else dict(credentials), **config)
        found.meta.events.register("provide-client-params.*.*", self._asked)
        found.meta.events.register("after-call.*.*", self._answered)
        return found

    def arn(self, rest: str) -> str:
        return f"arn:aws:iam::{self.id}:{rest}"

    @contextmanager
    def refused(self, code: str, status: int, message: str | None = None) -> Iterator[None]:
        """What stands within is refused with this code and status and, where AWS's words are known, this message."""
        with pytest.raises(ClientError) as told:
            yield
        error, head = told.value.response["Error"], told.value.response["ResponseMetadata"]
        assert (error["Code"], head["HTTPStatusCode"]) == (code, status), error
        if message is not None:
            assert error["Message"] == message

    @property
    def state(self) -> State:
        """The account that the authority holds."""
        return self.account.server.authority.look(self.id)[0]

    def settle(self) -> None:
        """Each call is one entry, decisions come out the same, the log folds to the account, and no secret is in it."""
        log = self.account.server.log
        entries = list(log.read(self.id))
        assert [entry.position for entry in entries] == list(range(len(entries)))
        assert Counter(entry.document["requestID"] for entry in entries[self.begun :]) == self.requests
        if not self.busy:
            verified = verify_decisions(log, [self.id])
            assert not verified.divergences, [one.to_document() for one in verified.divergences]
            assert verified.recomputed == verified.stored
        replay = Replay(self.id)
        for entry in entries:
            replay.take(entry)
        assert replay.account == self.state
        assert not self.state.assumptions
        for entry in entries:
            text = body_bytes(
                canonical(entry.document), entry.origin.to_bytes(), entry.authorization
            ).decode()
            for secret in self.secrets:
                assert secret not in text, f"entry {entry.position} tells a secret"

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self._note(params)

    def _answered(self, http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        head = parsed["ResponseMetadata"]
        self.requests[head["RequestId"]] += 1
        told = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        if http_response.status_code < 300:
            check_output(f"{model.service_model.service_name}:{model.name}", told, parsed=True)
            self._note(told)
            return
        assert told["Error"]["Code"] not in ("InvalidAction", "InternalFailure", "ServiceUnavailable"), told

    def _note(self, told: Any) -> None:
        if isinstance(told, Mapping):
            for name, value in told.items():
                if name in SECRETS:
                    self.secrets.add(value.decode() if isinstance(value, bytes) else value)
                self._note(value)
        elif isinstance(told, list):
            for item in told:
                self._note(item)
