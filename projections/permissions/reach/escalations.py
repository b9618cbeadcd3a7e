"""The known ways in which a principal raises its own permission: closed, named, each judged by the engine.

A way is a few actions that are needed together, and what they must be allowed on: the policy that one is under, the
user whose key one makes, the role that one hands to a service. Sources: Rhino Security Labs, "AWS IAM Privilege
Escalation – Methods and Mitigation" (2018, and its list since); IAM user guide, "Granting a user permissions to pass
a role"; of `AddRoleToInstanceProfile`, permissions boundaries and service-specific credentials the IAM API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ledger.account.entities import Role, User
from ledger.policy.decision import Layer, Match, Source, Unknown
from ledger.policy.document import compile_policy
from ledger.policy.evaluation import PolicySet, evaluate
from ledger.policy.pattern_sets import Undecided
from ledger.policy.request import request_of
from projections.permissions.judging import Judgement
from projections.permissions.reach.permitted import Said, somewhere
from projections.permissions.reach.reached import ASSUME, Hop, Roles, judged_hop
from projections.permissions.reach.standing import Standing

PASS_ROLE = "iam:PassRole"
PASSED_TO = "iam:PassedToService"


class On(StrEnum):
    """What the first action of a way must be allowed on."""

    OWN_POLICY = "a customer's policy that the principal, or a role it may assume, is under"
    OWN_POLICY_OF_VERSIONS = "such a policy that has another version"
    ITSELF = "the user itself"
    OWN_GROUP = "a group of the user"
    OTHER_GROUP = "a group that the user is not in"
    OTHER_USER = "another user"
    OWN_ROLE = "the role itself, or a role that it may assume"
    OTHER_ROLE = "a role whose trust policy would then name the principal"
    PASSED_ROLE = "a role that a service may assume"
    OWN_BOUNDARY = "the user or role itself, which a boundary limits"
    FUNCTION = "a function that runs as a role"
    ROLE_TO_ASSUME = "a role"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to raise one's permission: `actions` on the target, and of each group of `besides` one on anything."""

    name: str
    does: str
    on: On
    actions: tuple[str, ...]
    besides: tuple[tuple[str, ...], ...] = ()
    service: str | None = None  # to which a role is passed


def _passing(name: str, does: str, service: str, *besides: tuple[str, ...]) -> Way:
    return Way(name, does, On.PASSED_ROLE, (PASS_ROLE,), besides, f"{service}.amazonaws.com")


