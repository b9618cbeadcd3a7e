"""For other people's services: who calls, may they, and an entry of each call in the ledger. See docs/services.md."""

from api.guard.asking import Asking
from api.guard.dependency import Caller, Permission
from api.guard.middleware import Guard
from api.guard.questions import Decision, Ledger, NotKnown, NotReached, NotUnderstood, Outcome, Question
from api.guard.rules import BadRule, Public, Rule, Rules

__all__ = [
    "Asking",
    "BadRule",
    "Caller",
    "Decision",
    "Guard",
    "Ledger",
    "NotKnown",
    "NotReached",
    "NotUnderstood",
    "Outcome",
    "Permission",
    "Public",
    "Question",
    "Rule",
    "Rules",
]
