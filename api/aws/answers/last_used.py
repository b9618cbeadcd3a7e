"""What IAM's own answers tell of use: PasswordLastUsed of users, RoleLastUsed of roles.

These members come from the log and not from the account, so they are filled in when the answer stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from api.aws.answers.access_keys import region_of
from projections.investigation import Investigation


def completed(ledger: Investigation, action: str, output: Mapping[str, Any]) -> Mapping[str, Any]:
    """The output of one of COMPLETED, with what the log knows besides."""
    return COMPLETED[action](ledger, output)


def with_password_last_used(
    ledger: Investigation, users: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Users (or root) as they were told; with PasswordLastUsed, where they ever signed in."""
    told = [dict(user) for user in users]
    last = ledger.last_uses.sign_ins([user["UserId"] for user in told])
    return [
        {**user, "PasswordLastUsed": last[user["UserId"]]} if user["UserId"] in last else user
        for user in told
    ]


def role_last_used(ledger: Investigation, role_id: str) -> dict[str, Any]:
    """RoleLastUsed; without members where no session of the role ever made a call."""
    last = ledger.last_uses.of_role(role_id)
    if last is None:
        return {}
    told: dict[str, Any] = {"LastUsedDate": last.time}
    region = region_of(last)
    return told if region is None else {**told, "Region": region}


def _get_user(ledger: Investigation, output: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**output, "User": with_password_last_used(ledger, [output["User"]])[0]}


def _list_users(ledger: Investigation, output: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**output, "Users": with_password_last_used(ledger, output["Users"])}


def _get_role(ledger: Investigation, output: Mapping[str, Any]) -> Mapping[str, Any]:
    role = output["Role"]
    return {**output, "Role": {**role, "RoleLastUsed": role_last_used(ledger, role["RoleId"])}}


COMPLETED: Final[Mapping[str, Callable[[Investigation, Mapping[str, Any]], Mapping[str, Any]]]] = {
    "iam:GetUser": _get_user,
    "iam:ListUsers": _list_users,
    "iam:GetRole": _get_role,
}
