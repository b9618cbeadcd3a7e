"""The log: append, read and follow, over SQLite and PostgreSQL."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger.log.engine import LedgerUnavailable, open_engine
    from ledger.log.reading import EntryDamaged
    from ledger.log.store import Appended, HeadMoved, Log, NotToBeWritten

__all__ = [
    "Appended",
    "EntryDamaged",
    "HeadMoved",
    "LedgerUnavailable",
    "Log",
    "NotToBeWritten",
    "open_engine",
]

_ROOMS = {
    "LedgerUnavailable": "engine",
    "open_engine": "engine",
    "EntryDamaged": "reading",
    "Appended": "store",
    "HeadMoved": "store",
    "Log": "store",
    "NotToBeWritten": "store",
}


def __getattr__(name: str) -> Any:
    """Not before it is asked for: a process that only makes records ready needs no database, half a second less."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
