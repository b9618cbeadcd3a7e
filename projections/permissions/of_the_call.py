"""Whether a stored decision is about what its call asked: by the record, and by the account as it was then.

What a service asked stands in the record's `resources`, for it told them. What an operation of AWS's asks follows from
the request, as `ledger.calls.called` finds it for recorded calls.
"""

from __future__ import annotations

import re

from ledger.account.account import Account
from ledger.account.entities import Kind
from ledger.authority.asking import source_of
from ledger.authorization import Authorization
from ledger.calls.called import asked
from ledger.calls.question import Question
from ledger.iam.deciding import EVERYTHING
from ledger.policy.aws_actions import aws_action
from ledger.record import Record, is_denial

AWS_SOURCE = ".amazonaws.com"


def is_of_the_call(stored: Authorization, record: Record, account: Account) -> bool:
    """Where the record does not tell the resource, or tells a part of it, whatever fits is taken to be it.

    Of a call that failed, but for want of permission, the action alone is held against the record.
    """
    if record.document.get("eventCategory") == "Data" and record.service not in ("iam", "sts"):
        return _is_of_service_call(stored, record)
    questions = asked(record, lambda kind, name: account.arn_named(Kind(kind), name)).questions
    if any(_is_about(stored, question) for question in questions):
        return True
    # Of a call that failed otherwise nothing came, and what it names may be no resource at all.
    failed = record.error_code is not None and not is_denial(record.error_code)
    return failed and any(question.action.lower() == stored.action.lower() for question in questions)


def _is_of_service_call(stored: Authorization, record: Record) -> bool:
    """A service may name a source of its own, which tells no prefix then; that can't be one of AWS's."""
    source, name = str(record.document.get("eventSource")), record.document.get("eventName")
    if stored.action.partition(":")[2] != name:
        return False
    if source.endswith(AWS_SOURCE) and source != source_of(stored.action):
        return False
    told = record.document.get("resources") or [{"ARN": EVERYTHING}]
    return any(one.get("ARN") == stored.resource for one in told)


def _is_about(stored: Authorization, question: Question) -> bool:
    if question.action.lower() != stored.action.lower():
        return False
    if stored.resource == EVERYTHING and not _has_resources(question.action):
        return True
    return not question.resources or any(_covers(told, stored.resource) for told in question.resources)


def _has_resources(name: str) -> bool:
    """By AWS's reference; an action that has none is asked on everything, whatever denials of it say."""
    action = aws_action(name)
    return action is not None and bool(action.resource_types)


def _covers(told: str, resource: str) -> bool:
    """`*` and `?` stand for what the record does not tell."""
    parts = ({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", told))
    return re.fullmatch("".join(parts), resource, re.DOTALL) is not None
