"""What really happened, told from the side of the account: what was made, by whom, and what is left of it."""

from collections.abc import Callable
from typing import Any

from api.demo.account import Account, Mark
from api.demo.cover_up import PROFILE
from api.demo.day import at, iso
from api.demo.persistence import PLANTED, SHORT_LIVED, VENDOR_ROLE
from api.demo.stage import Stage
from api.demo.trail import Act
from api.demo.truth_of_calls import Told, brief, ids, key_of
from api.demo.whereabouts import MAIN


class TruthOfState:
    def __init__(self, stage: Stage, seen: list[Act]) -> None:
        self.stage = stage
        self.account: Account = stage.company.account
        self.seen = seen
        self.by_id = {act.event_id: act for act in seen}

    def tell(self) -> Told:
        told: dict[str, Callable[[], Any]] = {
            "q1": self._keys,
            "q14": self._made_by_the_user,
            "q15": self._what_is_left,
            "q16": self._keys_for_others,
            "q17": self._keys_for_oneself,
            "q18": self._passwords_of_others,
            "q21": self._second_factor_removed,
            "q22": self._second_factor_added,
            "q23": self._trusts,
            "q24": self._boundaries,
            "q32": self._profiles,
            "q33": self._users,
            "q34": self._quarantine,
        }
        return {question: answer() for question, answer in told.items()}

    def final_state(self) -> Told:
        """As snapshot and log together show it; a key made while nothing was logged stands by itself."""
        hidden = self.stage.loot.held["backup key"].key_id
        return {
            "account": MAIN,
            "users": {
                user.name: {
                    "user_id": user.user_id,
                    "groups": sorted(user.groups),
                    "keys": {key.key_id: key.status for key in user.keys.values() if key.key_id != hidden},
                    "attached_policies": sorted(user.attached),
                    "inline_policies": sorted(user.inline),
                    "boundary": user.boundary,
                    "has_password": user.has_password,
                    "mfa": sorted(user.mfa),
                }
                for user in self.account.users.values()
            },
            "roles": {
                role.name: {
                    "role_id": role.role_id,
                    "trust": role.trust,
                    "attached_policies": sorted(role.attached),
                    "inline_policies": sorted(role.inline),
                }
                for role in self.account.roles.values()
            },
            "policies": {
                policy.arn: {"default_version": policy.default, "versions": list(policy.versions)}
                for policy in self.account.policies.values()
                if not policy.arn.startswith("arn:aws:iam::aws:")
            },
            "instance_profiles": {profile.name: profile.roles for profile in self.account.profiles.values()},
            "identity_providers": self.account.providers,
            "mfa_devices": sorted(self.account.mfa_devices),
            "hidden_in_gap": [
                {"kind": "access_key", "user": "svc-backup", "key": hidden, "status": "Active"}
            ],
        }

    def _keys(self) -> list[Told]:
        held, keys = self.stage.loot.held, self.stage.company.keys
        shown = [
            ("ci-deploy", held["leaked"].key_id),
            (PLANTED, held["planted"].key_id),
            (PLANTED, held["planted second"].key_id),
            ("svc-reporting", held["reports"].key_id),
            (SHORT_LIVED, held["short-lived"].key_id),
            ("priya.nair", keys["priya.nair"].key_id),
            ("ci-artifacts", keys["ci-artifacts"].key_id),
        ]
        return [self._key(owner, key_id) for owner, key_id in shown if key_id]

    def _key(self, owner: str, key_id: str) -> Told:
        made = [act for act in self._changes("CreateAccessKey") if _new_key(act)["accessKeyId"] == key_id]
        about = [
            act
            for act in self._changes("UpdateAccessKey", "DeleteAccessKey")
            if _asked(act)["accessKeyId"] == key_id
        ]
        uses = [act for act in self.seen if key_of(act) == key_id]
        return {
            "key": key_id,
            "owner": owner,
            "created": brief(made[0]) | {"by": made[0].caller.credential.arn} if made else None,
            "changes": [
                brief(act) | {"status": _asked(act).get("status", "Deleted"), "by": act.caller.credential.arn}
                for act in about
            ],
            "first_use": brief(uses[0]) if uses else None,
            "last_use": brief(uses[-1]) if uses else None,
        }

    def _made_by_the_user(self) -> Told:
        """By all credentials that began with the user, roles included."""
        return {
            "user": "ci-deploy",
            "made": [
                self._mark(mark) for mark in self._marks() if mark.by == "ci-deploy" and mark.side == "attack"
            ],
        }

    def _what_is_left(self) -> Told:
        marks = [mark for mark in self._marks() if mark.side == "attack"]
        users = [PLANTED, SHORT_LIVED]
        return {
            "left": [self._mark(mark) for mark in marks if mark.ended_by is None],
            "ended": [self._mark(mark) for mark in marks if mark.ended_by is not None],
            "hidden_in_gap": [self._mark(mark) for mark in self._hidden() if mark.side == "attack"],
            "done_since": {
                **{
                    name: self._done_by(lambda act, name=name: act.caller.credential.owner == name)
                    for name in users
                },
                VENDOR_ROLE: self._done_by(
                    lambda act: f"assumed-role/{VENDOR_ROLE}/" in act.caller.credential.arn
                ),
                "svc-reporting key": self._done_by(
                    lambda act: key_of(act) == self.stage.loot.held["reports"].key_id
                ),
            },
        }

    def _done_by(self, did: Callable[..., bool]) -> list[str]:
        """Sign-in attempts of others under the same name are not the user's own."""
        return ids(
            act
            for act in self.seen
            if did(act) and act.caller.client.side == "attack" and act.name != "ConsoleLogin"
        )

    def _keys_for_others(self) -> list[Told]:
        """Also by role sessions, which have no user name at all."""
        made = self._changes("CreateAccessKey")
        return [
            self._by_whom_for(act)
            for act in made
            if _asked(act) and _asked(act)["userName"] != _user_name(act)
        ]

    def _keys_for_oneself(self) -> list[Told]:
        told = []
        for act in self._changes("CreateAccessKey"):
            key = _new_key(act)
            uses = [use for use in self.seen if key_of(use) == key["accessKeyId"]]
            if key.get("userName") == _user_name(act) and uses:
                told.append(
                    {
                        **brief(act),
                        "user": key["userName"],
                        "key": key["accessKeyId"],
                        "first_use": brief(uses[0]),
                        "side": act.caller.client.side,
                    }
                )
        return told

    def _passwords_of_others(self) -> list[Told]:
        made = self._changes("CreateLoginProfile", "UpdateLoginProfile")
        return [self._by_whom_for(act) for act in made if _asked(act)["userName"] != _user_name(act)]

    def _second_factor_removed(self) -> Told:
        acts = self.stage.loot.acts
        logins = [
            act
            for act in self.seen
            if act.name == "ConsoleLogin"
            and not act.failed
            and act.record["userIdentity"].get("userName") == "tom.okafor"
        ]
        return {
            "user": "tom.okafor",
            "serial": _asked(acts["mfa off"])["serialNumber"],
            "deactivated": brief(acts["mfa off"]),
            "deleted": brief(acts["mfa deleted"]),
            "by": acts["mfa off"].caller.credential.arn,
            "sign_ins": [
                brief(act)
                | {"mfa_used": act.record["additionalEventData"]["MFAUsed"], "side": act.caller.client.side}
                for act in logins
            ],
            "had_mfa_at": {
                iso(at(clock)): had
                for clock, had in (("12:00:00", True), ("14:05:40", False), ("16:30:00", True))
            },
        }

    def _second_factor_added(self) -> Told:
        serial = self.stage.loot.serial
        enabled = self._changes("CreateVirtualMFADevice", "EnableMFADevice")
        assumed = [
            act
            for act in self.seen
            if act.name in ("AssumeRole", "GetSessionToken")
            and not act.failed
            and (_asked(act) or {}).get("serialNumber") == serial
        ]
        return {
            "serial": serial,
            "by_intruders": ids(act for act in enabled if act.caller.client.side == "attack"),
            "all": ids(enabled),
            "used_in": [brief(act) for act in assumed],
        }

    def _trusts(self) -> list[Told]:
        return [
            brief(act)
            | {
                "role": _asked(act)["roleName"],
                "by": act.caller.credential.arn,
                "side": act.caller.client.side,
            }
            for act in self._changes("UpdateAssumeRolePolicy", "CreateRole")
        ]

    def _boundaries(self) -> list[Told]:
        return [
            self._by_whom_for(act) | {"was": self.account.policy_arn("LarkspurBackupBoundary")}
            for act in self._changes("DeleteUserPermissionsBoundary")
        ]

    def _profiles(self) -> Told:
        acts = self.stage.loot.acts
        return {
            "profile": PROFILE,
            "role": "LarkspurOps",
            "put_there": brief(acts["profile role"]),
            "by": acts["profile role"].caller.credential.arn,
            "run": brief(acts["run"]),
            "instance": self.stage.loot.instance_id,
        }

    def _users(self) -> Told:
        made = self._changes("CreateUser")
        gone = {_asked(act)["userName"]: act for act in self._changes("DeleteUser")}
        rows = []
        for act in made:
            name = _asked(act)["userName"]
            rows.append(
                {
                    **brief(act),
                    "user": name,
                    "user_id": act.record["responseElements"]["user"]["userId"],
                    "by": act.caller.credential.arn,
                    "agent": act.record["userAgent"],
                    "usual_path": "Terraform" in act.record["userAgent"],
                    "deleted": brief(gone[name]) if name in gone else None,
                    "events": self._count_of(name),
                }
            )
        return {"created": rows, "short_lived": [SHORT_LIVED]}

    def _count_of(self, name: str) -> int:
        """All calls with credentials that began with the user; tries to sign in are not calls."""
        return sum(act.caller.credential.owner == name and act.source != "signin" for act in self.seen)

    def _quarantine(self) -> Told:
        on, off = self.stage.loot.acts["quarantine"], self.stage.loot.acts["quarantine off"]
        key_id = self.stage.loot.held["leaked"].key_id
        acts = [act for act in self.seen if key_of(act) == key_id]
        during = [act for act in acts if on.moment < act.moment <= off.moment]
        return {
            "user": "ci-deploy",
            "policy": _asked(on)["policyArn"],
            "attached": brief(on),
            "detached": brief(off) | {"by": off.caller.credential.arn},
            "events_before": sum(act.moment <= on.moment for act in acts),
            "events_during": ids(during),
            "refused_during": ids(act for act in during if act.failed),
            "events_after": sum(act.moment > off.moment for act in acts),
        }

    def _by_whom_for(self, act: Act) -> Told:
        told = {
            "by": act.caller.credential.arn,
            "for": _asked(act)["userName"],
            "side": act.caller.client.side,
        }
        return brief(act) | told

    def _changes(self, *names: str) -> list[Act]:
        return [act for act in self.seen if act.name in names and act.changes and act.account_id == MAIN]

    def _marks(self) -> list[Mark]:
        seen = [mark for mark in self.account.marks if mark.event_id in self.by_id]
        return sorted(seen, key=lambda mark: (mark.moment, mark.event_id))

    def _hidden(self) -> list[Mark]:
        return [mark for mark in self.account.marks if mark.event_id not in self.by_id]

    def _mark(self, mark: Mark) -> Told:
        return {
            "kind": mark.kind,
            "target": mark.target,
            "event_id": mark.event_id,
            "at": iso(mark.moment),
            "by": mark.by,
            "ended_by": mark.ended_by,
        }


def _asked(act: Act) -> Told:
    return act.record["requestParameters"] or {}


def _new_key(act: Act) -> Told:
    key: Told = act.record["responseElements"]["accessKey"]
    return key


def _user_name(act: Act) -> str | None:
    name: str | None = act.record["userIdentity"].get("userName")
    return name
