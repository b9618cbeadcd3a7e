"""Tags in calls: what a request may set, and how an answer shows them. Source: IAM user guide, "Rules for tagging"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from immutables import Map

from ledger.account.account import Account
from ledger.account.entities import EMPTY, Role, Tag, User
from ledger.iam.deciding import Also, Call, Question, Resource
from ledger.iam.limits import TAGS
from ledger.iam.paging import paged
from ledger.iam.refusals import InvalidInput, LimitExceeded

SYSTEM_PREFIX = "aws:"


def new_tags(kind: type, there: Map[str, Tag], call: Call) -> Map[str, Tag]:
    """The tags that something of this kind has with those of the call; raises InvalidInput or LimitExceeded."""
    tags, told = there, set[str]()
    ignoring_case = kind in (User, Role)
    for tag in call.get("Tags", ()):
        key = tag["Key"]
        if key.lower().startswith(SYSTEM_PREFIX):
            raise InvalidInput("Tag keys beginning with aws: are reserved for system use.")
        index = key.casefold() if ignoring_case else key
        if index in told:
            case = " Please note that Tag keys are case insensitive." if ignoring_case else ""
            raise InvalidInput(f"Duplicate tag keys found.{case}")
        told.add(index)
        tags = tags.set(index, Tag(key, tag["Value"], None))
    if len(tags) > TAGS:
        raise LimitExceeded("The number of tags has reached the maximum limit.")
    return tags


def shown_tags(tags: Map[str, Tag]) -> list[dict[str, Any]]:
    return [{"Key": tag.key, "Value": tag.value} for tag in sorted(tags.values(), key=_key)]


def listed_tags(call: Call, tags: Map[str, Tag] = EMPTY) -> dict[str, Any]:
    return paged(call, "Tags", tags.values(), _key, lambda tag: {"Key": tag.key, "Value": tag.value})


def tagging_too(action: str, on: Resource) -> Also:
    """Who creates something with tags must be allowed to tag it."""

    def questions(account: Account, call: Call) -> Iterable[Question]:
        return [(action, on(account, call))] if call.get("Tags") else ()

    return questions


def _key(tag: Tag) -> str:
    return tag.key
