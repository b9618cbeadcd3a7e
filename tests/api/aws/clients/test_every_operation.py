"""That none is left out: each operation is called by a test of this folder, and each error it documents is provoked."""

from __future__ import annotations

import ast
import csv
from functools import cache
from pathlib import Path
from typing import Final

from botocore import xform_name

from tests.api.aws.clients.test_refusals import CASES

HERE: Final = Path(__file__).parent

NOBODYS_DOING: Final = {
    "ServiceFailure": "a failure of ours, which no request provokes",
    "ConcurrentModification": "calls on one account are decided one after another",
    "EntityTemporarilyUnmodifiable": "a change is whole as soon as it is answered",
    "PolicyEvaluation": "policies that were taken can be evaluated",
    "RegionDisabledException": "no region is disabled",
    "OperationNotPermittedException": "there is no organization to forbid it",
    "UnsupportedOperationException": "what is answered at all is supported",
    "NoManagementAccountSLRExistsException": "there is no organization",
    "AccountNotManagementOrDelegatedAdministratorException": "there is no organization",
    "CallerIsNotManagementAccountException": "there is no organization",
    "OrganizationNotInAllFeaturesModeException": "there is no organization",
    "ServiceAccessNotEnabledException": "there is no organization",
    "OpenIdIdpCommunicationError": "a provider's host is not called while it is registered",
    "ReportInProgress": "a report is complete as soon as it was asked for",
    "ReportExpired": "a report is old after four hours: tests/api/aws/test_credential_report.py",
    "ExpiredTokenException": "tokens of other providers: tests/ledger/test_federation.py",
    "IDPCommunicationError": "tests/ledger/test_federation.py",
    "IDPRejectedClaim": "tests/ledger/test_federation.py",
    "InvalidTokenException": "no list of keys is so long that it has a second page",
    "InvalidMaxResultsException": "the model's own bound is checked before",
    "InvalidEventCategoryException": "the model's own enumeration is checked before",
    "InvalidLookupAttributesException": "the model's own enumeration is checked before",
}
# LimitExceeded is in the model of nearly every change. These make nothing more.
MAKES_NOTHING_MORE: Final = frozenset({"Add", "Attach", "Create", "Put", "Tag", "Upload"})
ELSEWHERE: Final = {
    # test_limits.py, for the account has to be filled
    **{
        (name, "LimitExceeded"): "quotas of the account"
        for name in (
            *("CreateUser", "CreateGroup", "CreateInstanceProfile", "CreateVirtualMFADevice"),
            *("CreateSAMLProvider", "EnableMFADevice", "CreateServiceLinkedRole", "CreateAccountAlias"),
        )
    },
    ("UploadServerCertificate", "LimitExceeded"): "test_server_certificates.py",
    ("DeleteServerCertificate", "DeleteConflict"): "no service uses one here",
    ("UntagServerCertificate", "InvalidInput"): "all that it takes is checked by the model",
    ("EnableMFADevice", "EntityAlreadyExists"): "needs a device that was enabled: test_limits.py",
    ("ResyncMFADevice", "InvalidAuthenticationCode"): "needs a device that was enabled: test_limits.py",
    ("DeleteVirtualMFADevice", "DeleteConflict"): "test_devices_and_settings.py",
    ("ChangePassword", "NoSuchEntity"): "needs a user without a password: test_limits.py",
    ("ChangePassword", "PasswordPolicyViolation"): "test_limits.py",
    (
        "CreateLoginProfile",
        "LimitExceeded",
    ): "there is one a user, and a second is told as EntityAlreadyExists",
    ("UpdateRoleDescription", "UnmodifiableEntity"): "the description of a service's role may be edited",
    ("CreateGroup", "NoSuchEntity"): "a group names nothing else",
    ("CreateServiceLinkedRole", "NoSuchEntity"): "the request names nothing that could be missing",
    ("UpdateAccountPasswordPolicy", "NoSuchEntity"): "it is made where there is none",
    ("UpdateAccountPasswordPolicy", "MalformedPolicyDocument"): "it has no document",
    ("AddRoleToInstanceProfile", "EntityAlreadyExists"): "the quota of one role is exceeded before",
    **{
        (f"ListAttached{holder}Policies", "InvalidInput"): "all that it takes is checked by the model"
        for holder in ("User", "Group", "Role")
    },
    **{
        (name, "InvalidInput"): "all that it takes is checked by the model"
        for name in (
            *("GetServiceLastAccessedDetails", "GetServiceLastAccessedDetailsWithEntities"),
            *("ListMFADeviceTags", "UntagInstanceProfile", "UntagMFADevice"),
        )
    },
    ("AssumeRole", "MalformedPolicyDocument"): "test_limits.py",
    ("AssumeRole", "PackedPolicyTooLarge"): "test_limits.py",
    ("GetFederationToken", "MalformedPolicyDocument"): "test_limits.py",
    ("GetFederationToken", "PackedPolicyTooLarge"): "test_limits.py",
    **{
        (name, error): "as AssumeRole: tests/ledger/test_federation.py"
        for name in ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")
        for error in ("MalformedPolicyDocument", "PackedPolicyTooLarge")
    },
}


@cache
def documented() -> dict[str, frozenset[str]]:
    """The errors that each operation's model names, by operation."""
    with (HERE / "operations.tsv").open() as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    return {row["operation"]: frozenset(filter(None, row["errors"].split(","))) for row in rows}


def called() -> set[str]:
    """The methods that the tests of this folder call."""
    return {
        node.func.attr
        for module in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_each_operation_is_called() -> None:
    there = called()
    assert [name for name in documented() if xform_name(name) not in there] == []


def test_each_documented_error_is_provoked_or_cannot_be() -> None:
    provoked = {(action.rpartition(":")[2], expected[0]) for action, _, expected in CASES}
    missing = [
        (name, error)
        for name, errors in documented().items()
        for error in sorted(errors - NOBODYS_DOING.keys())
        if (name, error) not in provoked and (name, error) not in ELSEWHERE and not _is_idle(name, error)
    ]
    assert missing == []


def test_no_excuse_is_out_of_date() -> None:
    provoked = {(action.rpartition(":")[2], expected[0]) for action, _, expected in CASES}
    assert provoked & ELSEWHERE.keys() == set()
    assert {error for _, error in provoked} & NOBODYS_DOING.keys() == set()


def _is_idle(name: str, error: str) -> bool:
    return error == "LimitExceeded" and not name.startswith(tuple(MAKES_NOTHING_MORE))
