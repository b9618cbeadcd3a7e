"""What the fold had to assume: never invented silently, and named by one of a closed list of reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why something in the account is not what a record said. The value is how it reads."""

    # These stay with the entity or the part they are about.
    UNSEEN_CREATION = "no record shows its creation"
    UNTOLD_ID = "no record told its unique id"
    UNTOLD_PATH = "no record told its path"
    UNKNOWN_TEXT = "the text of a policy is unknown"
    UNSEEN_GRANTS = "AWS gave it permissions that no record shows"
    UNSEEN_DELETION = "no record shows the deletion of its namesake"

    # These belong to a moment: what they are about is gone, or never was.
    CASCADE = "what it still had was deleted with it, and no record shows so"
    ABSENT = "what was removed or changed was not known to be there"
    LATER = "AWS deletes it some time after the request"
    UNREADABLE = "the record does not say what it changed"

    @property
    def severity(self) -> int:
        """How far from what is likely an order of events leads; 0 where another order would change nothing."""
        return _SEVERITY.get(self, 0)


# A grant whose removal no record shows is a hole in the log, and there are many. A second creation of one name is
# the least likely: between the two there must have been a deletion, perhaps in this very second.
_SEVERITY = {Reason.CASCADE: 1, Reason.ABSENT: 2, Reason.UNSEEN_CREATION: 2, Reason.UNSEEN_DELETION: 3}


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that was assumed: why, and about what (an ARN, a name or an id)."""

    reason: Reason
    about: str
