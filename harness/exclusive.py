"""A machine-wide lock: many compute at once, but whoever measures does so alone.

Two files stand for a turnstile and a room. Who computes shares the room with others and, between two steps,
leaves it, passes the turnstile and takes it again. Who measures locks the turnstile, so that nobody comes
back, and then the room, which empties within one step of everybody: they can neither starve nor be
disturbed. The kernel keeps the locks (flock), so they vanish with a killed process.

Who waits too long goes on without the lock, but says so in a third file: it adds a byte and shares that
file's lock until it has what it waited for. So whoever measures knows at the end whether anybody intruded.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

LOCKS = find_spec("fcntl") is not None  # not on Windows: there nobody is kept out, and measured cells say so
if LOCKS:
    import fcntl

PATIENCE_SECONDS = 300.0  # then go on without the lock, lest a suspended process stops all others
POLL_SECONDS = 0.02


class Machine:
    """The locks of this machine and user; a process makes one and uses it from one thread."""

    def __init__(self, folder: Path | None = None, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """``folder`` is the same for all processes that must not disturb each other."""
        self.patience_seconds = patience_seconds
        if LOCKS:
            user = os.getuid()
            folder = folder or Path(tempfile.gettempdir()) / f"vl-pet-harness-{user}"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._turnstile = (folder / "turnstile.lock").open("ab")
            self._room = (folder / "room.lock").open("ab")
            self._intrusions = (folder / "intrusions").open("ab")

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Compute among others; call `give_way` between steps."""
        if not LOCKS:
            yield
            return
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Let whoever waits to measure do so; microseconds when nobody does. Call it inside `shared`."""
        if LOCKS:
            fcntl.flock(self._room, fcntl.LOCK_UN)  # an intruder remains one until it gets the lock
            self._enter()

    @contextmanager
    def alone(self) -> Iterator[Callable[[], bool]]:
        """Compute alone; the value tells, whenever it is called, whether that has succeeded so far.

        Not inside `shared`.
        """
        if not LOCKS:
            yield lambda: False
            return
        try:
            # Both must be tried, the turnstile first: it keeps the room from filling up again.
            if self._lock(self._turnstile, fcntl.LOCK_EX) and self._lock(self._room, fcntl.LOCK_EX):
                before = self._intruded()
                yield lambda: self._intruded() == before and self._nobody_intrudes()
            else:
                self._intrude()
                yield lambda: False
        finally:
            self._leave()
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)

    def _enter(self) -> None:
        if self._lock(self._turnstile, fcntl.LOCK_SH) and self._lock(self._room, fcntl.LOCK_SH):
            fcntl.flock(self._intrusions, fcntl.LOCK_UN)
        else:
            self._intrude()
        fcntl.flock(self._turnstile, fcntl.LOCK_UN)

    def _leave(self) -> None:
        fcntl.flock(self._room, fcntl.LOCK_UN)
        fcntl.flock(self._intrusions, fcntl.LOCK_UN)

    def _intrude(self) -> None:
        # The lock first: between the two, who measures sees at least one of them.
        fcntl.flock(self._intrusions, fcntl.LOCK_SH)
        os.write(self._intrusions.fileno(), b".")

    def _intruded(self) -> int:
        """How often anybody has gone on without the lock."""
        return os.fstat(self._intrusions.fileno()).st_size

    def _nobody_intrudes(self) -> bool:
        """Whether nobody computes without the lock at this moment."""
        try:
            fcntl.flock(self._intrusions, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._intrusions, fcntl.LOCK_UN)
        return True

    def _lock(self, file: object, mode: int) -> bool:
        """Take a lock, or give up after `patience_seconds`."""
        deadline = time.monotonic() + self.patience_seconds
        while True:
            try:
                fcntl.flock(file, mode | fcntl.LOCK_NB)  # type: ignore[arg-type]
                return True
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(POLL_SECONDS)
