"""A suggested policy as JSON has it, with what of it is uncertain beside it."""

from __future__ import annotations

import orjson

from ledger.policy.grammar import PolicyKind, check_document, policy_size
from projections.permissions.suggesting import Needed, Subject, policy_for, widened
from projections.permissions.telling import Answer


def told_suggestion(subject: Subject, found: Needed, *, wildcards: bool) -> Answer:
    policy = policy_for(found.needs, wildcards=wildcards)
    if policy is not None:
        check_document(policy, PolicyKind.IDENTITY)
    return {
        "principal": subject.arn,
        "type": subject.kind,
        "calls": found.calls,
        "policy": policy,
        "size": 0 if policy is None else policy_size(orjson.dumps(policy).decode()),
        "uncertain": [
            {
                "action": action,
                "resource": resource,
                "calls": found.needs[action, resource],
                "guess": [str(guess) for guess in guesses],
            }
            for (action, resource), guesses in sorted(found.guessed.items())
        ],
        "widened": []
        if policy is None
        else [{"pattern": pattern, "actions": count} for pattern, count in widened(policy)],
    }
