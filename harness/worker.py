"""Runs one cell in this process. Every engine, and ``python -m harness cell DIR``, comes down to `work`."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path

from tqdm import tqdm

from harness.cells import Cell
from harness.claims import Claim, Claimed
from harness.errors import Unavailable
from harness.options import Options, read_options
from harness.outcome import classify, record_failure
from harness.run_folder import CLAIM, LOG, OPTIONS, CellFolder, now
from reports.record import Status

CellFunction = Callable[[CellFolder, Cell, Options], None]

ENTRY = "harness.cell:run"
TAKEN = 75  # exit code: another runner has the cell, or has finished it


def work(path: Path, entry: str = ENTRY) -> int:
    """Claim a cell and run it to a result, whatever happens inside; return 0, or `TAKEN` when it is not ours.

    What the cell prints, and the traceback of an error, go to its ``log.txt``.

    Raises:
        UserError: the folder cannot be written.
        RecordError: the folder holds no cell, or a result without readable options.
    """
    folder = CellFolder(path)
    folder.cell()
    try:
        with Claim(folder.path / CLAIM):
            if _is_finished(folder):
                return TAKEN
            with _written_to(folder.path / LOG):
                _attempt(folder, entry)
    except Claimed:
        return TAKEN
    return 0


def child(path: Path, entry: str, devices: str | None) -> None:
    """Run `work` in a process of its own that dies with its parent; ``devices`` is CUDA_VISIBLE_DEVICES."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the runner decides
    threading.Thread(target=_die_with_parent, name="die-with-parent", daemon=True).start()
    # The lock that progress bars of libraries make is a named semaphore, which a killed process leaves behind.
    tqdm.set_lock(threading.RLock())
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    sys.exit(work(path, entry))


def _is_finished(folder: CellFolder) -> bool:
    """Whether the cell has a result other than the one that it was told to replace."""
    digest = folder.result_digest()
    return digest is not None and digest != read_options(folder.path / OPTIONS).replaces


def _attempt(folder: CellFolder, entry: str) -> None:
    started_at = now()
    folder.begin()
    folder.set_status(Status(state="running", phase="start-up"))
    try:
        options = read_options(folder.path / OPTIONS)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(options.threads)
        _load(entry)(folder, folder.cell(), options)
        if folder.result() is None:
            raise RuntimeError("the cell ended without a result")
    except Unavailable as error:
        folder.set_status(Status(state="unavailable", reason=str(error)))
    except KeyboardInterrupt:
        folder.set_status(Status(state="interrupted", reason="stopped by the user"))
        raise
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        record_failure(folder, *classify(error), started_at)


def _load(entry: str) -> CellFunction:
    module, _, name = entry.partition(":")
    function: CellFunction = getattr(importlib.import_module(module), name)
    return function


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _written_to(path: Path) -> Iterator[None]:
    """Send what this process and its libraries print to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
