"""From cells to work: which cells run now, which are kept, which cannot run here.

``--overwrite`` decides about cells that have a result: ``never`` (the default) keeps them all, failed ones
too; ``failed`` runs again whatever did not end well; ``always`` runs everything again. A cell without a
result (never started, interrupted, its runner killed) runs in any case. An old result goes only when its cell
starts again: the worker deletes it, under the cell's claim.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from harness.catalogue import Catalogue
from harness.cells import Cell
from harness.claims import Claim, Claimed, holder_of
from harness.options import Options
from harness.run_folder import CLAIM, OPTIONS, CellFolder, RunFolder, make_folder, write_atomically
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
    replaces: str | None = None  # digest of the result that goes when the cell runs
    seconds: float | None = None  # wall time of a finished cell


def plan(cells: Iterable[Cell], run: RunFolder, catalogue: Catalogue, overwrite: Overwrite = "never") -> list[Planned]:
    """Look at each cell's folder and at what is present on this machine; nothing is written.

    Raises:
        RecordError: a result in the run folder is broken.
    """
    return [_plan_cell(cell, run, catalogue, overwrite) for cell in cells]


def prepare(planned: Sequence[Planned], options: Options) -> list[CellFolder]:
    """Write the folders of the cells that have no result, and return those to run; nothing is deleted.

    What other runners have claimed or finished since the plan was made is left as it is.

    Raises:
        UserError: the run folder cannot be written.
    """
    waiting = [entry for entry in planned if not entry.finished and entry.state != "running"]
    return [entry.folder for entry in waiting if _prepare_cell(entry, options)]


def remove_stale(planned: Sequence[Planned], run: RunFolder) -> None:
    """Remove what an earlier command planned for the same suite, backbone, method and seed with another key.

    The report would show such folders as holes. Only for a runner that is alone in the run folder: they could
    be another one's queue.

    Raises:
        UserError: a folder cannot be removed.
    """
    current = {entry.folder.path for entry in planned}
    siblings = {folder.path: folder for entry in planned for folder in _siblings(entry.folder)}
    for path in siblings.keys() - current:
        with suppress(Claimed), Claim(path / CLAIM):
            if _is_empty_plan(siblings[path]):
                run.remove(siblings[path])


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
    return Planned(cell, folder, "planned", replaces=folder.result_digest())


def _prepare_cell(entry: Planned, options: Options) -> bool:
    """Write the folder of one cell unless that became another runner's business; return whether to run it."""
    folder = entry.folder
    make_folder(folder.path)
    try:
        with Claim(folder.path / CLAIM):
            digest = folder.result_digest()
            if digest is not None and digest != entry.replaces:
                return False
            if digest is None:
                folder.write_cell(entry.cell)
                folder.set_status(Status(state=entry.state, reason=entry.reason))
            if entry.state == "planned":
                options = options.model_copy(update={"replaces": digest})
                write_atomically(folder.path / OPTIONS, options.model_dump_json(indent=1))
    except Claimed:
        pass  # it is tried again when its turn comes: its holder may have been killed by then
    return entry.state == "planned"


def _kept(state: State, overwrite: Overwrite, missing: bool) -> bool:
    """Whether a result stays as it is. Without its data a cell cannot run again, so it stays in any case."""
    return missing or overwrite == "never" or (overwrite == "failed" and state == "done")


def _finished_twin(cell: Cell, folder: CellFolder) -> CellFolder | None:
    """The same cell, finished when its data was present: it differs in nothing but the fingerprints."""
    wanted = cell.model_copy(update={"data": {}}).key
    for other in _siblings(folder):
        result = other.result()
        if result is not None and other.cell().model_copy(update={"data": {}}).key == wanted:
            return other
    return None


def _siblings(folder: CellFolder) -> list[CellFolder]:
    """Other folders of the same suite, backbone, method and seed."""
    seed = folder.path.name.partition("--")[0]
    return [CellFolder(p) for p in sorted(folder.path.parent.glob(f"{seed}--*")) if p != folder.path]


def _is_empty_plan(folder: CellFolder) -> bool:
    """Whether a folder holds no more than an intention."""
    try:
        status = folder.status()
        intended = status is None or status.state in ("planned", "unavailable", "incompatible")
        return intended and folder.result_digest() is None
    except RecordError:
        return False
