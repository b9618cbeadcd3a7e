"""What a simulation is asked: by whom, under which policies, in which context. Nothing is decided here.

Source: IAM API reference, SimulateCustomPolicy and SimulatePrincipalPolicy. AWS's words for a resource that is no ARN,
and for an owner that is none, are known from its users' reports; the other refusals say what the reference says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.account.account import Account
from ledger.account.entities import Group, Kind, Role, User
from ledger.iam.context_keys import keys_asked_for, policy_of_input
from ledger.iam.deciding import Call
from ledger.iam.documents import text_of
from ledger.iam.permissions_policies import Held, managed_document, permissions_policies, source_of_policies
from ledger.iam.refusals import InvalidInput
from ledger.iam.simulation_context import context_of
from ledger.iam.subjects import AWS_MANAGED
from ledger.policy.callers import holder_of
from ledger.policy.decision import Layer, Source
from ledger.policy.document import compile_policy
from ledger.policy.evaluation import Policies, PolicySet
from ledger.policy.grammar import PolicyKind
from ledger.policy.patterns import test_of
from ledger.policy.request import Caller, CallerKind, account_in, caller_of

EVERYTHING: Final = ("*",)
_ACTION = re.compile(r"[\w-]+:\w+", re.ASCII)
_RESOURCE = re.compile(r"\*|arn:[^:]*:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)
_OWNER = re.compile(r"arn:[\w-]+:iam::(\d{12}):root", re.ASCII)
_PRINCIPAL = re.compile(r"arn:[\w-]+:iam::(\d{12}):(user|group|role)/.+", re.ASCII)
_EXCLUDED_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}|aws):policy/[\w+=,.@/?*-]+", re.ASCII)
_EC2 = ("instance", "image", "security-group", "network-interface")
HANDLING: Final[Mapping[str, tuple[str, ...]]] = {
    "EC2-VPC-InstanceStore": _EC2,
    "EC2-VPC-InstanceStore-Subnet": (*_EC2, "subnet"),
    "EC2-VPC-EBS": (*_EC2, "volume"),
    "EC2-VPC-EBS-Subnet": (*_EC2, "subnet", "volume"),
}
"""The kinds of EC2 resource that must be among those of a simulation."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A policy that takes part. `id` is what answers call it: the same, perhaps, for two that `arn` tells apart.

    `arn` is a managed policy's own, and that of the holder of an inline policy.
    """

    id: str
    document: Mapping[str, Any]
    text: str
    arn: str | None = None

    def source(self, layer: Layer) -> Source:
        return Source(layer, self.id, self.arn)


@dataclass(frozen=True, slots=True)
class Simulation:
    """`texts` are those of the policies that answers point into, `keys` the condition keys in lower case as the policies
    spell them. `owner` is None where no second account can take part.
    """

    caller: Caller
    policies: Policies
    texts: Mapping[Source, str]
    keys: Mapping[str, str]
    context: Mapping[str, tuple[str, ...]]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    owner: str | None

    def owner_of(self, resource: str) -> str | None:
        """The account whose policies a call on the resource is judged by, beside the caller's."""
        if self.owner is None:
            return self.caller.account_id
        return account_in(resource) or self.owner


# ---- the two ways of asking


def custom_simulation(account: Account, call: Call) -> Simulation:
    """Raises InvalidInput."""
    return _simulation(account, call, None, _inputs(call, "PolicyInputList"), ())


def principal_simulation(account: Account, call: Call, at: int) -> Simulation:
    """Under the policies that a user, group or role has; raises InvalidInput or NoSuchEntity."""
    holder = source_of_policies(account, call)
    excluded = [_exclusion(told) for told in call.get("PolicyExclusionList", ())]
    own = [
        _stated(held)
        for held in permissions_policies(account, holder, at)
        if not any(it.excludes(held) for it in excluded)
    ]
    boundary: Iterable[Stated] = ()
    if not any(it.type == "permission-boundary" for it in excluded):
        boundary = _boundary_of(account, holder, at)
    return _simulation(account, call, holder, [*own, *_inputs(call, "PolicyInputList")], boundary)


