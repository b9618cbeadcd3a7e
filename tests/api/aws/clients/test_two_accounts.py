"""Roles of another account of the same ledger: both accounts have to agree, and both are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from ledger.account.replay import Replay
from ledger.entry import Draft, Origin
from ledger.record import read_record
from projections.permissions.verification import verify_decisions
from tests.api.aws.clients.documents import allowing, trusting
from tests.api.living_server import Account, LivingServer, living_server

SHARED = ("eventName", "eventTime", "requestID", "requestParameters", "responseElements", "resources")


class Shop:
    """The account of a shop with the user alice, and that of a bank with the role `pay`, which trusts the shop."""

    def __init__(self, server: LivingServer) -> None:
        self.log = server.log
        self.shop, self.bank = server.new_account(), server.new_account()
        self.alice = user(self.shop, "alice")
        self.role = f"arn:aws:iam::{self.bank.id}:role/pay"
        iam = self.bank.client("iam")
        iam.create_role(RoleName="pay", AssumeRolePolicyDocument=trusting(self.root))
        iam.put_role_policy(RoleName="pay", PolicyName="own", PolicyDocument=allowing("iam:List*"))

    @property
    def root(self) -> str:
        return f"arn:aws:iam::{self.shop.id}:root"

    def trust(self, document: str) -> None:
        self.bank.client("iam").update_assume_role_policy(RoleName="pay", PolicyDocument=document)

    def assume(self, **more: Any) -> Any:
        return self.shop.client("sts", self.alice).assume_role(
            **{"RoleArn": self.role, "RoleSessionName": "till-1"} | more
        )

    def refusal(self, **more: Any) -> str:
        """AWS's words, after which nothing is in the bank's log, and one entry more in the shop's."""
        before = self.log.size(self.shop.id), self.log.size(self.bank.id)
        with pytest.raises(ClientError) as told:
            self.assume(**more)
        assert told.value.response["Error"]["Code"] == "AccessDenied"
        assert (self.log.size(self.shop.id), self.log.size(self.bank.id)) == (before[0] + 1, before[1])
        return str(told.value.response["Error"]["Message"])


def user(account: Account, name: str) -> dict[str, str]:
    """A user who may do everything of STS, and their key."""
    iam = account.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=allowing("sts:*"))
    key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
    return key


def with_condition(document: str, **condition: Any) -> str:
    told = json.loads(document)
    told["Statement"][0]["Condition"] = condition
    return json.dumps(told)


@pytest.fixture
def server(database_url: str) -> Iterator[LivingServer]:
    with living_server(database_url) as found:
        yield found


@pytest.fixture
def two(server: LivingServer) -> Iterator[Shop]:
    """Whose books are closed after the test: decisions come out the same, and the logs fold to the accounts."""
    made = Shop(server)
    yield made
    verified = verify_decisions(server.log, server.log.account_ids())
    assert not verified.divergences, [one.to_document() for one in verified.divergences]
    assert verified.recomputed == verified.stored
    for account in (made.shop, made.bank):
        replay = Replay(account.id)
        for entry in server.log.read(account.id):
            replay.take(entry)
        assert replay.account == server.authority.look(account.id)[0]


def test_the_session_is_of_the_role_s_account(two: Shop) -> None:
    told = two.assume()
    arn = f"arn:aws:sts::{two.bank.id}:assumed-role/pay/till-1"
    assert told["AssumedRoleUser"]["Arn"] == arn
    session = told["Credentials"]
    who = two.shop.client("sts", session).get_caller_identity()
    assert (who["Account"], who["Arn"]) == (two.bank.id, arn)
    assert [it["RoleName"] for it in two.shop.client("iam", session).list_roles()["Roles"]] == ["pay"]
    assert two.bank.records()[-1]["userIdentity"]["arn"] == arn


