"""Credentials that were used from where they should not be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from ledger.log.rows import among
from ledger.log.schema import entries, identities, principals, strings
from ledger.record import format_time
from projections.findings.evidence import REFERENCES_MAX, Evidence, Finding, as_address, is_public

SHOWN_MAX = 50  # entries of a principal's keys; the detail has them all
INSTANCE_SESSION = re.compile(r":assumed-role/.+/i-[0-9a-f]{8}(?:[0-9a-f]{9})?$")


class Use(NamedTuple):
    """How a key was used from an address, and where the first entry of it stands."""

    access_key: int
    address: str
    principal: int
    account: int
    position: int
    first: int
    last: int
    calls: int


def several_addresses(evidence: Evidence) -> Iterator[Finding]:
    """Question 30: which keys and sessions were used from several addresses? Source: Elastic, Stratus, Sigma.

    One finding a principal. Calls that AWS services make on somebody's behalf have a service's name for an address
    and are left out. Behind a VPC endpoint a machine is seen with its private address and elsewhere with its public
    one, so keys with one public address at most make a finding of their own, `info`.
    """
    e, k, p = entries.c, strings.c, principals.c
    several = evidence.scoped(
        sa.select(e.access_key)
        .where(e.access_key.isnot(None))
        .group_by(e.access_key)
        .having(sa.func.min(e.address) != sa.func.max(e.address))
    )
    numbers = list(evidence.connection.scalars(several))
    used: dict[int, list[Use]] = {}
    for use in _uses(evidence, among(evidence.connection, e.access_key, numbers)):
        used.setdefault(use.access_key, []).append(use)
    groups: dict[tuple[int, bool], dict[int, list[Use]]] = {}
    for number, uses in used.items():
        if len(uses) > 1:
            roaming = sum(is_public(use.address) for use in uses) > 1
            groups.setdefault((uses[0].principal, roaming), {})[number] = uses
    names = _column(evidence, k.id, k.text, {number for keys in groups.values() for number in keys})
    people = _column(evidence, p.id, p.arn, {principal for principal, _ in groups})
    for (principal, roaming), keys in groups.items():
        firsts = sorted(
            (use for uses in keys.values() for use in uses), key=lambda use: (use.first, use.position)
        )
        calls = evidence.at([(use.account, use.position) for use in firsts[:SHOWN_MAX]])
        whose = people[principal] or calls[0].record.identity.label
        yield Finding(
            "medium" if roaming else "info",
            f"{len(keys)} keys of {whose} were used from several addresses"
            if len(keys) > 1
            else f"{names[next(iter(keys))]} was used from several addresses",
            whose,
            calls,
            {
                "principal": whose,
                "keys": [
                    {"accessKey": names[number], "addresses": [_told(use) for use in uses]}
                    for number, uses in keys.items()
                ],
            },
        )


def instance_credential_outside(evidence: Evidence) -> Iterator[Finding]:
    """Question 30: which credential of an EC2 instance was used outside of it? Source: GuardDuty's
    InstanceCredentialExfiltration, Elastic, Stratus's steal-instance-credentials.

    An instance's sessions are named by its id. The public address from which an instance is first seen is where
    instances stand: its own, or the gateway's that many share. Private addresses are inside. Any other address is
    outside. So an instance that is never seen but from a thief's address is not found.
    """
    e, i = entries.c, identities.c
    query = sa.select(i.id, i.principal, i.session_arn).where(i.session_arn.like("%:assumed-role/%/i-%"))
    found = [row for row in evidence.connection.execute(query) if INSTANCE_SESSION.search(row.session_arn)]
    instances = {row.id: row.session_arn.rpartition("/")[2] for row in found}
    of_instances = (
        e.principal.in_({row.principal for row in found}),
        among(evidence.connection, e.identity, instances),
    )
    standing = _standing(evidence, instances, of_instances)
    outside: dict[int, list[Use]] = {}
    for use in _uses(evidence, e.access_key.isnot(None), *of_instances):
        if is_public(use.address) and use.address not in standing:
            outside.setdefault(use.access_key, []).append(use)
    for number, places in _places(evidence, outside).items():
        calls = evidence.at(places[:REFERENCES_MAX])
        identity = calls[0].record.identity
        yield Finding(
            "high",
            f"A credential of the instance {identity.session_name} was used elsewhere",
            identity.access_key_id or identity.label,
            calls,
            {
                "accessKey": identity.access_key_id,
                "role": identity.arn,
                "instance": identity.session_name,
                "addresses": [_told(use) for use in outside[number]],
                "calls": len(places),
            },
        )


def _places(evidence: Evidence, uses: dict[int, list[Use]]) -> dict[int, list[tuple[int, int]]]:
    """Where the calls of each key from its addresses stand, in order of time."""
    e, k = entries.c, strings.c
    wanted = {(number, use.address) for number, of_key in uses.items() for use in of_key}
    from_there = evidence.coming_from(*sorted({address for _, address in wanted}))
    query = evidence.scoped(
        sa.select(e.access_key, k.text, e.account, e.position)
        .join(strings, k.id == e.address)
        .where(among(evidence.connection, e.access_key, uses), from_there)
        .order_by(e.time, e.account, e.position)
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for number, address, account, position in evidence.connection.execute(query):
        if (number, address) in wanted:
            found.setdefault(number, []).append((account, position))
    return found


def _standing(
    evidence: Evidence, instances: dict[int, str], of_instances: tuple[sa.ColumnElement[bool], ...]
) -> set[str]:
    """The public addresses from which the instances were first seen, in the whole log."""
    e, k = entries.c, strings.c
    query = (
        sa.select(e.identity, k.text, sa.func.min(e.time))
        .join(strings, k.id == e.address)
        .where(*of_instances)
        .group_by(e.identity, k.text)
    )
    first: dict[str, tuple[int, set[str]]] = {}
    for identity, address, time in evidence.connection.execute(query):
        if not is_public(address):
            continue
        known = first.get(instances[identity])
        if known is None or time < known[0]:
            first[instances[identity]] = (time, {address})
        elif time == known[0]:
            known[1].add(address)
    return {address for _, addresses in first.values() for address in addresses}


def _uses(evidence: Evidence, *conditions: sa.ColumnElement[bool]) -> Iterator[Use]:
    """How keys were used from each address of a machine, the earliest first."""
    e, k = entries.c, strings.c
    each = (e.access_key, e.address)
    numbered = evidence.scoped(
        sa.select(
            e.access_key,
            e.address,
            e.principal,
            e.account,
            e.position,
            e.time.label("first"),
            sa.func.max(e.time).over(partition_by=each).label("last"),
            sa.func.count().over(partition_by=each).label("calls"),
            sa.func.row_number()
            .over(partition_by=each, order_by=(e.time, e.account, e.position))
            .label("number"),
        ).where(e.address.isnot(None), *conditions)
    ).subquery()
    n = numbered.c
    query = (
        sa.select(n.access_key, k.text, n.principal, n.account, n.position, n.first, n.last, n.calls)
        .join(strings, k.id == n.address)
        .where(n.number == 1)
        .order_by(n.first, n.account, n.position)
    )
    for row in evidence.connection.execute(query):
        if as_address(row[1]) is not None:
            yield Use(*row)


def _column(
    evidence: Evidence, key: sa.ColumnElement[int], value: sa.ColumnElement[str], numbers: set[int]
) -> dict[int, str]:
    query = sa.select(key, value).where(among(evidence.connection, key, numbers))
    return dict(evidence.connection.execute(query).all())


def _told(use: Use) -> dict[str, Any]:
    return {
        "address": use.address,
        "first": format_time(use.first),
        "last": format_time(use.last),
        "count": use.calls,
    }
