"""The condition keys that policies ask for: what somebody has to supply who wants to simulate them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ledger.account.account import Account
from ledger.iam.deciding import Answer, Call, Moment, anything, decides
from ledger.iam.permissions_policies import a_source, permissions_policies, source_of_policies
from ledger.iam.refusals import InvalidInput
from ledger.policy.document import VERSION_WITH_VARIABLES
from ledger.policy.grammar import PolicyKind, check_document
from ledger.policy.grammar_of_texts import read_document
from ledger.policy.malformed import SYNTAX, MalformedPolicyDocument
from ledger.policy.variables import keys_spelt


def policy_of_input(text: str, kind: PolicyKind) -> dict[str, Any]:
    """A document that a call brings to be looked at, not to be kept; raises InvalidInput."""
    try:
        document = read_document(text, not_json=SYNTAX)
        check_document(document, kind)
    except MalformedPolicyDocument as error:
        raise InvalidInput(error.message) from error
    return document


def keys_asked_for(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys as they are spelt where they come first, each once whatever its case."""
    found: dict[str, str] = {}
    for document in documents:
        for key in _keys(document):
            found.setdefault(key.lower(), key)
    return list(found.values())


def _keys(document: Mapping[str, Any]) -> Iterator[str]:
    """Of the resources' variables, and of the conditions and their values' variables."""
    variables = document.get("Version") == VERSION_WITH_VARIABLES
    for statement in _list(document.get("Statement")):
        if not isinstance(statement, Mapping):
            continue
        for element in ("Resource", "NotResource"):
            if variables:
                yield from _variables(statement.get(element))
        block = statement.get("Condition")
        for keys in block.values() if isinstance(block, Mapping) else ():
            for key, values in keys.items() if isinstance(keys, Mapping) else ():
                yield key
                if variables:
                    yield from _variables(values)


def _variables(texts: Any) -> Iterator[str]:
    for text in _list(texts):
        if isinstance(text, str):
            yield from keys_spelt(text)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value is None else [value]


# ---- the operations


@decides("iam:GetContextKeysForCustomPolicy", on=anything)
def get_context_keys_for_custom_policy(account: Account, call: Call, moment: Moment) -> Answer:
    documents = [policy_of_input(text, PolicyKind.IDENTITY) for text in call["PolicyInputList"]]
    return Answer({"ContextKeyNames": keys_asked_for(documents)})


@decides(
    "iam:GetContextKeysForPrincipalPolicy",
    on=a_source,
)
def get_context_keys_for_principal_policy(account: Account, call: Call, moment: Moment) -> Answer:
    holder = source_of_policies(account, call)
    own = [policy.document for policy in permissions_policies(account, holder, moment.time)]
    more = [policy_of_input(text, PolicyKind.IDENTITY) for text in call.get("PolicyInputList", ())]
    return Answer({"ContextKeyNames": keys_asked_for([*own, *more])})
