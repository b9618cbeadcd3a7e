"""Calls that hand out new credentials: STS, and signing in to the console."""

import json
from collections.abc import Sequence
from typing import Any

from api.demo.callers import (
    Caller,
    Credential,
    RoleFace,
    federated,
    role_session,
    root,
    seen_from_abroad,
    service,
    user_session,
)
from api.demo.day import HOUR, expires
from api.demo.refusals import Refusal
from api.demo.trail import Act, Json, Trail

CONSOLE = (
    "https://us-east-1.console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&region=us-east-1"
)
NOBODY = "HIDDEN_DUE_TO_SECURITY_REASONS"


class Sessions:
    def __init__(self, trail: Trail) -> None:
        self.trail = trail

    def assume_role(
        self,
        moment: int,
        caller: Caller,
        role: RoleFace,
        session_name: str,
        *,
        region: str = "us-east-1",
        mfa_serial: str | None = None,
        seconds: int = HOUR,
        external_id: str | None = None,
        mfa: bool = False,
    ) -> Credential:
        """`mfa`: the caller's own session had the second factor; a serial number brings it in.

        One record in the caller's account; across accounts a second one in the role's, with one sharedEventID."""
        parent = caller.credential
        key_id = self._temporary_key(role.account_id)
        request: dict[str, Any] = {
            "roleArn": role.arn,
            "roleSessionName": session_name,
            "durationSeconds": seconds,
        }
        if external_id:
            request["externalId"] = external_id
        if mfa_serial:
            request["serialNumber"] = mfa_serial
        response = self._credentials(key_id, moment + seconds) | {
            "assumedRoleUser": {
                "assumedRoleId": f"{role.role_id}:{session_name}",
                "arn": f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session_name}",
            }
        }
        act = self._assumed(moment, caller, role, request, response, region)
        return role_session(
            role,
            session_name,
            key_id,
            moment,
            owner=parent.owner,
            mfa=mfa or mfa_serial is not None,
            parent=parent,
            made_by=act.event_id,
        )

    def assume_for_service(
        self,
        moment: int,
        invoked_by: str,
        role: RoleFace,
        session_name: str,
        *,
        region: str,
        extra: Json | None = None,
        seconds: int = HOUR,
    ) -> Credential:
        """A service takes a role in order to work for somebody (Lambda, an instance, AWS Config)."""
        caller = service(invoked_by, role.account_id)
        linked = "/aws-service-role/" in role.arn
        key_id = self._temporary_key(role.account_id)
        request: dict[str, Any] = {"roleArn": role.arn, "roleSessionName": session_name}
        if linked:
            request["durationSeconds"] = seconds
        response = self._credentials(key_id, moment + seconds) | {
            "assumedRoleUser": {
                "assumedRoleId": f"{role.role_id}:{session_name}",
                "arn": f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session_name}",
            }
        }
        act = self.trail.call(
            moment,
            caller,
            "sts:AssumeRole",
            request,
            response,
            region=region,
            resources=[(role.arn, "AWS::IAM::Role")],
            shared=self.trail.identifiers.uuid(),
        )
        instance = invoked_by == "ec2.amazonaws.com"
        return role_session(
            role,
            session_name,
            None if linked else key_id,
            moment,
            owner=session_name if instance else invoked_by,
            made_by=act.event_id,
            kind="instance" if instance else "role",
            extra={"invokedBy": invoked_by} if linked else extra,
        )

    def get_session_token(
        self, moment: int, caller: Caller, *, seconds: int, mfa_serial: str | None = None
    ) -> Credential:
        key_id = self._temporary_key(caller.credential.account_id)
        request: dict[str, Any] = {"durationSeconds": seconds}
        if mfa_serial:
            request["serialNumber"] = mfa_serial
        response = self._credentials(key_id, moment + seconds)
        act = self.trail.call(moment, caller, "sts:GetSessionToken", request, response)
        mfa = mfa_serial is not None
        return user_session("session_token", caller.credential, key_id, moment, mfa=mfa, made_by=act.event_id)

    def get_federation_token(
        self, moment: int, caller: Caller, name: str, policy: dict[str, Any], *, seconds: int
    ) -> Credential:
        account_id = caller.credential.account_id
        key_id = self._temporary_key(account_id)
        request = {"name": name, "policy": json.dumps(policy), "durationSeconds": seconds}
        response = self._credentials(key_id, moment + seconds) | {
            "federatedUser": {
                "federatedUserId": f"{account_id}:{name}",
                "arn": f"arn:aws:sts::{account_id}:federated-user/{name}",
            },
            "packedPolicySize": 4,
        }
        act = self.trail.call(moment, caller, "sts:GetFederationToken", request, response)
        return federated(caller.credential, name, key_id, moment, act.event_id)

    def console_of_federated(self, moment: int, caller: Caller, browser: Caller) -> Credential:
        """GetSigninToken with temporary credentials, then the browser opens the console with it."""
        parent = caller.credential
        key_id = self._temporary_key(parent.account_id)
        self.trail.call(
            moment,
            caller,
            "signin:GetSigninToken",
            None,
            {"credentials": {"accessKeyId": key_id}, "GetSigninToken": "Success"},
            more={"MobileVersion": "No", "MFAUsed": "No"},
        )
        act = self._console_login(moment + 9, browser, mfa_serial=None)
        identity = dict(parent.identity) | {"accessKeyId": key_id}
        return Credential(
            "console", identity, parent.account_id, parent.arn, parent.owner, key_id, parent, act.event_id
        )

    def sign_in(self, moment: int, user: Credential, caller: Caller, *, mfa_serial: str | None) -> Credential:
        """A user opens the console with the password, and with the second factor if there is one."""
        if mfa_serial:
            identity = {key: value for key, value in user.identity.items() if key != "arn"}
            checked = self._with_identity(caller, identity | {"accessKeyId": ""})
            more = {"MfaType": "Virtual MFA"}
            self.trail.call(moment - 1, checked, "signin:CheckMfa", None, {"CheckMfa": "Success"}, more=more)
        bare = {key: value for key, value in user.identity.items() if key != "accessKeyId"}
        act = self._console_login(moment, self._with_identity(caller, bare), mfa_serial=mfa_serial)
        key_id = self._temporary_key(user.account_id)
        mfa = mfa_serial is not None
        return user_session("console", user, key_id, moment, mfa=mfa, made_by=act.event_id)

    def sign_in_as_root(
        self, moment: int, account_id: str, caller: Caller, *, mfa_serial: str | None
    ) -> Credential:
        act = self._console_login(moment, caller, mfa_serial=mfa_serial)
        key_id = self._temporary_key(account_id)
        return root(account_id, key_id, moment, mfa=mfa_serial is not None, made_by=act.event_id)

    def sign_in_fails(self, moment: int, caller: Caller, *, mfa_used: bool = False) -> Act:
        """A wrong password. Whoever typed a name that does not exist stays unnamed."""
        unknown = caller.credential.identity.get("userName") == NOBODY
        reason = "No username found in supplied account" if unknown else "Failed authentication"
        return self.trail.call(
            moment,
            caller,
            "signin:ConsoleLogin",
            None,
            {"ConsoleLogin": "Failure"},
            refusal=Refusal("", reason, True),
            more={"LoginTo": CONSOLE, "MobileVersion": "No", "MFAUsed": "Yes" if mfa_used else "No"},
        )

    def _assumed(
        self, moment: int, caller: Caller, role: RoleFace, request: Json, response: Json, region: str
    ) -> Act:
        resources: Sequence[tuple[str, str]] = [(role.arn, "AWS::IAM::Role")]
        own = caller.credential.account_id
        if own == role.account_id:
            return self.trail.call(
                moment, caller, "sts:AssumeRole", request, response, region=region, resources=resources
            )
        shared, request_id = self.trail.identifiers.uuid(), self.trail.identifiers.uuid()
        accounts = [role.account_id] if caller.credential.kind == "outsider" else [own, role.account_id]
        acts = []
        for account_id in accounts:
            abroad = account_id != own and caller.credential.kind != "outsider"
            seen = Caller(seen_from_abroad(caller.credential), caller.client) if abroad else caller
            acts.append(
                self.trail.call(
                    moment,
                    seen,
                    "sts:AssumeRole",
                    request,
                    response,
                    region=region,
                    resources=resources,
                    account_id=account_id,
                    shared=shared,
                    request_id=request_id,
                )
            )
        return acts[0]

    def _console_login(self, moment: int, caller: Caller, *, mfa_serial: str | None) -> Act:
        more = {"LoginTo": CONSOLE, "MobileVersion": "No"}
        if mfa_serial:
            more["MFAIdentifier"] = mfa_serial
        more["MFAUsed"] = "Yes" if mfa_serial else "No"
        return self.trail.call(
            moment, caller, "signin:ConsoleLogin", None, {"ConsoleLogin": "Success"}, more=more
        )

    def _with_identity(self, caller: Caller, identity: Json) -> Caller:
        credential = caller.credential
        bare = Credential(
            credential.kind, identity, credential.account_id, credential.arn, credential.owner, None
        )
        return Caller(bare, caller.client)

    def _credentials(self, key_id: str, until: int) -> dict[str, Any]:
        token = self.trail.identifiers.session_token()
        credentials = {"accessKeyId": key_id, "sessionToken": token, "expiration": expires(until)}
        return {"credentials": credentials}

    def _temporary_key(self, account_id: str) -> str:
        return self.trail.identifiers.key_id("ASIA", account_id)
