"""What becomes of a cell that ends badly: every error is a state, a one-line reason, a phase and a step."""

from __future__ import annotations

import sys

from harness.cells import Cell
from harness.environment import environment
from harness.errors import Diverged, Incompatible, UserError
from harness.options import read_options
from harness.plugins import find_methods
from harness.run_folder import OPTIONS, CellFolder, now
from reports.record import RecordError, Result, State, Status
from tasks.base import DataError

SPEAKING = (UserError, DataError, RecordError, Diverged, Incompatible)  # their text alone is the reason
OUT_OF_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory")


def classify(error: BaseException) -> tuple[State, str]:
    """The state that an error leads to, and its reason in one line."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else "no message"
    reason = text if isinstance(error, SPEAKING) else f"{type(error).__name__}: {text}"
    if isinstance(error, Diverged):
        return "diverged", reason
    if isinstance(error, Incompatible):
        return "incompatible", reason
    return ("out-of-memory" if _is_out_of_memory(error) else "failed"), reason


def record_failure(folder: CellFolder, state: State, reason: str, started_at: str | None = None) -> None:
    """Store a result without scores; phase and step are where the cell last said it was.

    Raises:
        UserError: the result cannot be written.
    """
    cell = folder.cell()
    status = folder.status() or Status(state="running")
    title, paper = _method(folder, cell)
    result = Result(
        key=cell.key,
        cell=cell.model_dump(mode="json"),
        method_title=title,
        method_paper=paper,
        state=state,
        reason=_without_folders(folder, reason),
        phase=status.phase,
        step=status.step,
        environment=environment(),
        started_at=started_at or status.updated_at or now(),
        finished_at=now(),
    )
    folder.finish(result)


def _without_folders(folder: CellFolder, reason: str) -> str:
    """The reason with paths below the user's folders made relative: a report may be shown to others."""
    try:
        options = read_options(folder.path / OPTIONS)
    except RecordError:
        return reason
    for place in (options.data, options.weights, options.cache):
        if place is not None:
            reason = reason.replace(f"{place}/", "")
    return reason


def _method(folder: CellFolder, cell: Cell) -> tuple[str, str | None]:
    """Title and paper of the cell's method; its name alone when the method is what is broken."""
    try:
        method = find_methods(read_options(folder.path / OPTIONS).plugins).get(cell.method)
    except (UserError, RecordError):
        return cell.method, None
    return method.title, method.paper.key if method.paper else None


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # an error of torch only comes from a process that has it
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in OUT_OF_MEMORY_SIGNS)
