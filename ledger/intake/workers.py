"""Reads and prepares sources in other processes, in the order in which they are asked for.

Each process is this module, run by itself: tasks come in, what became of them goes out, as marshalled tuples with
their length before them. A process ends when either pipe does, so none outlives an importer that was killed.
"""

from __future__ import annotations

import gc
import marshal
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from ledger.intake.drafting import Outcome, read_prepared
from ledger.intake.rejects import Reason, Reject, Skipped
from ledger.intake.sources import Source
from ledger.log.bodies import Compression
from ledger.log.preparation import Prepared

ROOT: Final = Path(__file__).resolve().parents[2]
AHEAD_MAX: Final = 96  # sources that a process may have been given
NAMES_BYTES_MAX: Final = 30_000  # of all that were given: what fits into a pipe can always be written
WAITING_BYTES_MAX: Final = 16 << 20  # of messages that are ready before anyone has asked for them
PIPE_BYTES: Final = 1 << 20
STOP_SECONDS_MAX: Final = 10
# glibc would give the memory of each file's text back, only to ask for it again with the next: mallopt(3).
KEEPS_MEMORY: Final = {"MALLOC_TRIM_THRESHOLD_": f"{32 << 20}", "MALLOC_MMAP_THRESHOLD_": f"{32 << 20}"}


class WorkerFailed(RuntimeError):
    """A process that reads sources broke down; the message holds its last words."""


class Workers:
    """Some processes that share the work, source by source. A pipe can't be handed on, so it is read here.

    They start, which takes as long as to train a dictionary, before they are told the dictionaries.
    """

    def __init__(self, count: int) -> None:
        self._compression = Compression()
        self._workers = [_Worker() for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.stop()

    def tell(self, dictionaries: dict[int, bytes]) -> None:
        """What bodies are compressed with; to be told once, before anything is read."""
        self._compression = Compression(dictionaries)
        for worker in self._workers:
            worker.send(dictionaries)

    def read(self, sources: Iterable[Source]) -> Iterator[tuple[Source, Iterator[Outcome]]]:
        """Each source with what it held, in order. One must be read to its end before the next is asked for."""
        given: deque[tuple[Source, _Worker | None]] = deque()
        turns = cycle(self._workers)
        for source in sources:
            worker = None if source.size is None else next(turns)
            if worker is not None:
                worker.give(source)
            given.append((source, worker))
            while len(given) >= AHEAD_MAX * len(self._workers) or _names_bytes(given) > NAMES_BYTES_MAX:
                yield self._next(given)
        while given:
            yield self._next(given)

    def _next(self, given: deque[tuple[Source, _Worker | None]]) -> tuple[Source, Iterator[Outcome]]:
        source, worker = given.popleft()
        return source, worker.outcomes() if worker else read_prepared(source, self._compression)


def _names_bytes(given: Iterable[tuple[Source, object]]) -> int:
    return sum(len(source.name.encode("utf-8", "surrogateescape")) for source, _ in given)


class _Worker:
    def __init__(self) -> None:
        known = os.environ.get("PYTHONPATH")
        path = f"{ROOT}{os.pathsep}{known}" if known else str(ROOT)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],  # nothing of the folder that somebody happens to be in
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**KEEPS_MEMORY, **os.environ, "PYTHONPATH": path},
            pipesize=PIPE_BYTES,
        )

    def give(self, source: Source) -> None:
        self.send((source.name, source.named))

    def outcomes(self) -> Iterator[Outcome]:
        """What became of the source that was given first."""
        assert self._process.stdout is not None
        while True:
            kind, *told = _receive(self._process.stdout) or ("ended",)
            if kind == "prepared":
                yield Prepared._make(told)
            elif kind == "rejected":
                yield Reject(*told)
            elif kind == "skipped":
                yield Skipped(told[0], Reason(told[1]), told[2])
            elif kind == "done":
                return
            elif kind == "failed":
                raise WorkerFailed(told[0])
            else:
                status = self._process.wait(STOP_SECONDS_MAX)
                raise WorkerFailed(f"a process that reads logs ended by itself, with status {status}")

    def stop(self) -> None:
        """Let it end, by force if need be: it holds nothing that could be lost."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def send(self, message: Any) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended; why is told where its answers are read
            _write(self._process.stdin, marshal.dumps(message))


def _write(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(4, "big") + message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """The next message, or None at the end."""
    length = int.from_bytes(pipe.read(4), "big")
    message = pipe.read(length)
    return marshal.loads(message) if length and len(message) == length else None


def main() -> None:
    """The other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the importer, which then closes the pipes
    os.nice(5)  # who writes goes first: with fewer processors than processes that is a twelfth of the time
    gc.disable()  # it would walk over each file's records again and again, and they hold no cycles
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever prints must not print into the answers
    waiting = _Waiting()
    writer = threading.Thread(target=_answer, args=(answers, waiting), daemon=True)
    writer.start()
    try:
        compression = Compression(_receive(tasks))
        while (task := _receive(tasks)) is not None:
            name, named = task
            for told in _work(name, named, compression):
                waiting.put(marshal.dumps(told))
    except Exception:
        waiting.put(marshal.dumps(("failed", traceback.format_exc())))
    waiting.put(b"")
    writer.join()


def _work(name: str, named: bool, compression: Compression) -> Iterator[tuple[Any, ...]]:
    try:
        source = Source(name, path=Path(name), named=named)
    except OSError as error:  # it was there a moment ago
        yield "rejected", name, "", str(Reason.UNREADABLE), error.strerror or "cannot be read"
        yield ("done",)
        return
    for outcome in read_prepared(source, compression):
        if isinstance(outcome, Reject):
            yield "rejected", outcome.source, outcome.place, str(outcome.reason), outcome.detail
        elif isinstance(outcome, Skipped):
            yield "skipped", outcome.source, str(outcome.reason), outcome.detail
        else:
            yield "prepared", *outcome
    yield ("done",)


class _Waiting:
    """Messages on their way to the pipe. Whoever is ready long before the importer has to wait."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def put(self, message: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < WAITING_BYTES_MAX)
            self._messages.append(message)
            self._bytes += len(message)
            self._changed.notify_all()

    def get(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._messages)
            message = self._messages.popleft()
            self._bytes -= len(message)
            self._changed.notify_all()
            return message


def _answer(pipe: Any, waiting: _Waiting) -> None:
    """Write what is ready while more is made ready; an empty message is the last."""
    try:
        while message := waiting.get():
            left = memoryview(len(message).to_bytes(4, "big") + message)
            while left:
                left = left[pipe.write(left) :]
    except OSError:
        os._exit(1)  # nobody listens any more


if __name__ == "__main__":
    main()
