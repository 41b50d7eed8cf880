"""The local engine: a fresh process per cell, forked from a server that has imported everything heavy once.

A fresh process gives each cell clean memory figures and generators, and lets one crash without the others.
The server holds no thread pool and has not touched CUDA, so forking it is safe.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from harness.claims import Claim, Claimed
from harness.engines.base import Watcher
from harness.environment import cores
from harness.errors import UserError
from harness.outcome import record_failure
from harness.run_folder import CELL, CLAIM, CellFolder
from harness.worker import ENTRY, TAKEN, child
from reports.record import RecordError, State, Status

PRELOAD = ("torch", "transformers", "peft", "pandas", "harness.cell")
TICK_SECONDS = 0.5
PATIENCE_SECONDS = 5.0  # between asking a process to stop and killing it


@dataclass
class Job:
    """One running cell."""

    folder: CellFolder
    process: ForkServerProcess
    slot: str | None  # its CUDA_VISIBLE_DEVICES; None on CPU
    started: float
    kills_before: int  # of the whole machine, for lack of memory
    cause: tuple[State, str] | None = None  # why the engine killed it


class LocalEngine:
    """Runs up to ``len(slots)`` cells at a time on this machine."""

    def __init__(
        self,
        slots: Sequence[str | None],
        threads: int = 1,
        timeout_seconds: float | None = None,
        entry: str = ENTRY,
        preload: Sequence[str] = PRELOAD,
    ) -> None:
        self.slots = list(slots)
        self.timeout_seconds = timeout_seconds
        self.entry = entry
        os.environ["OMP_NUM_THREADS"] = str(threads)  # inherited by the server before it loads any library
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))

    def run(self, folders: Sequence[CellFolder], watcher: Watcher) -> None:
        """See `Engine.run`."""
        waiting, running, free = deque(folders), list[Job](), list(self.slots)
        try:
            while waiting or running:
                while waiting and free:
                    folder = waiting.popleft()
                    running.append(self._start(folder, free.pop(0)))
                    watcher.started(folder)
                wait([job.process.sentinel for job in running], timeout=TICK_SECONDS)
                for job in [job for job in running if self._has_ended(job)]:
                    running.remove(job)
                    free.append(job.slot)
                    self._settle(job, watcher)
                watcher.tick()
        finally:
            _stop(running)

    def _start(self, folder: CellFolder, slot: str | None) -> Job:
        process = self._context.Process(target=child, args=(folder.path, self.entry, slot), daemon=False)
        process.start()
        return Job(folder, process, slot, time.monotonic(), _memory_kills())

    def _has_ended(self, job: Job) -> bool:
        if job.process.exitcode is not None:
            return True
        limit = self.timeout_seconds
        if limit is not None and time.monotonic() - job.started > limit:
            job.process.kill()
            job.process.join()
            job.cause = "timed-out", f"stopped after {limit:g} seconds (--timeout)"
            return True
        return False

    def _settle(self, job: Job, watcher: Watcher) -> None:
        """Make sure that an ended process left a record behind, and pass the news on."""
        code = job.process.exitcode
        job.process.join()
        try:
            if code == TAKEN or not (job.folder.path / CELL).exists():
                raise Claimed
            if code != 0:
                _record(job, *(job.cause or _cause(job, code or 0)))
            status = job.folder.status()
        except Claimed:
            watcher.skipped(job.folder)
        except (UserError, RecordError, OSError) as error:  # of this cell alone; the others go on
            watcher.ended(job.folder, "failed", str(error))
        else:
            watcher.ended(job.folder, status.state if status else "failed", status.reason if status else None)


def find_slots(device: str, jobs: int | None, cells: int) -> list[str | None]:
    """The slots that ``--device`` and ``--jobs`` give to this many cells.

    Raises:
        UserError: the device cannot be used.
    """
    from harness.workbench import find_device

    found = find_device(device)
    if found.type == "cpu":
        return cpu_slots(jobs, cells)
    if found.type == "cuda" and ":" not in device:
        return cuda_slots(jobs)
    return [None] * (jobs or 1)


def cpu_slots(jobs: int | None, cells: int) -> list[str | None]:
    """One slot per core: two processes with one thread each beat one process with two."""
    return [None] * max(1, jobs or min(cores(), cells))


def cuda_slots(jobs: int | None) -> list[str | None]:
    """One slot per visible CUDA device; with ``jobs`` that many, dealt out over the devices."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = named.split(",") if named else [str(index) for index in range(torch.cuda.device_count())]
    return [devices[index % len(devices)] for index in range(jobs or len(devices))]


def _cause(job: Job, code: int) -> tuple[State, str]:
    """Why a process ended without leaving a result."""
    if code >= 0:
        return "failed", f"its process ended with code {code}; see log.txt"
    name = signal.Signals(-code).name
    if _memory_kills() > job.kills_before:
        return "out-of-memory", f"killed by signal {-code} ({name}): the system ran out of memory"
    return "failed", f"killed by signal {-code} ({name}), from outside or for lack of memory"


def _record(job: Job, state: State, reason: str) -> None:
    """Store a bad end, unless the cell got its result in time; raises `Claimed` if another runner took over."""
    with Claim(job.folder.path / CLAIM):
        if job.folder.result_digest() is None:
            record_failure(job.folder, state, reason)


def _stop(jobs: Sequence[Job]) -> None:
    """End all processes and mark their cells, so that the same command runs them again."""
    for job in jobs:
        job.process.terminate()
    for job in jobs:
        job.process.join(PATIENCE_SECONDS)
        if job.process.exitcode is None:
            job.process.kill()
            job.process.join()
        # A status that cannot be written keeps no other from being; a look at the run sees that nothing runs.
        with suppress(Claimed, UserError, RecordError, OSError):
            _mark_interrupted(job)


def _mark_interrupted(job: Job) -> None:
    folder = job.folder
    if job.process.exitcode == TAKEN or not (folder.path / CELL).exists():
        return
    with Claim(folder.path / CLAIM):
        if folder.result_digest() is None:
            last = folder.status() or Status(state="interrupted")
            reason = "stopped by the user; the same command runs it again"
            folder.set_status(last.model_copy(update={"state": "interrupted", "reason": reason}))


def _memory_kills() -> int:
    """How many processes this machine has killed for lack of memory since it started; 0 when unknown."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