def _simulation(
    account: Account,
    call: Call,
    holder: User | Group | Role | None,
    identity: list[Stated],
    bounded_by: Iterable[Stated],
) -> Simulation:
    caller, told_of_caller = _caller(account, holder, call.get("CallerArn"))
    boundary = _inputs(call, "PermissionsBoundaryPolicyInputList") or list(bounded_by)
    if len(boundary) > 1:
        raise InvalidInput(
            "You can input only one permissions boundary when you pass a policy to this operation."
        )
    resource = _resource_policy(call, caller)
    return Simulation(
        caller=caller,
        policies=Policies(
            identity=_set(Layer.IDENTITY, identity),
            boundary=_set(Layer.BOUNDARY, boundary) if boundary else None,
            resource=_set(Layer.RESOURCE, resource) if resource else None,
            service_controls=tuple(_service_controls(call)),
        ),
        texts={
            one.source(layer): one.text
            for layer, some in ((Layer.IDENTITY, identity), (Layer.RESOURCE, resource))
            for one in some
        },
        keys={key.lower(): key for key in keys_asked_for(one.document for one in (*identity, *resource))},
        context=told_of_caller | context_of(call.get("ContextEntries", ())),
        actions=_actions(call),
        resources=_resources(call),
        owner=_owner(call, caller) if resource or "ResourceOwner" in call else None,
    )


# ---- policies


def _inputs(call: Call, member: str, kind: PolicyKind = PolicyKind.IDENTITY) -> list[Stated]:
    return [
        Stated(f"{member}.{number}", policy_of_input(text, kind), text)
        for number, text in enumerate(call.get(member, ()), start=1)
    ]


def _stated(held: Held) -> Stated:
    """Managed policies go by their name, inline ones by whose they are, too."""
    text = text_of(held.document)
    if held.arn is not None:
        return Stated(held.name, held.document, text, held.arn)
    whose = f"{held.holder.kind}_{held.holder.name}_{held.name}"
    return Stated(whose, held.document, text, held.holder.arn)


def _boundary_of(account: Account, holder: User | Group | Role, at: int) -> Iterable[Stated]:
    """A boundary of which nobody told the text permits nothing."""
    if isinstance(holder, Group) or holder.boundary is None:
        return
    arn = holder.boundary.policy_arn
    document = managed_document(account, arn, at)
    known: Mapping[str, Any] = document if isinstance(document, Mapping) else {"Statement": []}
    yield Stated(arn, known, text_of(known))


def _resource_policy(call: Call, caller: Caller) -> list[Stated]:
    text = call.get("ResourcePolicy")
    if text is None:
        return []
    if caller.kind is CallerKind.ROLE_SESSION:
        raise InvalidInput("Simulation of resource-based policies isn't supported for IAM roles.")
    if not caller.arn:
        raise InvalidInput("CallerArn is required if you include a ResourcePolicy.")
    return [Stated("ResourcePolicy.1", policy_of_input(text, PolicyKind.RESOURCE), text)]


def _service_controls(call: Call) -> Iterable[PolicySet]:
    for number, level in enumerate(call.get("OrderedOrganizationPolicyInputList", ()), start=1):
        texts = level.get("ServiceControlPolicyInputList", ())
        yield _set(
            Layer.SERVICE_CONTROL,
            [
                Stated(f"Level.{number}", policy_of_input(text, PolicyKind.SERVICE_CONTROL), text)
                for text in texts
            ],
        )


def _set(layer: Layer, policies: Iterable[Stated]) -> PolicySet:
    return PolicySet((compile_policy(one.document), one.source(layer)) for one in policies)


