"""Whom a policy on a role or a resource lets in from outside: anyone, or an account that the ledger does not know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

ANYONE = "*"
EXTERNAL_ID = "sts:externalid"
NARROWING = frozenset(
    {
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:userid",
        "aws:sourceaccount",
        "aws:sourceowner",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceip",
        "aws:vpcsourceip",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
"""Keys that keep a policy from being public. Source: S3's user guide, "The meaning of public"; Access Analyzer."""

OPEN_PROVIDERS = {
    "token.actions.githubusercontent.com": ":sub",
    "gitlab.com": ":sub",
    "app.terraform.io": ":sub",
    "cognito-identity.amazonaws.com": ":aud",
    "accounts.google.com": ":aud",
    "www.amazon.com": ":app_id",
    "graph.facebook.com": ":app_id",
}
"""Identity providers that everybody may get a token of, and the key without which a trust policy lets all of them in.

Source: IAM user guide, "Available keys for AWS OIDC federation", "Create a role for OpenID Connect federation".
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """Somebody from outside whom an Allow statement names. `condition` is the statement's own."""

    principal: str
    statement: int  # from 0
    sid: str | None
    condition: Any
    external_id: bool

    @property
    def public(self) -> bool:
        return self.principal == ANYONE or any(name in self.principal for name in OPEN_PROVIDERS)

    def told(self) -> dict[str, Any]:
        return {
            "principal": self.principal,
            "index": self.statement,
            "sid": self.sid,
            "condition": self.condition,
            "externalId": self.external_id,
        }


def openings(document: Any, account: str, known: Iterable[str]) -> list[Opening]:
    """Those whom nothing narrows: anyone, providers open to all, and accounts that are neither this nor known.

    An account that must tell an external id is let in on purpose; that anyone must is no hindrance that could be
    relied on, for the id is no secret.
    """
    return list(_openings(document, account, frozenset({account, *known})))


def _openings(document: Any, account: str, known: frozenset[str]) -> Iterator[Opening]:
    for index, statement in enumerate(_statements(document)):
        if statement.get("Effect") != "Allow":
            continue
        condition = statement.get("Condition")
        keys = _narrowed(condition)
        if keys & NARROWING:
            continue
        for name in _outside(statement, keys, known):
            if name != ANYONE and EXTERNAL_ID in keys and _is_account(name):
                continue
            yield Opening(name, index, _text(statement.get("Sid")), condition, EXTERNAL_ID in keys)


def _outside(statement: Mapping[str, Any], keys: frozenset[str], known: frozenset[str]) -> Iterator[str]:
    if "NotPrincipal" in statement:
        yield ANYONE
        return
    named = statement.get("Principal")
    groups = named if isinstance(named, Mapping) else {"AWS": named}
    for kind, group in groups.items():
        for name in dict.fromkeys(group if isinstance(group, list) else [group]):
            if not isinstance(name, str):
                continue
            if kind == "Federated":
                needed = next((key for host, key in OPEN_PROVIDERS.items() if host in name), None)
                if needed is not None and not any(key.endswith(needed) for key in keys):
                    yield name
            elif kind == "AWS" and (name == ANYONE or (_is_account(name) and _account(name) not in known)):
                yield name


def _narrowed(condition: Any) -> frozenset[str]:
    """The keys that must have a value, in lower case: not those of a test that `IfExists` or a lone `*` lets pass."""
    found = set()
    for operator, tests in condition.items() if isinstance(condition, Mapping) else ():
        plain = str(operator).lower().rpartition(":")[2]
        if plain.endswith("ifexists") or "not" in plain or plain in ("null", "bool"):
            continue
        for key, values in tests.items() if isinstance(tests, Mapping) else ():
            if any(str(value).strip("*") for value in (values if isinstance(values, list) else [values])):
                found.add(str(key).lower())
    return frozenset(found)


def _statements(document: Any) -> list[Mapping[str, Any]]:
    if isinstance(document, str):
        try:
            document = orjson.loads(document)
        except orjson.JSONDecodeError:
            return []
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    listed = statements if isinstance(statements, list) else [statements]
    return [one for one in listed if isinstance(one, Mapping)]


def _is_account(name: str) -> bool:
    return len(_account(name)) == 12 and _account(name).isdigit()


def _account(name: str) -> str:
    return name.split(":")[4] if name.count(":") >= 5 else name


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
