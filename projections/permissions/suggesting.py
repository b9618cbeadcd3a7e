"""The least policy that somebody's recorded, allowed calls needed; and what of it is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger.calls.question import Guess, Question
from ledger.log.schema import entries, principals
from ledger.policy.aws_actions import actions_matching
from ledger.policy.document import VERSION_WITH_VARIABLES
from projections.permissions.accounts import PastAccounts
from projections.permissions.authorization import Authorizations, outcome_of
from projections.permissions.remembering import RememberedJudging
from projections.permissions.replaying import Walk, access_keys, seconds
from projections.sessions import Sessions
from projections.vocabulary import BadFilter, UnknownName, principals_named

WITH_POLICIES = ("IAMUser", "FederatedUser", "AssumedRole")
EVERYTHING = "*"
ALIKE_MIN = 3  # with fewer, a wildcard saves little and gives more
_SPECIAL = re.compile(r"\$(?=\{)|[*?]")
_VERB = re.compile(r"[A-Z][a-z]+")

Need = tuple[str, str]
"""An action and a resource."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose calls are meant; `rows` are its numbers in the log's table of principals."""

    arn: str
    kind: str
    rows: frozenset[int]


@dataclass(slots=True)
class Needed:
    """What calls needed. `guessed` has what is not certain, by why, with how many calls needed it."""

    calls: int
    needs: dict[Need, int]
    guessed: dict[Need, dict[Guess, int]]


def subject_named(connection: sa.Connection, named: str, account: str | None) -> Subject:
    """The user or role of that ARN, name or unique id; raises UnknownName, or BadFilter where there are several."""
    p = principals.c
    query = sa.select(p.id, p.kind, p.arn, p.account_id).where(
        p.id.in_(principals_named(connection, named)), p.arn.is_not(None)
    )
    rows = [row for row in connection.execute(query) if account in (None, row.account_id)]
    rows_with_policies = [row for row in rows if row.kind in WITH_POLICIES]
    if rows and not rows_with_policies:
        raise BadFilter("principal", f"{named!r} is {rows[0].kind}, which has no policies of its own")
    found = {row.arn: row.kind for row in rows_with_policies}
    if not found:
        raise UnknownName(f"nobody called {named!r} is seen at work")
    if len(found) > 1:
        raise BadFilter("principal", f"{named!r} may be {' or '.join(sorted(found))}: say which")
    ((arn, kind),) = found.items()
    return Subject(arn, kind, frozenset(row.id for row in rows_with_policies))


def needed(past: PastAccounts, sessions: Sessions, subject: Subject, since: int, until: int) -> Needed:
    """What the subject's allowed calls from `since` up to and without `until` needed."""
    walk = Walk(past, since)
    authorizations = Authorizations(past, sessions, RememberedJudging())
    found = Needed(0, {}, {})
    mine = entries.c.principal.in_(sorted(subject.rows))
    for second in seconds(past.log, since=since, until=until, calls=mine):
        moved = walk.through(second)
        authorizations.opened.learn(access_keys(second.calls))
        for entry in second.calls:
            if outcome_of(entry) is not True:
                continue
            needs = False
            for one in authorizations.within(moved.world(entry), entry):
                if one.question is None:
                    continue
                needs = True
                asked = one.judgement.request.resource if one.judgement is not None else None
                need = (one.question.action, _written(one.question, asked))
                found.needs[need] = found.needs.get(need, 0) + 1
                for guess in one.question.guess:
                    counted = found.guessed.setdefault(need, {})
                    counted[guess] = counted.get(guess, 0) + 1
            found.calls += needs
    return found


def policy_for(needs: Iterable[Need], *, wildcards: bool = False) -> dict[str, Any] | None:
    """The policy that allows these and, without wildcards, nothing else; None for no needs at all."""
    resources: dict[str, set[str]] = {}
    for action, resource in needs:
        resources.setdefault(action, set()).add(resource)
    actions: dict[tuple[str, ...], set[str]] = {}
    for action, on in resources.items():
        told = (EVERYTHING,) if EVERYTHING in on else tuple(sorted(_merged(on) if wildcards else on))
        actions.setdefault(told, set()).add(action)
    if not actions:
        return None
    statements = [
        {
            "Effect": "Allow",
            "Action": _plain(sorted(_shortened(named) if wildcards else named)),
            "Resource": _plain(list(on)),
        }
        for on, named in actions.items()
    ]
    statements.sort(key=lambda one: (_listed(one["Action"]), _listed(one["Resource"])))
    return {"Version": VERSION_WITH_VARIABLES, "Statement": statements}


def _written(question: Question, asked: str | None) -> str:
    """The resource as a policy writes it: where it is told, signs in it that a policy reads otherwise are literal."""
    resource = asked or (question.resources[0] if question.resources else EVERYTHING)
    if resource == EVERYTHING or Guess.PART_NOT_TOLD in question.guess or _is_pattern(resource):
        return resource
    return _SPECIAL.sub(lambda sign: f"${{{sign[0]}}}", resource)


def _is_pattern(resource: str) -> bool:
    """`arn:aws:s3:::*`: AWS itself asks about all of a kind so."""
    return resource.endswith((":*", "/*"))


def _merged(resources: Iterable[str]) -> Iterator[str]:
    """Of several that differ only behind the last slash, what they have in common and a wildcard."""
    folders: dict[str, list[str]] = {}
    for resource in resources:
        folders.setdefault(resource.rpartition("/")[0], []).append(resource)
    for folder, inside in folders.items():
        if folder and len(inside) >= ALIKE_MIN:
            yield f"{folder}/*"
        else:
            yield from inside


def _shortened(actions: Iterable[str]) -> Iterator[str]:
    """Of several of one service and verb, the verb and a wildcard."""
    verbs: dict[str, list[str]] = {}
    for action in actions:
        service, _, name = action.partition(":")
        verb = _VERB.match(name)
        verbs.setdefault(f"{service}:{verb[0] if verb else name}", []).append(action)
    for beginning, alike in verbs.items():
        if len(alike) >= ALIKE_MIN:
            yield f"{beginning}*"
        else:
            yield from alike


def widened(policy: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Each pattern of actions in the policy, and how many actions AWS has for it."""
    for statement in policy["Statement"]:
        for action in _listed(statement["Action"]):
            if "*" in action:
                yield action, len(actions_matching(action))


def _plain(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts


def _listed(texts: Any) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)
