"""What is shown while a question waits for the text of a large log to be laid out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from api.cli.printing import console

if TYPE_CHECKING:
    from rich.progress import Progress


class Waiting:
    """A bar on standard error, where somebody looks at it and there is more than a moment's work."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def __call__(self, done: int, whole: int) -> None:
        """So many entries of so many are laid out."""
        if done >= whole:
            self.end()
        elif sys.stderr.isatty():
            bar = self._shown(whole)
            bar.update(bar.task_ids[0], completed=done, total=whole)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _shown(self, whole: int) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            self._bar = Progress(
                TextColumn("laying out the text of entries"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console(error=True),
                transient=True,
            )
            self._bar.add_task("", total=whole)
            self._bar.start()
        return self._bar
