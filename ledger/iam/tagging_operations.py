"""The operations on tags, alike for all that can be tagged: each noun's file enters its own, in a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import (
    InstanceProfile,
    ManagedPolicy,
    OIDCProvider,
    Role,
    SAMLProvider,
    ServerCertificate,
    User,
    tagging,
    untagging,
)
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, Resource, decides
from ledger.iam.operations import Rank, evolves
from ledger.iam.tags import listed_tags, new_tags

Tagged = TypeVar(
    "Tagged", User, Role, ManagedPolicy, InstanceProfile, ServerCertificate, OIDCProvider, SAMLProvider
)


def changes_tags(
    noun: str,
    kind: type[Tagged],
    *,
    on: Resource,
    there: Callable[[Account, Call], Tagged],
    told: Callable[[Account, Change], tuple[Account, Tagged]],
) -> None:
    """Enter `iam:Tag…` and `iam:Untag…` of a noun.

    `there` is what a call names, or raises a refusal; `told` is what a record names, assumed where it is unknown.
    """

    @decides(f"iam:Tag{noun}", on=on)
    def decide_tag(account: Account, call: Call, moment: Moment) -> Answer:
        new_tags(kind, there(account, call).tags, call)
        return NOTHING

    @evolves(f"iam:Tag{noun}", rank=Rank.CHANGE)
    def tag(account: Account, change: Change) -> Account:
        account, tagged = told(account, change)
        return account.put(tagging(tagged, change.request.pairs("Tags"), change.position))

    @decides(f"iam:Untag{noun}", on=on)
    def decide_untag(account: Account, call: Call, moment: Moment) -> Answer:
        there(account, call)
        return NOTHING

    @evolves(f"iam:Untag{noun}", rank=Rank.REVOKE)
    def untag(account: Account, change: Change) -> Account:
        account, tagged = told(account, change)
        return account.put(untagging(tagged, change.request.texts("TagKeys")))


def taggable(
    noun: str,
    kind: type[Tagged],
    *,
    on: Resource,
    there: Callable[[Account, Call], Tagged],
    told: Callable[[Account, Change], tuple[Account, Tagged]],
) -> None:
    """As `changes_tags`, and `iam:List…Tags` too."""
    changes_tags(noun, kind, on=on, there=there, told=told)

    @decides(f"iam:List{noun}Tags", on=on)
    def list_tags(account: Account, call: Call, moment: Moment) -> Answer:
        return Answer(listed_tags(call, there(account, call).tags))
