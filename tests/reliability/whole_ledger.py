"""The whole ledger beside a plain model: calls through two authorities on one database, imports that come late and twice,
clocks that are set, restarts, projections brought up and built anew, in any order that hypothesis thinks of.

The model is sets and dicts of names. It knows nothing of records, folds or times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.entry import Draft, Origin
from ledger.iam.deciding import Bearer
from ledger.log import Log, open_engine
from ledger.policy.request import caller_of
from ledger.record import format_time, read_record
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault
from projections.history import History
from tests.reliability.outcome import Outcome
from tests.reliability.processes import HERE
from tests.reliability.soundness import looked_through, projected, replayed, runner, state_of

NOON = 1_772_366_400
STEPS = 30
POLICY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
KEYS_MAX = 2
STRANGERS_END = NOON + 60  # later than anything that an import tells of
names = st.sampled_from(["ann", "Ann", "bob", "eve"])
groups = st.sampled_from(["dev", "ops"])
two = st.integers(0, 1)
strangers = st.integers(0, 3)


@dataclass
class ModelUser:
    name: str
    tags: dict[str, str] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)

    @property
    def told(self) -> tuple[Any, ...]:
        return (
            self.name,
            sorted(self.tags.items()),
            sorted(self.groups),
            sorted(self.policies),
            sorted(self.keys),
        )


class WholeLedger(RuleBasedStateMachine):
    url: str
    key: str
    numbers = count(300_000_000_001)
    steps = 0

    @initialize()
    def begins(self) -> None:
        self.account_id = str(next(self.numbers))
        self.root = Bearer(caller_of(f"arn:aws:iam::{self.account_id}:root"))
        self.now = float(NOON)
        self.latest = 0.0  # second of the latest entry of our own
        self.users: dict[str, ModelUser] = {}
        self.groups: dict[str, str] = {}
        self.created: set[int] = set()  # strangers of whom an import told that they were made
        self.deleted: set[int] = set()
        self.imported: dict[tuple[int, str], Draft] = {}
        self.entries = 1
        self.engine = open_engine(self.url)
        self.log = Log(self.engine)
        self.authorities = [self._authority(), self._authority()]
        begin(
            self.authorities[0].turns,
            self.account_id,
            email="root@example.com",
            password_hash="none",
            around=HERE,
        )
        self.latest = self.now

    def _authority(self) -> Authority:
        return Authority(
            Log(self.engine, clock=self._clock), Vault(self.engine, Keyring(self.key)), clock=self._clock
        )

    def _clock(self) -> float:
        return self.now

    # ---- calls

    def call(self, by: int, operation: str, **given: Any) -> tuple[str | None, Any]:
        """The refusal's code or None, and the output."""
        request = Request(self.account_id, f"iam:{operation}", given, HERE, None, by=self.root)
        reply = self.authorities[by].call(request)
        self.entries += 1
        self.latest = max(self.latest, float(int(self.now)))
        return (None if reply.refusal is None else reply.refusal.code), reply.output

    def expected_user(self, name: str) -> ModelUser | None:
        return self.users.get(name.casefold())

    @rule(by=two, name=names)
    def create_user(self, by: int, name: str) -> None:
        there = self.expected_user(name)
        code, _ = self.call(by, "CreateUser", UserName=name)
        assert code == ("EntityAlreadyExists" if there else None)
        if there is None:
            self.users[name.casefold()] = ModelUser(name)

    @rule(by=two, name=names)
    def delete_user(self, by: int, name: str) -> None:
        there = self.expected_user(name)
        code, _ = self.call(by, "DeleteUser", UserName=name)
        if there is None:
            assert code == "NoSuchEntity"
        elif there.groups or there.policies or there.keys:
            assert code == "DeleteConflict"
        else:
            assert code is None
            del self.users[name.casefold()]

    @rule(
        by=two, name=names, key=st.sampled_from(["team", "Team", "cost"]), value=st.sampled_from(["a", "b"])
    )
    def tag_user(self, by: int, name: str, key: str, value: str) -> None:
        there = self.expected_user(name)
        code, _ = self.call(by, "TagUser", UserName=name, Tags=[{"Key": key, "Value": value}])
        assert code == (None if there else "NoSuchEntity")
        if there:
            there.tags = {old: kept for old, kept in there.tags.items() if old.casefold() != key.casefold()}
            there.tags[key] = value

    @rule(by=two, name=names)
    def attach_policy(self, by: int, name: str) -> None:
        there = self.expected_user(name)
        code, _ = self.call(by, "AttachUserPolicy", UserName=name, PolicyArn=POLICY)
        assert code == (None if there else "NoSuchEntity")
        if there:
            there.policies.add(POLICY)

    @rule(by=two, name=names)
    def detach_policy(self, by: int, name: str) -> None:
        there = self.expected_user(name)
        code, _ = self.call(by, "DetachUserPolicy", UserName=name, PolicyArn=POLICY)
        assert code == (None if there and POLICY in there.policies else "NoSuchEntity")
        if there:
            there.policies.discard(POLICY)

    @rule(by=two, group=groups)
    def create_group(self, by: int, group: str) -> None:
        code, _ = self.call(by, "CreateGroup", GroupName=group)
        assert code == ("EntityAlreadyExists" if group in self.groups else None)
        self.groups[group] = group

    @rule(by=two, name=names, group=groups)
    def add_to_group(self, by: int, name: str, group: str) -> None:
        there = self.expected_user(name)
        code, _ = self.call(by, "AddUserToGroup", UserName=name, GroupName=group)
        assert code == (None if there and group in self.groups else "NoSuchEntity")
        if there and group in self.groups:
            there.groups.add(group)

    @rule(by=two, name=names, group=groups)
    def remove_from_group(self, by: int, name: str, group: str) -> None:
        there = self.expected_user(name)
        code, _ = self.call(by, "RemoveUserFromGroup", UserName=name, GroupName=group)
        assert code == (None if there and group in self.groups else "NoSuchEntity")
        if there:
            there.groups.discard(group)

    @rule(by=two, name=names)
    def create_access_key(self, by: int, name: str) -> None:
        there = self.expected_user(name)
        code, output = self.call(by, "CreateAccessKey", UserName=name)
        if there is None:
            assert code == "NoSuchEntity"
        elif len(there.keys) >= KEYS_MAX:
            assert code == "LimitExceeded"
        else:
            made = output["AccessKey"]
            there.keys.add(made["AccessKeyId"])
            found = self.authorities[1 - by].presented(made["AccessKeyId"], None)
            assert (found.account_id, found.secret) == (self.account_id, made["SecretAccessKey"])

    @rule(by=two, name=names)
    def delete_access_key(self, by: int, name: str) -> None:
        there = self.expected_user(name)
        key_id = min(there.keys) if there and there.keys else "AKIA" + "0" * 16
        code, _ = self.call(by, "DeleteAccessKey", UserName=name, AccessKeyId=key_id)
        assert code == (None if there and key_id in there.keys else "NoSuchEntity")
        if there:
            there.keys.discard(key_id)

    @rule(by=two)
    def list_users(self, by: int) -> None:
        code, output = self.call(by, "ListUsers")
        assert code is None
        assert sorted(user["UserName"] for user in output["Users"]) == sorted(self.all_users())

    def all_users(self) -> set[str]:
        return {user.name for user in self.users.values()} | {
            f"stranger{n}" for n in self.created - self.deleted
        }

    # ---- what others recorded

    @rule(number=strangers, event=st.sampled_from(["CreateUser", "DeleteUser"]), first=st.booleans())
    def import_record(self, number: int, event: str, first: bool) -> None:
        """Of users whose names nobody here uses; made in one second, deleted in a later one, told in any order, at times
        before or amid the account's own. A record that was told once may be told again.
        """
        known = self.imported.get((number, event))
        if known is None:
            known = self.imported[number, event] = self._stranger(number, event)
            self.entries += 1
            (self.created if event == "CreateUser" else self.deleted).add(number)
        batch = [known] if first else [known, known, *self.imported.values()]
        told = self.log.append(batch)
        assert told.count + told.duplicates == len(batch)

    def _stranger(self, number: int, event: str) -> Draft:
        name, unique = f"stranger{number}", f"AIDASTRANGER{self.account_id}{number}"
        arn = f"arn:aws:iam::{self.account_id}:user/{name}"
        user = {"userName": name, "userId": unique, "arn": arn, "path": "/"}
        second = NOON + 4 * number + (3 if event == "DeleteUser" else 0)
        document = {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "Root",
                "principalId": self.account_id,
                "arn": f"arn:aws:iam::{self.account_id}:root",
                "accountId": self.account_id,
            },
            "eventTime": format_time(second),
            "eventSource": "iam.amazonaws.com",
            "eventName": event,
            "awsRegion": "us-east-1",
            "sourceIPAddress": "192.0.2.1",
            "userAgent": "aws-cli/2",
            "requestParameters": {"userName": name},
            "responseElements": {"user": user} if event == "CreateUser" else None,
            "eventID": str(uuid4()),
            "recipientAccountId": self.account_id,
        }
        return Draft.of(read_record(document), Origin("other.json.gz", "ab" * 32))

    # ---- what happens to machines

    @rule(seconds=st.sampled_from([0.001, 0.4, 1, 30, 86_400, -1, -30, -3_600]))
    def clock_moves(self, seconds: float) -> None:
        self.now += seconds

    @rule(which=two)
    def restart(self, which: int) -> None:
        self.authorities[which].close()
        self.authorities[which] = self._authority()

    @rule()
    def catch_up(self) -> None:
        runner(self.log).catch_up()

    @rule()
    def rebuild(self) -> None:
        runner(self.log).rebuild()

    # ---- what holds

    @invariant()
    def nothing_is_missing(self) -> None:
        """Each call and each record is one entry; beside them only what was noted of the clock."""
        WholeLedger.steps += 1
        size = self.log.size(self.account_id)
        notes = size - self.entries
        assert notes >= 0
        if not notes:
            return
        told = sum(
            entry.record.action == "iam-ledger:ClockSetBack" for entry in self.log.read(self.account_id)
        )
        assert told == notes

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        try:
            self._at_the_end()
        finally:
            for authority in self.authorities:
                authority.close()
            self.engine.dispose()

    def _at_the_end(self) -> None:
        accounts = [authority.look(self.account_id)[0] for authority in self.authorities]
        plain = replayed(self.log, self.account_id)
        for account in accounts:
            assert orjson.loads(state_of(account)) == orjson.loads(state_of(plain))
        assert {user.name for user in plain.users.values()} == self.all_users()
        for user in self.users.values():
            found = plain.user_named(user.name)
            assert found is not None
            told = ModelUser(
                found.name,
                {tag.key: tag.value for tag in found.tags.values()},
                {plain.groups[group].name for group in found.memberships},
                set(found.attached),
                set(found.access_keys),
            )
            assert told.told == user.told
        sound = looked_through(self.url, self.account_id)
        assert not sound.wrong
        own = [one for one in sound.documents if one["userAgent"] in ("reliability", "iam-ledger")]
        assert [one["eventTime"] for one in own] == sorted(one["eventTime"] for one in own)
        assert [one["eventID"] for one in own] == sorted(one["eventID"] for one in own)
        runner(self.log).catch_up()
        state = History(self.log).state_bytes(self.account_id, int(max(self.latest, STRANGERS_END)))
        assert all(f'"{name}"'.encode() in state for name in self.all_users())
        before = projected(self.log)
        runner(self.log).rebuild()
        assert projected(self.log) == before


def beside_the_model(url: Callable[[], str], examples: int) -> Outcome:
    """A trial is a history of up to 30 steps; hit counts the steps. Raises what hypothesis finds, made as small as it can."""

    class Machine(WholeLedger):
        pass

    Machine.url, Machine.key = url(), new_key()
    open_engine(Machine.url, create=True).dispose()
    steps = WholeLedger.steps
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Outcome(trials=examples, hit=WholeLedger.steps - steps)
