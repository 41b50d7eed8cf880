"""Stand-ins for the inside of a cell; the cell's method name says what happens."""

import os
import signal
import sys
import time
from pathlib import Path

import pandas
from tqdm import tqdm

from harness.cells import Cell, Settings
from harness.claims import holder_of
from harness.engines.local import LocalEngine
from harness.errors import Diverged, Incompatible, Unavailable, UserError
from harness.options import Options
from harness.run_folder import CLAIM, OPTIONS, STATUS, CellFolder, RunFolder, now, write_atomically
from reports.record import Result, State, Status

ENTRY = "fake_cells:act"
PRELOAD = ("peft", "methods.peft_bridge", "harness.outcome")


def make_cell(method: str = "succeed", seed: int = 0, **changes: object) -> Cell:
    values = {
        "suite": "mini-image",
        "kind": "image-text",
        "tasks": ("mini-vqa",),
        "backbone": "mini-bart",
        "method": method,
        "parameters": {},
        "seed": seed,
        "settings": Settings(),
    }
    return Cell(**(values | changes))


def make_result(cell: Cell, state: State = "done", reason: str | None = None) -> Result:
    return Result(
        key=cell.key,
        cell=cell.model_dump(mode="json"),
        method_title=cell.method,
        method_paper=None,
        state=state,
        reason=reason,
        started_at=now(),
        finished_at=now(),
    )


def make_jobs(run: RunFolder, *cells: Cell) -> list[CellFolder]:
    """Folders as `harness.plan.prepare` leaves them."""
    run.create()
    folders = []
    for cell in cells:
        folder = run.folder(cell)
        folder.write_cell(cell)
        write_atomically(folder.path / OPTIONS, Options(cache=run.path / "cache").model_dump_json())
        folder.set_status(Status(state="planned"))
        folders.append(folder)
    return folders


def act(folder: CellFolder, cell: Cell, options: Options) -> None:
    folder.log({"process": os.getpid(), "claimed": holder_of(folder.path / CLAIM) is not None})
    folder.set_status(Status(state="running", phase="training", step=3, steps=10, loss=0.5))
    print("a word on standard output")
    match cell.method:
        case "succeed":
            folder.finish(make_result(cell), pandas.DataFrame({"id": ["a"], "score": [1.0]}))
        case "explode":
            raise ValueError("the dragon woke\nand more lines")
        case "diverge":
            raise Diverged("the loss became nan")
        case "exhaust":
            raise MemoryError
        case "mismatch":
            raise Incompatible("needs an image encoder")
        case "lack":
            raise Unavailable("get the data first")
        case "misuse":
            raise UserError("use it otherwise")
        case "leave":
            sys.exit(4)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "blot":
            (folder.path / STATUS).write_text("{")
            os.kill(os.getpid(), signal.SIGKILL)
        case "vanish":
            pass
        case "sleep":
            time.sleep(60)
        case "count":  # as libraries do while they load weights
            with tqdm(total=1):
                time.sleep(60)


def method_of(folder: CellFolder) -> str:
    """The method that a folder's path names; the folder itself may be gone."""
    return folder.path.parent.name


class Notes:
    """A watcher that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def started(self, folder: CellFolder) -> None:
        self.lines.append(("started", method_of(folder)))

    def ended(self, folder: CellFolder, state: State, reason: str | None) -> None:
        self.lines.append((state, method_of(folder)))

    def skipped(self, folder: CellFolder) -> None:
        self.lines.append(("skipped", method_of(folder)))

    def tick(self) -> None:
        pass


def run_all(folders: list[CellFolder], slots: int = 2, timeout: float | None = None) -> Notes:
    notes = Notes()
    LocalEngine([None] * slots, 1, timeout, ENTRY, preload=PRELOAD).run(folders, notes)
    return notes


if __name__ == "__main__":  # a runner of its own, for tests that stop it
    planned = list(RunFolder(Path(sys.argv[1])).cells())
    try:
        timeout = float(sys.argv[2]) if len(sys.argv) > 2 else None
        LocalEngine([None], 1, timeout, ENTRY, preload=()).run(planned, Notes())
    except KeyboardInterrupt:
        sys.exit(130)
