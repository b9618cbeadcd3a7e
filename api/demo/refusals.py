"""How AWS says no, service by service, in the words its logs really have."""

from dataclasses import dataclass

from api.demo.callers import Caller

_REQUEST_KEPT = {"ec2", "s3"}  # all others log null for a request that was not authorized

THROTTLED = "Rate exceeded"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failed sign-in has a message and no code (`""`)."""

    code: str
    message: str
    keeps_request: bool


def denied(caller: Caller, action: str, resource: str, *, encoded: str | None = None) -> Refusal:
    """Nothing allowed it. `encoded`: the opaque text that EC2 still gives for changes."""
    service = action.split(":")[0]
    user = f"User: {caller.credential.arn} is not authorized to perform: {action}"
    reason = f"because no identity-based policy allows the {action} action"
    if service == "ec2":
        start = "You are not authorized to perform this operation."
        tail = f"Encoded authorization failure message: {encoded}" if encoded else f"{user} {reason}"
        return Refusal("Client.UnauthorizedOperation", f"{start} {tail}", True)
    if service == "s3" and resource == "*":
        return Refusal("AccessDenied", "Access Denied", True)
    if service == "s3":
        return Refusal("AccessDenied", f'{user} on resource: "{resource}" {reason}', True)
    if service == "secretsmanager" and resource == "*":
        return Refusal("AccessDenied", f"{user} {reason}", False)
    if service in ("sts", "kms"):
        reason = "" if service == "sts" else f" {reason}"
        return Refusal("AccessDenied", f"{user} on resource: {resource}{reason}", False)
    code = "AccessDeniedException" if service == "bedrock" else "AccessDenied"
    return Refusal(code, f"{user} on resource: {resource} {reason}", False)


def denied_by(caller: Caller, action: str, resource: str, policy_arn: str | None) -> Refusal:
    """An explicit deny; the ARN of the policy is named when it is a managed one."""
    service = action.split(":")[0]
    where = "in an identity-based policy" + (f": {policy_arn}" if policy_arn else "")
    text = f"User: {caller.credential.arn} is not authorized to perform: {action} on resource: {resource} "
    text += f"with an explicit deny {where}"
    if service == "ec2":
        text = f"You are not authorized to perform this operation. {text}"
        return Refusal("Client.UnauthorizedOperation", text, True)
    return Refusal("AccessDenied", text, service in _REQUEST_KEPT)


def no_such_user(name: str) -> Refusal:
    return Refusal("NoSuchEntityException", f"The user with name {name} cannot be found.", True)


def no_such_role(name: str) -> Refusal:
    return Refusal("NoSuchEntityException", f"The role with name {name} cannot be found.", True)


def invalid_principal(arn: str) -> Refusal:
    """What tells an intruder that a principal of a foreign account does not exist."""
    return Refusal("MalformedPolicyDocumentException", f'Invalid principal in policy: "AWS":"{arn}"', True)


def too_many_versions() -> Refusal:
    text = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
    return Refusal("LimitExceededException", text, True)


def wrong_code() -> Refusal:
    return Refusal("InvalidAuthenticationCodeException", "Authentication code for device is not valid", True)


def delete_conflict() -> Refusal:
    return Refusal("DeleteConflictException", "Cannot delete entity, must delete access keys first.", True)


def throttled(service: str) -> Refusal:
    if service == "ec2":
        return Refusal("Client.RequestLimitExceeded", "Request limit exceeded.", True)
    return Refusal("ThrottlingException", THROTTLED, False)
