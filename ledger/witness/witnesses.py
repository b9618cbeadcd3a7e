"""The witnesses that a ledger sends its checkpoints to: a folder, another database, or whoever speaks C2SP tlog-witness."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol, Self

import httpx
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from ledger.checkpoint import Checkpoint
from ledger.notes import BadKey, BadNote, Signer, open_note, signature_lines, unverified_text
from ledger.witness.cosignature import CosignatureVerifier
from ledger.witness.judging import (
    Conflict,
    Malformed,
    NotContinued,
    NotSigned,
    UnknownLog,
    judge,
    read_submission,
)
from ledger.witness.stores import DatabaseStore, FolderStore, Store, StoreUnusable

SECONDS_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 1 << 20
SIZE_TYPE: Final = "text/x.tlog.size"
REFUSALS: Final = {one.status: one for one in (Malformed, UnknownLog, NotSigned, NotContinued)}


class BadWitness(Exception):
    """No witness can be named so; the message says why, in one line."""


class NotHeard(Exception):
    """The witness could not be asked, or what it answered is no answer; the message says why, in one line."""


class Witness(Protocol):
    @property
    def name(self) -> str:
        """What people call it; there is no password in it."""

    @property
    def tells(self) -> bool:
        """Whether no checkpoint of it means that it has seen none. Others need not tell what they have seen."""

    def newest(self, origin: str) -> Checkpoint | None:
        """What was seen last of the log, if it tells. Raises NotHeard."""

    def submit(self, request: bytes) -> bytes:
        """Have a checkpoint seen; gives the line of the cosignature, none where the witness has no key.

        Raises Refused, NotHeard.
        """

    def set_aside(self, origin: str) -> bool:
        """Begin anew with the log, what was seen being kept as evidence; False where that is not ours to do. Raises NotHeard."""


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """A folder or a database that is written to directly. It judges as any witness does; `key` is the ledger's."""

    name: str
    store: Store
    key: Signer | None
    tells: bool = True

    def newest(self, origin: str) -> Checkpoint | None:
        try:
            note = self.store.newest(origin)
            return None if note is None else Checkpoint.of_text(unverified_text(note))
        except (StoreUnusable, BadNote) as error:
            raise NotHeard(str(error)) from error

    def submit(self, request: bytes) -> bytes:
        asked = read_submission(
            request, lambda origin: [] if self.key is None else [self.key.named(origin).verifier]
        )

        def seen(before: bytes | None) -> bytes:
            judge(asked, before)
            return asked.note

        try:
            self.store.replace(asked.checkpoint.origin, seen)
        except (StoreUnusable, BadNote) as error:
            raise NotHeard(str(error)) from error
        return b""

    def set_aside(self, origin: str) -> bool:
        try:
            self.store.set_aside(origin)
        except StoreUnusable as error:
            raise NotHeard(str(error)) from error
        return True


class Cosigner:
    """A witness over HTTP. `url` is its submission prefix; nothing it says is believed but over its signature."""

    def __init__(
        self, url: str, verifier: CosignatureVerifier, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.name = url
        self.tells = False
        self._url = url.rstrip("/")
        self.verifier = verifier
        self._http = httpx.Client(timeout=SECONDS_MAX, transport=transport, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *told: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def newest(self, origin: str) -> Checkpoint | None:
        """Witnesses of others have no such answer: the specification leaves open how one asks."""
        status, _, body = self._ask("GET", f"/checkpoint/{sha256(origin.encode()).hexdigest()}")
        if status != 200:
            return None
        try:
            found = Checkpoint.of_text(open_note(body, [self.verifier]))
        except BadNote as error:
            raise NotHeard(f"its checkpoint can't be believed: {error}") from error
        if found.origin != origin:
            raise NotHeard(f"its checkpoint is of the log {found.origin[:200]}")
        return found

    def submit(self, request: bytes) -> bytes:
        status, kind, body = self._ask("POST", "/add-checkpoint", request)
        if status == 200:
            checkpoint = request.partition(b"\n\n")[2]
            try:
                open_note(checkpoint + body, [self.verifier])
                signer = f"{self.verifier.name}+{self.verifier.number.hex()}"
                return signature_lines(checkpoint + body)[signer]
            except BadNote as error:
                raise NotHeard(f"its cosignature does not hold: {error}") from error
        told = body[:200].decode(errors="replace").strip()
        if status == 409:
            if kind == SIZE_TYPE and told.isascii() and told.isdigit() and len(told) < 20:
                raise Conflict(int(told), f"{told} entries were seen")
            raise NotHeard(f"it answers 409 and no size: {told}")
        if (refusal := REFUSALS.get(status)) is not None:
            raise refusal(told or f"it answers {status}")
        raise NotHeard(f"it answers {status}")

    def set_aside(self, origin: str) -> bool:
        return False

    def _ask(self, method: str, path: str, content: bytes | None = None) -> tuple[int, str, bytes]:
        try:
            with self._http.stream(method, self._url + path, content=content) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        raise NotHeard("its answer is too long")
                return answer.status_code, answer.headers.get("Content-Type", ""), body
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotHeard(f"it can't be reached: {str(error) or type(error).__name__}") from error


def witness_named(text: str, key: Signer | None) -> Witness:
    """`https://…#KEY`, the URL of a database, or else a folder. `key` is the ledger's. Raises BadWitness."""
    if text.startswith(("http://", "https://")):
        url, _, told = text.partition("#")
        if not told:
            raise BadWitness(f"{url}: whose cosignatures? Put its public key behind the URL: {url}#KEY")
        try:
            return Cosigner(url, CosignatureVerifier.parse(told))
        except BadKey as error:
            raise BadWitness(f"{url}: {error}") from error
    if "://" not in text:
        return OwnPlace(text, FolderStore(Path(text)), key)
    try:
        parsed = sa.make_url(text)
    except (ArgumentError, ValueError) as error:
        raise BadWitness(f"{text.partition('://')[0]}://… is not a database URL") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise BadWitness(f"{parsed.get_backend_name()!r} is not supported as a witness")
    return OwnPlace(parsed.render_as_string(hide_password=True), DatabaseStore(parsed), key)
