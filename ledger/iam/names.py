"""New names and paths: the ARN changes with them, the unique id does not.

Source: IAM user guide, "Rename an IAM user", "Rename an IAM group" and "Rename a server certificate".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Literal, TypeVar

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.entities import Group, Kind, ServerCertificate, User, known
from ledger.iam.deciding import Also, Call, Question

Renamed = TypeVar("Renamed", User, Group, ServerCertificate)

_NOUNS: Final = {
    Kind.USER: "User",
    Kind.GROUP: "Group",
    Kind.SERVER_CERTIFICATE: "ServerCertificate",
}


def renamed(entity: Renamed, name: str | None, path: str | None) -> Renamed:
    name, path = name or entity.name, path or entity.path
    now = replace(entity, name=name, path=path, arn=_arn(entity, name, path))
    return known(now, Reason.UNTOLD_PATH) if path != entity.path else now


def new_name_too(action: str, kind: Literal[Kind.USER, Kind.GROUP, Kind.SERVER_CERTIFICATE]) -> Also:
    """Who gives something another name or path must be allowed to change it there, too."""
    noun = _NOUNS[kind]

    def questions(account: Account, call: Call) -> Iterable[Question]:
        name, new_name, new_path = (
            call.get(f"{noun}Name", ""),
            call.get(f"New{noun}Name"),
            call.get("NewPath"),
        )
        entity = _named(account, kind, name)
        if entity is None or (new_name is None and new_path is None):
            return ()
        return [(action, _arn(entity, new_name or entity.name, new_path or entity.path))]

    return questions


def _named(account: Account, kind: Kind, name: str) -> User | Group | ServerCertificate | None:
    match kind:
        case Kind.USER:
            return account.user_named(name)
        case Kind.GROUP:
            return account.group_named(name)
    return account.server_certificate_named(name)


def _arn(entity: User | Group | ServerCertificate, name: str, path: str) -> str:
    head = entity.arn.partition(f":{entity.kind.value}/")[0]
    return f"{head}:{entity.kind.value}{path}{name}"
