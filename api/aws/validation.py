"""Parameters held against the operation's model: what is required, lengths, ranges, patterns, enumerations, in AWS's words.

    check(operation, parameters)  # ValidationError: "2 validation errors detected: Value at 'path' failed to satisfy …"

Every error is told, in the order in which AWS tells them as far as recorded answers show it. Source: the constraints in
botocore's models; the wording of answers recorded from AWS. IAM never repeats the value, the other services do so unless
the model calls it sensitive.

The patterns of IAM's older members are looked at before all else, and have sentences of their own: "The specified value
for userName is invalid. It must contain only …".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

import re2

from api.aws.models import Operation, Shape
from api.aws.refusing import WireError
from ledger.redaction import is_secret_name

SAYS_NO_VALUES: Final = frozenset({"iam"})
SAYS_NO_ENUM_VALUES: Final = frozenset({"iam"})

# AWS names "must not be null" among the constraints on the elements of these lists, and of no others that are recorded.
LISTS_WITHOUT_NULL: Final = frozenset({"tagKeyListType"})

_OF_NAMES: Final = "contain only alphanumeric characters and/or the following: +=,.@_-"
_OF_PATHS: Final = "begin and end with / and contain only alphanumeric characters and/or / characters."
_OF_PREFIXES: Final = (
    "begin with the / character and contain only alphanumeric characters and/or / characters."
)
_OF_TEXTS: Final = "contain only printable ASCII characters."
_OF_IDS: Final = "contain only alphanumeric characters."

# By the names of shapes. Recorded of user, group, role and policy names, paths, prefixes, policy documents, private keys and
# access key ids; the rest has the same patterns and is as old. Newer members are told of their regular expression.
IN_A_SENTENCE: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("existingUserNameType", "userNameType", "groupNameType", "roleNameType", "policyNameType"),
            *("instanceProfileNameType", "serverCertificateNameType", "virtualMFADeviceName"),
        ),
        _OF_NAMES,
    ),
    **dict.fromkeys(("pathType", "policyPathType"), _OF_PATHS),
    "pathPrefixType": _OF_PREFIXES,
    **dict.fromkeys(
        ("policyDocumentType", "privateKeyType", "certificateBodyType", "certificateChainType"), _OF_TEXTS
    ),
    **dict.fromkeys(("accessKeyIdType", "certificateIdType"), _OF_IDS),
}

_CODES: Final = {"query": "ValidationError", "json": "ValidationException"}
_NOT_NULL: Final = "Member must not be null"

Check = Callable[[Any, str, list[str]], None]
"""Adds to the list what is wrong with the value that the path names."""


def check(operation: Operation, parameters: Mapping[str, Any]) -> None:
    """Parameters are those that the protocol's `parameters_of` gave, so their types are right.

    Raises WireError.
    """
    code = _CODES[operation.service.protocol]
    for name, sentence, broken in _told_in_sentences(operation):
        value = parameters.get(name)
        if value is not None and broken(value):
            spelt = name[:1].lower() + name[1:]
            raise WireError(
                code, 400, f"The specified value for {spelt} is invalid. It must {sentence}", operation
            )
    errors: list[str] = []
    _checker(operation.input, operation.service.name)(parameters, "", errors)
    if errors:
        counted = "1 validation error" if len(errors) == 1 else f"{len(errors)} validation errors"
        raise WireError(code, 400, f"{counted} detected: {'; '.join(errors)}", operation)


@cache
def _told_in_sentences(operation: Operation) -> tuple[tuple[str, str, Callable[[str], bool]], ...]:
    """The members of the operation that have a sentence: their names, the sentence, and whether a value breaks it."""
    if operation.service.name != "iam":
        return ()
    members = operation.input.members
    return tuple(
        (
            name,
            _OF_PREFIXES if name == "PathPrefix" else IN_A_SENTENCE[members[name].name],
            _unlike(members[name].pattern or ""),
        )
        for name in _in_order_of_errors(members)
        if members[name].name in IN_A_SENTENCE
    )


@cache
def _checker(shape: Shape, service: str) -> Check:
    match shape.kind:
        case "structure":
            return _structure_checker(shape, service)
        case "list":
            return _list_checker(shape, service)
        case "map":
            return _map_checker(shape, service)
        case _:
            return _scalar_checker(shape, service)


def _structure_checker(shape: Shape, service: str) -> Check:
    members = [
        (name, name[:1].lower() + name[1:], name in shape.required, _checker(shape.members[name], service))
        for name in _in_order_of_errors(shape.members)
    ]

    nothing = "Value" if service in SAYS_NO_VALUES else "Value null"

    def check_structure(value: Mapping[str, Any], path: str, errors: list[str]) -> None:
        before = f"{path}." if path else ""
        for name, spelt, required, check_member in members:
            member = value.get(name)
            if member is not None:
                check_member(member, before + spelt, errors)
            elif required:
                errors.append(f"{nothing} at '{before}{spelt}' failed to satisfy constraint: {_NOT_NULL}")

    return check_structure


def _in_order_of_errors(names: Iterable[str]) -> list[str]:
    """Recorded answers with several errors tell them in the order in which Java's HashMap keeps the members' names."""
    inserted = list(names)
    buckets = 16
    while len(inserted) > buckets * 3 // 4:
        buckets *= 2
    return sorted(inserted, key=lambda name: _hash_in_java(name[:1].lower() + name[1:]) & (buckets - 1))


def _hash_in_java(text: str) -> int:
    """Source: java.lang.String.hashCode, and how java.util.HashMap spreads it."""
    hashed = 0
    for character in text:
        hashed = (hashed * 31 + ord(character)) & 0xFFFFFFFF
    return hashed ^ hashed >> 16


def _list_checker(shape: Shape, service: str) -> Check:
    assert shape.item is not None
    of_count = _constraints(shape, service)
    of_items = _constraints(shape.item, service) if shape.item.kind not in _COMPOUND else ()
    check_item = _checker(shape.item, service) if shape.item.kind in _COMPOUND else None
    words = [constraint for constraint, _ in of_items]
    if shape.name in LISTS_WITHOUT_NULL:
        words.append(_NOT_NULL)
    of_any_item = f"Member must satisfy constraint: [{', '.join(words)}]"
    tell = _telling(shape, service)

    def check_list(value: list[Any], path: str, errors: list[str]) -> None:
        for constraint, broken in of_count:
            if broken(value):
                errors.append(tell(value, path, constraint))
        if check_item is not None:
            for number, item in enumerate(value, start=1):
                check_item(item, f"{path}.{number}.member", errors)
        elif any(broken(item) for item in value for _, broken in of_items):
            errors.append(tell(value, path, of_any_item))

    return check_list


def _map_checker(shape: Shape, service: str) -> Check:
    assert shape.key is not None
    assert shape.item is not None
    of_count = _constraints(shape, service)
    of_keys = _constraints(shape.key, service)
    of_values = _constraints(shape.item, service) if shape.item.kind not in _COMPOUND else ()
    check_value = _checker(shape.item, service) if shape.item.kind in _COMPOUND else None
    any_key = f"Map keys must satisfy constraint: [{', '.join(words for words, _ in of_keys)}]"
    any_value = f"Map value must satisfy constraint: [{', '.join(words for words, _ in of_values)}]"
    tell = _telling(shape, service)

    def check_map(value: dict[str, Any], path: str, errors: list[str]) -> None:
        for constraint, broken in of_count:
            if broken(value):
                errors.append(tell(value, path, constraint))
        if any(broken(key) for key in value for _, broken in of_keys):
            errors.append(tell(value, path, any_key))
        if check_value is not None:
            for key, inner in value.items():
                check_value(inner, f"{path}.{key}.member", errors)
        elif any(broken(inner) for inner in value.values() for _, broken in of_values):
            errors.append(tell(value, path, any_value))

    return check_map


def _scalar_checker(shape: Shape, service: str) -> Check:
    constraints = _constraints(shape, service)
    tell = _telling(shape, service)

    def check_scalar(value: Any, path: str, errors: list[str]) -> None:
        for constraint, broken in constraints:
            if broken(value):
                errors.append(tell(value, path, constraint))

    return check_scalar


_COMPOUND: Final = frozenset({"structure", "list", "map"})

Constraint = tuple[str, Callable[[Any], bool]]
"""AWS's words for it, and whether a value breaks it."""


