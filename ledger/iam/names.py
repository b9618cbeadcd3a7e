"""New names and paths: the ARN changes with them, the unique id does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ledger.account.assumptions import Reason
from ledger.account.entities import Group, User, known

Renamed = TypeVar("Renamed", User, Group)


def renamed(entity: Renamed, name: str | None, path: str | None) -> Renamed:
    name, path = name or entity.name, path or entity.path
    head = entity.arn.partition(f":{entity.kind.value}/")[0]
    now = replace(entity, name=name, path=path, arn=f"{head}:{entity.kind.value}{path}{name}")
    return known(now, Reason.UNTOLD_PATH) if path != entity.path else now
