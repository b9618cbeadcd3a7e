"""Whether AWS would take a policy document, and in which words it refuses.

For documents that people hand us. Those of recorded logs never come here: AWS took them already.

The language: IAM user guide, "Grammar of the IAM JSON policy language", and "SCP syntax" and "RCP syntax" of the
Organizations user guide. The words are AWS's where they were recorded; where they are not known, AWS's general
"Syntax errors in policy." stands, and `place` tells the fault. What is said first of a document with several
faults is known of two pairs only: a trust policy given to a user is told of its principal, not of the resources it
lacks, and an identity policy given to a role as its trust policy is told of its resource, not of the principal it
lacks. Hence the four rounds of `check_document`: shape, prohibited fields, missing fields, spelling. Trust policies have
many words in common with S3's bucket policies; those were reported by versity/versitygw#2316.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from ledger.policy.grammar_of_arns import (
    NOT_STS,
    fault_of_action,
    fault_of_principal,
    fault_of_resource,
    fault_of_trust_action,
)
from ledger.policy.grammar_of_conditions import exists, takes
from ledger.policy.grammar_of_texts import check_legacy, policy_size, read_document
from ledger.policy.malformed import SYNTAX, MalformedPolicyDocument, refuse

__all__ = [
    "MalformedPolicyDocument",
    "PolicyKind",
    "check_document",
    "check_policy",
    "check_structure",
    "policy_size",
]

NOT_JSON = {  # IAM has words of its own for trust policies, and STS (hashicorp/vault#1113); of others IAM says SYNTAX
    "trust": "This policy contains invalid Json",
    "session": "The policy is not in the valid JSON format.",
}
COGNITO = "cognito-identity.amazonaws.com"
CONTROL = "The provided policy document does not meet the requirements of the specified policy type."

VERSIONS = ("2012-10-17", "2008-10-17")
OF_DOCUMENTS = frozenset({"Version", "Id", "Statement"})
OF_STATEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
EFFECTS = ("Allow", "Deny")
OF_PRINCIPALS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})

_SID = re.compile(r"[0-9A-Za-z]*", re.ASCII)


class PolicyKind(StrEnum):
    IDENTITY = "identity"  # inline, of a user, group or role
    MANAGED = "managed"  # an identity policy that CreatePolicy or CreatePolicyVersion is to keep
    TRUST = "trust"
    SESSION = "session"
    RESOURCE = "resource"
    SERVICE_CONTROL = "service-control"
    RESOURCE_CONTROL = "resource-control"


IDENTITY_KINDS = frozenset({PolicyKind.IDENTITY, PolicyKind.MANAGED})
CONTROL_KINDS = frozenset({PolicyKind.SERVICE_CONTROL, PolicyKind.RESOURCE_CONTROL})
OF_THIS_VERSION = CONTROL_KINDS | {PolicyKind.MANAGED}
# Policies that stand at somebody, and so name nobody.
NAMELESS_KINDS = IDENTITY_KINDS | {PolicyKind.SESSION, PolicyKind.SERVICE_CONTROL}


def check_policy(text: str, kind: PolicyKind, *, size_max: int | None = None) -> dict[str, Any]:
    """The parsed document, if AWS would take it; raises MalformedPolicyDocument otherwise.

    `size_max` is a quota in characters that are not white space. AWS refuses what is too large for its quota as
    LimitExceeded, and what is too long at all or has other characters as ValidationError: a caller who speaks
    to AWS's clients asks `policy_size` and the model of the operation first.
    """
    with _in_the_words_for(kind):
        document = read_document(text, not_json=NOT_JSON.get(kind, SYNTAX))
        if kind in IDENTITY_KINDS:
            check_legacy(text, document)
        check_document(document, kind)
        if size_max is not None and policy_size(text) > size_max:
            quota = "ACLSizePerRole" if kind is PolicyKind.TRUST else "PolicySize"
            refuse(f"Cannot exceed quota for {quota}: {size_max}", "document")
    return document


def check_document(document: Mapping[str, Any], kind: PolicyKind) -> None:
    """All that can be asked of a document that is parsed already: its structure and AWS's further rules."""
    with _in_the_words_for(kind):
        if kind is PolicyKind.TRUST:
            _check_shape_of_trust(document)
        _check_shape(document)
        _check_principals_prohibited(document, kind)
        _check_prohibited(document, kind)
        _check_required(document, kind)
        _check_version(document, kind)
        _check_spelling(document, kind)


