"""From the owners' downloads to the layout that a task reads: file by file, so that a kill loses one file at most.

What was written is noted with its digest in ``<data>/.prepared/<task>.jsonl``, a line per file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import UserError
from harness.run_folder import make_folder
from harness.store import Progress, silent
from tasks import Task
from tasks.files import Source, Step

NOTES = ".prepared"  # the folder in the data folder
SYNCED = 1 << 20  # bytes; to wait for the disk after each of a hundred thousand photos would take very long


@dataclass(frozen=True)
class Prepared:
    """What became of a preparation."""

    written: int  # files
    kept: int  # files that were there already
    missing: str | None  # what the task still lacks


def prepare(task: Task, source: Path, progress: Progress = silent) -> Prepared:
    """Write what the task reads into its data folder; what is there already is kept.

    Raises:
        UserError: there is nothing to prepare, another process prepares, or the data folder cannot be written.
        DataError: a download is broken.
    """
    if task.data is None:
        raise UserError(f"{task.name}: give the folder to write to with --data or HARNESS_DATA")
    downloads, kind = Source(source), type(task)
    written: set[str] = set()
    while True:  # which photos are wanted is known when the files that name them are there
        steps = kind(task.data).preparation(downloads)
        waiting = [step for step in steps if step.target not in written and not _is_there(task.data / step.target)]
        if not waiting:
            break
        with _alone(task.data):
            for done, step in enumerate(waiting, 1):
                _write(task, task.data, step)
                written.add(step.target)
                progress(f"{task.name}: {step.target}", done, len(waiting))
    missing = kind(task.data).missing()
    if not steps and missing:
        raise UserError(f"--from {source}: nothing found for {task.name}: {missing}")
    if not steps:
        raise UserError(f"{task.name}: reads no files that could be prepared")
    return Prepared(len(written), len(steps) - len(written), missing)


def altered(task: Task, progress: Progress = silent) -> tuple[int, list[str]]:
    """Return how many files were prepared, and which of them are not as they were written."""
    wrong = []
    noted = dict(_noted(task))
    for done, (target, digest) in enumerate(noted.items(), 1):
        progress(f"{task.name}: checksums", done, len(noted))
        try:
            same = _digest(Path(str(task.data), target)) == digest
        except OSError:
            same = False
        if not same:
            wrong.append(target)
    return len(noted), wrong


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Keep other processes from writing into the data folder: tasks share files. A killed process leaves no lock."""
    notes = data / NOTES
    make_folder(notes)
    try:
        lock = FileLock(notes / "lock").acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"{data}: another process prepares data there; wait for it, then give the same command"
        ) from error
    except OSError as error:
        raise UserError(f"{notes}: cannot be written ({error.strerror}); give another --data") from error
    with lock:
        yield


def _is_there(path: Path) -> bool:
    """Whether a file is there; one that a power cut left is empty."""
    return path.is_file() and path.stat().st_size > 0


def _write(task: Task, data: Path, step: Step) -> None:
    """Write one file beside its place, rename it, and note its digest."""
    path = data / step.target
    part = path.with_name(f".{path.name}.part")
    make_folder(path.parent)
    try:
        part.unlink(missing_ok=True)  # of a kill
        step.write(part)
        line = json.dumps({"file": step.target, "sha256": _digest(part)})
        if part.stat().st_size >= SYNCED:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
        notes = _notes(task, data)
        make_folder(notes.parent)
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise UserError(f"{error.filename or path}: {error.strerror}; free space or give another --data") from error
    finally:
        part.unlink(missing_ok=True)


def _notes(task: Task, data: Path) -> Path:
    return data / NOTES / f"{task.name.replace('/', '-')}.jsonl"


def _noted(task: Task) -> Iterator[tuple[str, str]]:
    """Files that were prepared, with their digests; a line that a kill cut off is left out."""
    try:
        lines = _notes(task, Path(str(task.data))).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            note = json.loads(line)
            yield note["file"], note["sha256"]
        except (ValueError, KeyError, TypeError):
            continue


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
