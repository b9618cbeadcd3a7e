"""The refusals of IAM and STS, in AWS's words. Source: the errors of botocore's service models and the IAM API reference.

`code` is what stands on the wire, `status` the HTTP status, `recorded` what CloudTrail writes as errorCode: mostly the
name of the exception.
"""

from __future__ import annotations


class Refusal(Exception):
    """The call was understood and authorized, and can't be done. The message is the caller's to read."""

    code: str
    status: int
    recorded: str

    def __init_subclass__(cls, *, status: int, code: str | None = None, recorded: str | None = None) -> None:
        cls.code = code or cls.__name__
        cls.status = status
        cls.recorded = recorded or f"{cls.code}Exception"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def told(self) -> str:
        """What the caller hears; the record has the message."""
        return self.message


class Misunderstood(Refusal, status=400):
    """The request itself is at fault; how, the protocol says."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code, self.status = code, status
        self.recorded = "ValidationException" if code == "ValidationError" else code


class ValidationError(Refusal, status=400, recorded="ValidationException"): ...


class NoSuchEntity(Refusal, status=404): ...


class EntityAlreadyExists(Refusal, status=409): ...


class LimitExceeded(Refusal, status=409): ...


class DeleteConflict(Refusal, status=409): ...


class Malformed(Refusal, status=400, code="MalformedPolicyDocument"): ...


class InvalidInput(Refusal, status=400): ...


class EntityTemporarilyUnmodifiable(Refusal, status=409): ...


class InvalidAuthenticationCode(Refusal, status=403): ...


class InvalidUserType(Refusal, status=400): ...


class InvalidPublicKey(Refusal, status=400): ...


class UnrecognizedPublicKeyEncoding(Refusal, status=400): ...


class DuplicateSSHPublicKey(Refusal, status=400): ...


class MalformedCertificate(Refusal, status=400): ...


class DuplicateCertificate(Refusal, status=409): ...


class KeyPairMismatch(Refusal, status=400): ...


class PasswordPolicyViolation(Refusal, status=400): ...


class FeatureDisabled(Refusal, status=404): ...


class OrganizationNotFound(
    Refusal,
    status=400,
    code="OrganizationNotFoundException",
    recorded="OrganizationNotFoundException",
): ...


class PolicyNotAttachable(Refusal, status=400): ...


class UnmodifiableEntity(Refusal, status=400): ...


class AccessDenied(Refusal, status=403, recorded="AccessDenied"): ...


class TokenBarred(Refusal, status=403, code="InvalidClientTokenId", recorded="AccessDenied"):
    """A session that AWS lets call no IAM, whatever its policies say. Of its token AWS says what it says of one that is
    none, without a full stop (99designs/aws-vault#1056).
    """

    @property
    def told(self) -> str:
        return "The security token included in the request is invalid"


class InvalidAction(Refusal, status=400, recorded="InvalidAction"): ...


class InternalFailure(Refusal, status=500, recorded="InternalFailure"): ...


class Throttling(Refusal, status=400, recorded="ThrottlingException"): ...


# ---- of STS


class InvalidParameterValue(Refusal, status=400): ...


class PackedPolicyTooLarge(Refusal, status=400): ...


class ExpiredToken(Refusal, status=400, code="ExpiredTokenException", recorded="ExpiredTokenException"): ...


class InvalidIdentityToken(Refusal, status=400): ...


class IDPRejectedClaim(Refusal, status=403): ...


class InvalidContextAssertion(Refusal, status=400): ...


class IDPCommunicationError(Refusal, status=400): ...


class InvalidAuthorizationMessage(
    Refusal,
    status=400,
    code="InvalidAuthorizationMessageException",
    recorded="InvalidAuthorizationMessageException",
): ...
