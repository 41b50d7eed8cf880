"""Live progress of a run: a table that redraws itself on a terminal, plain lines elsewhere or under NO_COLOR.

Everything shown comes from the cells' ``status.json``; nothing is asked from their processes.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cells import Cell
from harness.run_folder import CellFolder
from reports.formats import literal, rough_duration
from reports.record import RecordError, State, Status

LINE_SECONDS = 15.0  # between two plain lines about running cells


def labels(cells: Iterable[Cell]) -> dict[str, str]:
    """Each cell, by key, in a few words: what was varied, and nothing that is the default.

    Settings are named where cells would read the same without; where they too are the same, the key is.
    """
    alike: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[_label(cell)].append(cell)
    return {cell.key: " ".join([label, *_differences(cell, group)]) for label, group in alike.items() for cell in group}


@dataclass(frozen=True)
class Standing:
    """What a running cell says of itself, as people read it; empty where it says nothing."""

    phase: str
    step: str
    loss: str
    left: str


def standing(status: Status) -> Standing:
    """How far a cell is, in words."""
    return Standing(
        phase=status.phase or status.state,
        step="" if status.step is None else f"{status.step}/{status.steps or '?'}",
        loss="" if status.loss is None else f"{status.loss:.3f}",
        left="" if status.seconds_left is None else rough_duration(status.seconds_left),
    )


@dataclass
class Tally:
    """Counts of the cells of a run."""

    total: int
    done: int = 0
    failed: int = 0
    skipped: int = 0  # taken by another runner, or unavailable after all

    @property
    def left(self) -> int:
        """Cells that have not ended."""
        return self.total - self.done - self.failed - self.skipped


class Progress:
    """Watches an engine and shows what it does; a context manager."""

    def __init__(
        self,
        console: Console,
        cells: Mapping[Path, Cell],
        jobs: int,
        line_seconds: float = LINE_SECONDS,
        expected_seconds: float | None = None,
    ) -> None:
        """``cells`` are those to run, by folder; ``expected_seconds`` is the wall time of one, if known."""
        self.tally = Tally(len(cells))
        self._console = console
        named = labels(cells.values())
        self._labels = {path: named[cell.key] for path, cell in cells.items()}
        self._jobs = jobs
        self._line_seconds = line_seconds
        self._expected = expected_seconds
        self._running: dict[Path, float] = {}
        self._durations: list[float] = []
        self._last_line = time.monotonic()
        plain = not console.is_terminal or bool(os.environ.get("NO_COLOR"))
        self._live = None if plain else Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def started(self, folder: CellFolder) -> None:
        """See `Watcher`."""
        self._running[folder.path] = time.monotonic()
        if not self._live:
            self._say(f"start  {self._labels[folder.path]}")

    def ended(self, folder: CellFolder, state: State, reason: str | None) -> None:
        """See `Watcher`."""
        seconds = time.monotonic() - self._running.pop(folder.path)
        if state == "done":
            self.tally.done += 1
            self._durations.append(seconds)
        elif state in ("unavailable", "incompatible"):
            self.tally.skipped += 1
        else:
            self.tally.failed += 1
        because = f": {reason}" if reason else ""
        self._say(f"{state:<6} {self._labels[folder.path]} in {rough_duration(seconds)}{because}")
        if not self._live:
            self._say(f"       {self._summary()}")

    def skipped(self, folder: CellFolder) -> None:
        """See `Watcher`."""
        self._running.pop(folder.path, None)
        self.tally.skipped += 1
        self._say(f"skip   {self._labels[folder.path]}: another runner has it or took it away")

    def tick(self) -> None:
        """See `Watcher`."""
        if self._live:
            self._live.update(self._picture(), refresh=True)
        elif time.monotonic() - self._last_line >= self._line_seconds:
            for path in self._running:
                self._say(f"       {self._labels[path]}: {self._activity(path)}")
            self._say(f"       {self._summary()}")

    def seconds_left(self) -> float | None:
        """Estimate for all cells that have not ended; None before anything is known about a cell's length."""
        now = time.monotonic()
        lengths, rest = list(self._durations), 0.0
        unknown = 0
        for path, start in self._running.items():
            left = _status(path).seconds_left
            if left is None:
                unknown += 1
            else:
                rest += left
                lengths.append(now - start + left)
        waiting = self.tally.left - len(self._running) + unknown
        typical = sum(lengths) / len(lengths) if lengths else self._expected
        if waiting and typical is None:
            return None
        return (rest + waiting * (typical or 0.0)) / max(1, min(self._jobs, self.tally.left))

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)
        self._last_line = time.monotonic()

    def _summary(self) -> str:
        tally = self.tally
        left = self.seconds_left()
        about = "" if left is None else f", about {rough_duration(left)} left"
        running = f"{len(self._running)} running{about}"
        return f"{tally.done} of {tally.total} cells done, {tally.failed} failed, {running}"

    def _activity(self, path: Path) -> str:
        """What a cell is doing, in one line."""
        now = standing(_status(path))
        told = ((now.step, f"step {now.step}"), (now.loss, f"loss {now.loss}"), (now.left, f"{now.left} left"))
        return ", ".join([now.phase, *(words for value, words in told if value)])

    def _picture(self) -> RenderableType:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for title in ("cell", "phase", "step", "loss", "left"):
            table.add_column(title, header_style="dim", justify="left" if title in ("cell", "phase") else "right")
        for path in self._running:
            now = standing(_status(path))
            table.add_row(Text(self._labels[path]), now.phase, now.step, now.loss, now.left)
        ended = self.tally.total - self.tally.left
        head = Table.grid(padding=(0, 2, 0, 0))
        head.add_row(ProgressBar(self.tally.total, ended, width=20), Text(self._summary()))
        return Group(head, table)


def _label(cell: Cell) -> str:
    words = [cell.suite, cell.backbone, cell.method, f"seed {cell.seed}"]
    words += [f"{name}={literal(value)}" for name, value in cell.overrides.items()]
    if cell.settings.control != "none":
        words.append(cell.settings.control)
    return " ".join(words)


def _differences(cell: Cell, group: Sequence[Cell]) -> list[str]:
    """What tells a cell from the others of the same label."""
    words = [
        f"{name}={literal(value)}"
        for name, value in cell.settings
        if any(getattr(other.settings, name) != value for other in group)
    ]
    twins = [other for other in group if other.settings == cell.settings]
    return words if len(twins) == 1 else [*words, cell.key[:8]]


def _status(path: Path) -> Status:
    try:
        return CellFolder(path).status() or Status(state="planned")
    except RecordError:  # a status is only shown; a broken one stops nothing
        return Status(state="running")