def check_structure(document: Mapping[str, Any], kind: PolicyKind) -> None:
    """Only that without which no evaluator could give the document a meaning."""
    with _in_the_words_for(kind):
        _check_shape(document)
        _check_principals_prohibited(document, kind)
        _check_required(document, kind)


@contextmanager
def _in_the_words_for(kind: PolicyKind) -> Iterator[None]:
    """AWS Organizations has one sentence for whatever is wrong with a control policy."""
    try:
        yield
    except MalformedPolicyDocument as refusal:
        if kind not in CONTROL_KINDS:
            raise
        raise MalformedPolicyDocument(CONTROL, refusal.place) from None


# Shape: what is said of trust policies alone, and what is said the same of every kind of policy


def _check_shape_of_trust(document: Mapping[str, Any]) -> None:
    if "Version" in document and document["Version"] not in VERSIONS:
        refuse("The policy must contain a valid version string", "Version")
    if "Statement" not in document:
        refuse("Missing required field Statement", "Statement")
    if document["Statement"] == []:
        refuse("Could not parse the policy: Statement is empty!", "Statement")
    for place, statement in _statements(document):
        if not isinstance(statement, Mapping):
            continue
        effect = statement.get("Effect")
        if "Effect" not in statement:
            refuse("Missing required field Effect", f"{place}.Effect")
        if isinstance(effect, str) and effect not in EFFECTS:
            refuse(f"Invalid effect: {effect}", f"{place}.Effect")
        if statement.get("Principal") == {}:
            refuse("Missing required field Principal cannot be empty!", f"{place}.Principal")


def _check_shape(document: Mapping[str, Any]) -> None:
    if not isinstance(document, Mapping):
        refuse(SYNTAX, "document")
    for name in document:
        if name not in OF_DOCUMENTS:
            refuse(SYNTAX, name or "document")
    if "Version" in document and document["Version"] not in VERSIONS:
        refuse(SYNTAX, "Version")
    if "Id" in document and not isinstance(document["Id"], str):
        refuse(SYNTAX, "Id")
    if not isinstance(document.get("Statement"), list | Mapping):
        refuse(SYNTAX, "Statement")
    for place, statement in _statements(document):
        _check_shape_of_statement(statement, place)


def _check_shape_of_statement(statement: Any, place: str) -> None:
    if not isinstance(statement, Mapping):
        refuse(SYNTAX, place)
    for name in statement:
        if name not in OF_STATEMENTS:
            refuse(SYNTAX, f"{place}.{name}")
    for name in ("Principal", "NotPrincipal"):
        if name in statement:
            _check_shape_of_principal(statement[name], f"{place}.{name}")
    if "Sid" in statement and not isinstance(statement["Sid"], str):
        refuse(SYNTAX, f"{place}.Sid")
    if statement.get("Effect") not in EFFECTS:
        refuse(SYNTAX, f"{place}.Effect")
    for name in ("Principal", "Action", "Resource"):
        if name in statement and f"Not{name}" in statement:
            refuse(SYNTAX, f"{place}.Not{name}")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement:
            _check_shape_of_strings(statement[name], f"{place}.{name}")
    if "Condition" in statement:
        _check_shape_of_condition(statement["Condition"], f"{place}.Condition")


def _check_shape_of_principal(principal: Any, place: str) -> None:
    if principal == "*":
        return
    if not isinstance(principal, Mapping):
        refuse(SYNTAX, place)
    for type_, names in principal.items():
        if type_ not in OF_PRINCIPALS:
            refuse(SYNTAX, f"{place}.{type_}")
        _check_shape_of_strings(names, f"{place}.{type_}")