@dataclass(frozen=True, slots=True)
class _Exclusion:
    """Policies that are to be left out: all that each member that is there says."""

    type: str | None
    arn: str | None
    inline: Mapping[str, str] | None

    def excludes(self, held: Held) -> bool:
        if self.arn is not None and (held.arn is None or not _like(self.arn, held.arn)):
            return False
        if self.inline is not None and not (
            held.arn is None
            and held.name == self.inline["PolicyName"]
            and held.holder.kind == self.inline["AttachmentType"]
            and _like(self.inline["AttachmentName"], held.holder.name)
        ):
            return False
        return self.type in (None, _type_of(held))


def _type_of(held: Held) -> str:
    if held.arn is None:
        return "inline"
    return "aws-managed" if AWS_MANAGED in held.arn else "user-managed"


def _exclusion(told: Mapping[str, Any]) -> _Exclusion:
    found = _Exclusion(told.get("PolicyType"), told.get("PolicyArn"), told.get("InlinePolicyIdentifier"))
    if found.arn is not None and (not _EXCLUDED_ARN.fullmatch(found.arn) or found.arn.count("*") > 1):
        raise InvalidInput(f"ARN {found.arn} is not valid.")
    if found == _Exclusion(None, None, None):
        raise InvalidInput(
            "A policy identifier must have a PolicyType, a PolicyArn or an InlinePolicyIdentifier."
        )
    return found


def _like(pattern: str, name: str) -> bool:
    test = test_of((pattern,))
    return test is None or bool(test(name))


# ---- the caller


def _caller(
    account: Account, holder: User | Group | Role | None, arn: str | None
) -> tuple[Caller, dict[str, tuple[str, ...]]]:
    """Who calls, and the condition keys that follow from who that is.

    A group calls nothing, and without CallerArn nobody is named: such a caller has no name, and no keys.
    """
    arn = arn or (None if holder is None else holder.arn)
    if arn is None:
        return Caller(CallerKind.USER, "", account.id), {}
    named = _PRINCIPAL.fullmatch(arn)
    if named is None:
        raise InvalidInput(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    if named[2] == "group":
        return Caller(CallerKind.USER, "", named[1]), {}
    caller = caller_of(arn)
    found = holder_of(account, (Kind(named[2]), arn)) if named[1] == account.id else None
    if found is None or found.arn != arn:
        return caller, {}
    keys: dict[str, tuple[str, ...]] = {
        f"aws:principaltag/{tag.key.lower()}": (tag.value,) for tag in found.tags.values()
    }
    if isinstance(found, User):
        keys["aws:userid"] = (found.id,)
    return caller, keys


# ---- actions and resources


def _actions(call: Call) -> tuple[str, ...]:
    wrong = [action for action in call["ActionNames"] if not _ACTION.fullmatch(action)]
    if wrong:
        raise InvalidInput(f"ActionNames are not in a valid format: {', '.join(wrong)}.")
    return tuple(call["ActionNames"])


def _resources(call: Call) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(call.get("ResourceArns") or EVERYTHING))
    wrong = [resource for resource in found if not _RESOURCE.fullmatch(resource)]
    if wrong:
        raise InvalidInput(f"ResourceNames are not in a valid ARN format: {', '.join(wrong)}.")
    option = call.get("ResourceHandlingOption")
    if option is not None:
        _check_handling(option, found)
    return found


def _check_handling(option: str, resources: Iterable[str]) -> None:
    if option not in HANDLING:
        raise InvalidInput(f"{option} is not a valid ResourceHandlingOption.")
    there = {resource.split(":", 5)[-1].partition("/")[0] for resource in resources if ":ec2:" in resource}
    missing = [kind for kind in HANDLING[option] if kind not in there]
    if missing:
        raise InvalidInput(f"{option} requires these resources: {', '.join(missing)}.")


def _owner(call: Call, caller: Caller) -> str | None:
    told = call.get("ResourceOwner")
    if told is None:
        return caller.account_id
    owner = _OWNER.fullmatch(told)
    if owner is None:
        raise InvalidInput(f"'{told}' is not a valid as a Resource Owner.")
    return owner[1]
