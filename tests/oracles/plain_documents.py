"""What a policy document and a case must look like.

Source: IAM user guide, "Grammar of the IAM JSON policy language" and the pages of the elements.
"""

from __future__ import annotations

from typing import Any

from tests.oracles.plain_conditions import TYPES, NotOfItsType, list_of, operator, text_of
from tests.oracles.plain_principals import NoPrincipal, principal_of


class Malformed(ValueError):
    """A document, or a case, that AWS would not take."""


ELEMENTS = {
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
PRINCIPAL_KINDS = {"AWS", "Federated", "Service", "CanonicalUser"}


def demand(true: object, reason: str) -> None:
    if not true:
        raise Malformed(reason)


def check_case(case: dict[str, Any]) -> None:
    """Raises Malformed."""
    demand(isinstance(case, dict), "a case is an object")
    for name in ("principal", "action", "resource"):
        demand(isinstance(case.get(name), str), f"{name} is a text")
    demand(":" in case["action"], "an action is service:name")
    context = case.get("context", {})
    demand(isinstance(context, dict), "the context is an object")
    for value in context.values():
        demand(all(is_value(one) for one in list_of(value)), "context values are texts, numbers or booleans")
    try:
        principal_of(case["principal"], {})
    except NoPrincipal as error:
        raise Malformed(str(error)) from error
    for name in ("identityPolicies", "sessionPolicies"):
        named = case.get(name)
        demand(named is None or isinstance(named, list), f"{name} is a list")
        for each in named or []:
            demand(isinstance(each, dict) and isinstance(each.get("name"), str), "a policy has a name")
            check_identity_policy(each.get("policy"))
    if case.get("permissionsBoundary") is not None:
        check_identity_policy(case["permissionsBoundary"])
    if case.get("resourcePolicy") is not None:
        check_resource_policy(case["resourcePolicy"])
    for name in ("serviceControlPolicies", "resourceControlPolicies"):
        levels = case.get(name) or []
        demand(
            isinstance(levels, list) and all(isinstance(level, list) for level in levels), f"{name}: levels"
        )
        for level in levels:
            for document in level:
                if name == "serviceControlPolicies":
                    check_identity_policy(document)
                else:
                    check_resource_policy(document)


def check_identity_policy(document: Any) -> None:
    for statement in checked_statements(document):
        # "The principal_block … must not be included in identity-based policies."
        demand("Principal" not in statement and "NotPrincipal" not in statement, "no Principal here")
        demand("Resource" in statement or "NotResource" in statement, "a Resource or NotResource")


def check_resource_policy(document: Any) -> None:
    """A trust policy too."""
    for statement in checked_statements(document):
        # "The principal_block element is required in resource-based policies and in trust policies for IAM roles."
        demand(
            ("Principal" in statement) != ("NotPrincipal" in statement), "one of Principal and NotPrincipal"
        )
        check_principal(statement.get("Principal", statement.get("NotPrincipal")))


def checked_statements(document: Any) -> list[dict[str, Any]]:
    demand(isinstance(document, dict), "a policy is an object")
    demand(document.get("Version", "2008-10-17") in ("2008-10-17", "2012-10-17"), "an unknown Version")
    demand("Statement" in document, "a Statement")
    demand(set(document) <= {"Version", "Id", "Statement"}, "an unknown element")
    statements = list_of(document["Statement"])
    for statement in statements:
        check_statement(statement)
    return statements


def check_statement(statement: Any) -> None:
    demand(isinstance(statement, dict), "a statement is an object")
    demand(set(statement) <= ELEMENTS, "an unknown element")
    demand(isinstance(statement.get("Sid", ""), str), "Sid is a text")
    # "Valid values for Effect are Allow and Deny. The Effect value is case sensitive."
    demand(statement.get("Effect") in ("Allow", "Deny"), "Effect is Allow or Deny")
    demand(("Action" in statement) != ("NotAction" in statement), "one of Action and NotAction")
    demand(not ("Resource" in statement and "NotResource" in statement), "one of Resource and NotResource")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        demand(all(isinstance(text, str) for text in list_of(statement.get(name, []))), f"{name}: texts")
    check_condition(statement.get("Condition", {}))


def check_principal(element: Any) -> None:
    if element == "*":
        return
    demand(isinstance(element, dict) and set(element) <= PRINCIPAL_KINDS, "a Principal is * or a map")
    for entries in element.values():
        demand(all(isinstance(entry, str) for entry in list_of(entries)), "principals are texts")


def check_condition(condition: Any) -> None:
    demand(isinstance(condition, dict), "a Condition is a map")
    for name, keys in condition.items():
        known = operator(name)
        if known is None:
            raise Malformed(f"an unknown condition operator: {name!r}")
        demand(isinstance(keys, dict), "a condition operator holds keys")
        for wanted in keys.values():
            for value in list_of(wanted):
                demand(is_value(value), "condition values are texts, numbers or booleans")
                check_type(known[1], text_of(value))


def check_type(comparison: str, text: str) -> None:
    for beginning, parse in TYPES.items():
        if comparison.startswith(beginning):
            try:
                parse(text)
            except NotOfItsType as error:
                raise Malformed(str(error)) from error


def is_value(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool))
