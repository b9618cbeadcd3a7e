"""What a trial of the battery came to: how many faults were set, how many met something to break, and what broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """`hit` counts the faults that came while there was work under way; `wrong` has to stay empty."""

    trials: int = 0
    hit: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # what this machine did not allow, and why

    def check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(otherwise)

    def found(self, faults: Iterable[str], where: str) -> None:
        self.wrong += [f"{where}: {fault}" for fault in faults]

    def add(self, other: Outcome) -> None:
        self.trials += other.trials
        self.hit += other.hit
        self.counts += other.counts
        self.wrong += other.wrong
        self.left_out += other.left_out

    @property
    def verdict(self) -> str:
        if self.wrong:
            return "BROKEN"
        return "holds" if self.trials else "not run"

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        lines = [
            f"{self.verdict}: {self.trials:,} trials, {self.hit:,} hit" + (f"; {counted}" if counted else "")
        ]
        lines += [f"  left out: {reason}" for reason in self.left_out]
        lines += [f"  wrong: {fault}" for fault in self.wrong[:20]]
        return "\n".join(lines)
