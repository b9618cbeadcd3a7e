"""Credentials that were used from where they should not be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from ledger.log.rows import among
from ledger.log.schema import entries, identities, strings
from ledger.record import format_time
from projections.findings.evidence import Evidence, Finding, as_address, is_public

INSTANCE_SESSION = re.compile(r":assumed-role/.+/i-[0-9a-f]{8}(?:[0-9a-f]{9})?$")


class Use(NamedTuple):
    """How a key was used from an address."""

    access_key: int
    address: str
    first: int
    last: int
    calls: int


def several_addresses(evidence: Evidence) -> Iterator[Finding]:
    """Question 30: which key or session was used from several addresses? Source: Elastic, Stratus, Sigma.

    Calls that AWS services make on somebody's behalf have a service's name for an address and are left out. Behind
    a VPC endpoint a machine is seen with its private address and elsewhere with its public one, so one public
    address at most is only `info`.
    """
    e, k = entries.c, strings.c
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
    names = dict(
        evidence.connection.execute(sa.select(k.id, k.text).where(among(evidence.connection, k.id, numbers)))
        .tuples()
        .all()
    )
    for number, uses in sorted(used.items(), key=lambda item: (item[1][0].first, names[item[0]])):
        if len(uses) < 2:
            continue
        firsts = [
            evidence.entries(e.access_key == number, e.time == use.first, evidence.coming_from(use.address))[
                0
            ]
            for use in uses
        ]
        public = sum(is_public(use.address) for use in uses)
        identity = firsts[0].record.identity
        yield Finding(
            "info" if public < 2 else "medium",
            f"{names[number]} was used from {len(uses)} addresses",
            names[number],
            firsts,
            {"accessKey": names[number], "actor": identity.label, "addresses": [_told(use) for use in uses]},
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
    for number, uses in sorted(outside.items(), key=lambda item: (item[1][0].first, item[0])):
        calls = evidence.within(e.access_key == number, evidence.coming_from(*(use.address for use in uses)))
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
                "addresses": [_told(use) for use in uses],
                "calls": len(calls),
            },
        )


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
    query = (
        sa.select(e.access_key, k.text, sa.func.min(e.time), sa.func.max(e.time), sa.func.count())
        .join(strings, k.id == e.address)
        .where(*conditions)
        .group_by(e.access_key, k.text)
        .order_by(sa.func.min(e.time), k.text)
    )
    for row in evidence.connection.execute(evidence.scoped(query)):
        if as_address(row[1]) is not None:
            yield Use(*row)


def _told(use: Use) -> dict[str, Any]:
    return {
        "address": use.address,
        "first": format_time(use.first),
        "last": format_time(use.last),
        "count": use.calls,
    }
