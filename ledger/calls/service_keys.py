"""The condition keys of single services that a record tells. Source: the Service Authorization Reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.calls.context_reader import UNTOLD, Answer, Family, Reader, Seen, tells

_REQUEST: Final = "where the record has the request"
_SETS_BOUNDARY: Final = (
    "iam:createuser",
    "iam:createrole",
    "iam:putuserpermissionsboundary",
    "iam:putrolepermissionsboundary",
)
# Whom a role is passed to, where that is not the service that was called.
_PASSED_TO: Final = {"ecs": "ecs-tasks.amazonaws.com", "sagemaker": "sagemaker.amazonaws.com"}


def _of_request(key: str, member: str, *, service: str) -> None:
    """A key whose value is one member of the request."""

    @tells(key, f"requestParameters.{member}", _REQUEST)
    def _(seen: Seen) -> Answer:
        return seen.of_request(seen.member(member)) if seen.service == service else None


_of_request("sts:ExternalId", "externalId", service="sts")
_of_request("sts:RoleSessionName", "roleSessionName", service="sts")
_of_request("sts:SourceIdentity", "sourceIdentity", service="sts")
_of_request("iam:PolicyARN", "policyArn", service="iam")
_of_request("iam:AWSServiceName", "aWSServiceName", service="iam")
_of_request("s3:prefix", "prefix", service="s3")
_of_request("s3:delimiter", "delimiter", service="s3")
_of_request("s3:max-keys", "max-keys", service="s3")
_of_request("s3:VersionId", "versionId", service="s3")
_of_request("s3:x-amz-acl", "x-amz-acl", service="s3")
_of_request("s3:x-amz-copy-source", "x-amz-copy-source", service="s3")
_of_request("s3:x-amz-server-side-encryption", "x-amz-server-side-encryption", service="s3")
_of_request(
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-aws-kms-key-id",
    service="s3",
)
_of_request("s3:x-amz-storage-class", "x-amz-storage-class", service="s3")


@tells("sts:TransitiveTagKeys", "requestParameters.transitiveTagKeys", _REQUEST)
def _transitive_tag_keys(seen: Seen) -> Answer:
    return seen.of_request(*seen.request.texts("transitiveTagKeys")) if seen.service == "sts" else None


@tells("iam:PermissionsBoundary", "requestParameters.permissionsBoundary", "where the call sets the boundary")
def _permissions_boundary(seen: Seen) -> Answer:
    """Of other calls it is the boundary that the user or role has, which only the account knows."""
    if seen.service != "iam":
        return None
    return (
        seen.of_request(seen.request.text("permissionsBoundary"))
        if seen.action.lower() in _SETS_BOUNDARY
        else UNTOLD
    )


@tells("iam:PassedToService", "eventSource, for iam:PassRole", "taken to be the service that was called")
def _passed_to_service(seen: Seen) -> Answer:
    if seen.action.lower() != "iam:passrole":
        return None
    called = seen.record.service
    if called in ("iam", "sts"):
        return ("ec2.amazonaws.com",) if "AddRoleToInstanceProfile" in seen.record.action else UNTOLD
    return (_PASSED_TO.get(called, f"{called}.amazonaws.com"),)


@tells("iam:ResourceTag/", "tags handed in", "where they are handed in")
def _iam_resource_tags(seen: Seen) -> Answer:
    return _resource_tags(seen, "iam")


@tells("ec2:ResourceTag/", "tags handed in", "where they are handed in")
def _ec2_resource_tags(seen: Seen) -> Answer:
    return _resource_tags(seen, "ec2")


@tells("ec2:Region", "awsRegion", "for calls of EC2")
def _ec2_region(seen: Seen) -> Answer:
    if seen.service != "ec2":
        return None
    told = seen.text("awsRegion")
    return (told,) if told else UNTOLD


@tells("s3:authType", "additionalEventData.AuthenticationMethod", "where the record has it")
def _s3_auth_type(seen: Seen) -> Answer:
    told = seen.within("additionalEventData").text("AuthenticationMethod")
    kinds = {"AuthHeader": "REST-HEADER", "QueryString": "REST-QUERY-STRING"}
    return _of_s3(seen, kinds.get(told or ""))


@tells("s3:signatureversion", "additionalEventData.SignatureVersion", "where the record has it")
def _s3_signature_version(seen: Seen) -> Answer:
    told = seen.within("additionalEventData").text("SignatureVersion")
    return _of_s3(seen, {"SigV4": "AWS4-HMAC-SHA256", "SigV2": "AWS"}.get(told or ""))


@tells("s3:TlsVersion", "tlsDetails.tlsVersion", "where the record has it")
def _s3_tls_version(seen: Seen) -> Answer:
    told = seen.within("tlsDetails").text("tlsVersion")
    return _of_s3(seen, told.removeprefix("TLSv") if told else None)


@tells("kms:CallerAccount", "userIdentity.accountId", "for calls of KMS")
def _kms_caller_account(seen: Seen) -> Answer:
    if seen.service != "kms":
        return None
    return (seen.identity.account_id,) if seen.identity.account_id else UNTOLD


@tells("kms:ViaService", "userIdentity.invokedBy and awsRegion", "absent where no service hands on the call")
def _kms_via_service(seen: Seen) -> Answer:
    service, region = seen.identity.invoked_by, seen.text("awsRegion")
    if seen.service != "kms" or service is None:
        return None
    name, dot, rest = service.partition(".")
    return (f"{name}.{region}.{rest}",) if region and dot and rest == "amazonaws.com" else UNTOLD


@tells("kms:EncryptionContext:", "requestParameters.encryptionContext", _REQUEST)
def _kms_encryption_context(seen: Seen) -> Answer:
    if seen.service == "kms" and not seen.request_told:
        return UNTOLD
    return Family({key: (value,) for key, value in _encryption_context(seen).items()}, whole=True)


@tells("kms:EncryptionContextKeys", "requestParameters.encryptionContext", _REQUEST)
def _kms_encryption_context_keys(seen: Seen) -> Answer:
    return seen.of_request(*_encryption_context(seen)) if seen.service == "kms" else None


def _web_identity(ending: str, member: str) -> Reader:
    """`token.actions.githubusercontent.com:sub`: these keys begin with the name of the identity provider."""

    def read(seen: Seen) -> Answer:
        if seen.action.lower() != "sts:assumerolewithwebidentity":
            return None
        value = seen.response.text(member)
        identity = seen.within("userIdentity")
        provider = identity.text("identityProvider") or seen.response.text("provider") or ""
        name = provider.partition(":oidc-provider/")[2] or provider
        return Family({f"{name}:{ending}": (value,)}, whole=False) if name and value else UNTOLD

    return read


tells(
    "‹provider›:sub",
    "responseElements.subjectFromWebIdentityToken",
    "for AssumeRoleWithWebIdentity that succeeded",
)(_web_identity("sub", "subjectFromWebIdentityToken"))
tells("‹provider›:aud", "responseElements.audience", "for AssumeRoleWithWebIdentity that succeeded")(
    _web_identity("aud", "audience")
)


def _resource_tags(seen: Seen, service: str) -> Answer:
    if seen.service != service:
        return Family({}, whole=True)
    if seen.resource_tags is None:
        return UNTOLD
    return Family({key: (value,) for key, value in seen.resource_tags.items()}, whole=True)


def _of_s3(seen: Seen, value: str | None) -> Answer:
    if seen.service != "s3":
        return None
    return (value,) if value else UNTOLD


def _encryption_context(seen: Seen) -> dict[str, str]:
    told = seen.asked.get("encryptionContext") if seen.service == "kms" else None
    if not isinstance(told, Mapping):
        return {}
    return {key: value for key, value in told.items() if isinstance(key, str) and isinstance(value, str)}
