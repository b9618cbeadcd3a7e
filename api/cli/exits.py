"""How a command ends: its exit status, and the one line that says why."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from typing import NoReturn


class Exit(IntEnum):
    DONE = 0
    NOT_ALL = 1  # something was rejected, or nothing has the name that was asked for
    USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130


class Failed(Exception):
    """A command can't go on; the message is one line for whoever typed it."""

    def __init__(self, message: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.code = code


def end(code: Exit) -> NoReturn:
    """Stop here, all having been said."""
    import typer

    raise typer.Exit(int(code))


def say(message: object) -> None:
    """One line on standard error, whatever the message holds."""
    line = " ".join(printable(part) for part in str(message).splitlines() if part.strip())
    print(f"iam-ledger: {line}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text with every character that could steer a terminal written as its escape.

    Logs hold what attackers chose to send: a user agent may be a sequence that clears the screen.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def nobody_reads() -> None:
    """The reader of our output has gone (`| head`): let what is still buffered go nowhere, quietly."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