def _check_shape_of_strings(value: Any, place: str) -> None:
    for at, item in _items(value, place):
        if not isinstance(item, str):
            refuse(SYNTAX, at)


def _check_shape_of_condition(condition: Any, place: str) -> None:
    """Empty conditions, operators and lists of values are taken: IAM Access Analyzer merely advises against them."""
    if not isinstance(condition, Mapping):
        refuse(SYNTAX, place)
    for operator, keys in condition.items():
        if not exists(operator) or not isinstance(keys, Mapping):
            refuse(SYNTAX, f"{place}.{operator}")
        for key, values in keys.items():
            for at, value in _items(values, f"{place}.{operator}.{key}"):
                if not isinstance(value, str | int | float) or not takes(operator, value):
                    refuse(SYNTAX, at)


# Fields that a kind of policy must not have, and those it must


def _check_principals_prohibited(document: Mapping[str, Any], kind: PolicyKind) -> None:
    if kind not in NAMELESS_KINDS:
        return
    for place, statement in _statements(document):
        for name in ("Principal", "NotPrincipal"):
            if name in statement:
                refuse("Policy document should not specify a principal.", f"{place}.{name}")


def _check_prohibited(document: Mapping[str, Any], kind: PolicyKind) -> None:
    for place, statement in _statements(document):
        if "NotPrincipal" in statement and statement["Effect"] == "Allow":
            refuse("Allow with NotPrincipal is not allowed.", f"{place}.NotPrincipal")
        for name, message in _PROHIBITED.get(kind, {}).items():
            if name in statement:
                refuse(message, f"{place}.{name}")


_PROHIBITED: Mapping[PolicyKind, Mapping[str, str]] = {
    PolicyKind.TRUST: {
        "Resource": "Has prohibited field Resource",
        "NotResource": "AssumeRole policy must not contain resources.",
        "NotPrincipal": "AssumeRole policy must not contain NotPrincipal field.",
    },
    PolicyKind.RESOURCE_CONTROL: {"NotPrincipal": CONTROL, "NotAction": CONTROL},
}


def _check_required(document: Mapping[str, Any], kind: PolicyKind) -> None:
    named = kind not in NAMELESS_KINDS and kind is not PolicyKind.RESOURCE_CONTROL
    for place, statement in _statements(document):
        if named and not statement.keys() & {"Principal", "NotPrincipal"}:
            refuse("Missing required field Principal", f"{place}.Principal")
        if not statement.keys() & {"Action", "NotAction"}:
            of_trust = kind is PolicyKind.TRUST
            message = (
                "Missing required field Action" if of_trust else "Policy statement must contain actions."
            )
            refuse(message, f"{place}.Action")
        # Of the other kinds some services take statements without it, and a trust policy must have none.
        if kind in NAMELESS_KINDS and not statement.keys() & {"Resource", "NotResource"}:
            refuse("Policy statement must contain resources.", f"{place}.Resource")


# What else AWS asks


def _check_version(document: Mapping[str, Any], kind: PolicyKind) -> None:
    """Policies that are put inline, at roles or at resources may be of the old version, or say none."""
    if kind in OF_THIS_VERSION and document.get("Version") != VERSIONS[0]:
        refuse("Policy document must be version 2012-10-17 or greater.", "Version")


def _check_spelling(document: Mapping[str, Any], kind: PolicyKind) -> None:
    if document["Statement"] == []:
        refuse(SYNTAX, "Statement")
    sids: set[str] = set()
    for place, statement in _statements(document):
        if kind is PolicyKind.RESOURCE_CONTROL:
            _check_resource_control(statement, place)
        _check_principal(statement, place, kind)
        _check_sid(statement.get("Sid", ""), sids, f"{place}.Sid", kind)
        _check_actions(statement, place, kind)
        _check_resources(statement, place, kind)


