"""Roles: who may assume them, who did, and what limits were taken off."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log.names import digest
from ledger.log.schema import Kind, entries, mentions, principals, strings
from projections.findings.evidence import DAY, Evidence, Finding, by
from projections.lines import ref

MALFORMED = "MalformedPolicyDocument*"
WITHIN = DAY


def principals_guessed(evidence: Evidence) -> Iterator[Finding]:
    """Question 28: who guessed at names of users and roles by writing them into trust policies? Source: Elastic's
    brute force of assume role policy, Splunk.

    AWS refuses a policy with a principal that does not exist. One such refusal may be a typing error (`low`); two
    principals or more were tried out.
    """
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    errors = evidence.words.errors(MALFORMED)
    refused = evidence.within(
        evidence.action("iam:UpdateAssumeRolePolicy", "iam:CreateRole"), entries.c.error.in_(sorted(errors))
    )
    for entry in refused:
        role = str(entry.record.request.get("roleName"))
        groups.setdefault((entry.account_id, entry.record.identity.label, role), []).append(entry)
    for (account, actor, role), attempts in groups.items():
        guessed = sorted({name for entry in attempts for name in trusted(_asked_trust(entry))})
        accepted = [
            entry
            for entry in evidence.later_calls(
                "iam:UpdateAssumeRolePolicy", account=account, since=attempts[0].time
            )
            if entry.record.request.get("roleName") == role and entry.record.identity.label == actor
        ]
        yield Finding(
            "high" if len(guessed) > 1 else "low",
            f"{len(attempts)} trust policies for {role} were refused",
            role,
            attempts,
            {
                **by(evidence, attempts[0]),
                "role": role,
                "guessed": guessed,
                "accepted": [ref(entry) for entry in accepted],
            },
        )


def taken_from_service(evidence: Evidence) -> Iterator[Finding]:
    """Question 31: which role, that an AWS service assumed, did a person assume within 24 hours? Source: Panther's
    potentially_compromised_service_role, whence the 24 hours. A role session, another account and root count as
    persons: all but a service does. Told is the first time in those hours that a service assumed the role.
    """
    by_services: dict[str, list[tuple[int, int, int]]] = {}
    for entry in evidence.role_openings:
        role = entry.record.request.get("roleArn")
        if not isinstance(role, str):
            continue
        if role not in by_services:
            by_services[role] = _assumed_by_services(evidence, role)
        first = bisect_left(by_services[role], (entry.time - WITHIN, 0, 0))
        if first < len(by_services[role]) and by_services[role][first][0] <= entry.time:
            _, account, position = by_services[role][first]
            service = evidence.at([(account, position)])[0]
            yield Finding(
                "high",
                f"{str(role).rpartition('/')[2]}, a service's role, was assumed by a person",
                str(role),
                [service, entry],
                {**by(evidence, entry), "role": role, "service": service.record.identity.label},
            )


def _assumed_by_services(evidence: Evidence, role: str) -> list[tuple[int, int, int]]:
    """Time, account and position of the calls by which services assumed the role, in order."""
    e, m, k = entries.c, mentions.c, strings.c
    services = sa.select(principals.c.id).where(principals.c.kind == "AWSService")
    named = sa.select(k.id).where(k.kind == Kind.RESOURCE, k.digest == digest(role.encode()), k.text == role)
    query = (
        sa.select(m.time, m.account, m.position)
        .join(entries, sa.and_(e.account == m.account, e.position == m.position, e.time == m.time))
        .where(
            m.resource.in_(named),
            # `+ 0` keeps the planner from leading with all that services, or all who assumed any role, ever did
            (e.action + 0).in_(sorted(evidence.words.action_names(["sts:AssumeRole"]))),
            e.error.is_(None),
            (e.principal + 0).in_(services),
        )
        .order_by(m.time, m.account, m.position)
    )
    return [(row.time, row.account, row.position) for row in evidence.connection.execute(query)]


def crossed_accounts(evidence: Evidence) -> Iterator[Finding]:
    """Question 36: who went from one account into another by assuming a role there? Source: AIRP q5.

    Both accounts log the call, under one shared event id, and it is one finding. `high` where an account that the
    ledger does not know has a hand in it.
    """
    crossings: dict[str, list[Entry]] = {}
    for entry in evidence.role_openings:
        role = str(entry.record.request.get("roleArn"))
        caller = entry.record.identity.account_id
        if role.count(":") >= 5 and caller is not None and role.split(":")[4] != caller:
            shared = str(entry.document.get("sharedEventID") or entry.record.event_id)
            crossings.setdefault(shared, []).append(entry)
    for shared, told in crossings.items():
        first = max(told, key=lambda entry: entry.record.identity.kind != "AWSAccount")
        identity, role = first.record.identity, str(first.record.request["roleArn"])
        foreign = {str(identity.account_id), role.split(":")[4]} - evidence.account_numbers.keys()
        yield Finding(
            "high" if foreign else "medium",
            f"{identity.label} of account {identity.account_id} assumed a role of {role.split(':')[4]}",
            role,
            [first, *(entry for entry in told if entry is not first)],
            {
                **by(evidence, first),
                "sharedEventID": shared,
                "role": role,
                "from": identity.account_id,
                "to": role.split(":")[4],
                "unknownAccounts": sorted(foreign),
                "events": {entry.account_id: entry.record.event_id for entry in told},
            },
        )


def put_into_profile(evidence: Evidence) -> Iterator[Finding]:
    """Question 32: who put which role into which instance profile, and what was started with it? Source: Elastic,
    Rhino Security's escalation methods. iam:PassRole leaves no record of its own.
    """
    for entry in evidence.calls("iam:AddRoleToInstanceProfile"):
        request = entry.record.request
        profile, role = str(request.get("instanceProfileName")), str(request.get("roleName"))
        runs = [
            run
            for run in evidence.later_calls(
                "ec2:RunInstances",
                "ec2:AssociateIamInstanceProfile",
                "ec2:ReplaceIamInstanceProfileAssociation",
                account=entry.account_id,
                since=entry.time,
            )
            if _profile_of(run) == profile
        ]
        same = [run for run in runs if run.record.identity.label == entry.record.identity.label]
        yield Finding(
            "medium" if same else "low",
            f"{role} was put into the instance profile {profile}",
            profile,
            [entry, *runs],
            {
                **by(evidence, entry),
                "profile": profile,
                "role": role,
                "instances": [name for run in runs for name in _instances_of(run)],
            },
        )


def _profile_of(run: Entry) -> str | None:
    told = run.record.request.get("iamInstanceProfile")
    if not isinstance(told, Mapping):
        nested = next((value for value in run.record.request.values() if isinstance(value, Mapping)), {})
        told = nested.get("IamInstanceProfile")
    if not isinstance(told, Mapping):
        return None
    name = told.get("name") or told.get("Name") or told.get("arn") or told.get("Arn")
    return str(name).rpartition("/")[2] if name else None


def _instances_of(run: Entry) -> list[str]:
    made = run.record.response.get("instancesSet")
    items = made.get("items") if isinstance(made, Mapping) else None
    return [
        str(item["instanceId"]) for item in items or () if isinstance(item, Mapping) and "instanceId" in item
    ]


# -- trust and limits -------------------------------------------------------------------------------------------


def trust_widened(evidence: Evidence) -> Iterator[Finding]:
    """Question 23: which role may be assumed by whom that could not before? Source: Elastic, Stratus's
    backdoor-role. A new role counts where it trusts another account, anyone, or an identity provider. Where no
    record or snapshot told the trust before (`before` is null), all that are trusted now may be new.
    """
    for entry in evidence.calls("iam:UpdateAssumeRolePolicy", "iam:CreateRole"):
        role = str(entry.record.request.get("roleName"))
        after = trusted(_asked_trust(entry))
        if entry.record.action == "iam:CreateRole":
            before: set[str] | None = set()
            new = {name for name in after if _from_outside(name, entry.account_id)}
        else:
            trust = (_before(evidence, entry, "role", role) or {}).get("AssumeRolePolicyDocument")
            before = None if trust is None else trusted(trust)
            new = after - (before or set())
        if new:
            outside = any(_from_outside(name, entry.account_id) for name in new)
            yield Finding(
                "high" if outside else "medium",
                f"{role} may be assumed by {', '.join(sorted(new))}",
                role,
                [entry],
                {
                    **by(evidence, entry),
                    "role": role,
                    "added": sorted(new),
                    "before": None if before is None else sorted(before),
                    "after": sorted(after),
                },
            )


def boundary_removed(evidence: Evidence) -> Iterator[Finding]:
    """Question 24: whose permissions boundary was taken off or replaced? Source: Elastic."""
    for entry in evidence.calls(
        "iam:DeleteUserPermissionsBoundary",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutUserPermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
    ):
        kind = "user" if "User" in entry.record.action else "role"
        name = str(entry.record.request.get(f"{kind}Name"))
        earlier = _before(evidence, entry, kind, name) or {}
        was = (earlier.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        now = entry.record.request.get("permissionsBoundary")
        if now is not None and (was is None or was == now):
            continue
        yield Finding(
            "high" if now is None else "medium",
            f"The permissions boundary of {name} was {'removed' if now is None else 'replaced'}",
            name,
            [entry],
            {**by(evidence, entry), kind: name, "was": was, "now": now},
        )


def _before(evidence: Evidence, entry: Entry, kind: str, name: str) -> dict[str, Any] | None:
    """The entity as it was when the call came: the version before the one that it made."""
    earlier: dict[str, Any] | None = None
    for versions in evidence.history.named(entry.account_id, kind, name):
        document: dict[str, Any] | None = None
        for version in versions:
            if version.position == entry.position:
                return document
            if version.since <= entry.time:
                document = version.document
        earlier = document or earlier
    return earlier


def _asked_trust(entry: Entry) -> Any:
    request = entry.record.request
    return request.get("policyDocument") or request.get("assumeRolePolicyDocument")


def trusted(document: Any) -> set[str]:
    """The principals whom a trust policy's Allow statements name: ARNs, accounts, services, `*`."""
    if isinstance(document, str):
        try:
            document = orjson.loads(document)
        except orjson.JSONDecodeError:
            return set()
    if not isinstance(document, Mapping):
        return set()
    statements = document.get("Statement")
    found: set[str] = set()
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, Mapping) or statement.get("Effect") != "Allow":
            continue
        named = statement.get("Principal")
        groups = named.values() if isinstance(named, Mapping) else [named]
        for group in groups:
            found.update(str(name) for name in (group if isinstance(group, list) else [group]) if name)
    return found


def _from_outside(name: str, account: str) -> bool:
    """Anyone, another account, or an identity provider; not a service, not a principal of the account."""
    if name == "*" or ":saml-provider/" in name or ":oidc-provider/" in name:
        return True
    if name.startswith("arn:"):
        return name.split(":")[4] not in (account, "")
    return name.isdigit() and name != account
