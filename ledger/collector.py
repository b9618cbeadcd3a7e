"""How often Python's garbage collector looks through what there is."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SELDOM: Final = (200_000, 20, 20)
"""New containers before it looks at the new ones, such looks before one at those that stayed, and such before one at all."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """What the ledger makes by the million holds no cycles, and goes when nobody refers to it any more: the collector finds
    nothing in it, and takes a third of the time of a replay to do so. It looks all the same, for libraries make cycles.
    """
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