def _check_principal(statement: Mapping[str, Any], place: str, kind: PolicyKind) -> None:
    if kind in NAMELESS_KINDS:
        return
    name = "Principal" if "Principal" in statement else "NotPrincipal"
    if statement[name] != "*":
        _check_names(statement[name], f"{place}.{name}", kind)
        federated = [it for _, it in _items(statement[name].get("Federated", []), place)]
        if kind is PolicyKind.TRUST and COGNITO in federated and not statement.get("Condition"):
            refuse("A condition block must be present for the Cognito provider", f"{place}.Condition")
    elif kind is PolicyKind.TRUST:
        # The user guide calls it the same as {"AWS": "*"}, but here it is not (aws-cdk#5732).
        refuse('AssumeRolepolicy contained an invalid principal: "STAR":"*".', f"{place}.{name}")


def _check_names(principal: Mapping[str, Any], place: str, kind: PolicyKind) -> None:
    if not any(_items(names, place) for names in principal.values()):  # terraform-aws-iam#47
        exception = "com.amazon.balsa.error.InvalidPolicyException"
        fault = "The passed in policy has a statement with no principals!"
        refuse(f"Invalid principal in policy: {exception}: {fault}", place)
    for type_, names in principal.items():
        for at, name in _items(names, f"{place}.{type_}"):
            message = fault_of_principal(type_, name, of_a_role=kind is PolicyKind.TRUST)
            if message is not None:
                refuse(message, at)


def _check_resource_control(statement: Mapping[str, Any], place: str) -> None:
    """Only AWS's own RCPFullAWSAccess allows. An evaluator needs none of this."""
    if statement.get("Principal") != "*":
        refuse(CONTROL, f"{place}.Principal")
    if not statement.keys() & {"Resource", "NotResource"}:
        refuse(CONTROL, f"{place}.Resource")
    full = statement["Action"] in ("*", ["*"]) and statement.get("Resource") in ("*", ["*"])
    if statement["Effect"] == "Allow" and (not full or statement.get("Condition")):
        refuse(CONTROL, f"{place}.Effect")


def _check_sid(sid: str, sids: set[str], place: str, kind: PolicyKind) -> None:
    """Empty ones may repeat. Resource policies have the rules of their services: S3 and KMS take spaces."""
    if kind is not PolicyKind.RESOURCE and not _SID.fullmatch(sid):
        message = "Statement IDs (SID) must be alpha-numeric."
        refuse(f"{message} Check that your input satisfies the regular expression [0-9A-Za-z]*", place)
    if sid and sid in sids:
        message = "Statement IDs (SID) in a single policy must be unique."
        if kind is PolicyKind.TRUST:
            message = "The Statement Ids in the policy are not unique"
        refuse(message, place)
    sids.add(sid)


def _check_actions(statement: Mapping[str, Any], place: str, kind: PolicyKind) -> None:
    name = "Action" if "Action" in statement else "NotAction"
    if statement[name] == []:
        refuse("Policy statement must contain actions.", f"{place}.{name}")
    if kind is PolicyKind.TRUST and name == "NotAction":
        refuse(NOT_STS, f"{place}.{name}")
    for at, action in _items(statement[name], f"{place}.{name}"):
        message = fault_of_action(action)
        if message is None and kind is PolicyKind.TRUST:
            message = fault_of_trust_action(action)
        if message is not None:
            refuse(message, at)


def _check_resources(statement: Mapping[str, Any], place: str, kind: PolicyKind) -> None:
    for name in ("Resource", "NotResource"):
        if statement.get(name) == []:
            refuse("Policy statement must contain resources.", f"{place}.{name}")
        for at, resource in _items(statement.get(name, []), f"{place}.{name}"):
            # Services abbreviate in policies of their resources: execute-api:/stage/GET/pets.
            if kind is PolicyKind.RESOURCE and not resource.startswith("arn:"):
                continue
            message = fault_of_resource(resource)
            if message is not None:
                refuse(message, at)


def _statements(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return _items(document["Statement"], "Statement")


def _items(value: Any, place: str) -> list[tuple[str, Any]]:
    """Where AWS takes one thing or a list of them: each with its place."""
    if isinstance(value, list):
        return [(f"{place}[{index}]", item) for index, item in enumerate(value)]
    return [(place, value)]
