"""The resources that permission is asked for: the ARN of whom a call names, whether or not it is there.

Source: Service Authorization Reference, "Resource types defined by AWS Identity and Access Management".
"""

from __future__ import annotations

from ledger.account.account import Account
from ledger.iam.deciding import Call, Resource, calling_user


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


def a_user(account: Account, call: Call) -> str:
    """The user whom the call names; without a name the one who calls."""
    name = call.get("UserName")
    if name is None:
        caller = calling_user(account, call)
        return call.by.caller.arn if caller is None else caller.arn
    found = account.user_named(name)
    return arn(account, f"user/{name}") if found is None else found.arn


def a_group(account: Account, call: Call) -> str:
    name = call.get("GroupName", "")
    found = account.group_named(name)
    return arn(account, f"group/{name}") if found is None else found.arn


def a_role(account: Account, call: Call) -> str:
    name = call.get("RoleName", "")
    found = account.role_named(name)
    return arn(account, f"role/{name}") if found is None else found.arn


def an_instance_profile(account: Account, call: Call) -> str:
    name = call.get("InstanceProfileName", "")
    found = account.instance_profile_named(name)
    return arn(account, f"instance-profile/{name}") if found is None else found.arn


def a_policy(account: Account, call: Call) -> str:
    return str(call.get("PolicyArn", ""))
