"""Of a decision only what differs from the one before is made and written anew, and nobody can tell."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from ledger.authority.asking import Inquiry
from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.authority.recording import Surroundings
from ledger.authorization import Authorization
from ledger.iam.deciding import Bearer
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault
from projections.permissions.verification import verify_decisions
from tests.ledger.told import ACCOUNT, NOON

HERE = Surroundings("192.0.2.1", "aws-cli", "r-1")
ROOT = Bearer(caller_of(f"arn:aws:iam::{ACCOUNT}:root"))


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(database_url: str, clock: Clock) -> Iterator[Authority]:
    log = Log(open_engine(database_url, create=True))
    made = Authority(log, Vault(log.engine, Keyring(new_key())), clock=clock)
    begin(made.turns, ACCOUNT, email="root@example.com", password_hash="none", around=HERE)
    yield made
    made.close()
    verified = verify_decisions(log, [ACCOUNT])
    assert not verified.divergences, verified.divergences
    log.engine.dispose()


@pytest.fixture
def root(authority: Authority) -> Callable[..., Any]:
    def call(action: str, **parameters: Any) -> Any:
        told = authority.call(Request(ACCOUNT, f"iam:{action}", parameters, HERE, None, by=ROOT))
        assert told.refusal is None
        return told.output

    return call


def policy(condition: dict[str, Any] | None = None) -> str:
    statement = {"Effect": "Allow", "Action": "iam:List*", "Resource": "*", "Condition": condition or {}}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def user(authority: Authority, root: Callable[..., Any], name: str) -> Request:
    root("CreateUser", UserName=name)
    key = root("CreateAccessKey", UserName=name)["AccessKey"]
    presented = authority.presented(key["AccessKeyId"], None)
    return Request(ACCOUNT, "iam:ListGroups", {}, HERE, presented)


def allowed(authority: Authority, request: Request) -> bool:
    return authority.call(request).refusal is None


def test_it_ends_with_the_permission(authority: Authority, root: Callable[..., Any]) -> None:
    asks = user(authority, root, "alice")
    root("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=policy())
    assert allowed(authority, asks)
    assert allowed(authority, asks)
    root("DeleteUserPolicy", UserName="alice", PolicyName="own")
    assert not allowed(authority, asks)


def test_it_is_no_other_caller_s_and_no_other_address_s(
    authority: Authority, root: Callable[..., Any]
) -> None:
    alice, bob = user(authority, root, "alice"), user(authority, root, "bob")
    here = {"IpAddress": {"aws:SourceIp": "192.0.2.1/32"}}
    root("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=policy(here))
    assert allowed(authority, alice)
    assert not allowed(authority, bob)
    elsewhere = replace(HERE, source_ip="198.51.100.7")
    assert not allowed(authority, replace(alice, surroundings=elsewhere))
    assert allowed(authority, alice)


def test_it_is_of_one_action_and_one_request(authority: Authority, root: Callable[..., Any]) -> None:
    alice = user(authority, root, "alice")
    root("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=policy())
    assert allowed(authority, alice)
    assert not allowed(authority, replace(alice, action="iam:GetAccountSummary"))
    blue = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    statement = {"Effect": "Allow", "Action": "iam:TagUser", "Resource": "*", "Condition": blue}
    tagging = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root("PutUserPolicy", UserName="alice", PolicyName="tagging", PolicyDocument=tagging)

    def tag(value: str) -> Request:
        parameters = {"UserName": "alice", "Tags": [{"Key": "team", "Value": value}]}
        return replace(alice, action="iam:TagUser", parameters=parameters)

    assert not allowed(
        authority, tag("red")
    )  # which changes nothing, so that what is remembered is still good
    assert allowed(authority, tag("blue"))


def test_it_ends_with_the_second(authority: Authority, root: Callable[..., Any], clock: Clock) -> None:
    until = {"NumericLessThanEquals": {"aws:EpochTime": str(NOON)}}
    alice = user(authority, root, "alice")
    root("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=policy(until))
    assert allowed(authority, alice)
    clock.now += 1
    assert not allowed(authority, alice)


AWKWARD = '"positions":{},"resource":""'


def test_of_each_resource_the_whole_decision_is_written(
    authority: Authority, root: Callable[..., Any]
) -> None:
    presented = user(authority, root, "alice").presented
    assert presented is not None
    grant = {"Effect": "Allow", "Action": "shop:*", "Resource": "arn:aws:shop:::mine/*"}
    reading = {"Action": "shop:Get*", "Resource": ["arn:aws:shop:::mine/2", "arn:aws:shop:::${app:kind}/*"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [grant, {**grant, **reading}]})
    root("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=document)
    names = ("mine/1", "mine/2", "yours/1", f"mine/{AWKWARD}", "odd/1", "yours/2", "mine/1")
    decided = set()
    for kind, action, name in product(("odd", AWKWARD), ("shop:GetCart", "shop:PutCart"), names):
        resource = f"arn:aws:shop:::{name}"
        asked = Inquiry(presented, action, resource, HERE, "shop.internal", False, {"app:kind": (kind,)})
        answered: Future[Any] = Future()
        authority.services.submit(asked, lambda told, failure, to=answered: to.set_result(told))  # type: ignore[misc]
        told = answered.result()
        read = Authorization.from_bytes(told.told)
        assert read == told.decided
        assert (read.action, read.resource) == (action, resource)
        assert read.context["app:kind"] == (kind,)
        assert read.positions == {ACCOUNT: told.recorded.position}
        decided.add((read.verdict, len(read.statements)))
    assert len(decided) == 3


def test_it_is_of_the_tags_that_a_resource_has_now(authority: Authority, root: Callable[..., Any]) -> None:
    asks = user(authority, root, "alice")
    root("CreateUser", UserName="bob")
    blue = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    statement = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*", "Condition": blue}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=document)
    about_bob = replace(asks, action="iam:GetUser", parameters={"UserName": "bob"})
    assert not allowed(authority, about_bob)
    root("TagUser", UserName="bob", Tags=[{"Key": "team", "Value": "blue"}])
    assert allowed(authority, about_bob)
    root("UntagUser", UserName="bob", TagKeys=["team"])
    assert not allowed(authority, about_bob)
