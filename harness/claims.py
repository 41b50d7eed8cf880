"""Claims: whoever holds the claim of a cell runs it, so that two runners never run a cell twice.

A claim is a file that only one process can create. It names host, process and the process' start time; its
modification time is the heartbeat. A claim is stale when its process is gone (same host: the process id is
dead or belongs to a process with another start time) or silent (another host: no heartbeat for
`SILENCE_SECONDS`).
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from filelock import FileLock

from harness.errors import UserError

HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 120.0


class Claimed(Exception):
    """Another process holds the claim; the message names it."""


class Claim:
    """Context manager that holds a claim file and keeps its heartbeat.

    Entering raises `Claimed` when another live process holds it, UserError when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="claim-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        # The lock makes "look, remove what is stale, create" one step among all runners.
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock")):
                holder = holder_of(self.path)
                if holder is not None:
                    raise Claimed(holder)
                self.path.unlink(missing_ok=True)
                self._create()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from error
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._heart.join()
        self.path.unlink(missing_ok=True)

    def _create(self) -> None:
        process = psutil.Process()
        content = {"host": socket.gethostname(), "process": process.pid, "started": process.create_time()}
        try:
            with self.path.open("x") as file:
                file.write(json.dumps(content))
        except FileExistsError as error:  # only where the file system ignores locks
            raise Claimed("another runner") from error

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                os.utime(self.path)
            except OSError:  # the folder was removed under us; the run fails where it writes
                return


@contextmanager
def present(path: Path, alone: Callable[[], None]) -> Iterator[None]:
    """Count among the runners of a run folder, which share a lock on ``path``; a runner that dies lets go of it.

    ``alone`` is called first if nobody else is present, and nobody else comes in meanwhile. Where the file system
    knows no locks, nobody is ever alone.
    """
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
        else:
            alone()
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


def holder_of(path: Path) -> str | None:
    """Name the live process that holds a claim ("process 7 on this machine"), or None: free or stale."""
    try:
        content = json.loads(path.read_bytes())
        silence = time.time() - path.stat().st_mtime
        host, process, started = content["host"], int(content["process"]), float(content["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if host != socket.gethostname():
        return f"process {process} on {host}" if silence < SILENCE_SECONDS else None
    return f"process {process} on this machine" if _lives(process, started) else None


def _lives(process: int, started: float) -> bool:
    try:
        found = psutil.Process(process)
        return found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
