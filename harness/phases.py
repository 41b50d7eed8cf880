"""What a running cell tells: its phase and progress in ``status.json``, and how long each phase took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.run_folder import CellFolder
from harness.training import Progress
from reports.record import Status, Times

TELL_SECONDS = 1.0  # within a phase the status is written at most this often


class Phases:
    """The cell's status and a clock for each phase; a phase within another one stops the other's clock."""

    def __init__(self, folder: CellFolder, give_way: Callable[[], None]) -> None:
        """``give_way`` is called whenever work outside of training reports progress."""
        self.folder = folder
        self.give_way = give_way
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.status = Status(state="running")
        self.start = self.since = time.perf_counter()
        self.told = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block's time for this phase. After an error the status goes on naming the phase."""
        outer = self.status.phase
        self._switch(name)
        yield
        self._switch(outer)

    def trained(self, progress: Progress) -> None:
        """Tell how far training is; training itself sees to it that this is not too often."""
        self._write(
            step=progress.step,
            steps=progress.steps,
            epoch=progress.epoch,
            loss=progress.loss,
            seconds_left=progress.seconds_left,
        )

    def made(self, what: str, done: int, total: int) -> None:
        """Tell what of the cache is being made and how far it is."""
        self.give_way()
        if self._due():
            self._write(reason=f"{what}: {done:,} of {total:,}" if total else what)

    def counter(self, before: int, total: int) -> Callable[[int], None]:
        """Return what to call with the number of answered examples, ``before`` of ``total`` being done already."""
        start = time.perf_counter()

        def count(done: int) -> None:
            self.give_way()
            if self._due():
                left = (time.perf_counter() - start) / done * (total - before - done)
                self._write(reason=f"{before + done:,} of {total:,} answers", seconds_left=left)

        return count

    def times(self) -> Times:
        """Seconds of each phase so far, and of all together."""
        known = {name.replace("-", "_"): seconds for name, seconds in self.seconds.items()}
        return Times(**known, total=time.perf_counter() - self.start)

    def _switch(self, name: str | None) -> None:
        now = time.perf_counter()
        if self.status.phase is not None:
            self.seconds[self.status.phase] += now - self.since
        self.since = now
        self._write(phase=name, reason=None, seconds_left=None)

    def _due(self) -> bool:
        return time.perf_counter() - self.told > TELL_SECONDS

    def _write(self, **changes: object) -> None:
        self.status = self.status.model_copy(update=changes)
        if self.status.phase is not None:
            self.folder.set_status(self.status)
        self.told = time.perf_counter()
