"""From cells to work: which cells run now, which are kept, which cannot run here.

``--overwrite`` decides about cells that have a result: ``never`` (the default) keeps them all, failed ones
too; ``failed`` runs again whatever did not end well; ``always`` runs everything again. A cell without a
result (never started, interrupted, its runner killed) runs in any case.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.catalogue import Catalogue
from harness.cells import Cell
from harness.claims import holder_of
from harness.options import Options
from harness.run_folder import CLAIM, OPTIONS, CellFolder, RunFolder, write_atomically
from reports.record import RecordError, State, Status

Overwrite = Literal["never", "failed", "always"]


@dataclass(frozen=True)
class Planned:
    """What is to be done with one cell: it runs if its state is "planned"; any other state says why not."""

    cell: Cell
    folder: CellFolder
    state: State
    reason: str | None = None
    finished: bool = False  # a result is there and stays
    seconds: float | None = None  # wall time of a finished cell


def plan(cells: Iterable[Cell], run: RunFolder, catalogue: Catalogue, overwrite: Overwrite = "never") -> list[Planned]:
    """Look at each cell's folder and at what is present on this machine; nothing is written.

    Raises:
        RecordError: a result in the run folder is broken.
    """
    return [_plan_cell(cell, run, catalogue, overwrite) for cell in cells]


def prepare(planned: Sequence[Planned], run: RunFolder, options: Options) -> list[CellFolder]:
    """Write the folders of all cells that have no result, and return those to run.

    Folders that an earlier command planned for the same suite, backbone, method and seed, but with another
    key and without any result, are removed: the report would show them as holes.

    Raises:
        UserError: the run folder cannot be written.
    """
    current = {entry.folder.path for entry in planned}
    stale = [folder for entry in planned for folder in _siblings(entry.folder) if folder.path not in current]
    for folder in {folder.path: folder for folder in stale if _is_empty_plan(folder)}.values():
        run.remove(folder)
    jobs = []
    for entry in planned:
        if entry.finished or entry.state == "running":
            continue
        folder = entry.folder
        folder.write_cell(entry.cell)
        if entry.state == "planned":
            folder.begin()
            write_atomically(folder.path / OPTIONS, options.model_dump_json(indent=1))
            jobs.append(folder)
        folder.set_status(Status(state=entry.state, reason=entry.reason))
    return jobs


def counts(planned: Iterable[Planned]) -> dict[State, int]:
    """Number of cells by state."""
    return dict(Counter(entry.state for entry in planned))


def estimate_seconds(planned: Iterable[Planned], jobs: int) -> float | None:
    """Time for the cells that are to run: the median of finished cells of the same suite, shared by the jobs.

    None when a suite has no finished cell yet.
    """
    finished: dict[str, list[float]] = {}
    waiting: list[str] = []
    for entry in planned:
        if entry.state == "planned":
            waiting.append(entry.cell.suite)
        elif entry.state == "done" and entry.seconds is not None:
            finished.setdefault(entry.cell.suite, []).append(entry.seconds)
    if not waiting or any(suite not in finished for suite in waiting):
        return None
    return sum(statistics.median(finished[suite]) for suite in waiting) / jobs


def _plan_cell(cell: Cell, run: RunFolder, catalogue: Catalogue, overwrite: Overwrite) -> Planned:
    folder = run.folder(cell)
    missing = catalogue.missing(cell.suite, cell.backbone)
    if missing:
        folder = _finished_twin(cell, folder) or folder
    holder = holder_of(folder.path / CLAIM)
    if holder:
        return Planned(cell, folder, "running", f"{holder} runs it")
    result = folder.result()
    if result is not None and _kept(result.state, overwrite, bool(missing)):
        seconds = result.times.total if result.times else None
        return Planned(cell, folder, result.state, result.reason, finished=True, seconds=seconds)
    if missing:
        return Planned(cell, folder, "unavailable", missing)
    unfit = catalogue.unfit(cell.kind, cell.backbone)
    if unfit:
        return Planned(cell, folder, "incompatible", unfit)
    return Planned(cell, folder, "planned")


def _kept(state: State, overwrite: Overwrite, missing: bool) -> bool:
    """Whether a result stays as it is. Without its data a cell cannot run again, so it stays in any case."""
    return missing or overwrite == "never" or (overwrite == "failed" and state == "done")


def _finished_twin(cell: Cell, folder: CellFolder) -> CellFolder | None:
    """The same cell, finished when its data was present: it differs in nothing but the fingerprints."""
    wanted = cell.model_copy(update={"data": {}})
    for other in _siblings(folder):
        result = other.result()
        if result is not None and other.cell().model_copy(update={"data": {}}) == wanted:
            return other
    return None


def _siblings(folder: CellFolder) -> list[CellFolder]:
    """Other folders of the same suite, backbone, method and seed."""
    seed = folder.path.name.partition("--")[0]
    return [CellFolder(p) for p in sorted(folder.path.parent.glob(f"{seed}--*")) if p != folder.path]


def _is_empty_plan(folder: CellFolder) -> bool:
    """Whether a folder holds no more than an intention."""
    if holder_of(folder.path / CLAIM) is not None:
        return False
    try:
        status = folder.status()
        return folder.result() is None and (status is None or status.state in ("planned", "unavailable"))
    except RecordError:
        return False
