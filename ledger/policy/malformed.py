"""The refusal of a policy document."""

from __future__ import annotations

from typing import Never

SYNTAX = "Syntax errors in policy."  # IAM's general word, and ours where IAM's own is not known


class MalformedPolicyDocument(ValueError):
    """AWS's refusal of a document (HTTP 400); `place` says where, as in `Statement[2].Condition.StringEquals`."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


def refuse(message: str, place: str) -> Never:
    raise MalformedPolicyDocument(message, place)
