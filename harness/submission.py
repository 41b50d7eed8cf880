"""Predictions for the servers of data's owners, who alone know the references of their test splits."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from harness import checkpoint
from harness.catalogue import Catalogue
from harness.errors import UserError
from harness.evaluation import predict
from harness.options import Options
from harness.preparation import Prepared, prepare
from harness.run_folder import WEIGHTS, CellFolder, make_folder, write_atomically
from harness.store import Progress
from tasks import Role, SubmittedTask

ROLES: tuple[Role, ...] = ("report", "submit")


def submit(folder: CellFolder, options: Options, output: Path, progress: Progress) -> list[Path]:
    """Predict with a finished cell's weights; write, below ``output``, the files that the owners' servers take.

    Raises:
        UserError: the cell has no weights, read a part of its data, or none of its tasks is scored by a server.
        Unavailable: data or weights are not here.
        DataError: a data file is missing or broken.
    """
    weights = folder.path / WEIGHTS
    cell = checkpoint.read_cell(weights)
    if cell.settings.limit is not None:
        raise UserError(f"{folder.path}: ran with limit {cell.settings.limit}; servers want all, so run it without")
    kinds = Catalogue(options.data, options.weights, options.plugins).tasks
    if not any(issubclass(kinds.get(name), SubmittedTask) for name in cell.tasks):
        raise UserError(f"{folder.path}: no server scores {', '.join(cell.tasks)}; its report has all scores")
    ready = prepare(cell, options, progress)
    checkpoint.load(weights, ready.bench.model)
    tasks = [task for data in ready.scored if isinstance(task := data.task, SubmittedTask)]
    size = cell.settings.evaluation_batch_size
    return [_write(ready, task, role, size, output, progress) for task, role in product(tasks, ROLES)]


def _write(ready: Prepared, task: SubmittedTask, role: Role, size: int, output: Path, progress: Progress) -> Path:
    data = ready.read(task, role)

    def tell(done: int) -> None:
        progress(f"{task.name}, {task.card.splits[role]}", done, len(data))

    said = predict(ready.bench, data, size, tell)
    name, content = task.submission(role, data.examples, said)
    path = output / name
    make_folder(path.parent)
    write_atomically(path, content, "free space or give another folder to --output")
    return path
