"""What an engine is, and who watches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.run_folder import CellFolder
from reports.record import State


class Watcher(Protocol):
    """Is told what an engine does; called from the engine's own thread."""

    def started(self, folder: CellFolder) -> None:
        """A cell was started."""

    def ended(self, folder: CellFolder, state: State, reason: str | None) -> None:
        """A cell came to an end, good or bad."""

    def skipped(self, folder: CellFolder) -> None:
        """Another runner has the cell, has finished it or has removed its folder."""

    def tick(self) -> None:
        """Some time passed (at most about a second since the last call)."""


class Engine(Protocol):
    """Runs each cell as ``python -m harness cell DIR`` does, in whatever place and order it likes."""

    def run(self, folders: Sequence[CellFolder], watcher: Watcher) -> None:
        """Return when every cell has ended; a cell whose end cannot be written stops no other.

        Raises:
            KeyboardInterrupt: the user stopped it; cells in flight are marked "interrupted".
        """
