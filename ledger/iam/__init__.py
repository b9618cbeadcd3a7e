"""The IAM operations, a file a noun. To import this package is to fill the tables: what operations do, and what decides."""

from importlib import import_module
from pkgutil import iter_modules

from ledger.iam.operations import OPERATIONS, OUT_OF_SCOPE, Operation, Rank, evolve
from ledger.iam.sessions import SESSION_ACTIONS

for _room in iter_modules(__path__):
    import_module(f"{__name__}.{_room.name}")

FOLDED_ACTIONS = frozenset(OPERATIONS)
"""What the fold wants to see; no other record changes an account."""

__all__ = [
    "FOLDED_ACTIONS",
    "OPERATIONS",
    "OUT_OF_SCOPE",
    "SESSION_ACTIONS",
    "Operation",
    "Rank",
    "evolve",
]
