"""The files of a run: atomic writes, the folder of one cell, the folder of the whole run (design section 8).

    <run>/grid.yaml  environment.json  runners.lock
    <run>/cells/<suite>/<backbone>/<method>/seed-<n>--<key8>/
        cell.json  options.json  status.json  claim.json  log.txt      while and after it runs
        curve.jsonl  predictions.parquet  thumbnails.parquet  weights.safetensors  result.json

``result.json`` is written last: a cell that has one has all its other files. No torch is imported here, so that
watching starts fast.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.cells import Cell
from harness.errors import UserError
from reports.record import RecordError, Result, Status, read_result, read_status

if TYPE_CHECKING:
    import pandas

CELL, STATUS, RESULT, OPTIONS = "cell.json", "status.json", "result.json", "options.json"
CURVE, LOG, CLAIM = "curve.jsonl", "log.txt", "claim.json"
PREDICTIONS, THUMBNAILS, WEIGHTS = "predictions.parquet", "thumbnails.parquet", "weights.safetensors"
FIX = "free space or choose another --output"


def now() -> str:
    """The time as all records write it: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_atomically(path: Path, data: bytes | str, fix: str = FIX) -> None:
    """Write a file that is at any moment either the old one or the whole new one, also through a power cut.

    Raises:
        UserError: the disk is full, the folder cannot be written, ...; the old file is untouched. ``fix`` says what
            to do about it.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _cannot_write(path, error, fix) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents.

    Raises:
        UserError: it cannot be created, or a file is in its place.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def require_writable(folder: Path, fix: str = FIX) -> None:
    """Create a folder if need be, and see that files with something in them can be written there.

    Raises:
        UserError: they cannot; ``fix`` says what to do about it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(4096))  # an empty file fits on a full disk
    except OSError as error:
        raise _cannot_write(folder, error, fix) from error


class CellFolder:
    """The folder of one cell: its configuration, what it is doing, and what it left behind."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def cell(self) -> Cell:
        """The resolved configuration.

        Raises:
            RecordError: ``cell.json`` is missing or broken.
        """
        path = self.path / CELL
        try:
            return Cell.model_validate_json(path.read_bytes())
        except OSError as error:
            raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
        except ValidationError as error:
            raise RecordError(f"{path}: is not a cell's configuration: {error.errors()[0]['msg']}") from error

    def write_cell(self, cell: Cell) -> None:
        """Create the folder and store the configuration."""
        make_folder(self.path)
        write_atomically(self.path / CELL, cell.model_dump_json(indent=1))

    def status(self) -> Status | None:
        """What the cell is doing, or None when it never said so."""
        path = self.path / STATUS
        return read_status(path) if path.exists() else None

    def set_status(self, status: Status) -> None:
        """Store what the cell is doing, stamped with the time."""
        stamped = status.model_copy(update={"updated_at": now()})
        write_atomically(self.path / STATUS, stamped.model_dump_json())

    def result(self) -> Result | None:
        """The result, or None when the cell has not finished."""
        path = self.path / RESULT
        return read_result(path) if path.exists() else None

    def result_digest(self) -> str | None:
        """Digest of ``result.json``, or None when there is none: tells one result of a cell from the next."""
        path = self.path / RESULT
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

    def begin(self) -> None:
        """Forget an earlier attempt's result, curve, predictions, thumbnails, weights and half-written files.

        Only for who holds the cell's claim.
        """
        remains = [self.path / name for name in (RESULT, CURVE, PREDICTIONS, THUMBNAILS, WEIGHTS)]  # result first
        for path in [*remains, *self.path.glob(".*.tmp")]:
            path.unlink(missing_ok=True)

    def log(self, line: dict[str, Any]) -> None:
        """Append one line of numbers to ``curve.jsonl``."""
        path = self.path / CURVE
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise _cannot_write(path, error) from error

    def finish(
        self,
        result: Result,
        predictions: pandas.DataFrame | None = None,
        thumbnails: pandas.DataFrame | None = None,
    ) -> None:
        """Store what the cell leaves behind: predictions, pictures of some, then the result, then the status."""
        for name, content in ((PREDICTIONS, predictions), (THUMBNAILS, thumbnails)):
            if content is not None:
                table = io.BytesIO()
                content.to_parquet(table, index=False)
                write_atomically(self.path / name, table.getvalue())
        write_atomically(self.path / RESULT, result.model_dump_json(indent=1))
        self.set_status(Status(state=result.state, reason=result.reason, phase=result.phase, step=result.step))


class RunFolder:
    """The folder of a run."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def cells_path(self) -> Path:
        """Where the cells' folders lie."""
        return self.path / "cells"

    @property
    def runners_path(self) -> Path:
        """The file that all runners of this folder share; see `harness.claims.present`."""
        return self.path / "runners.lock"

    def create(self) -> None:
        """Make the folder and see that files can be written in it.

        Raises:
            UserError: it cannot be created or written.
        """
        require_writable(self.cells_path)

    def require(self) -> None:
        """See that this is the folder of a run.

        Raises:
            UserError: it holds no cells.
        """
        if not self.cells_path.is_dir():
            raise UserError(f"{self.path}: is not the folder of a run (it has no folder 'cells')")

    def write_grid(self, text: str) -> None:
        """Keep the grid's text beside its results."""
        write_atomically(self.path / "grid.yaml", text)

    def write_environment(self, environment: dict[str, Any]) -> None:
        """Keep what the run runs on beside its results."""
        write_atomically(self.path / "environment.json", json.dumps(environment, indent=1))

    def environment(self) -> dict[str, Any] | None:
        """What the run ran on, or None when that was never stored.

        Raises:
            RecordError: ``environment.json`` is broken.
        """
        path = self.path / "environment.json"
        if not path.exists():
            return None
        try:
            content: dict[str, Any] = json.loads(path.read_bytes())
        except ValueError as error:
            raise RecordError(f"{path}: is not JSON ({error})") from error
        return content

    def folder(self, cell: Cell) -> CellFolder:
        """The folder of a cell, which need not exist yet."""
        return CellFolder(self.cells_path / cell.path)

    def cells(self) -> Iterator[CellFolder]:
        """All cells that have a configuration, ordered by path."""
        for path in sorted(self.cells_path.glob(f"*/*/*/*/{CELL}")):
            yield CellFolder(path.parent)

    def remove(self, folder: CellFolder) -> None:
        """Delete the folder of a cell."""
        try:
            shutil.rmtree(folder.path)
        except OSError as error:
            raise _cannot_write(folder.path, error) from error


def _cannot_write(path: Path, error: OSError, fix: str = FIX) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {fix}")


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
