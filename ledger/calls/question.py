"""A question as IAM is asked it for a call: an action on a resource; and why that may not be certain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Guess(StrEnum):
    """Why action or resource is not certain."""

    NAMED_AS_EVENT = "the action is taken to be named as the event"
    RESOURCE_NOT_TOLD = "the resource is not told by the record"
    RESOURCE_BUILT = "the resource's ARN is built from what the request names"
    PART_NOT_TOLD = "a part of the resource's ARN is not told by the record and stands as * or ?"
    ALL_OF_THEM = "the request names no resource, so that all of them are taken to be meant"
    PATH_NOT_TOLD = "the path of the IAM entity is not told by the record and is taken to be /"
    OPTIONAL_RESOURCE = "AWS may not have asked about this resource"
    ROLE_PASSED = "a role that the request names is taken to be passed to the service"
    IMPLIED = "AWS is taken to have asked this as well, because of what the request holds"


class Unasked(StrEnum):
    """Why IAM was asked nothing."""

    NEEDS_NO_PERMISSION = "the operation needs no permission"
    SIGN_IN = "a sign-in, which needs no permission"
    SERVICE_EVENT = "something that a service reports, no call"
    INSIGHT = "an insight, no call"


@dataclass(frozen=True, slots=True)
class Question:
    """One action on one resource, all of which must be allowed for a call to succeed.

    `resources` holds the ARNs that may have been meant, the likeliest first: more than one where AWS or its
    policies write the same thing in several ways, none where the record does not tell.
    """

    action: str  # spelt as policies spell it, where it is known
    resources: tuple[str, ...]
    guess: tuple[Guess, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What IAM was asked for a call, the call's own action first. `unasked` says why there is no question."""

    questions: tuple[Question, ...]
    unasked: Unasked | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What an action was asked on: as in a Question."""

    resources: tuple[str, ...]
    guess: tuple[Guess, ...] = ()


NOT_TOLD = Target((), (Guess.RESOURCE_NOT_TOLD,))
EVERYTHING = Target(("*",))
