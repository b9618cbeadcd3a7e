"""The bar that is shown while text is laid out: to somebody who looks, and only if there is a wait."""

from __future__ import annotations

import io
import sys

import pytest

from api.cli.waiting import Waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, target: io.StringIO, steps: list[tuple[int, int]]) -> str:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", target)
    waiting = Waiting()
    for done, whole in steps:
        waiting(done, whole)
    waiting.end()
    return target.getvalue()


def test_a_long_wait_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(monkeypatch, Terminal(), [(65_536, 200_000), (131_072, 200_000), (200_000, 200_000)])
    assert "laying out the text" in told
    assert "131072/200000" in told.replace(" ", "")


def test_a_short_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Terminal(), [(640, 640)]) == ""


def test_nothing_is_shown_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO(), [(65_536, 200_000), (131_072, 200_000)]) == ""
