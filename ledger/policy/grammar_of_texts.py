"""The text of a policy: its size, its characters, and the document it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Never

from ledger.policy.malformed import SYNTAX, MalformedPolicyDocument, refuse

TEXT_SIZE_MAX = 131_072  # characters (botocore iam/2010-05-08, policyDocumentType)
DEPTH_MAX = 16  # a policy needs 7: document, statements, statement, condition, operator, key, values
LEGACY = "The policy failed legacy parsing"

_CHARACTERS = re.compile(r"[\u0009\u000A\u000D\u0020-\u00FF]*")
_WHITE_SPACE = re.compile(r"[ \t\r\n]+")
# A string that is not closed reaches to the end: so the search stays linear.
_STRINGS_AND_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def read_document(text: str, *, not_json: str) -> dict[str, Any]:
    """`not_json` is what is said of a text that is no JSON."""
    _check_characters(text)
    _check_depth(text)
    try:
        document = json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_number)
    except MalformedPolicyDocument:
        raise
    except json.JSONDecodeError as fault:
        refuse(not_json, f"line {fault.lineno} column {fault.colno}")
    except ValueError:  # a number of more digits than Python reads
        refuse(SYNTAX, "document")
    if not isinstance(document, dict):
        refuse(SYNTAX, "document")
    _check_surrogates(document)
    return document


def check_legacy(text: str, document: Mapping[str, Any]) -> None:
    """What IAM refuses in the text of an identity policy, although JSON and the grammar have nothing against it.

    White space before the first brace (awslambdaproxy#3; the console then says "JSON strings must not have
    leading spaces"). And a single statement, not in a list, that precedes Version (iamy#65, and reported of tools
    that sort the keys): of the 6,194 versions of AWS's own policies 35 have such a statement, all of them after
    Version, while of those with a list 107 have it before. Both came to light with Put*Policy and CreatePolicy;
    role trust policies with leading white space are taken.
    """
    if not text.startswith("{"):
        refuse(LEGACY, "line 1 column 1")
    names = list(document)
    if isinstance(document.get("Statement"), dict) and "Version" in names[names.index("Statement") :]:
        refuse(LEGACY, "Version")


def policy_size(text: str) -> int:
    """Characters without white space, as AWS counts them for the quotas of IAM."""
    return len(_WHITE_SPACE.sub("", text))


def _check_characters(text: str) -> None:
    constraint = (
        "1 validation error detected: Value at 'policyDocument' failed to satisfy constraint: Member must"
    )
    if len(text) > TEXT_SIZE_MAX:
        refuse(f"{constraint} have length less than or equal to {TEXT_SIZE_MAX}", "document")
    taken = _CHARACTERS.match(text)
    if taken is not None and taken.end() < len(text):
        pattern = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
        refuse(f"{constraint} satisfy regular expression pattern: {pattern}", f"character {taken.end() + 1}")


def _check_depth(text: str) -> None:
    """Before the parser, which recurses."""
    depth = 0
    for token in _STRINGS_AND_BRACKETS.findall(text):
        if token in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                refuse(SYNTAX, "document")
        elif token in "]}":
            depth -= 1


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            refuse(SYNTAX, f"{name} (twice)")
        members[name] = value
    return members


def _check_surrogates(document: dict[str, Any]) -> None:
    """Half of a surrogate pair can be escaped in JSON, but nobody could write it down again."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as fault:
        refuse(SYNTAX, rf"\u{ord(fault.object[fault.start]):04x}")


def _no_number(constant: str) -> Never:
    """NaN and Infinity, which Python reads and JSON has not."""
    refuse(SYNTAX, constant)
