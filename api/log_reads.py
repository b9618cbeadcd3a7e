"""The logs themselves under /v1/log, for whoever checks them: checkpoints, tiles, leaves, proofs. Source: C2SP tlog-tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api import questions as ask
from api.reads import Ledger
from ledger.checkpoint import NoCheckpointKey
from ledger.log.checkpoints import Checkpoints
from ledger.log.proving import prove_continued, prove_entry, read_bundle
from ledger.log.tiles import read_tile
from ledger.merkle.tiles import Bundle, NoSuchTile, tile_at
from projections.investigation import Investigation
from projections.naming import account_named
from projections.vocabulary import BadFilter, UnknownName

router = APIRouter(prefix="/v1/log/{account}")

POSITION_MAX = 2**63 - 1
LASTING = {"Cache-Control": "private, max-age=31536000, immutable"}  # a tile never changes, and names nobody
NOTE = "text/plain; charset=utf-8"
TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


def _checkpoints(request: Request) -> Checkpoints:
    found: Checkpoints = request.app.state.checkpoints
    return found


def _account(account: str, ledger: Ledger) -> str:
    return account_named(ledger.log, account)


Signed = Annotated[Checkpoints, Depends(_checkpoints)]
Whose = Annotated[str, Depends(_account)]
Position = Annotated[int, Path(ge=0, le=POSITION_MAX)]


@router.get("/checkpoint", response_class=Response, responses=TEXT)
def read_checkpoint(asked: Annotated[ask.Nothing, Query()], account: Whose, signed: Signed) -> Response:
    """The log's size and root, signed; not older than a second where the server has the key."""
    return _note(_or_unknown(lambda: signed.fresh(account)))


@router.get("/tile/{path:path}", response_class=Response, responses=BYTES)
def read_tile_or_leaves(
    path: str, asked: Annotated[ask.Nothing, Query()], account: Whose, ledger: Ledger
) -> Response:
    """LEVEL/NUMBER[.p/WIDTH], hashes of the tree, or entries/NUMBER[.p/WIDTH], the leaves themselves."""
    content = _tile(ledger, account, path)
    if content is None:
        raise UnknownName(f"the log has no {path[:60]} yet")
    return Response(content, media_type="application/octet-stream", headers=LASTING)


@router.get("/proof/{position}", response_class=Response, responses=TEXT)
def read_proof(
    position: Position,
    asked: Annotated[ask.ProofQuestion, Query()],
    account: Whose,
    ledger: Ledger,
    signed: Signed,
) -> Response:
    """That the entry at the position is in the log; with `body=false`, without telling what it says."""
    entry = ledger.log.entry(account, position)
    if entry is None:
        raise UnknownName(f"the log has no entry {position}")
    return _note(_or_unknown(lambda: prove_entry(ledger.log, signed, entry, with_body=asked.body).to_bytes()))


@router.get("/consistency", response_class=Response, responses=TEXT)
def read_consistency(
    asked: Annotated[ask.ConsistencyQuestion, Query()], account: Whose, ledger: Ledger, signed: Signed
) -> Response:
    """That the log only grew: its first `to` entries, or all that it has, begin with its first `from` ones."""

    def prove() -> bytes:
        try:
            return prove_continued(ledger.log, signed, account, old=asked.old, new=asked.new).to_bytes()
        except ValueError as error:
            raise BadFilter("from", str(error)) from error

    return _note(_or_unknown(prove))


def _tile(ledger: Investigation, account: str, path: str) -> bytes | None:
    try:
        tile = tile_at(path)
    except NoSuchTile as error:
        raise UnknownName(str(error)) from error
    if isinstance(tile, Bundle):
        return read_bundle(ledger.log, account, tile)
    with ledger.log.engine.connect() as connection:
        return read_tile(connection, account, tile)


def _note(content: bytes) -> Response:
    return Response(content, media_type=NOTE)


def _or_unknown(prove: Callable[[], bytes]) -> bytes:
    """What can't be signed is not there."""
    try:
        return prove()
    except NoCheckpointKey as error:
        raise UnknownName(str(error)) from error
