"""Trusted identity propagation: what an identity provider is told to pass on of the human behind a session.

Source: IAM API reference, "CreateOpenIDConnectProvider" and "UpdateOpenIDConnectProvider".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ledger.account.change import Change
from ledger.account.entities import OIDCProvider, Propagation, SAMLProvider
from ledger.iam.deciding import Call
from ledger.iam.refusals import InvalidInput

Provider = TypeVar("Provider", SAMLProvider, OIDCProvider)

NONE = Propagation(None, None, None)


def check_creation(call: Call) -> None:
    if "IdentityCenterInstanceArn" in call and "ContextProvider" not in call:
        raise InvalidInput("IdentityCenterInstanceArn requires ContextProvider.")


def check_update(provider: SAMLProvider | OIDCProvider, call: Call) -> None:
    """Raises InvalidInput where the documentation forbids the combination; AWS's own words are not known."""
    context, removes_context = call.get("ContextProvider"), call.get("RemoveContextProvider", False)
    instance, removes_instance = (
        call.get("IdentityCenterInstanceArn"),
        call.get("RemoveIdentityCenterInstance", False),
    )
    if context is not None and removes_context:
        raise InvalidInput("Specify either ContextProvider or RemoveContextProvider, but not both.")
    if instance is not None and removes_instance:
        raise InvalidInput(
            "Specify either IdentityCenterInstanceArn or RemoveIdentityCenterInstance, but not both."
        )
    if (context is not None or removes_context) and (instance is not None or removes_instance):
        raise InvalidInput(
            "A single request can change either the context provider or the IAM Identity Center association."
        )
    there = provider.propagation or NONE
    if removes_context and there.identity_center_instance_arn is not None:
        raise InvalidInput("Remove the IAM Identity Center association before the context provider.")
    if instance is not None and there.context_provider is None:
        raise InvalidInput("IdentityCenterInstanceArn requires ContextProvider.")


def propagating(provider: Provider, change: Change) -> Provider:
    """The provider after a request that may set, or remove, either part."""
    request, there = change.request, provider.propagation or NONE
    context: Mapping[str, Any] | None = there.context_provider
    instance = there.identity_center_instance_arn
    new = request.structure("ContextProvider")
    if new is not None:
        context = _as_the_api_names_it(new)
    elif request.truth("RemoveContextProvider"):
        context = None
    if request.truth("RemoveIdentityCenterInstance"):
        instance = None
    instance = request.text("IdentityCenterInstanceArn") or instance
    if (context, instance) == (there.context_provider, there.identity_center_instance_arn):
        return provider
    nothing = context is None and instance is None
    return replace(provider, propagation=None if nothing else Propagation(context, instance, change.position))


def shown_propagation(provider: SAMLProvider | OIDCProvider) -> dict[str, Any]:
    there = provider.propagation or NONE
    told: dict[str, Any] = {}
    if there.context_provider is not None:
        told["ContextProvider"] = there.context_provider
    if there.identity_center_instance_arn is not None:
        told["IdentityCenterInstanceArn"] = there.identity_center_instance_arn
    return told


def propagation_enabled(provider: SAMLProvider | OIDCProvider) -> dict[str, Any]:
    """In listings. AWS's older answers lack the member, so it is there only where it says something."""
    associated = (provider.propagation or NONE).identity_center_instance_arn is not None
    return {"IsTrustedIdentityPropagationEnabled": True} if associated else {}


def _as_the_api_names_it(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name[:1].upper() + name[1:]: _as_the_api_names_it(it) for name, it in value.items()}
    return [_as_the_api_names_it(it) for it in value] if isinstance(value, list) else value
