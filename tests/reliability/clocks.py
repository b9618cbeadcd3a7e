"""R14: the clock is set back an hour, jumps a day ahead, counts a leap second twice, and comes to the year 2038.

The authority is given the clock; a machine's own is not touched.
"""

from __future__ import annotations

from ledger.authority.authority import Authority, Request
from ledger.authority.beginning import begin
from ledger.authority.clocks import CLOCK_SET_BACK, TOLERATED_SECONDS
from ledger.log import Log, open_engine
from ledger.record import parse_time
from ledger.vault.keys import Keyring, new_key
from ledger.vault.store import Vault
from tests.reliability.outcome import Outcome
from tests.reliability.processes import ACCOUNT, HERE, ROOT
from tests.reliability.soundness import looked_through, rebuilt_alike, replayed, runner, state_of

NOON = 1_772_366_400.0
HOUR, DAY = 3_600, 86_400
LEAP = 1_483_228_800.0 + 20 * 365 * DAY  # the midnight at which a second is counted twice
Y2038 = 2.0**31
PAUSE = 0.4
STEPS = {  # from when on, how far the clock is then set, and whether that is told
    "back 1 h": (NOON, -HOUR, True),
    "forward 1 day": (NOON, DAY, False),
    "and back again": (NOON + DAY, -DAY, True),
    "leap second": (LEAP - 1, -1, False),
    "2038": (Y2038 - 1, 1, False),
    "back within what clocks differ": (NOON, 0.5 - TOLERATED_SECONDS, False),
}


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def clock_stepped(url_of: dict[str, str], calls: int) -> Outcome:
    """A trial is a step of the clock between calls, each in a ledger of its own, by name of the step."""
    outcome = Outcome()
    for name, url in url_of.items():
        _one_step(outcome, name, url, calls)
    return outcome


def _one_step(outcome: Outcome, name: str, url: str, calls: int) -> None:
    began, step, told = STEPS[name]
    clock = Clock(began)
    engine = open_engine(url, create=True)
    log = Log(engine, clock=clock)
    authority = Authority(log, Vault(engine, Keyring(new_key())), clock=clock)
    begin(authority.turns, ACCOUNT, email="root@example.com", password_hash="none", around=HERE)

    def make(mark: str) -> None:
        for number in range(calls):
            clock.now += PAUSE if mark == "a" else 0.01
            made = authority.call(
                Request(ACCOUNT, "iam:CreateUser", {"UserName": f"{mark}{number}"}, HERE, None, by=ROOT)
            )
            outcome.check(made.refusal is None, f"{name}: a call was refused")

    make("a")
    reached = clock.now
    clock.now += step
    make("b")
    runner(log).catch_up()
    clock.now = max(reached, clock.now) + 10  # the clock has come by again
    make("c")
    account, _ = authority.look(ACCOUNT)
    outcome.check(
        state_of(account) == state_of(replayed(log, ACCOUNT)), f"{name}: replaying gives another account"
    )
    authority.close()
    engine.dispose()

    found = looked_through(url, ACCOUNT)
    outcome.found(found.wrong, name)
    outcome.found(rebuilt_alike(url), name)
    times = [parse_time(document["eventTime"]) for document in found.documents]
    event_ids = [document["eventID"] for document in found.documents]
    names = [
        document["requestParameters"]["userName"]
        for document in found.documents
        if document["eventName"] == "CreateUser"
    ]
    outcome.check(times == sorted(times), f"{name}: times go back")
    outcome.check(event_ids == sorted(event_ids), f"{name}: event ids do not grow")
    outcome.check(names == [f"{mark}{number}" for mark in "abc" for number in range(calls)], f"{name}: order")
    outcome.check(times[-1] == int(clock.now), f"{name}: the clock is not followed again")
    notes = [one for one in found.documents if f"iam-ledger:{one['eventName']}" == CLOCK_SET_BACK]
    outcome.check(len(notes) == told, f"{name}: told {len(notes)} times")
    outcome.trials += 1
    outcome.hit += step != 0
    outcome.counts["told in the log"] += len(notes)
