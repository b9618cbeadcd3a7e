"""Calls that change the identities of the attacked account: each is logged, and done."""

import json
from typing import Any, Literal
from urllib.parse import quote

from api.demo.account import (
    AccessKey,
    Account,
    Document,
    InstanceProfile,
    Mark,
    MarkKind,
    PolicyVersion,
    Role,
    User,
)
from api.demo.callers import Caller, Credential, access_key
from api.demo.day import created
from api.demo.refusals import Refusal
from api.demo.trail import Act, Json, Trail


def text(document: Document) -> str:
    """A policy document as a client sends it."""
    return json.dumps(document, separators=(",", ":"))


class IamCalls:
    """One method for one operation: `trail` gets the record, `account` the effect, and a mark who did it."""

    def __init__(self, trail: Trail, account: Account) -> None:
        self.trail = trail
        self.account = account

    def refused(
        self, moment: int, caller: Caller, name: str, refusal: Refusal, request: Json | None = None
    ) -> Act:
        """A call without effect."""
        return self.trail.call(moment, caller, f"iam:{name}", request, refusal=refusal)

    def read(self, moment: int, caller: Caller, name: str, request: Json | None = None) -> Act:
        return self.trail.call(moment, caller, f"iam:{name}", request)

    # Users

    def create_user(
        self, moment: int, caller: Caller, name: str, *, tags: dict[str, str] | None = None
    ) -> User:
        account_id = self.account.account_id
        user_id = self.trail.identifiers.unique_id("AIDA", account_id)
        user = User(name, user_id, f"arn:aws:iam::{account_id}:user/{name}", moment)
        request: dict[str, Any] = {"userName": name}
        shown: dict[str, Any] = {
            "path": "/",
            "userName": name,
            "userId": user.user_id,
            "arn": user.arn,
            "createDate": created(moment),
        }
        if tags:
            listed = [{"key": key, "value": value} for key, value in tags.items()]
            request = {"path": "/", "userName": name, "tags": listed}
            shown["tags"] = listed
        self._done(moment, caller, "CreateUser", request, {"user": shown}, "user", name)
        self.account.users[name] = user
        return user

    def delete_user(self, moment: int, caller: Caller, name: str) -> None:
        act = self._done(moment, caller, "DeleteUser", {"userName": name})
        self.account.end_marks_of_user(name, act.event_id)
        del self.account.users[name]

    def create_access_key(self, moment: int, caller: Caller, name: str, *, named: bool = True) -> Credential:
        """`named` False: the caller left the user name out, and the request is logged as null."""
        user = self.account.users[name]
        key_id = self.trail.identifiers.key_id("AKIA", self.account.account_id)
        shown = {"accessKeyId": key_id, "status": "Active", "userName": name, "createDate": created(moment)}
        request = {"userName": name} if named else None
        act = self._done(
            moment, caller, "CreateAccessKey", request, {"accessKey": shown}, "access_key", f"{name}/{key_id}"
        )
        user.keys[key_id] = AccessKey(key_id, "Active", moment)
        credential = access_key(name, user.user_id, self.account.account_id, key_id)
        return Credential(
            "access_key",
            credential.identity,
            credential.account_id,
            credential.arn,
            name,
            key_id,
            None,
            act.event_id,
        )

    def update_access_key(
        self, moment: int, caller: Caller, name: str, key_id: str, status: Literal["Active", "Inactive"]
    ) -> None:
        request = {"accessKeyId": key_id, "status": status, "userName": name}
        self._done(moment, caller, "UpdateAccessKey", request)
        self.account.users[name].keys[key_id].status = status

    def delete_access_key(self, moment: int, caller: Caller, name: str, key_id: str) -> None:
        act = self._done(moment, caller, "DeleteAccessKey", {"userName": name, "accessKeyId": key_id})
        self.account.end_mark("access_key", f"{name}/{key_id}", act.event_id)
        del self.account.users[name].keys[key_id]

    def create_login_profile(self, moment: int, caller: Caller, name: str, *, reset: bool) -> None:
        request = {"userName": name, "passwordResetRequired": reset}
        response = {"loginProfile": {**request, "createDate": created(moment)}}
        self._done(moment, caller, "CreateLoginProfile", request, response, "login_profile", name)
        self.account.users[name].has_password = True

    def update_login_profile(self, moment: int, caller: Caller, name: str, *, reset: bool) -> None:
        request = {"userName": name, "passwordResetRequired": reset}
        act = self._done(moment, caller, "UpdateLoginProfile", request)
        self.account.end_mark("password", name, act.event_id)
        self._mark(act, "password", name)

    def delete_login_profile(self, moment: int, caller: Caller, name: str) -> None:
        act = self._done(moment, caller, "DeleteLoginProfile", {"userName": name})
        self.account.end_mark("login_profile", name, act.event_id)
        self.account.users[name].has_password = False

    def add_user_to_group(self, moment: int, caller: Caller, name: str, group: str) -> None:
        request = {"groupName": group, "userName": name}
        self._done(moment, caller, "AddUserToGroup", request, None, "group_membership", f"{name}/{group}")
        self.account.users[name].groups.append(group)

    def remove_user_from_group(self, moment: int, caller: Caller, name: str, group: str) -> None:
        act = self._done(moment, caller, "RemoveUserFromGroup", {"groupName": group, "userName": name})
        self.account.end_mark("group_membership", f"{name}/{group}", act.event_id)
        self.account.users[name].groups.remove(group)

    def attach_user_policy(self, moment: int, caller: Caller, name: str, policy_arn: str) -> Act:
        request = {"userName": name, "policyArn": policy_arn}
        act = self._done(
            moment, caller, "AttachUserPolicy", request, None, "user_attachment", f"{name}/{policy_arn}"
        )
        self.account.users[name].attached.append(policy_arn)
        return act

    def detach_user_policy(self, moment: int, caller: Caller, name: str, policy_arn: str) -> Act:
        act = self._done(moment, caller, "DetachUserPolicy", {"userName": name, "policyArn": policy_arn})
        self.account.end_mark("user_attachment", f"{name}/{policy_arn}", act.event_id)
        self.account.users[name].attached.remove(policy_arn)
        return act

    def put_user_policy(
        self, moment: int, caller: Caller, name: str, policy: str, document: Document
    ) -> None:
        request = {"userName": name, "policyName": policy, "policyDocument": text(document)}
        self._done(moment, caller, "PutUserPolicy", request, None, "user_policy", f"{name}/{policy}")
        self.account.users[name].inline[policy] = document

    def delete_user_boundary(self, moment: int, caller: Caller, name: str) -> None:
        self._done(
            moment,
            caller,
            "DeleteUserPermissionsBoundary",
            {"userName": name},
            None,
            "boundary_removal",
            name,
        )
        self.account.users[name].boundary = None

    # Devices for the second factor

    def create_mfa_device(self, moment: int, caller: Caller, device: str) -> str:
        serial = f"arn:aws:iam::{self.account.account_id}:mfa/{device}"
        response = {"virtualMFADevice": {"serialNumber": serial}}
        request = {"virtualMFADeviceName": device}
        self._done(moment, caller, "CreateVirtualMFADevice", request, response, "mfa_device", serial)
        self.account.mfa_devices.append(serial)
        return serial

    def enable_mfa_device(self, moment: int, caller: Caller, name: str, serial: str) -> Act:
        act = self._done(moment, caller, "EnableMFADevice", {"userName": name, "serialNumber": serial})
        self.account.end_mark("mfa_removal", name, act.event_id)
        self.account.users[name].mfa.append(serial)
        return act

    def deactivate_mfa_device(self, moment: int, caller: Caller, name: str, serial: str) -> Act:
        request = {"userName": name, "serialNumber": serial}
        act = self._done(moment, caller, "DeactivateMFADevice", request, None, "mfa_removal", name)
        self.account.users[name].mfa.remove(serial)
        return act

    def delete_mfa_device(self, moment: int, caller: Caller, serial: str) -> Act:
        act = self._done(moment, caller, "DeleteVirtualMFADevice", {"serialNumber": serial})
        self.account.end_mark("mfa_device", serial, act.event_id)
        self.account.mfa_devices.remove(serial)
        return act

    # Roles and instance profiles

    def create_role(
        self, moment: int, caller: Caller, name: str, trust: Document, description: str = ""
    ) -> Role:
        account_id = self.account.account_id
        role_id = self.trail.identifiers.unique_id("AROA", account_id)
        role = Role(name, role_id, f"arn:aws:iam::{account_id}:role/{name}", moment, trust)
        request = {"roleName": name, "assumeRolePolicyDocument": text(trust)}
        if description:
            request["description"] = description
        shown = {
            "path": "/",
            "roleName": name,
            "roleId": role.role_id,
            "arn": role.arn,
            "createDate": created(moment),
            "assumeRolePolicyDocument": quote(text(trust), safe=""),
        }
        self._done(moment, caller, "CreateRole", request, {"role": shown}, "role", name)
        self.account.roles[name] = role
        return role

    def put_role_policy(
        self, moment: int, caller: Caller, role: str, policy: str, document: Document
    ) -> None:
        request = {"roleName": role, "policyName": policy, "policyDocument": text(document)}
        self._done(moment, caller, "PutRolePolicy", request, None, "role_policy", f"{role}/{policy}")
        self.account.roles[role].inline[policy] = document

    def attach_role_policy(self, moment: int, caller: Caller, role: str, policy_arn: str) -> None:
        request = {"roleName": role, "policyArn": policy_arn}
        self._done(
            moment, caller, "AttachRolePolicy", request, None, "role_attachment", f"{role}/{policy_arn}"
        )
        self.account.roles[role].attached.append(policy_arn)

    def update_trust(self, moment: int, caller: Caller, role: str, trust: Document) -> Act:
        request = {"roleName": role, "policyDocument": text(trust)}
        act = self._done(moment, caller, "UpdateAssumeRolePolicy", request)
        self.account.end_mark("trust", role, act.event_id)
        self._mark(act, "trust", role)
        self.account.roles[role].trust = trust
        return act

    def create_instance_profile(self, moment: int, caller: Caller, name: str) -> None:
        account_id = self.account.account_id
        profile_id = self.trail.identifiers.unique_id("AIPA", account_id)
        arn = f"arn:aws:iam::{account_id}:instance-profile/{name}"
        shown = {
            "path": "/",
            "instanceProfileName": name,
            "instanceProfileId": profile_id,
            "arn": arn,
            "createDate": created(moment),
            "roles": [],
        }
        request = {"instanceProfileName": name}
        response = {"instanceProfile": shown}
        self._done(moment, caller, "CreateInstanceProfile", request, response, "instance_profile", name)
        self.account.profiles[name] = InstanceProfile(name, profile_id, arn, moment)

    def add_role_to_profile(self, moment: int, caller: Caller, profile: str, role: str) -> Act:
        request = {"instanceProfileName": profile, "roleName": role}
        act = self._done(
            moment, caller, "AddRoleToInstanceProfile", request, None, "profile_role", f"{profile}/{role}"
        )
        self.account.profiles[profile].roles.append(role)
        return act

    def remove_role_from_profile(self, moment: int, caller: Caller, profile: str, role: str) -> None:
        request = {"instanceProfileName": profile, "roleName": role}
        act = self._done(moment, caller, "RemoveRoleFromInstanceProfile", request)
        self.account.end_mark("profile_role", f"{profile}/{role}", act.event_id)
        self.account.profiles[profile].roles.remove(role)

    def delete_instance_profile(self, moment: int, caller: Caller, profile: str) -> None:
        act = self._done(moment, caller, "DeleteInstanceProfile", {"instanceProfileName": profile})
        self.account.end_mark("instance_profile", profile, act.event_id)
        del self.account.profiles[profile]

    # Managed policies and identity providers

    def create_policy_version(self, moment: int, caller: Caller, policy_arn: str, document: Document) -> str:
        policy = self.account.policies[policy_arn]
        policy.newest += 1
        version = f"v{policy.newest}"
        request = {"policyArn": policy_arn, "policyDocument": text(document), "setAsDefault": True}
        shown = {"versionId": version, "isDefaultVersion": True, "createDate": created(moment)}
        response = {"policyVersion": shown}
        target = f"{policy_arn}/{version}"
        self._done(moment, caller, "CreatePolicyVersion", request, response, "policy_version", target)
        policy.versions[version] = PolicyVersion(document, moment)
        policy.default = version
        return version

    def set_default_version(self, moment: int, caller: Caller, policy_arn: str, version: str) -> None:
        self._done(moment, caller, "SetDefaultPolicyVersion", {"policyArn": policy_arn, "versionId": version})
        self.account.policies[policy_arn].default = version

    def delete_policy_version(self, moment: int, caller: Caller, policy_arn: str, version: str) -> None:
        request = {"policyArn": policy_arn, "versionId": version}
        act = self._done(moment, caller, "DeletePolicyVersion", request)
        self.account.end_mark("policy_version", f"{policy_arn}/{version}", act.event_id)
        del self.account.policies[policy_arn].versions[version]

    def create_oidc_provider(self, moment: int, caller: Caller, host: str, client_id: str) -> str:
        arn = f"arn:aws:iam::{self.account.account_id}:oidc-provider/{host}"
        thumbprint = self.trail.identifiers.hexadecimal(40)
        request = {"url": f"https://{host}", "clientIDList": [client_id], "thumbprintList": [thumbprint]}
        response = {"openIDConnectProviderArn": arn}
        self._done(moment, caller, "CreateOpenIDConnectProvider", request, response, "identity_provider", arn)
        self.account.providers.append(arn)
        return arn

    def _done(
        self,
        moment: int,
        caller: Caller,
        name: str,
        request: Json | None,
        response: Json | None = None,
        kind: MarkKind | None = None,
        target: str = "",
    ) -> Act:
        act = self.trail.call(moment, caller, f"iam:{name}", request, response)
        if kind:
            self._mark(act, kind, target)
        return act

    def _mark(self, act: Act, kind: MarkKind, target: str) -> None:
        owner, side = act.caller.credential.owner, act.caller.client.side
        self.account.marks.append(Mark(kind, target, act.event_id, act.moment, owner, side))
