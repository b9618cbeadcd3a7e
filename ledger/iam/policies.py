"""Customer managed policies and their versions."""

from __future__ import annotations

from dataclasses import replace

from immutables import Map

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.codec import version_number
from ledger.account.deletion import delete
from ledger.account.entities import (
    DefaultVersion,
    Kind,
    ManagedPolicy,
    PolicyVersion,
    known,
    tagging,
    untagging,
    without,
)
from ledger.iam.operations import Rank, evolves
from ledger.iam.subjects import absent, create, created, the_policy

FIRST = "v1"


@evolves("iam:CreatePolicy", rank=Rank.CREATE)
def create_policy(account: Account, change: Change) -> Account:
    entity = created(account, change, Kind.POLICY, "Policy")
    document = change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, entity["arn"])
        entity["assumed"] = (*entity["assumed"], Reason.UNKNOWN_TEXT)
    policy = ManagedPolicy(
        **entity,
        versions=Map({FIRST: PolicyVersion(FIRST, document, entity["create_date"], change.position)}),
        default=DefaultVersion(FIRST, change.position),
        last_version=1,
        description=change.request.text("Description"),
    )
    policy = tagging(policy, change.request.pairs("Tags"), change.position)
    return create(account, policy, account.policies.get(policy.id) or account.policy(policy.arn))


def _number_told(change: Change) -> int:
    return version_number(change.response.within("PolicyVersion").text("VersionId") or "")


@evolves("iam:CreatePolicyVersion", rank=Rank.GRANT, order=_number_told)
def create_policy_version(account: Account, change: Change) -> Account:
    account, policy = the_policy(account, change.request.needed("PolicyArn"))
    told = change.response.within("PolicyVersion")
    version_id = told.text("VersionId") or f"v{policy.last_version + 1}"
    created_at = told.date("CreateDate")
    document = change.request.policy("PolicyDocument")
    if document is None:
        account = account.assume(Reason.UNKNOWN_TEXT, f"{policy.arn} {version_id}")
    version = PolicyVersion(
        version_id, document, change.time if created_at is None else created_at, change.position
    )
    policy = replace(
        policy,
        versions=policy.versions.set(version_id, version),
        last_version=max(policy.last_version, version_number(version_id)),
    )
    if change.request.truth("SetAsDefault") or told.truth("IsDefaultVersion"):
        policy = _choosing(policy, version_id, change.position)
    return account.put(policy)


@evolves("iam:SetDefaultPolicyVersion", rank=Rank.CHANGE)
def set_default_policy_version(account: Account, change: Change) -> Account:
    account, policy = the_policy(account, change.request.needed("PolicyArn"))
    version_id = change.request.needed("VersionId")
    if version_id not in policy.versions:
        account = absent(account, f"{policy.arn} {version_id}")
        policy = replace(
            policy,
            versions=policy.versions.set(version_id, PolicyVersion(version_id, None, None, None)),
            last_version=max(policy.last_version, version_number(version_id)),
        )
    return account.put(_choosing(policy, version_id, change.position))


@evolves("iam:DeletePolicyVersion", rank=Rank.REVOKE)
def delete_policy_version(account: Account, change: Change) -> Account:
    account, policy = the_policy(account, change.request.needed("PolicyArn"))
    version_id = change.request.needed("VersionId")
    if version_id not in policy.versions:
        return absent(account, f"{policy.arn} {version_id}")
    return account.put(replace(policy, versions=without(policy.versions, version_id)))


@evolves("iam:DeletePolicy", rank=Rank.DELETE)
def delete_policy(account: Account, change: Change) -> Account:
    arn = change.request.needed("PolicyArn")
    policy = account.policy(arn)
    return absent(account, arn) if policy is None else delete(account, policy, change.position)


@evolves("iam:TagPolicy", rank=Rank.CHANGE)
def tag_policy(account: Account, change: Change) -> Account:
    account, policy = the_policy(account, change.request.needed("PolicyArn"))
    return account.put(tagging(policy, change.request.pairs("Tags"), change.position))


@evolves("iam:UntagPolicy", rank=Rank.REVOKE)
def untag_policy(account: Account, change: Change) -> Account:
    account, policy = the_policy(account, change.request.needed("PolicyArn"))
    return account.put(untagging(policy, change.request.texts("TagKeys")))


def _choosing(policy: ManagedPolicy, version_id: str, made_by: int) -> ManagedPolicy:
    if policy.default is None or policy.default.version_id != version_id:
        policy = replace(policy, default=DefaultVersion(version_id, made_by))
    policy = known(policy, Reason.UNKNOWN_TEXT)
    if policy.versions[version_id].document is None:
        return replace(policy, assumed=(*policy.assumed, Reason.UNKNOWN_TEXT))
    return policy
