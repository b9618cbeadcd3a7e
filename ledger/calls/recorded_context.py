"""The condition context of a recorded call: what each condition key was, as far as the record tells.

A condition on a key that the record does not tell can't be judged from it, and whoever evaluates must say so; that a
key was not there is another thing, and known. docs/condition-keys.md lists the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Final

import orjson

from ledger.calls import caller_keys, request_keys, service_keys
from ledger.calls.action_names import action_named
from ledger.calls.context_reader import KEYS, UNTOLD, Family, Reader, Seen
from ledger.policy.aws_actions import condition_keys
from ledger.record import Record, format_time

_ROOMS: Final = (caller_keys, request_keys, service_keys)  # importing them fills KEYS

_MFA: Final = ("aws:multifactorauthpresent", "aws:multifactorauthage")
_OF_THE_TIME: Final = ("aws:currenttime", "aws:epochtime", "aws:multifactorauthage")
# Keys of all services that depend on what is asked for, and not only on who asks, when and whence.
_OF_THE_CALL: Final = ("aws:resourceaccount", "aws:resourcetag/", "aws:requesttag/", "aws:tagkeys")
_ANY: Final = "any:Call"
REMEMBERED_LENGTH_MAX: Final = 1_024

# Keys of a service that come with a credential, whatever service is called.
_WITH_CREDENTIALS: Final = frozenset(
    {
        "ec2:sourceinstancearn",
        "ec2:roledelivery",
        "glue:credentialissuingservice",
        "glue:roleassumedby",
        "identitystore:userid",
        "lambda:sourcefunctionarn",
        "ssm:sourceinstancearn",
    }
)


Row = tuple[str, str, Reader]
"""A condition key, the same in lower case, and what reads it."""


@dataclass(frozen=True)
class Known:
    """`values` holds the keys that the request had, as AWS spells them; of all others `knows` tells the absent ones."""

    action: str
    values: Mapping[str, tuple[str, ...]]
    absent: frozenset[str]  # in lower case
    families: frozenset[str]  # the beginnings, in lower case, of keys that are all known

    def get(self, key: str) -> tuple[str, ...] | None:
        """The values; None where there are none, be it known or not. Case does not matter in keys."""
        return self._lower.get(key.lower())

    def knows(self, key: str) -> bool:
        """Whether the record tells what this key was, or that there was none."""
        name = key.lower()
        if name in self._lower or name in self.absent:
            return True
        return any(name.startswith(it) for it in self.families) or self._of_another_service(name)

    def _of_another_service(self, name: str) -> bool:
        """s3:prefix is no part of a question to IAM about `ec2:…`."""
        prefix, colon, _ = name.partition(":")
        if not colon or "." in prefix or prefix in ("aws", "saml", self.action.partition(":")[0].lower()):
            return False
        return name not in _WITH_CREDENTIALS and not any(
            it.lower().startswith(f"{prefix}:") for it in condition_keys(self.action)
        )

    @cached_property
    def _lower(self) -> dict[str, tuple[str, ...]]:
        return {key.lower(): values for key, values in self.values.items()}


def context_of(
    record: Record,
    *,
    action: str | None = None,
    principal_tags: Mapping[str, str] | None = None,
    resource_tags: Mapping[str, str] | None = None,
) -> Known:
    """What a policy's conditions were held against when IAM was asked about `action` (the call's own if not given).

    Tags of the caller and of the resource as they were then are handed in; None means that they are not known.
    """
    action = action_named(action or record.action)
    seen = Seen(record, action, principal_tags, resource_tags)
    values, absent, families = _read(seen, _rows(action))
    told = _request_context(seen)
    absent -= {key.lower() for key in told}
    return Known(action, {**values, **told}, frozenset(absent), frozenset(families))


def of_caller(record: Record) -> dict[str, tuple[str, ...]]:
    """Of `context_of`, the keys that follow from who calls and whence: at any time, whatever is called."""
    return _read(Seen(record, _ANY, None, None), _of_caller())[0]


def of_time(at: int, *, mfa_since: int | None) -> dict[str, tuple[str, ...]]:
    """Of `context_of`, the keys that change with time; `mfa_since` is when a session with MFA began."""
    told: dict[str, tuple[str, ...]] = {
        "aws:CurrentTime": (format_time(at),),
        "aws:EpochTime": (str(at),),
    }
    if mfa_since is not None:
        told["aws:MultiFactorAuthAge"] = (str(max(0, at - mfa_since)),)
    return told


def of_request(
    request: str, *, called: str, action: str, resource_tags: Mapping[str, str]
) -> Mapping[str, tuple[str, ...]]:
    """Of `context_of`, the keys that `of_caller` and `of_time` leave out, of a call that nothing is recorded of yet but
    its requestParameters, as JSON. `called` is the operation: of a service that is called here, for keys of KMS and EC2
    tell of the caller too. What was told once is remembered, if it is short.
    """
    read = _of_request if len(request) <= REMEMBERED_LENGTH_MAX else _of_request.__wrapped__
    return read(request, called, action_named(action), tuple(resource_tags.items()))


@lru_cache(maxsize=4_096)
def _of_request(
    request: str, called: str, action: str, resource_tags: tuple[tuple[str, str], ...]
) -> dict[str, tuple[str, ...]]:
    record = Record({"requestParameters": orjson.loads(request)}, "", "", 0, called, None)
    return _read(Seen(record, action, None, dict(resource_tags)), _of_call(action))[0]


def _read(seen: Seen, rows: Iterable[Row]) -> tuple[dict[str, tuple[str, ...]], set[str], set[str]]:
    """What the rows tell: values, keys that are absent, and beginnings of which all keys are known."""
    values: dict[str, tuple[str, ...]] = {}
    absent: set[str] = set()
    families: set[str] = set()
    for key, name, read in rows:
        answer = read(seen)
        if answer is UNTOLD:
            continue
        if answer is None:
            absent.add(name)
        elif isinstance(answer, Family):
            beginning = "" if key.startswith("‹") else key
            values |= {f"{beginning}{name}": told for name, told in answer.members.items()}
            if answer.whole:
                families.add(name)
        else:
            values[key] = answer
    return values, absent, families


@cache
def _of_caller() -> tuple[Row, ...]:
    left_out = (*_OF_THE_TIME, *_OF_THE_CALL)
    return tuple(row for row in _rows(_ANY) if row[1] not in left_out and not row[1].startswith("‹"))


@lru_cache(maxsize=4_096)
def _of_call(action: str) -> tuple[Row, ...]:
    """A call to STS may bring a code of an MFA device, which then counts for itself."""
    anew = _MFA if action.startswith("sts:") else ()
    left_out = {row[1] for row in _of_caller()}.union(_OF_THE_TIME).difference(anew)
    return tuple(row for row in _rows(action) if row[1] not in left_out)


@lru_cache(maxsize=4_096)
def _rows(action: str) -> tuple[Row, ...]:
    """The keys that a question about the action can have, also in lower case. Of all others it is known that it has not."""
    prefixes = {"aws", "saml", action.partition(":")[0].lower()}
    prefixes |= {key.partition(":")[0].lower() for key in condition_keys(action)}
    return tuple(
        (key, key.lower(), row.read)
        for key, row in KEYS.items()
        if key.startswith("‹")
        or key.partition(":")[0].lower() in prefixes
        or key.lower() in _WITH_CREDENTIALS
    )


def _request_context(seen: Seen) -> dict[str, tuple[str, ...]]:
    """The condition keys that the trail itself was told to write down, word for word."""
    told = seen.event_context.get("requestContext")
    if not isinstance(told, Mapping):
        return {}
    found = {}
    for key, value in told.items():
        texts = value if isinstance(value, list) else [value]
        if isinstance(key, str) and ":" in key and all(isinstance(it, str) for it in texts):
            found[key] = tuple(texts)
    return found