WAYS: tuple[Way, ...] = (
    Way(
        "CreatePolicyVersion",
        "writes a policy that it is under anew",
        On.OWN_POLICY,
        ("iam:CreatePolicyVersion",),
    ),
    Way(
        "SetDefaultPolicyVersion",
        "puts another version of a policy that it is under in force",
        On.OWN_POLICY_OF_VERSIONS,
        ("iam:SetDefaultPolicyVersion",),
    ),
    Way("AttachUserPolicy", "attaches policies to itself", On.ITSELF, ("iam:AttachUserPolicy",)),
    Way("AttachGroupPolicy", "attaches policies to its group", On.OWN_GROUP, ("iam:AttachGroupPolicy",)),
    Way("AttachRolePolicy", "attaches policies to its role", On.OWN_ROLE, ("iam:AttachRolePolicy",)),
    Way("PutUserPolicy", "writes policies into itself", On.ITSELF, ("iam:PutUserPolicy",)),
    Way("PutGroupPolicy", "writes policies into its group", On.OWN_GROUP, ("iam:PutGroupPolicy",)),
    Way("PutRolePolicy", "writes policies into its role", On.OWN_ROLE, ("iam:PutRolePolicy",)),
    Way("AddUserToGroup", "joins another group", On.OTHER_GROUP, ("iam:AddUserToGroup",)),
    Way("CreateAccessKey", "makes a key of another user", On.OTHER_USER, ("iam:CreateAccessKey",)),
    Way("CreateLoginProfile", "gives another user a password", On.OTHER_USER, ("iam:CreateLoginProfile",)),
    Way("UpdateLoginProfile", "changes another user's password", On.OTHER_USER, ("iam:UpdateLoginProfile",)),
    Way(
        "CreateServiceSpecificCredential",
        "makes a credential of another user for one service",
        On.OTHER_USER,
        ("iam:CreateServiceSpecificCredential",),
    ),
    Way(
        "DeactivateMFADevice",
        "takes another user's second factor away and sets their password",
        On.OTHER_USER,
        ("iam:DeactivateMFADevice", "iam:UpdateLoginProfile"),
    ),
    Way(
        "UpdateAssumeRolePolicy",
        "lets itself into a role",
        On.OTHER_ROLE,
        ("iam:UpdateAssumeRolePolicy",),
    ),
    Way("AssumeRole", "assumes a role that may do worse", On.ROLE_TO_ASSUME, (ASSUME,)),
    Way(
        "DeleteUserPermissionsBoundary",
        "takes off its boundary",
        On.OWN_BOUNDARY,
        ("iam:DeleteUserPermissionsBoundary",),
    ),
    Way(
        "PutUserPermissionsBoundary",
        "replaces its boundary",
        On.OWN_BOUNDARY,
        ("iam:PutUserPermissionsBoundary",),
    ),
    Way(
        "DeleteRolePermissionsBoundary",
        "takes off its boundary",
        On.OWN_BOUNDARY,
        ("iam:DeleteRolePermissionsBoundary",),
    ),
    Way(
        "PutRolePermissionsBoundary",
        "replaces its boundary",
        On.OWN_BOUNDARY,
        ("iam:PutRolePermissionsBoundary",),
    ),
    _passing(
        "PassRoleToLambda",
        "runs a function of its own as a role",
        "lambda",
        ("lambda:CreateFunction",),
        (
            "lambda:InvokeFunction",
            "lambda:CreateEventSourceMapping",
            "lambda:AddPermission",
            "lambda:CreateFunctionUrlConfig",
        ),
    ),
    _passing("PassRoleToEC2", "starts an instance with a role", "ec2", ("ec2:RunInstances",)),
    _passing(
        "AddRoleToInstanceProfile",
        "puts a role into an instance's profile",
        "ec2",
        ("iam:AddRoleToInstanceProfile",),
    ),
    _passing(
        "PassRoleToCloudFormation",
        "lets a stack act as a role",
        "cloudformation",
        ("cloudformation:CreateStack",),
    ),
    _passing(
        "PassRoleToGlue",
        "runs code of its own as a role",
        "glue",
        ("glue:CreateDevEndpoint", "glue:CreateJob", "glue:CreateSession"),
    ),
    _passing(
        "PassRoleToDataPipeline",
        "runs code of its own as a role",
        "datapipeline",
        ("datapipeline:CreatePipeline",),
        ("datapipeline:PutPipelineDefinition",),
        ("datapipeline:ActivatePipeline",),
    ),
    _passing(
        "PassRoleToSageMaker",
        "runs a notebook or a job as a role",
        "sagemaker",
        ("sagemaker:CreateNotebookInstance", "sagemaker:CreateTrainingJob", "sagemaker:CreateProcessingJob"),
    ),
    _passing(
        "PassRoleToECS",
        "runs a container as a role",
        "ecs-tasks",
        ("ecs:RegisterTaskDefinition",),
        ("ecs:RunTask", "ecs:StartTask", "ecs:CreateService", "ecs:UpdateService"),
    ),
    _passing(
        "PassRoleToCodeBuild",
        "runs a build as a role",
        "codebuild",
        ("codebuild:CreateProject",),
        ("codebuild:StartBuild", "codebuild:StartBuildBatch"),
    ),
    Way(
        "UpdateFunctionCode",
        "replaces the code of a function that runs as a role",
        On.FUNCTION,
        (),
        (("lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),),
        "lambda.amazonaws.com",
    ),
)
NAMES = tuple(way.name for way in WAYS)


@dataclass(frozen=True, slots=True)
class Target:
    """On what a way is open. `unknown` is what would have to be known to be sure."""

    arn: str
    judgements: tuple[Judgement, ...]
    unknown: tuple[Unknown, ...]

    @property
    def certain(self) -> bool:
        return not self.unknown


@dataclass(frozen=True, slots=True)
class Escalation:
    """A way that is open to a principal, and on what."""

    way: Way
    targets: tuple[Target, ...]

    @property
    def certain(self) -> bool:
        return any(target.certain for target in self.targets)

    @property
    def matches(self) -> tuple[Match, ...]:
        """The statements that open it."""
        found: dict[int, Match] = {}
        for target in self.targets:
            for judgement in target.judgements:
                for match in (*judgement.decision.statements, *judgement.decision.possible):
                    found[id(match)] = match
        return tuple(found.values())


def escalations(
    standing: Standing, roles: Roles, worse: Callable[[Standing], bool] | None = None
) -> list[Escalation]:
    """The ways that are open to the principal. `worse`: whether a role may do worse than the principal can.

    Root has nothing to raise.
    """
    if standing.is_root or standing.account is None:
        return []
    return list(_Looking(standing, roles, worse).every())


@dataclass
class _Looking:
    standing: Standing
    roles: Roles
    worse: Callable[[Standing], bool] | None

    @cached_property
    def _said(self) -> Mapping[str, Said]:
        return {action.lower(): said for action, said in self.standing.permitted.sayings().items()}

    @cached_property
    def _hops(self) -> Mapping[str, Hop]:
        """The roles that it may assume, or perhaps may; most ways do not ask for them."""
        return {
            arn: hop
            for arn in self.roles.candidates(self.standing)
            if arn != self.standing.caller.role_arn and (hop := judged_hop(self.standing, arn)) is not None
        }

    def every(self) -> Iterator[Escalation]:
        for way in WAYS:
            if way.on is On.ROLE_TO_ASSUME:
                if self.worse is None:
                    continue
            elif not all(self._spoken(action) for action in way.actions):
                continue
            beside = self._besides(way)
            if beside is None:
                continue
            targets = tuple(sorted(self._judged(way, beside), key=lambda one: (not one.certain, one.arn)))
            if targets:
                yield Escalation(way, targets)

    def _spoken(self, action: str) -> Said | None:
        return self._said.get(action.lower())

    def _besides(self, way: Way) -> tuple[Judgement, ...] | None:
        """The judgements on what is needed besides, each on some resource; None where it is not allowed on any."""
        found = []
        for group in way.besides:
            judged = next((one for action in group if (one := self._anywhere(action)) is not None), None)
            if judged is None:
                return None
            found.append(judged)
        return tuple(found)

    def _anywhere(self, action: str) -> Judgement | None:
        said = self._spoken(action)
        if said is None:
            return None
        try:
            resource = somewhere(said)
        except Undecided:
            resource = "*"
        return None if resource is None else _open(self.standing.judge(action, resource))

    def _judged(self, way: Way, beside: tuple[Judgement, ...]) -> Iterator[Target]:
        told = {PASSED_TO: (way.service,)} if way.service is not None else None
        for arn, unknown in self._targets(way):
            if way.on is On.ROLE_TO_ASSUME:
                judgements: list[Judgement | None] = [self._hops[arn].judgement]
            else:
                judgements = [_open(self.standing.judge(action, arn, told)) for action in way.actions]
            if way.on is On.OTHER_ROLE and not self._may_enter(arn):
                continue
            if all(one is not None for one in judgements):
                every = (*(one for one in judgements if one is not None), *beside)
                doubts = (*unknown, *(doubt for one in every for doubt in one.unknown))
                yield Target(arn, every, tuple(dict.fromkeys(doubts)))

    def _targets(self, way: Way) -> Iterator[tuple[str, tuple[Unknown, ...]]]:
        """What the way may be tried on, and what is not known of it."""
        entity = self.standing.principal.entity
        itself = None if entity is None else entity.id
        account = self.standing.account
        assert account is not None
        match way.on:
            case On.OWN_POLICY | On.OWN_POLICY_OF_VERSIONS:
                for arn, unknown in self._own_policies(entity):
                    policy = account.policy(arn)
                    if way.on is On.OWN_POLICY or policy is None or len(policy.versions) != 1:
                        yield arn, unknown
            case On.ITSELF if isinstance(entity, User):
                yield entity.arn, ()
            case On.OWN_GROUP | On.OTHER_GROUP if isinstance(entity, User):
                for group in account.groups.values():
                    if (group.id in entity.memberships) is (way.on is On.OWN_GROUP):
                        yield group.arn, ()
            case On.OTHER_USER:
                yield from ((user.arn, ()) for user in account.users.values() if user.id != itself)
            case On.OWN_ROLE:
                if isinstance(entity, Role):
                    yield entity.arn, ()
                for arn, hop in self._hops.items():
                    if arn.split(":")[4] == account.id:
                        yield arn, hop.unknown
            case On.OTHER_ROLE:
                yield from ((role.arn, ()) for role in account.roles.values() if role.id != itself)
            case On.PASSED_ROLE | On.FUNCTION:
                assert way.service is not None
                yield from self.roles.of_service(account.id, way.service)
            case On.OWN_BOUNDARY if isinstance(entity, User | Role) and entity.boundary is not None:
                if ("User" in way.name) is isinstance(entity, User):
                    yield entity.arn, ()
            case On.ROLE_TO_ASSUME:
                for arn, hop in self._hops.items():
                    entry = self.roles.by_arn.get(arn)
                    if entry is None:
                        continue
                    there = self.standing.world.standing_of(*entry)
                    if self.worse is not None and self.worse(there):
                        yield arn, hop.unknown

    def _own_policies(self, entity: User | Role | None) -> Iterator[tuple[str, tuple[Unknown, ...]]]:
        """The customer's policies that the principal is under, and those of the roles that it may assume."""
        account = self.standing.account
        assert account is not None
        found: dict[str, tuple[Unknown, ...]] = {}
        if entity is not None:
            found |= dict.fromkeys(entity.attached, ())
        if isinstance(entity, User):
            for group_id in entity.memberships:
                group = account.groups.get(group_id)
                found |= dict.fromkeys(() if group is None else group.attached, ())
        for arn, hop in self._hops.items():
            role, _ = self.roles.by_arn.get(arn, (None, None))
            for policy_arn in () if role is None else role.attached:
                found.setdefault(policy_arn, hop.unknown)
        yield from ((arn, unknown) for arn, unknown in found.items() if f":iam::{account.id}:policy/" in arn)

    def _may_enter(self, role_arn: str) -> bool:
        """Whether it could assume the role if the role's trust policy named it."""
        caller, standing = self.standing.caller, self.standing
        named = caller.role_arn or caller.arn
        trust = compile_policy(
            {"Statement": [{"Effect": "Allow", "Principal": {"AWS": named}, "Action": ASSUME}]}
        )
        policies = standing.entitlement.policies(
            standing.session.policies, PolicySet([(trust, Source(Layer.TRUST, "trust", role_arn))])
        )
        context = standing.context
        decision = evaluate(
            request_of(caller, ASSUME, role_arn, context.values, known=context.known), policies
        )
        return decision.allowed or bool(decision.unknown)


def _open(judgement: Judgement) -> Judgement | None:
    """The judgement, if it allows, or if what is not told in the request might have allowed it."""
    return judgement if judgement.decision.allowed or judgement.decision.unknown else None
