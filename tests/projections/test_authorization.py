"""The authorization of recorded calls: what is inferred agrees with what AWS did, or says what it can't know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.calls.question import Unasked
from ledger.entry import Draft, Entry, Origin
from ledger.intake.importer import import_paths
from ledger.log import Log, open_engine
from ledger.policy.decision import UnknownKind, Verdict
from ledger.record import read_record
from projections.activity import Question
from projections.investigation import Investigation
from projections.permissions.accounts import PastAccounts
from projections.permissions.calls.authorization import Agreement, Authorization, Authorizations
from projections.permissions.calls.inferring import authorizations_of
from tests.ledger.told import ACCOUNT, ADMIN, NOON, call

Found = list[tuple[Entry, Authorization]]
UNTOLD = {UnknownKind.EARLIER_GRANTS, UnknownKind.RESOURCE_POLICY, UnknownKind.TRUST_POLICY}
LINKED = "/aws-service-role/"


def authorizations(log: Log) -> Iterator[tuple[Entry, Authorization]]:
    ledger = Investigation(log)
    ledger.runner.catch_up()
    entries = ledger.entries.every(Question(order="oldest"))
    for entry, found in authorizations_of(PastAccounts(log), ledger.sessions, entries):
        for one in found:
            yield entry, one


@pytest.fixture(scope="module")
def invictus(real_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    log = Log(open_engine(str(tmp_path_factory.mktemp("invictus") / "ledger.sqlite"), create=True))
    import_paths(log, [real_logs / "invictus-ir_aws_dataset"])
    found = list(authorizations(log))
    log.engine.dispose()
    return found


@pytest.fixture(scope="module")
def incident_found(incident_ledger: Path) -> Found:
    log = Log(open_engine(str(incident_ledger)))
    found = list(authorizations(log))
    log.engine.dispose()
    return found


def test_calls_one_by_one_are_judged_as_those_in_a_row(incident_ledger: Path) -> None:
    log = Log(open_engine(str(incident_ledger)))
    ledger = Investigation(log)
    ledger.runner.catch_up()
    past = PastAccounts(log)
    every = ledger.entries.every(Question(order="oldest", service="iam"))
    inferring = Authorizations(past, ledger.sessions)
    count = 0
    for entry, found in authorizations_of(past, ledger.sessions, every):
        alone = inferring.of(entry)
        assert [comparable(one) for one in found] == [comparable(one) for one in alone]
        count += 1
    log.engine.dispose()
    assert count > 300


def comparable(one: Authorization) -> tuple[object, ...]:
    return one.question, one.decision, one.agreement, one.unknown, one.unasked


# -- a real log


def test_no_decision_on_a_real_log_differs_without_a_reason(invictus: Found) -> None:
    assert [entry.record.event_id for entry, one in invictus if one.agreement is Agreement.DIFFERS] == []


def test_every_denial_of_a_role_that_the_log_made_is_explained(invictus: Found) -> None:
    """Stratus makes roles without the rights that its attacks try; AWS denied for want of an identity policy."""
    denied = [
        one
        for entry, one in invictus
        if entry.record.error_code in ("AccessDenied", "Client.UnauthorizedOperation")
        and entry.record.identity.kind == "AssumedRole"
    ]
    assert len(denied) == 45
    assert {(one.agreement, one.decision.missing) for one in denied if one.decision is not None} == {
        (Agreement.AGREES, ("identity",))
    }


def test_refusals_just_after_a_role_was_made_are_those_of_a_change_not_yet_seen(invictus: Found) -> None:
    settling = [entry for entry, one in invictus if one.agreement is Agreement.SETTLING]
    assert len(settling) == 13
    assert {entry.record.action for entry in settling} == {"sts:AssumeRole"}
    assert {entry.record.error_code for entry in settling} == {"AccessDenied"}


def test_what_roles_of_the_log_were_allowed_is_explained_by_their_policies(invictus: Found) -> None:
    """Each call by a role whose grants are in the log: allowed by a statement, or unknown for the right reason."""
    known = [
        (entry, one)
        for entry, one in invictus
        if one.judgement is not None
        and one.judgement.request.caller.kind == "AssumedRole"
        and not one.judgement.entitlement.unknown
        and one.agreement is not Agreement.NOT_TOLD
        and entry.record.error_code is None
    ]
    assert known
    for entry, one in known:
        assert one.decision is not None
        if one.agreement is Agreement.AGREES:
            assert one.decision.statements, entry.record.event_id
        else:
            assert {unknown.kind for unknown in one.unknown} <= {UnknownKind.RESOURCE_POLICY}


def test_what_rests_on_the_time_before_the_log_is_unknown(invictus: Found) -> None:
    unknown = [one for _, one in invictus if one.agreement is Agreement.UNKNOWN]
    assert all(one.unknown for one in unknown)
    kinds = {untold.kind for one in unknown for untold in one.unknown}
    assert kinds <= {*UNTOLD, UnknownKind.PRINCIPAL}
    principals = {
        untold.about for one in unknown for untold in one.unknown if untold.kind is UnknownKind.PRINCIPAL
    }
    assert all(LINKED in about for about in principals), principals  # of which only services' calls tell


def test_what_needs_no_permission_is_not_judged(invictus: Found) -> None:
    unasked = Counter(one.unasked for _, one in invictus if one.unasked is not None)
    assert unasked[Unasked.NEEDS_NO_PERMISSION] == 15
    assert unasked[Unasked.SERVICE_EVENT] == 42


# -- the bundled incident, which begins with a snapshot


def test_the_incident_is_explained_to_the_last_call_of_whom_it_knows(incident_found: Found) -> None:
    agreements = Counter(one.agreement for _, one in incident_found)
    assert agreements[Agreement.DIFFERS] == 0
    assert agreements[Agreement.SETTLING] == 1
    unknown = {
        untold.kind
        for _, one in incident_found
        if one.agreement is Agreement.UNKNOWN
        for untold in one.unknown
    }
    # the second account has no snapshot, and its callers from abroad are named by their ids alone
    assert unknown == {
        UnknownKind.EARLIER_GRANTS,
        UnknownKind.RESOURCE_POLICY,
        UnknownKind.TRUST_POLICY,
        UnknownKind.PRINCIPAL,
    }
    across = {
        entry.record.action
        for entry, one in incident_found
        if entry.account_id == "210987654321" and one.agreement is Agreement.UNKNOWN
    }
    assert across == {"sts:AssumeRole"}  # of roles of the second account


def test_every_denial_of_the_incident_is_explained(incident_found: Found) -> None:
    denied = [
        one
        for entry, one in incident_found
        if entry.account_id == "210987654321" and entry.record.error_code is not None
        if one.judgement is not None and one.agreement is not Agreement.NOT_TOLD
    ]
    verdicts = Counter(one.decision.verdict for one in denied if one.decision is not None)
    assert verdicts == {Verdict.IMPLICIT_DENY: 37, Verdict.EXPLICIT_DENY: 11, Verdict.ALLOWED: 1}


# -- told histories

POLICY = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}'
BOB = {
    "type": "IAMUser",
    "principalId": "AIDABOB000000001",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/bob",
    "accountId": ACCOUNT,
    "userName": "bob",
    "accessKeyId": "AKIABOB000000001",
}
MADE = call(
    "CreateUser",
    {"userName": "bob"},
    {"user": {"userName": "bob", "userId": "AIDABOB000000001", "arn": BOB["arn"], "path": "/"}},
    at=NOON,
)


def judged(tmp_path: Path, *documents: dict[str, object]) -> list[Authorization]:
    log = Log(open_engine(str(tmp_path / "ledger.sqlite"), create=True))
    origin = Origin("told.json", "0" * 64)
    log.append([Draft.of(read_record(document), origin) for document in documents])
    found = [one for entry, one in authorizations(log) if entry.record.identity.name == "bob"]
    log.engine.dispose()
    return found


def reading(at: int, error: str | None = None) -> dict[str, object]:
    request = {"bucketName": "b", "key": "k"}
    return call("GetObject", request, by=BOB, at=at, error=error, source="s3.amazonaws.com")


def granting(at: int) -> dict[str, object]:
    request = {"userName": "bob", "policyName": "read", "policyDocument": POLICY}
    return call("PutUserPolicy", request, by=ADMIN, at=at)


def test_a_call_is_judged_by_the_account_before_it(tmp_path: Path) -> None:
    removing = call("DeleteUserPolicy", {"userName": "bob", "policyName": "own"}, by=BOB, at=NOON + 90)
    text = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}'
    giving = call(
        "PutUserPolicy", {"userName": "bob", "policyName": "own", "policyDocument": text}, at=NOON + 9
    )
    (found,) = judged(tmp_path, MADE, giving, removing)
    assert found.agreement is Agreement.AGREES
    assert found.decision is not None and found.decision.allowed


@pytest.mark.parametrize(("seconds", "agreement"), [(5, Agreement.SETTLING), (60, Agreement.UNKNOWN)])
def test_a_denial_after_a_grant_is_one_of_a_change_not_yet_seen_for_half_a_minute(
    tmp_path: Path, seconds: int, agreement: Agreement
) -> None:
    (found,) = judged(tmp_path, MADE, granting(NOON + 100), reading(NOON + 100 + seconds, "AccessDenied"))
    assert found.agreement is agreement
    if agreement is Agreement.UNKNOWN:
        assert {one.kind for one in found.unknown} == {UnknownKind.CONTROL_POLICY}


def test_a_call_that_nothing_allowed_differs_where_nothing_else_could_have(tmp_path: Path) -> None:
    listing = call("ListUsers", None, by=BOB, at=NOON + 500)
    (found,) = judged(tmp_path, MADE, listing)
    assert found.agreement is Agreement.DIFFERS
    assert found.decision is not None and found.decision.missing == ("identity",)


def test_an_error_that_is_no_denial_tells_nothing(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, MADE, granting(NOON + 100), reading(NOON + 500, "NoSuchKey"))
    assert found.agreement is Agreement.NOT_TOLD
