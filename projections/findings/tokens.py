"""Sessions that were opened with a user's key, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledger.entry import Entry
from ledger.log.schema import entries
from ledger.record import format_time
from projections.findings.evidence import REFERENCES_MAX, Evidence, Finding, one, refs

ENDINGS = ("iam:UpdateAccessKey", "iam:DeleteAccessKey")


def opened_by_user(evidence: Evidence) -> Iterator[Finding]:
    """Question 29: which user opened a session by GetSessionToken or GetFederationToken, what did it and all that
    came of it do, and did it outlive the key? Source: Sigma, Panther, Stratus's sts-federation-token, Elastic's
    api_calls_via_user_session_token.

    The key's end is the first record after the opening that makes it Inactive or deletes it; a call of that very
    second is not later.
    """
    for entry in evidence.calls("sts:GetSessionToken", "sts:GetFederationToken"):
        identity, key = entry.record.identity, _opened_key(entry)
        if identity.kind != "IAMUser" or key is None:
            continue
        keys = [key, *(one.access_key for one in evidence.sessions.descendants([key]))]
        theirs = evidence.with_keys(keys)
        actions = evidence.actions_of(theirs)
        ended = _end_of(evidence, entry, identity.access_key_id)
        late = (
            []
            if ended is None
            else evidence.entries(theirs, entries.c.time > ended.time, limit=REFERENCES_MAX)
        )
        federated = entry.record.action == "sts:GetFederationToken"
        title = f"{identity.name} opened a {'federated ' if federated else ''}session"
        iam = sum(count for action, count in actions.items() if action.startswith("iam:"))
        own = evidence.uses([key]).get(key)
        yield Finding(
            "high" if late else "medium" if federated or iam else "low",
            title + (" that outlived its key" if late else ""),
            key,
            [one for one in (entry, ended, *late) if one is not None],
            {
                "accessKey": key,
                "byKey": identity.access_key_id,
                "mfa": entry.record.request.get("serialNumber"),
                "sessions": keys,
                "ownCalls": own.count if own else 0,
                "calls": sum(actions.values()),
                "iamCalls": iam,
                "actions": actions,
                "events": refs(evidence.entries(theirs, limit=REFERENCES_MAX)),
                "keyEnded": one(ended),
                "afterKeyEnded": refs(late),
            },
        )


def _opened_key(entry: Entry) -> str | None:
    credentials = entry.record.response.get("credentials")
    key = credentials.get("accessKeyId") if isinstance(credentials, Mapping) else None
    return key if isinstance(key, str) and key else None


def _end_of(evidence: Evidence, opening: Entry, key: str | None) -> Entry | None:
    if key is None:
        return None
    for entry in evidence.later_calls(*ENDINGS, account=opening.account_id, since=opening.time):
        request = entry.record.request
        if request.get("accessKeyId") == key and request.get("status", "Inactive") == "Inactive":
            return entry
    return None


def used_after_end(evidence: Evidence) -> Iterator[Finding]:
    """Question 39: did it help to deactivate the key? Which sessions of a key went on after it was made Inactive or
    deleted? A key that was made Active again may be among them. Source: AWS's incident response guides, section 3.
    """
    for entry in evidence.calls(*ENDINGS):
        request = entry.record.request
        key = request.get("accessKeyId")
        if not isinstance(key, str) or request.get("status", "Inactive") != "Inactive":
            continue
        keys = [key, *(one.access_key for one in evidence.sessions.descendants([key]))]
        after = evidence.with_keys(keys), entries.c.time > entry.time
        late = evidence.entries(*after, limit=REFERENCES_MAX)
        if late:
            yield Finding(
                "high",
                f"{key} or its sessions went on after its end",
                key,
                [entry, *late],
                {
                    "accessKey": key,
                    "by": entry.record.identity.label,
                    "calls": sum(evidence.actions_of(*after).values()),
                    "sessions": sorted({str(call.record.identity.access_key_id) for call in late}),
                    "last": format_time(max(use.last for use in evidence.uses(keys).values())),
                },
            )
