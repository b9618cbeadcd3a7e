"""Programs in processes of their own that begin at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def said_at_once(program: str, arguments: Iterable[Iterable[str]], *, seconds_max: float) -> list[str]:
    """What each process prints of a Python program that says `ready`, and goes on when a line comes in.

    No line comes before all of them are ready. `arguments` are those of each.
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for given in arguments
    ]
    try:
        for process in running:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [process.communicate(timeout=seconds_max)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
