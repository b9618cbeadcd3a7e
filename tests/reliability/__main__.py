"""The whole battery, in full.

    python3 dev.py reliability [R6 ...] [--size 0.1]

Prints of each test how many faults were set, how many of them met work under way, and the verdict; ends with status 1 where
something broke. `--size` makes all of it so many times as long.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.postgres_server import NoPostgres, PostgresServer, running_server
from tests.reliability import (
    clocks,
    copies,
    disk_full,
    kills,
    postgres_restarts,
    power_loss,
    publishing,
    repeated_imports,
    restores,
    rewriting,
    soak,
    whole_ledger,
    writers,
)
from tests.reliability.outcome import Outcome
from tests.reliability.suites import suite

WRITERS = (1, 2, 8, 32)


class Bench:
    """Where trials find folders and databases; `times` says how much longer or shorter than in full."""

    def __init__(self, stack: ExitStack, times: float) -> None:
        self._stack = stack
        self._times = times
        self._server: PostgresServer | None = None

    def so_many(self, full: int) -> int:
        return max(2, round(full * self._times))

    def folder(self) -> Path:
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory()))

    def sqlite(self) -> str:
        return f"sqlite:///{self.folder() / 'ledger.sqlite'}"

    def postgresql(self) -> str:
        """Raises NoPostgres."""
        if self._server is None:
            self._server = self._stack.enter_context(running_server())
        url = self._stack.enter_context(self._server.fresh_database())
        return url.render_as_string(hide_password=False)

    def databases(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "SQLite", self.sqlite
        yield "PostgreSQL", self.postgresql


Parts = Iterator[tuple[str, Callable[[], Outcome]]]


def r1(bench: Bench) -> Parts:
    spoilt = "tests/ledger/test_spoilt_bits.py"
    columns = [f"{spoilt}::test_no_bit_of_a_column_can_be_turned_unnoticed"]
    yield "", lambda: suite(columns, {"IAM_LEDGER_TEST_SPOILINGS": bench.so_many(200)})


def r2(bench: Bench) -> Parts:
    yield "", lambda: rewriting.changed(bench.folder(), bench.so_many(200))


def r3(bench: Bench) -> Parts:
    yield "", lambda: rewriting.rewritten(bench.folder(), bench.so_many(50))


def r4(bench: Bench) -> Parts:
    spoilt = "tests/ledger/test_spoilt_bits.py"
    file = [f"{spoilt}::test_no_bit_of_the_file_can_be_turned_unnoticed"]  # ten times as many
    yield "", lambda: suite(file, {"IAM_LEDGER_TEST_SPOILINGS": bench.so_many(200)})


def r5(bench: Bench) -> Parts:
    served = ["tests/api/test_log_reads.py::test_the_judge_finds_any_bit_that_changed"]
    yield "Go", lambda: suite(served, {"IAM_LEDGER_TEST_JUDGED_BITS": bench.so_many(2_000)})
    delivered = ["tests/api/aws/test_validate_logs.py::test_a_bit_anywhere_is_reported"]
    yield "the aws CLI", lambda: suite(delivered, {"IAM_LEDGER_TEST_VALIDATED_BITS": bench.so_many(30)})


def r6(bench: Bench) -> Parts:
    for name, url in bench.databases():
        yield f"server, {name}", lambda url=url: kills.server_killed(url(), bench.so_many(500))  # type: ignore[misc]
        yield (
            f"import, {name}",
            lambda url=url: kills.import_killed(url(), bench.sqlite(), bench.folder(), bench.so_many(100)),  # type: ignore[misc]
        )
        yield (
            f"projections, {name}",
            lambda url=url: kills.catch_up_killed(url(), bench.folder(), bench.so_many(100)),  # type: ignore[misc]
        )


def r7(bench: Bench) -> Parts:
    if importlib.util.find_spec("apsw") is None:
        yield "", lambda: Outcome(left_out=["the package apsw is not installed"])
        return
    yield "as shipped", lambda: power_loss.power_lost(200, bench.so_many(1_500))
    yield (
        "negative control: must lose",
        lambda: _must_break(power_loss.power_lost(200, bench.so_many(1_500), power_loss.NORMAL)),
    )


def r8(bench: Bench) -> Parts:
    yield "limit on files", lambda: disk_full.files_limited(bench.folder(), bench.so_many(100))
    yield "small disk", lambda: disk_full.disk_filled(bench.so_many(100))


def r9(bench: Bench) -> Parts:
    yield "", lambda: copies.copied_while_writing(bench.folder(), bench.so_many(100))


def r10(bench: Bench) -> Parts:
    yield "", lambda: postgres_restarts.restarted_under_writers(bench.so_many(100))


def r11(bench: Bench) -> Parts:
    for name, url in bench.databases():
        for count in WRITERS:
            yield (
                f"{count} writers, {name}",
                lambda url=url, count=count: writers.many_write(url(), count, bench.so_many(10_000)),  # type: ignore[misc]
            )


def r12(bench: Bench) -> Parts:
    for name, url in bench.databases():
        yield (
            name,
            lambda url=url: publishing.published_with_faults(  # type: ignore[misc]
                url(), bench.folder(), rounds=bench.so_many(3)
            ),
        )


def r13(bench: Bench) -> Parts:
    for name, url in bench.databases():
        yield (
            name,
            lambda url=url: repeated_imports.imported_again(  # type: ignore[misc]
                url(), bench.sqlite(), bench.folder(), bench.so_many(30)
            ),
        )


def r14(bench: Bench) -> Parts:
    for name, url in bench.databases():
        yield (
            name,
            lambda url=url: clocks.clock_stepped({step: url() for step in clocks.STEPS}, bench.so_many(50)),  # type: ignore[misc]
        )


def r15(bench: Bench) -> Parts:
    yield "without a witness", lambda: restores.gone_on_from_a_copy(bench.folder(), bench.so_many(20))
    refused = ("a_restored_backup_is_not_written_to", "no_command_writes_to_a_log_that_a_witness_contradicts")
    witnessed = ["tests/api/test_witnesses.py", "-k", " or ".join(refused)]
    yield "with one", lambda: suite(witnessed, {})


def r16(bench: Bench) -> Parts:
    hostile = ["tests/api/test_hostile_requests.py"]
    yield "", lambda: suite(hostile, {"IAM_LEDGER_TEST_HOSTILE_REQUESTS": bench.so_many(10_000)})


def r17(bench: Bench) -> Parts:
    published = ["tests/api/test_signature_vectors.py", "tests/api/test_signature_mutations.py"]
    yield "vectors, and 5,000 mutations of what is verified", lambda: suite(published, {})
    sent = ["tests/api/test_spoilt_requests.py"]
    yield (
        "spoilt on their way",
        lambda: suite(sent, {"IAM_LEDGER_TEST_SPOILT_REQUESTS": bench.so_many(5_000)}),
    )


def r18(bench: Bench) -> Parts:
    yield "", lambda: suite(["tests/api/test_codes_once.py"], {})


def r19(bench: Bench) -> Parts:
    yield "", lambda: suite(["tests/api/test_secrets_stay_secret.py"], {})


def r20(bench: Bench) -> Parts:
    yield "", lambda: soak.soaked(bench.sqlite(), bench.folder(), max(1_000, bench.so_many(1_000_000)))


def model(bench: Bench) -> Parts:
    for name, url in bench.databases():
        yield name, lambda url=url: whole_ledger.beside_the_model(url, bench.so_many(200))  # type: ignore[misc]


BATTERY = {
    "R1": r1,
    "R2": r2,
    "R3": r3,
    "R4": r4,
    "R5": r5,
    "R6": r6,
    "R7": r7,
    "R8": r8,
    "R9": r9,
    "R10": r10,
    "R11": r11,
    "R12": r12,
    "R13": r13,
    "R14": r14,
    "R15": r15,
    "R16": r16,
    "R17": r17,
    "R18": r18,
    "R19": r19,
    "R20": r20,
    "model": model,
}


def _must_break(outcome: Outcome) -> Outcome:
    """A negative control holds where the test finds what is wrong."""
    outcome.wrong = [] if outcome.counts["lost"] else ["nothing was seen to be lost"]
    return outcome


def main() -> int:
    options = argparse.ArgumentParser(
        prog="dev.py reliability", description=__doc__.split("\n\n")[0] if __doc__ else ""
    )
    options.add_argument("tests", nargs="*", choices=[*BATTERY, []], metavar="TEST", help=", ".join(BATTERY))
    options.add_argument("--size", type=float, default=1.0, help="how many times as long as in full")
    given = options.parse_args()
    logging.disable()  # the faults are the trials' own
    broken = False
    for name in given.tests or BATTERY:
        with ExitStack() as stack:
            for part, trial in BATTERY[name](Bench(stack, given.size)):
                began = time.monotonic()
                outcome = _outcome(trial)
                seconds = time.monotonic() - began
                print(f"{name}{f' ({part})' if part else ''}: {outcome}  [{seconds:.0f} s]", flush=True)
                broken = broken or bool(outcome.wrong)
    return int(broken)


def _outcome(trial: Callable[[], Outcome]) -> Outcome:
    try:
        return trial()
    except (NoPostgres, disk_full.NotMounted) as reason:
        return Outcome(left_out=[str(reason)])


if __name__ == "__main__":
    sys.exit(main())