def _constraints(shape: Shape, service: str) -> tuple[Constraint, ...]:
    found: list[Constraint] = []
    is_number = shape.kind in ("integer", "long", "float", "double")
    measured = "value" if is_number else "length"
    least, most = shape.least, shape.most
    if most is not None:
        words = f"Member must have {measured} less than or equal to {most}"
        found.append((words, _above(most) if is_number else _longer_than(most)))
    if least is not None:
        words = f"Member must have {measured} greater than or equal to {least}"
        found.append((words, _below(least) if is_number else _shorter_than(least)))
    if shape.pattern is not None:
        words = f"Member must satisfy regular expression pattern: {shape.pattern}"
        found.append((words, _unlike(shape.pattern)))
    if shape.enum:
        allowed = frozenset(shape.enum)
        words = "Member must satisfy enum value set"
        if service not in SAYS_NO_ENUM_VALUES:
            words += f": [{', '.join(shape.enum)}]"
        found.append((words, lambda value: value not in allowed))
    return tuple(found)


def _above(most: int) -> Callable[[Any], bool]:
    return lambda value: value > most


def _below(least: int) -> Callable[[Any], bool]:
    return lambda value: value < least


def _longer_than(most: int) -> Callable[[Any], bool]:
    return lambda value: len(value) > most


def _shorter_than(least: int) -> Callable[[Any], bool]:
    return lambda value: len(value) < least


@cache
def _unlike(pattern: str) -> Callable[[str], bool]:
    """The models' patterns are Java's, which `re` reads alike if `\\w` is ASCII; only RE2 knows `\\p{L}`, and lacks
    look-ahead and `\\u0020`. None of them backtracks more than the length of the text: a test holds that.
    """
    if r"\p{" not in pattern:
        matches = re.compile(pattern, re.ASCII).fullmatch
        return lambda value: matches(value) is None
    # RE2 takes ten times as long to be asked, so what is in ASCII is not asked there.
    plain = pattern.replace(r"\p{L}", "A-Za-z").replace(r"\p{N}", "0-9").replace(r"\p{Z}", " ")
    plainly, fully = re.compile(plain, re.ASCII).fullmatch, re2.compile(pattern).fullmatch
    return lambda value: plainly(value) is None and fully(value) is None


def _telling(shape: Shape, service: str) -> Callable[[Any, str, str], str]:
    if service in SAYS_NO_VALUES or _holds_secrets(shape):
        return lambda value, path, constraint: f"Value at '{path}' failed to satisfy constraint: {constraint}"
    return lambda value, path, constraint: (
        f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: {constraint}"
    )


def _holds_secrets(shape: Shape) -> bool:
    beneath = (*shape.members.values(), *filter(None, (shape.key, shape.item)))
    if is_secret_name(shape.name.removesuffix("Type")):  # codes of MFA devices, which the model forgets
        return True
    return shape.sensitive or any(_holds_secrets(inner) for inner in beneath)


def _shown(value: Any) -> str:
    """As Java writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(_shown(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{key}={_shown(inner)}' for key, inner in value.items())}}}"
        case _:
            return str(value)
