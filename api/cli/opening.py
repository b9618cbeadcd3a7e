"""From a command's context to the ledger that it asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ledger.log import Log
    from projections.investigation import Investigation


@contextmanager
def opened_log(url: str, *, create: bool = False) -> Iterator[Log]:
    """The log at a URL; raises LedgerUnavailable."""
    from ledger.log import Log, open_engine

    engine = open_engine(url, create=create)
    try:
        yield Log(engine)
    finally:
        engine.dispose()


@contextmanager
def investigation(context: typer.Context) -> Iterator[Investigation]:
    """The questions of the ledger that --db names, asked by somebody who waits and is shown that there is work."""
    from api.cli.waiting import Waiting
    from projections.investigation import Investigation

    waiting = Waiting()
    with opened_log(context.obj) as log:
        try:
            yield Investigation(log, waiting)
        finally:
            waiting.end()