def test_both_accounts_are_told(two: Shop) -> None:
    two.assume(ExternalId="shop-4711")
    ours, theirs = two.shop.records()[-1], two.bank.records()[-1]
    assert ours["userIdentity"]["arn"] == f"arn:aws:iam::{two.shop.id}:user/alice"
    assert theirs["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": ours["userIdentity"]["principalId"],
        "accountId": two.shop.id,
    }
    assert (ours["recipientAccountId"], theirs["recipientAccountId"]) == (two.shop.id, two.bank.id)
    assert ours["sharedEventID"] == theirs["sharedEventID"]
    assert len({ours["eventID"], theirs["eventID"], ours["sharedEventID"]}) == 3
    assert {name: ours[name] for name in SHARED} == {name: theirs[name] for name in SHARED}
    assert ours["resources"] == [{"accountId": two.bank.id, "type": "AWS::IAM::Role", "ARN": two.role}]
    assert "errorCode" not in theirs


def test_the_caller_s_own_account_has_to_allow_it(two: Shop) -> None:
    two.trust(trusting(f"arn:aws:iam::{two.shop.id}:user/alice"))
    two.assume()
    two.shop.client("iam").delete_user_policy(UserName="alice", PolicyName="own")
    assert two.refusal().endswith("because no identity-based policy allows the sts:AssumeRole action")


def test_the_role_has_to_trust_the_caller(two: Shop) -> None:
    told = f"User: arn:aws:iam::{two.shop.id}:user/alice is not authorized to perform: sts:AssumeRole on resource: "
    two.trust(trusting(f"arn:aws:iam::{two.shop.id}:user/bob"))
    assert two.refusal() == told + two.role
    two.trust(trusting(f"arn:aws:iam::{two.bank.id}:root"))
    assert two.refusal() == told + two.role
    deny = json.loads(trusting(two.root)) | {}
    deny["Statement"].append(deny["Statement"][0] | {"Effect": "Deny"})
    two.trust(json.dumps(deny))
    assert two.refusal() == told + two.role


def test_a_role_that_is_not_there_is_refused_in_the_same_words(two: Shop, server: LivingServer) -> None:
    told = f"User: arn:aws:iam::{two.shop.id}:user/alice is not authorized to perform: sts:AssumeRole on resource: "
    there = server.log.account_ids()
    for arn in (f"arn:aws:iam::{two.bank.id}:role/gone", "arn:aws:iam::999999999999:role/pay"):
        assert two.refusal(RoleArn=arn) == told + arn
    assert server.log.account_ids() == there


def test_an_account_that_is_only_imported_has_no_roles_to_take_on(two: Shop) -> None:
    """Its log is AWS's to go on writing."""
    known, abroad = two.bank.records(), "444455556666"
    created = next(it for it in known if it["eventName"] == "CreateRole")
    text = json.dumps(created).replace(two.bank.id, abroad)
    two.log.append([Draft.of(read_record(json.loads(text)), Origin("trail.json.gz", "ab" * 32))])
    arn = f"arn:aws:iam::{abroad}:role/pay"
    assert two.refusal(RoleArn=arn).endswith(arn)
    assert two.log.size(abroad) == 1


def test_an_external_id_is_asked_for(two: Shop) -> None:
    two.trust(with_condition(trusting(two.root), StringEquals={"sts:ExternalId": "shop-4711"}))
    two.refusal()
    two.refusal(ExternalId="shop-0815")
    two.assume(ExternalId="shop-4711")


def test_tags_are_those_of_the_role_and_not_of_its_namesake(two: Shop) -> None:
    two.trust(with_condition(trusting(two.root), StringEquals={"aws:ResourceTag/for": "shops"}))
    tags = [{"Key": "for", "Value": "shops"}]
    two.shop.client("iam").create_role(RoleName="pay", AssumeRolePolicyDocument=trusting(two.root), Tags=tags)
    two.refusal()
    two.bank.client("iam").tag_role(RoleName="pay", Tags=tags)
    two.assume()


