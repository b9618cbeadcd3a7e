"""What `access` says is possible, the engine allows; what it does not say, the engine denies: on random small accounts.

Resources are short texts over three letters, so that all that matter can be tried one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.account.account import Account
from ledger.policy.decision import Decision
from ledger.policy.entitlements import Entitlements, entitlement
from projections.permissions.explaining import told_context
from projections.permissions.judging import judge
from projections.permissions.naming import principal_of
from projections.permissions.reach.access import permissions, possible_actions
from projections.permissions.reach.comparing import compare
from projections.permissions.reach.permitted import Permitted, permitted
from tests.ledger import told
from tests.projections.permitting import Telling

RESOURCES = ["*", *("".join(text) for length in range(1, 5) for text in product("abc", repeat=length))]
ACTIONS = ("sns:Publish", "sns:Subscribe", "sqs:SendMessage", "sqs:ReceiveMessage")
WITHOUT_POLICIES = "iam:GetUser"  # IAM's resources have no policies of their own, which no log tells
PATTERNS = st.sampled_from([*ACTIONS, "sns:*", "sqs:Se*", "*", "*:*e*", WITHOUT_POLICIES])
GLOBS = st.text("ab*?", min_size=1, max_size=3)
CONDITIONS = st.sampled_from(
    [
        None,
        None,
        None,
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        {"StringEquals": {"aws:username": "me"}},
        {"StringEquals": {"aws:username": "bob"}},
        {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
    ]
)


@st.composite
def statements(draw: Any, *, conditions: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    found[draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))] = draw(
        st.lists(PATTERNS, min_size=1, max_size=2)
    )
    globs = GLOBS | st.just("${aws:username}*") | st.just("${aws:PrincipalTag/none}") if conditions else GLOBS
    found[draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))] = draw(
        st.lists(globs, min_size=1, max_size=2)
    )
    condition = draw(CONDITIONS) if conditions else None
    return found | ({"Condition": condition} if condition else {})


def policies(*, conditions: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(statements(conditions=conditions), min_size=1, max_size=3)


@dataclass
class Small:
    """A user in a group, perhaps with a boundary, as the fold makes them of records."""

    account: Account

    at = told.NOON + 1_000

    @classmethod
    def of(cls, own: Any, of_group: Any, boundary: Any) -> Small:
        story = Telling()
        story.group("mine", *of_group)
        story.user("me", *own, groups=["mine"])
        if boundary is not None:
            story.bound("user", "me", story.policy("boundary", *boundary))
        return cls(told.given(*story.records).account)

    def account_of(self, account_id: str) -> Account | None:
        return self.account if account_id == told.ACCOUNT else None

    @property
    def permitted(self) -> Permitted:
        me = self.account.user_named("me")
        assert me is not None
        principal = principal_of(me, told.ACCOUNT)
        own = entitlement(self.account, me, self.at)
        return permitted(
            principal.caller,
            told_context(principal, {}, self.at),
            identity=own.identity,
            boundary=own.boundary,
        )

    def explain(self, action: str, resource: str) -> Decision:
        me = self.account.user_named("me")
        assert me is not None
        principal = principal_of(me, told.ACCOUNT)
        context = told_context(principal, {}, self.at)
        world = World(self)
        return judge(
            world, ENTITLEMENTS, principal.caller, principal.holder, action, resource, context
        ).decision


@dataclass
class World:
    small: Small
    at: int = Small.at

    def account(self, account_id: str, *named: object) -> Account | None:
        return self.small.account_of(account_id)


ENTITLEMENTS = Entitlements()
SMALL = st.builds(
    Small.of, policies(conditions=True), policies(conditions=True), st.none() | policies(conditions=True)
)
PLAIN = st.builds(
    Small.of, policies(conditions=False), policies(conditions=False), st.none() | policies(conditions=False)
)


@settings(max_examples=60)
@given(SMALL)
def test_what_is_possible_is_allowed_somewhere_and_the_rest_nowhere(small: Small) -> None:
    possible = possible_actions(small.permitted)
    for action in (*ACTIONS, WITHOUT_POLICIES):
        if action in possible:
            decision = small.explain(action, possible[action])
            assert decision.allowed or decision.unknown, (action, possible[action])
        else:
            assert not any(small.explain(action, resource).allowed for resource in RESOURCES), action


@settings(max_examples=60)
@given(PLAIN)
def test_without_conditions_there_is_no_perhaps(small: Small) -> None:
    possible = possible_actions(small.permitted)
    for action in (*ACTIONS, WITHOUT_POLICIES):
        assert (action in possible) is any(small.explain(action, resource).allowed for resource in RESOURCES)


@settings(max_examples=60)
@given(SMALL)
def test_the_lines_together_say_what_is_possible(small: Small) -> None:
    lines = permissions(small.permitted, frozenset())
    assert frozenset().union(*(line.possible for line in lines)) == possible_actions(small.permitted).keys()


@settings(max_examples=60)
@given(PLAIN, PLAIN)
def test_a_gain_is_what_is_allowed_now_and_was_not(before: Small, after: Small) -> None:
    found = compare(before.permitted, after.permitted)
    assert not found.gained.perhaps
    assert not found.lost.perhaps
    for action in (*ACTIONS, WITHOUT_POLICIES):
        then, now = (
            {resource for resource in RESOURCES if side.explain(action, resource).allowed}
            for side in (before, after)
        )
        assert (action in found.gained.surely) is bool(now - then), action
        assert (action in found.lost.surely) is bool(then - now), action


@settings(max_examples=40)
@given(SMALL)
def test_the_same_again_is_no_difference(small: Small) -> None:
    found = compare(small.permitted, small.permitted)
    assert not found.gained
    assert not found.lost
    assert found.shifts == ()


@settings(max_examples=40)
@given(SMALL, SMALL)
def test_what_is_gained_one_way_is_lost_the_other(one: Small, other: Small) -> None:
    there, back = compare(one.permitted, other.permitted), compare(other.permitted, one.permitted)
    assert (there.gained, there.lost) == (back.lost, back.gained)
