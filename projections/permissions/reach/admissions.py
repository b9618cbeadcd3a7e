"""Who may assume a role that could not before, and which roles instances may act as: changes of trust and of profiles."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.account.entities import PolicyDocument, Role
from ledger.policy.decision import Effect
from ledger.policy.document import Statement, compile_policy
from projections.permissions.reach.access import plain_risk
from projections.permissions.reach.causes import Causes
from projections.permissions.reach.reached import ASSUME, Hop, Roles, judged_hop
from projections.permissions.reach.standing import WholeWorld
from projections.permissions.telling import Answer, Teller, told_unknown

ASSUMING = (ASSUME, "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity")


def trust_changes(
    teller: Teller, causes: Causes, before: Roles, after: Roles, account_id: str, *, only: str | None = None
) -> Iterator[Answer]:
    """The roles (`only` that of this unique id) whose trust policies changed, and whom each lets in and out since."""
    old, new = _roles(before.world, account_id), _roles(after.world, account_id)
    changed = [
        unique_id
        for unique_id in sorted({*old, *new}, key=lambda one: (new.get(one) or old[one]).arn)
        if _document(old.get(unique_id)) != _document(new.get(unique_id)) and only in (None, unique_id)
    ]
    if not changed:
        return
    arns = {(new.get(unique_id) or old[unique_id]).arn for unique_id in changed}
    then, now = _admitted(before, arns), _admitted(after, arns)
    for unique_id in changed:
        was, is_now = old.get(unique_id), new.get(unique_id)
        role = is_now or was
        assert role is not None
        in_then, in_now = then.get(role.arn, {}), now.get(role.arn, {})
        outside_then, outside_now = _outsiders(was, before), _outsiders(is_now, after)
        yield {
            "kind": "trust",
            "account": account_id,
            "role": role.arn,
            "change": "created" if was is None else "deleted" if is_now is None else "changed",
            "admits": [
                *(_told_outsider(who, kind) for who, kind in outside_now.items() if who not in outside_then),
                *(
                    _told_hop(teller, hop)
                    for who, hop in in_now.items()
                    if who not in in_then or (hop.certain and not in_then[who].certain)
                ),
            ],
            "excludes": [
                *(_told_outsider(who, kind) for who, kind in outside_then.items() if who not in outside_now),
                *(_told_hop(teller, hop) for who, hop in in_then.items() if who not in in_now),
            ],
            "entry": causes.trust(role.arn),
        }


def profile_changes(
    causes: Causes, before: Roles, after: Roles, account_id: str, *, only: str | None = None
) -> Iterator[Answer]:
    """Roles (`only` that of this unique id) that were put into instance profiles, or taken out, with how grave they are."""
    old, new = _profiled(before.world, account_id), _profiled(after.world, account_id)
    for place in sorted({*old} ^ {*new}):
        name, role_id = place
        put = place in new
        roles = after if put else before
        account = roles.world.whole(account_id)
        role = None if account is None else account.roles.get(role_id)
        if only not in (None, role_id):
            continue
        yield {
            "kind": "instance-profile",
            "account": account_id,
            "profile": name,
            "change": "put" if put else "taken",
            "role": role_id if role is None else role.arn,
            "risk": None
            if role is None
            else str(plain_risk(roles.world.standing_of(role, account_id), roles)),
            "entry": causes.profile(name, role_id),
        }


def _admitted(roles: Roles, arns: set[str]) -> dict[str, dict[str, Hop]]:
    """For each of the roles the users and roles of the ledger that may assume it, or perhaps may."""
    found: dict[str, dict[str, Hop]] = {}
    for account_id in sorted(roles.world.known):
        account = roles.world.whole(account_id)
        holders = () if account is None else (*account.users.values(), *account.roles.values())
        for holder in sorted(holders, key=lambda one: one.arn):
            standing = roles.world.standing_of(holder, account_id)
            for arn in arns.intersection(roles.candidates(standing)):
                if arn != holder.arn and (hop := judged_hop(standing, arn)) is not None:
                    found.setdefault(arn, {})[holder.arn] = hop
    return found


def _outsiders(role: Role | None, roles: Roles) -> dict[str, str]:
    """Whom the trust policy names that no account of the ledger has, with what each is."""
    found: dict[str, str] = {}
    for statement in _allowing(role):
        principals = statement.principals
        assert principals is not None
        if statement.all_principals_but:
            found["all but some"] = "anyone"
            continue
        if principals.anyone:
            found["*"] = "anyone"
        for account_id in sorted(principals.accounts - roles.world.known):
            found[f"arn:aws:iam::{account_id}:root"] = "account"
        for arn in sorted(principals.arns):
            account_id = arn.split(":")[4] if arn.count(":") >= 5 else ""
            if account_id not in roles.world.known and not roles.knows(arn):
                found[arn] = "principal"
        for name in sorted(principals.others):
            found[name] = "service" if name.endswith((".amazonaws.com", ".amazonaws.com.cn")) else "provider"
    return found


def _allowing(role: Role | None) -> Iterator[Statement]:
    document = _document(role)
    if document is None or isinstance(document, str):
        return
    policy = compile_policy(document)
    about = {statement.index: statement for action in ASSUMING for statement in policy.about(action.lower())}
    for statement in about.values():
        if statement.effect is Effect.ALLOW and statement.principals is not None:
            yield statement


def _told_outsider(who: str, kind: str) -> Answer:
    return {"who": who, "is": kind, "outside": True, "certain": None, "unknown": [], "statements": []}


def _told_hop(teller: Teller, hop: Hop) -> Answer:
    decision = hop.judgement.decision
    return {
        "who": hop.source,
        "is": "principal",
        "outside": False,
        "certain": hop.certain,
        "unknown": [told_unknown(one) for one in hop.unknown],
        "statements": [teller.statement(match) for match in (*decision.statements, *decision.possible)],
    }


def _document(role: Role | None) -> PolicyDocument | None:
    return None if role is None or role.trust is None else role.trust.document


def _roles(world: WholeWorld, account_id: str) -> dict[str, Role]:
    account = world.whole(account_id)
    return {} if account is None else dict(account.roles)


def _profiled(world: WholeWorld, account_id: str) -> set[tuple[str, str]]:
    account = world.whole(account_id)
    profiles = () if account is None else account.instance_profiles.values()
    return {(profile.name, role_id) for profile in profiles for role_id in profile.roles}