def test_session_tags_and_policies_go_with_the_session(two: Shop) -> None:
    two.trust(trusting(two.root, "sts:AssumeRole", "sts:TagSession"))
    blue = with_condition(allowing("iam:List*"), StringEquals={"aws:PrincipalTag/team": "blue"})
    two.bank.client("iam").put_role_policy(RoleName="pay", PolicyName="own", PolicyDocument=blue)
    tagged = two.assume(Tags=[{"Key": "team", "Value": "blue"}])["Credentials"]
    two.bank.client("iam", tagged).list_roles()
    less = two.assume(
        Tags=[{"Key": "team", "Value": "blue"}], Policy=allowing("iam:ListUsers"), DurationSeconds=900
    )["Credentials"]
    two.bank.client("iam", less).list_users()
    with pytest.raises(ClientError, match="no session policy allows"):
        two.bank.client("iam", less).list_roles()


def test_a_session_goes_on_into_the_next_account(two: Shop) -> None:
    """The session in the bank assumes a role in the shop: a chain, whose every link both accounts have."""
    back = f"arn:aws:iam::{two.shop.id}:role/till"
    two.shop.client("iam").create_role(RoleName="till", AssumeRolePolicyDocument=trusting(two.role))
    two.bank.client("iam").put_role_policy(
        RoleName="pay", PolicyName="own", PolicyDocument=allowing("sts:AssumeRole")
    )
    session = two.assume()["Credentials"]
    sts = two.bank.client("sts", session)
    told = sts.assume_role(RoleArn=back, RoleSessionName="back")
    assert told["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{two.shop.id}:assumed-role/till/back"
    theirs = two.shop.records()[-1]["userIdentity"]
    assert theirs["principalId"].endswith(":till-1")
    assert theirs["accountId"] == two.bank.id


def test_a_service_s_resource_in_another_account_is_not_allowed_by_the_caller_s_alone(
    two: Shop, server: LivingServer
) -> None:
    """No policy of a resource is known here, and in another account it would have to allow as well."""
    orders = allowing("orders:*")
    two.shop.client("iam").put_user_policy(UserName="alice", PolicyName="orders", PolicyDocument=orders)
    key = {"accessKeyId": two.alice["AccessKeyId"], "secretAccessKey": two.alice["SecretAccessKey"]}

    def ask(account_id: str) -> Any:
        resource = f"arn:aws:orders:eu-west-1:{account_id}:order/7"
        question = {"credential": key, "action": "orders:GetOrder", "resource": resource}
        return httpx.post(f"{server.url}/v1/authorize", json=question).json()

    assert ask(two.shop.id)["decision"] == "allowed"
    told = ask(two.bank.id)
    assert (told["decision"], told["account"]) == ("implicitDeny", two.shop.id)
    assert told["authorization"]["missing"] == ["resource"]


def test_many_go_both_ways_at_once_through_two_servers(two: Shop, server: LivingServer) -> None:
    """Whoever holds one account's head and waits for the other's must not wait for ever."""
    bob = user(two.bank, "bob")
    till = f"arn:aws:iam::{two.shop.id}:role/till"
    trust = trusting(f"arn:aws:iam::{two.bank.id}:root")
    two.shop.client("iam").create_role(RoleName="till", AssumeRolePolicyDocument=trust)
    other = LivingServer(server.database_url, server.vault_key)
    try:

        def go(number: int) -> None:
            at = (server, other)[number % 2]
            key, role = ((two.alice, two.role), (bob, till))[number // 2 % 2]
            sts = Account(at, "", key).client("sts")
            for _ in range(4):
                sts.assume_role(RoleArn=role, RoleSessionName=f"n-{number}")

        with ThreadPoolExecutor(8) as callers:
            list(callers.map(go, range(16)))
    finally:
        other.close()
    for account in (two.shop, two.bank):
        assumed = [it for it in account.records() if it["eventName"] == "AssumeRole"]
        assert len(assumed) == 2 * 32
