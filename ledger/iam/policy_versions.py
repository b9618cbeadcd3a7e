"""The versions of managed policies, and which of them is in force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger.account.account import Account
from ledger.account.assumptions import Reason
from ledger.account.change import Change
from ledger.account.codec import version_number
from ledger.account.entities import DefaultVersion, ManagedPolicy, PolicyVersion, known, without
from ledger.account.managed_policies import Outline, versions
from ledger.iam.deciding import NOTHING, Answer, Call, Moment, decides
from ledger.iam.documents import encoded
from ledger.iam.limits import VERSIONS_PER_POLICY
from ledger.iam.operations import Rank, evolves
from ledger.iam.paging import paged
from ledger.iam.policies import check_document, check_own, found_in, unattachable
from ledger.iam.present import check_policy_arn
from ledger.iam.refusals import DeleteConflict, LimitExceeded, NoSuchEntity
from ledger.iam.subjects import absent, the_policy
from ledger.iam.targets import a_policy

OUTSIDE = "Cannot update policies outside your own account."
NUMBER_MAX = 10**12


def brief(version: PolicyVersion, default: str | None) -> dict[str, Any]:
    """A version without its text."""
    told: dict[str, Any] = {
        "VersionId": version.version_id,
        "IsDefaultVersion": version.version_id == default,
    }
    return told if version.create_date is None else told | {"CreateDate": version.create_date}


def _all_of(policy: ManagedPolicy | Outline) -> tuple[str | None, list[PolicyVersion]]:
    """Which version is in force, and all that there are."""
    if isinstance(policy, ManagedPolicy):
        return None if policy.default is None else policy.default.version_id, list(policy.versions.values())
    latest = version_number(policy.version_id)
    return policy.version_id, [it for it in versions(policy.arn) if version_number(it.version_id) <= latest]


def _number(version: PolicyVersion) -> int:
    return version_number(version.version_id)


def _no_such_version(call: Call) -> NoSuchEntity:
    """Said also where there is no such policy at all."""
    return NoSuchEntity(
        f"Policy {call['PolicyArn']} version {call['VersionId']} does not exist or is not attachable."
    )


def _version_named(account: Account, call: Call) -> ManagedPolicy:
    """The account's own policy, which has the version that the call names."""
    policy = account.policy(call["PolicyArn"])
    if policy is None or call["VersionId"] not in policy.versions:
        raise _no_such_version(call)
    return policy


# ---- the operations


@decides("iam:CreatePolicyVersion", on=a_policy)
def decide_create_policy_version(account: Account, call: Call, moment: Moment) -> Answer:
    arn = call["PolicyArn"]
    check_own(account, arn, OUTSIDE)
    policy = account.policy(arn)
    if policy is None:
        raise unattachable(arn)
    check_document(call["PolicyDocument"])
    if len(policy.versions) >= VERSIONS_PER_POLICY:
        raise LimitExceeded(
            f"A managed policy can have up to {VERSIONS_PER_POLICY} versions. "
            "Before you create a new version, you must delete an existing version."
        )
    version = PolicyVersion(f"v{policy.last_version + 1}", None, moment.time, None)
    return Answer({"PolicyVersion": brief(version, version.version_id if call.get("SetAsDefault") else None)})


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


@decides("iam:GetPolicyVersion", on=a_policy)
def get_policy_version(account: Account, call: Call, moment: Moment) -> Answer:
    check_policy_arn(call["PolicyArn"])
    try:
        default, there = _all_of(found_in(account, call["PolicyArn"], moment.time))
    except NoSuchEntity:
        raise _no_such_version(call) from None
    for version in there:
        if version.version_id == call["VersionId"]:
            told = brief(version, default)
            document = {"Document": encoded(version.document)}
            return Answer({"PolicyVersion": told | document}, worded_by=version.made_by)
    raise _no_such_version(call)


@decides("iam:ListPolicyVersions", on=a_policy)
def list_policy_versions(account: Account, call: Call, moment: Moment) -> Answer:
    """The newest first; of AWS's policies no more than a policy can have, though older ones can be got."""
    default, there = _all_of(found_in(account, call["PolicyArn"], moment.time))
    return Answer(
        paged(
            call,
            "Versions",
            sorted(there, key=_number)[-VERSIONS_PER_POLICY:],
            lambda version: f"{NUMBER_MAX - _number(version):013}",
            lambda version: brief(version, default),
        )
    )


@decides("iam:SetDefaultPolicyVersion", on=a_policy)
def decide_set_default_policy_version(account: Account, call: Call, moment: Moment) -> Answer:
    check_own(account, call["PolicyArn"], OUTSIDE)
    _version_named(account, call)
    return NOTHING


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


@decides("iam:DeletePolicyVersion", on=a_policy)
def decide_delete_policy_version(account: Account, call: Call, moment: Moment) -> Answer:
    refusal = "Cannot delete policy versions for policies outside your own account."
    check_own(account, call["PolicyArn"], refusal)
    policy = _version_named(account, call)
    if policy.default is not None and policy.default.version_id == call["VersionId"]:
        raise DeleteConflict("Cannot delete the default version of a policy.")
    return NOTHING


@evolves("iam:DeletePolicyVersion", rank=Rank.REVOKE)
def delete_policy_version(account: Account, change: Change) -> Account:
    account, policy = the_policy(account, change.request.needed("PolicyArn"))
    version_id = change.request.needed("VersionId")
    if version_id not in policy.versions:
        return absent(account, f"{policy.arn} {version_id}")
    return account.put(replace(policy, versions=without(policy.versions, version_id)))


def _choosing(policy: ManagedPolicy, version_id: str, made_by: int) -> ManagedPolicy:
    if policy.default is None or policy.default.version_id != version_id:
        policy = replace(policy, default=DefaultVersion(version_id, made_by))
    policy = known(policy, Reason.UNKNOWN_TEXT)
    if policy.versions[version_id].document is None:
        return replace(policy, assumed=(*policy.assumed, Reason.UNKNOWN_TEXT))
    return policy
