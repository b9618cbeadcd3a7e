"""What a verification finds: where the ledger differs from what was written, and what kind of change that was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

LISTED_MAX: Final = 100  # of the differences; all are counted


class Kind(StrEnum):
    """What was done, as far as what is left tells."""

    EDITED_BODY = "editedBody"  # an entry is not what its leaf hash commits to
    EDITED_COLUMN = "editedColumn"  # a derived column, or a row of names, is not what follows from the body
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"  # all fits together, and is not what was signed
    TREE_SPOILT = "treeSpoilt"
    SIGNATURE_WRONG = "signatureWrong"
    BODY_MISSING = "bodyMissing"  # and no entry says that it was erased
    ERASURE_UNDONE = "erasureUndone"  # an entry says that it was erased, and it is there
    UNREADABLE = "unreadable"
    PROJECTION_DIFFERS = "projectionDiffers"


@dataclass(frozen=True, slots=True)
class Difference:
    """`position` is that of an entry; None where it is no entry that differs. `detail` is one line."""

    kind: Kind
    detail: str
    account_id: str | None = None
    position: int | None = None

    def to_document(self) -> dict[str, Any]:
        return {
            "account": self.account_id,
            "position": self.position,
            "kind": str(self.kind),
            "detail": self.detail,
        }


@dataclass(slots=True)
class Found:
    """What was looked at, and what was found, so far."""

    whole: int = 0  # entries that are to be looked at
    entries: int = 0
    differing: int = 0
    listed: list[Difference] = field(default_factory=list)
    checkpoints: int = 0  # stored ones that were compared
    signatures: int = 0  # of these, whose signature was verified
    cosignatures: int = 0  # under them, of witnesses whose keys are known, and verified
    anchors: dict[str, int] = field(default_factory=dict)  # account → the size that is anchored from outside
    accounts: dict[str, int] = field(default_factory=dict)  # account → size
    erased: dict[tuple[str, int], int] = field(
        default_factory=dict
    )  # account, erasing entry → how many records

    def add(self, difference: Difference) -> None:
        self.differing += 1
        if len(self.listed) < LISTED_MAX:
            self.listed.append(difference)

    @property
    def full(self) -> bool:
        """Whether nothing more will be listed, so that it need not be explained."""
        return len(self.listed) >= LISTED_MAX

    @property
    def in_order(self) -> list[Difference]:
        """By account and position; what belongs to no entry comes after the entries."""
        return sorted(
            self.listed,
            key=lambda one: (
                one.account_id is None,
                one.account_id or "",
                one.position is None,
                one.position or 0,
            ),
        )

    @property
    def first(self) -> Difference | None:
        return next(iter(self.in_order), None)

    def to_document(self) -> Mapping[str, Any]:
        first = self.first
        return {
            "entries": self.entries,
            "accounts": [
                {"account": account, "size": size, "anchoredUpTo": self.anchors.get(account)}
                for account, size in self.accounts.items()
            ],
            "erased": [
                {"account": account, "by": by, "records": count}
                for (account, by), count in sorted(self.erased.items())
            ],
            "checkpoints": self.checkpoints,
            "signaturesVerified": self.signatures,
            "cosignaturesVerified": self.cosignatures,
            "differing": self.differing,
            "first": None if first is None else first.to_document(),
            "differences": [one.to_document() for one in self.in_order],
        }
