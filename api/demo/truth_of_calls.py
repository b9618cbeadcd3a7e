"""What really happened, told from the side of the calls: who stood behind each credential and address."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from api.demo.callers import Credential
from api.demo.cover_up import (
    ALL_REGIONS,
    DATA_AGAIN,
    NO_DATA,
    ONE_REGION,
    STARTED,
    STOPPED,
)
from api.demo.day import at, iso
from api.demo.stage import Stage
from api.demo.trail import Act
from api.demo.whereabouts import KALI, MAIN, PROD_DATA, SPRAYER

Told = dict[str, Any]
WINDOW = (at("13:00:00"), at("16:30:00"))


def ids(acts: Iterable[Act]) -> list[str]:
    """By time and event id, as `Trail.delivered` gives them."""
    return [act.event_id for act in acts]


def brief(act: Act) -> Told:
    return {"event_id": act.event_id, "at": iso(act.moment), "event": f"{act.source}:{act.name}"}


def key_of(act: Act) -> str | None:
    key_id = act.record["userIdentity"].get("accessKeyId")
    return str(key_id) if key_id else None


class TruthOfCalls:
    def __init__(self, stage: Stage, seen: list[Act]) -> None:
        self.stage = stage
        self.seen = seen
        self.seen_ids = {act.event_id for act in seen}

    def tell(self) -> Told:
        told: dict[str, Callable[[], Any]] = {
            "q2": self._by_key,
            "q3": self._by_user,
            "q4": self._addresses,
            "q5": self._by_address,
            "q12": self._chains,
            "q19": self._root,
            "q20": self._sign_ins,
            "q26": self._refused_then_granted,
            "q28": self._enumeration,
            "q29": self._tokens,
            "q30": self._several_networks,
            "q31": self._service_role,
            "q35": self._tampering,
            "q36": self._other_accounts,
            "q39": self._timeline,
        }
        return {question: answer() for question, answer in told.items()}

    def _held(self, name: str) -> Credential:
        return self.stage.loot.held[name]

    def _in_window(self, acts: Iterable[Act]) -> list[Act]:
        return [act for act in acts if WINDOW[0] <= act.moment <= WINDOW[1]]

    def _by_key(self) -> Told:
        key_id = self._held("leaked").key_id
        acts = self._in_window(act for act in self.seen if key_of(act) == key_id)
        return {"key": key_id, "from": iso(WINDOW[0]), "to": iso(WINDOW[1]), "events": ids(acts)}

    def provable(self, credential: Credential) -> bool:
        """No link of its chain was made while nothing was logged."""
        return all(link.made_by is None or link.made_by in self.seen_ids for link in credential.chain())

    def _by_user(self) -> Told:
        own = [act for act in self.seen if act.caller.credential.owner == "ci-deploy"]
        acts = self._in_window(act for act in own if self.provable(act.caller.credential))
        lost = self._in_window(act for act in own if not self.provable(act.caller.credential))
        keys: dict[str, Act] = {}
        for act in own:
            if (key := act.caller.credential.key_id) and act.caller.credential.kind != "outsider":
                keys.setdefault(key, act)
        credentials = [
            {
                "key": key,
                "kind": act.caller.credential.kind,
                "arn": act.caller.credential.arn,
                "from_key": act.caller.credential.parent.key_id if act.caller.credential.parent else None,
                "made_by": act.caller.credential.made_by,
                "provable": self.provable(act.caller.credential),
            }
            for key, act in keys.items()
        ]
        return {
            "user": "ci-deploy",
            "from": iso(WINDOW[0]),
            "to": iso(WINDOW[1]),
            "credentials": credentials,
            "events": ids(acts),
            "also_his_but_not_provable_from_the_log": ids(lost),
        }

    def _addresses(self) -> Told:
        key_id = self._held("leaked").key_id
        groups: dict[tuple[str, str], list[Act]] = defaultdict(list)
        for act in self.seen:
            if key_of(act) == key_id:
                groups[act.record["sourceIPAddress"], act.record["userAgent"]].append(act)
        leaked_at = self.stage.loot.acts["leak"].moment
        rows = [
            {
                "address": address,
                "agent": agent,
                "first": iso(acts[0].moment),
                "last": iso(acts[-1].moment),
                "count": len(acts),
                "new": acts[0].moment >= leaked_at,
            }
            for (address, agent), acts in sorted(groups.items())
        ]
        return {"key": key_id, "leaked_at": iso(leaked_at), "rows": rows}

    def _by_address(self) -> Told:
        acts = [act for act in self.seen if act.record["sourceIPAddress"] == KALI.address]
        principals = sorted({act.caller.credential.arn for act in acts})
        return {"address": KALI.address, "principals": principals, "events": ids(acts)}

    def _chains(self) -> list[Told]:
        names = ("backup operator", "federated console", "function", "vendor", "break glass unseen")
        return [self._chain(self._held(name)) for name in names]

    def _chain(self, credential: Credential) -> Told:
        hops = []
        for link in credential.chain():
            context = link.identity.get("sessionContext", {})
            hops.append(
                {
                    "kind": link.kind,
                    "arn": link.arn,
                    "key": link.key_id,
                    "mfa": context.get("attributes", {}).get("mfaAuthenticated") == "true",
                    "made_by": link.made_by if link.made_by in self.seen_ids else None,
                }
            )
        return {
            "session": credential.arn,
            "owner": credential.owner,
            "hops": hops,
            "provable": self.provable(credential),
        }

    def _root(self) -> Told:
        told: Told = {}
        for account_id in (MAIN, PROD_DATA):
            acts = [
                act
                for act in self.seen
                if act.account_id == account_id and act.record["userIdentity"].get("type") == "Root"
            ]
            logins = [act for act in acts if act.name == "ConsoleLogin"]
            told[account_id] = {
                "events": ids(acts),
                "by_aws": ids(act for act in acts if act.caller.client.side == "aws"),
                "signed_in_with_mfa": ids(act for act in logins if _used_mfa(act) and not act.failed),
                "signed_in_without_mfa": ids(act for act in logins if not (_used_mfa(act) or act.failed)),
                "failed": ids(act for act in logins if act.failed),
            }
        made, gone = (self.stage.loot.acts[name] for name in ("root key", "root key deleted"))
        told[PROD_DATA]["access_key"] = {
            "key": self._held("root key").key_id,
            "created": brief(made),
            "deleted": brief(gone),
            "used": ids(act for act in self.seen if key_of(act) == self._held("root key").key_id),
        }
        return told

    def _sign_ins(self) -> Told:
        logins = [act for act in self.seen if act.name == "ConsoleLogin"]
        failures: dict[str, list[Act]] = defaultdict(list)
        for act in logins:
            if act.failed:
                failures[act.record["sourceIPAddress"]].append(act)
        sprayed = failures[SPRAYER.address]
        names = Counter(act.record["userIdentity"].get("userName", "root") for act in sprayed)
        return {
            "without_mfa": ids(act for act in logins if not (act.failed or _used_mfa(act))),
            "failed_by_address": {address: ids(acts) for address, acts in sorted(failures.items())},
            "spraying": {
                "address": SPRAYER.address,
                "first": iso(sprayed[0].moment),
                "last": iso(sprayed[-1].moment),
                "attempts": len(sprayed),
                "names": dict(sorted(names.items())),
            },
        }

    def _refused_then_granted(self) -> list[Told]:
        acts, changed = self.stage.loot.acts, self.stage.loot.acts["escalation"]
        return [
            {
                "action": name.removeprefix("granted "),
                "refused": acts[f"refused {name.removeprefix('granted ')}"].event_id,
                "granted": act.event_id,
                "changed_by": changed.event_id,
            }
            for name, act in acts.items()
            if name.startswith("granted ")
        ]

    def _enumeration(self) -> Told:
        acts = [act for act in self.seen if act.record.get("errorCode") == "MalformedPolicyDocumentException"]
        guessed = [act.record["errorMessage"].split('"AWS":')[1].strip('"') for act in acts]
        return {"role": "LarkspurAuditReader", "by": "svc-datasync", "events": ids(acts), "guessed": guessed}

    def _tokens(self) -> list[Told]:
        closed = self.stage.loot.acts["key closed"]
        told = []
        for name in ("session", "session with mfa", "federated"):
            credential = self._held(name)
            children = {link.key_id for link in self._descendants(credential)}
            acts = [act for act in self.seen if key_of(act) in children]
            made = next(act for act in self.stage.trail.acts if act.event_id == credential.made_by)
            told.append(
                {
                    "key": credential.key_id,
                    "made": brief(made),
                    "by_key": self._held("leaked").key_id,
                    "key_closed": brief(closed),
                    "own_events": ids(act for act in self.seen if key_of(act) == credential.key_id),
                    "events_with_all_that_came_of_it": ids(acts),
                    "after_the_key_was_closed": ids(act for act in acts if act.moment > closed.moment),
                }
            )
        return told

    def _descendants(self, credential: Credential) -> list[Credential]:
        held = self.stage.loot.held.values()
        return [other for other in held if credential in other.chain() and self.provable(other)]

    def _several_networks(self) -> Told:
        addresses: dict[str, set[str]] = defaultdict(set)
        for act in self.seen:
            address = str(act.record["sourceIPAddress"])
            if (key := key_of(act)) and address[0].isdigit():
                addresses[key].add(address)
        several = {key: sorted(found) for key, found in sorted(addresses.items()) if len(found) > 1}
        outside = [
            act
            for act in self.seen
            if act.caller.credential.kind == "instance" and act.caller.client.address == KALI.address
        ]
        return {
            "keys_from_several_addresses": several,
            "instance_credentials_outside": [
                {"key": key, "events": ids(act for act in outside if key_of(act) == key)}
                for key in dict.fromkeys(key_of(act) for act in outside)
            ],
        }

    def _service_role(self) -> list[Told]:
        by_service: dict[str, Act] = {}
        told = []
        for act in self.seen:
            if act.name != "AssumeRole" or act.failed:
                continue
            role = act.record["requestParameters"]["roleArn"]
            if act.record["userIdentity"]["type"] == "AWSService":
                by_service.setdefault(role, act)
            elif role in by_service:
                told.append({"role": role, "service": brief(by_service[role]), "person": brief(act)})
        return told

    def _tampering(self) -> Told:
        lost = self.stage.trail.swallowed()
        changes = [act for act in self.seen if act.source == "cloudtrail" and not act.record["readOnly"]]
        return {
            "events": [
                brief(act) | {"refused": act.failed, "side": act.caller.client.side} for act in changes
            ],
            "gaps": [
                {"account": MAIN, "what": "everything", **_span(STOPPED, STARTED)},
                {"account": MAIN, "what": "region eu-west-1", **_span(ONE_REGION, ALL_REGIONS)},
                {"account": MAIN, "what": "data events", **_span(NO_DATA, DATA_AGAIN)},
            ],
            "records_lost": len(lost),
            "changes_lost": [
                brief(act) | {"by": act.caller.credential.owner, "request": act.record["requestParameters"]}
                for act in lost
                if act.changes and act.source == "iam"
            ],
        }

    def _other_accounts(self) -> list[Told]:
        pairs: dict[str, list[Act]] = defaultdict(list)
        for act in self.seen:
            if (shared := act.record.get("sharedEventID")) and act.record["userIdentity"][
                "type"
            ] != "AWSService":
                pairs[shared].append(act)
        return [
            {
                "shared_event_id": shared,
                "at": iso(acts[0].moment),
                "events": {act.account_id: act.event_id for act in acts},
                "caller": acts[0].caller.credential.arn,
                "owner": acts[0].caller.credential.owner,
                "role": acts[0].record["requestParameters"]["roleArn"],
                "malicious": acts[0].caller.client.side == "attack",
            }
            for shared, acts in pairs.items()
        ]

    def _timeline(self) -> list[Told]:
        """Changes that the incident consists of, and those of the answer to it."""
        return [
            brief(act)
            | {
                "actor": act.caller.credential.arn,
                "owner": act.caller.credential.owner,
                "side": act.caller.client.side,
            }
            for act in self.seen
            if act.changes and act.source != "signin" and self._belongs(act)
        ]

    def _belongs(self, act: Act) -> bool:
        by_aws = act.event_id == self.stage.loot.acts["quarantine"].event_id
        return act.caller.client.side in ("attack", "response") or by_aws


def _used_mfa(act: Act) -> bool:
    return bool(act.record.get("additionalEventData", {}).get("MFAUsed") == "Yes")


def _span(start: str, end: str) -> Told:
    return {"from": iso(at(start)), "to": iso(at(end))}
