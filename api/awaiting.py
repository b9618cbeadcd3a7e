"""From the authority's thread back to who waits in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Done = Callable[[Any, BaseException | None], None]


def awaited() -> tuple[asyncio.Future[Any], Done]:
    """A future of this loop, and what settles it from any other thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def done(reply: Any, failure: BaseException | None) -> None:
        loop.call_soon_threadsafe(_settle, future, reply, failure)

    return future, done


def _settle(future: asyncio.Future[Any], reply: Any, failure: BaseException | None) -> None:
    if future.done():  # whoever asked has gone; what was decided is written down all the same
        return
    if failure is None:
        future.set_result(reply)
    else:
        future.set_exception(failure)
