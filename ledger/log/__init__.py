"""The log: append, read and follow, over SQLite and PostgreSQL."""

from ledger.log.engine import LedgerUnavailable, open_engine
from ledger.log.reading import EntryDamaged
from ledger.log.store import Appended, HeadMoved, Log

__all__ = ["Appended", "EntryDamaged", "HeadMoved", "LedgerUnavailable", "Log", "open_engine"]
