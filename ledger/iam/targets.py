"""The resources that permission is asked for: the ARN of whom a call names, whether or not it is there.

Source: Service Authorization Reference, "Resource types defined by AWS Identity and Access Management". A denial has
words instead of the ARN for some of them, as `user bob`; source: the messages of recorded denials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ledger.account.account import Account
from ledger.iam.deciding import Call, Resource, calling_user

Words = Callable[[Call, str], str]
"""What a denial calls the resource of that ARN."""

_IN_WORDS: Final[dict[Resource, Words]] = {}


def in_words(on: Resource, call: Call, resource: str) -> str:
    """What a denial of this call says instead of the resource's ARN, or the ARN."""
    words = _IN_WORDS.get(on)
    return resource if words is None or not call.action.startswith("iam:") else words(call, resource)


def told_as(words: Words) -> Callable[[Resource], Resource]:
    def enter(on: Resource) -> Resource:
        _IN_WORDS[on] = words
        return on

    return enter


def by_name(noun: str) -> Words:
    """Root has no name, and `*` is none."""

    def words(call: Call, resource: str) -> str:
        _, named, name = resource.rpartition("/")
        return f"{noun} {name}" if named else resource

    return words


def arn(account: Account, rest: str) -> str:
    return f"arn:aws:iam::{account.id}:{rest}"


def new(noun: str, name: str) -> Resource:
    """What is to be created: its path, or `/`, and its name as the member `name` gives it."""

    def of(account: Account, call: Call) -> str:
        return arn(account, f"{noun}{call.get('Path') or '/'}{call.get(name, '')}")

    return of


def listed(noun: str) -> Resource:
    """A listing is asked on the path that is listed."""

    def of(account: Account, call: Call) -> str:
        return arn(account, f"{noun}{call.get('PathPrefix') or '/'}")

    return of


@told_as(by_name("user"))
def a_user(account: Account, call: Call) -> str:
    """The user whom the call names; without a name the one who calls. A session is taken for a user of its name."""
    name = call.get("UserName")
    if name is None:
        caller = calling_user(account, call)
        if caller is not None:
            return caller.arn
        _, is_session, name = call.by.caller.arn.rpartition("/")
        return arn(account, f"user/{name}") if is_session else call.by.caller.arn
    found = account.user_named(name)
    return arn(account, f"user/{name}") if found is None else found.arn


@told_as(by_name("group"))
def a_group(account: Account, call: Call) -> str:
    name = call.get("GroupName", "")
    found = account.group_named(name)
    return arn(account, f"group/{name}") if found is None else found.arn


@told_as(by_name("role"))
def a_role(account: Account, call: Call) -> str:
    name = call.get("RoleName", "")
    found = account.role_named(name)
    return arn(account, f"role/{name}") if found is None else found.arn


@told_as(by_name("instance profile"))
def an_instance_profile(account: Account, call: Call) -> str:
    name = call.get("InstanceProfileName", "")
    found = account.instance_profile_named(name)
    return arn(account, f"instance-profile/{name}") if found is None else found.arn


def _policy(call: Call, resource: str) -> str:
    version = call.get("VersionId") if call.action == "iam:GetPolicyVersion" else None
    return f"policy {resource}" if version is None else f"policy {resource} version {version}"


@told_as(_policy)
def a_policy(account: Account, call: Call) -> str:
    return str(call.get("PolicyArn", ""))
