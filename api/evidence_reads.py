"""Evidence over HTTP, under /v1/evidence: the bundle that the command writes, as one .zip."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api import questions as ask
from api.asking import check_account, check_words, interval
from api.log_reads import Signed
from api.reads import Ledger
from ledger.checkpoint import NoCheckpointKey
from ledger.log import Log
from projections.evidence import (
    Chosen,
    Heads,
    TooMuch,
    chosen_activity,
    chosen_stretch,
    make_bundle,
    positions_of,
    zipped,
)
from projections.naming import account_named
from projections.vocabulary import BadFilter, UnknownName

SERVED_MAX: Final = 5_000  # entries; the command writes more
MEDIA_TYPE: Final = "application/zip"
ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}
router = APIRouter(prefix="/v1")


class EvidenceQuestion(ask.Within, ask.OfAccount):
    """Of single events there is `/v1/log/{account}/proof/{position}`."""

    principal: str | None = Field(
        None, description="all that this ARN, name or unique id did", examples=["ci-deploy"]
    )
    positions: str | None = Field(
        None, description="instead: all entries from A to B, both included", examples=["17-23"]
    )


@router.get("/evidence", response_class=Response, responses=ZIP)
def read_evidence(asked: Annotated[EvidenceQuestion, Query()], ledger: Ledger, signed: Signed) -> Response:
    """What a principal did, or what stands between two positions: records, proofs, and a program that checks them."""
    question = {name: told for name, told in asked.model_dump(by_alias=True).items() if told is not None}
    heads = Heads(signed)
    try:
        chosen = _chosen(ledger.log, heads, asked)
        files = make_bundle(ledger.log, heads, chosen, question=question, entries_max=SERVED_MAX)
    except NoCheckpointKey as error:
        raise UnknownName(str(error)) from error
    except TooMuch as error:
        raise BadFilter("positions" if asked.principal is None else "principal", str(error)) from error
    kept = {"Content-Disposition": 'attachment; filename="evidence.zip"'}
    return Response(zipped(files), media_type=MEDIA_TYPE, headers=kept)


def _chosen(log: Log, heads: Heads, asked: EvidenceQuestion) -> Chosen:
    since, until = interval(asked.since, asked.until)
    account = None if asked.account is None else account_named(log, check_account(asked.account))
    if asked.principal is not None and asked.positions is None:
        principal = check_words("principal", asked.principal)
        return chosen_activity(log, heads, principal, account=account, since=since, until=until)
    if asked.positions is None or asked.principal is not None:
        raise BadFilter("principal", "evidence is of a principal, or of positions")
    if (since, until) != (None, None):
        raise BadFilter("from", "times go with a principal")
    first, last = positions_of(asked.positions)
    return chosen_stretch(heads, account_named(log, account), first=first, last=last)
