"""The table of operations against the models of IAM and STS: nothing is forgotten, nothing made up."""

import botocore.session
import pytest

from ledger.account.assumptions import Reason
from ledger.iam import FOLDED_ACTIONS, OUT_OF_SCOPE, SESSION_ACTIONS
from tests.ledger.told import call, create_user, given

READING = ("Get", "List", "Simulate", "Generate")


def operations_of(service: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service)
    return {f"{service}:{name}" for name in model.operation_names}


def test_every_change_that_iam_knows_is_folded_or_named_with_a_reason() -> None:
    changes = {it for it in operations_of("iam") if not it.partition(":")[2].startswith(READING)}
    assert len(changes) > 100
    assert changes - FOLDED_ACTIONS - OUT_OF_SCOPE.keys() == set()


def test_every_operation_of_sts_opens_a_session_or_is_named_with_a_reason() -> None:
    assert operations_of("sts") - SESSION_ACTIONS - OUT_OF_SCOPE.keys() == set()


def test_nothing_is_folded_or_named_that_no_model_knows() -> None:
    named = FOLDED_ACTIONS | SESSION_ACTIONS | OUT_OF_SCOPE.keys()
    ours = {
        "iam-ledger:CreateAccount",
        "iam-ledger:ImportAccountSnapshot",
        "signin:ConsoleLogin",
        "signin:GetSigninToken",
        "signin:PasswordUpdated",
        "signin:SwitchRole",
    }
    modelled = set().union(*map(operations_of, ("iam", "sts", "ec2", "ecs")))
    assert named - modelled == ours


def test_nothing_is_both_folded_and_out_of_scope() -> None:
    assert not (FOLDED_ACTIONS | SESSION_ACTIONS) & OUT_OF_SCOPE.keys()
    assert all(reason for reason in OUT_OF_SCOPE.values())


@pytest.mark.parametrize("action", sorted(it for it in FOLDED_ACTIONS if it.startswith("iam:")))
def test_a_failed_call_changes_nothing(action: str) -> None:
    told = given(create_user())
    before = told.account
    told.when(call(action.partition(":")[2], {"userName": "alice"}, error="AccessDenied"))
    assert told.account == before
    assert told.reasons == []


@pytest.mark.parametrize("action", sorted(FOLDED_ACTIONS))
@pytest.mark.parametrize("request_parameters", [None, {"omitted": True}, {"userName": 7, "tags": "x"}])
def test_a_call_that_does_not_say_what_it_changed_is_noted_and_refused_by_nobody(
    action: str, request_parameters: dict | None
) -> None:
    source, name = action.split(":")
    told = given(create_user())
    told.when(
        call(name, request_parameters, source="iam-ledger" if source == "iam-ledger" else "iam.amazonaws.com")
    )
    assert "AIDA0000000ALICE1" in told.account.users
    assert set(told.reasons) <= {Reason.UNREADABLE, Reason.ABSENT, Reason.UNSEEN_CREATION}
