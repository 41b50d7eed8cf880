"""One cell from start to result: start-up, training with selection, evaluation, measurement.

Whoever calls turns what is raised here into a result with a reason; the status tells in which phase it
happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from harness import checkpoint
from harness.backbones import get
from harness.backbones.registry import fingerprint
from harness.cells import Cell
from harness.data import Mixture, TaskData
from harness.environment import environment
from harness.evaluation import Evaluated, evaluate, mean_value, predictions_frame, score, stored_floors
from harness.exclusive import Machine
from harness.measurement import measure
from harness.meters import Peak, PeakMeter, energy_joules
from harness.options import Options
from harness.phases import Phases
from harness.preparation import Prepared, prepare
from harness.run_folder import WEIGHTS, CellFolder, now, write_atomically
from harness.thumbnails import thumbnails
from harness.training import Hooks, Trained, train
from methods import tuned
from reports.record import Memory, RateOrigin, Result, Score, Speed


def run(folder: CellFolder, cell: Cell, options: Options) -> None:
    """Run a cell and store its result, predictions and weights in its folder.

    Raises:
        Unavailable: data or weights are not here.
        Incompatible: the method cannot serve the backbone.
        Diverged: a loss, a trained weight or every epoch's score became infinite or not a number.
        DataError: a data file is broken.
        UserError: something that the user set cannot be done here, or a file cannot be written.
    """
    started_at = now()
    running = _Running(folder, cell, options)
    with running.machine.shared():
        running.start_up()
        running.train()
        running.evaluate()
        running.store_weights()
    if cell.settings.measure:
        running.measure()
    running.finish(started_at)


class _Running:
    """A cell on its way; each phase leaves behind what the next ones and the result need."""

    def __init__(self, folder: CellFolder, cell: Cell, options: Options) -> None:
        self.folder = folder
        self.cell = cell
        self.options = options
        self.machine = Machine()
        self.phases = Phases(folder, self.machine.give_way)
        self.selected: list[list[Evaluated]] = []  # of each epoch, when the best one is selected
        self.speed: Speed | None = None

    def start_up(self) -> None:
        with self.phases.phase("start-up"):
            self.ready: Prepared = prepare(self.cell, self.options, self.phases.made)
            self.mixture = Mixture(self.ready.train, self.cell.settings.batch_size, self.cell.seed)
            self.meter = PeakMeter(self.ready.bench.device)
            store = self.ready.store
            self.floors = [stored_floors(store, data, self.phases.made) for data in self.ready.scored]

    def train(self) -> None:
        bench = self.ready.bench
        before = energy_joules(bench.device)
        self.meter.start()
        with self.phases.phase("training"):
            select = self._select if self.ready.select else None
            hooks = Hooks(self.machine.give_way, self.phases.trained, self.folder.log, select)
            self.trained: Trained = train(bench, self.mixture, self.cell.settings, hooks)
        self.training_peak: Peak = self.meter.read()
        after = energy_joules(bench.device)
        self.energy = None if before is None or after is None else after - before

    def evaluate(self) -> None:
        self.meter.start()
        with self.phases.phase("evaluation"):
            self.evaluated = self._answers(self.ready.scored)
        self.evaluation_peak: Peak = self.meter.read()

    def store_weights(self) -> None:
        """Write the trained weights before the measurement's steps change them."""
        content = checkpoint.to_bytes(checkpoint.stored(self.ready.bench.model, self.cell.kind), self.cell)
        write_atomically(self.folder.path / WEIGHTS, content)
        self.stored_bytes = len(content)

    def measure(self) -> None:
        with self.phases.phase("measurement"), self.machine.alone() as alone:
            self.speed = measure(self.ready.bench, self.mixture, self.ready.scored, self.cell.settings, alone)

    def finish(self, started_at: str) -> None:
        bench, method = self.ready.bench, self.ready.bench.method
        result = Result(
            key=self.cell.key,
            cell=self.cell.model_dump(mode="json"),
            method_title=method.title,
            method_paper=method.paper.key if method.paper else None,
            state="done",
            step=self.trained.steps,
            selected_epoch=self.trained.selected_epoch,
            scores=self._scores(),
            rate_origin=rate_origin(self.cell),
            parameters=self.ready.counts,
            speed=self.speed,
            memory=self._memory(),
            times=self.phases.times(),
            energy_joules=self.energy,
            environment=_environment(bench.device, bench.dtype),
            started_at=started_at,
            finished_at=now(),
        )
        self.folder.finish(result, predictions_frame(self.evaluated), thumbnails(self.evaluated))

    def _select(self) -> float:
        """Score the epoch's weights on the selection split; the mean over tasks is what counts."""
        with self.meter.paused(), self.phases.phase("selection"):
            self.selected.append(self._answers(self.ready.select))
        return mean_value(self.selected[-1])

    def _answers(self, split: Sequence[TaskData]) -> list[Evaluated]:
        total = sum(map(len, split))
        done = 0
        evaluated = []
        for data in split:
            progress = self.phases.counter(done, total)
            size = self.cell.settings.evaluation_batch_size
            evaluated.append(evaluate(self.ready.bench, data, size, progress))
            done += len(data)
        return evaluated

    def _scores(self) -> list[Score]:
        epoch = self.trained.selected_epoch
        chosen = self.selected[epoch - 1] if self.selected and epoch else []
        selected = {one.data.task.name: one.scored.value for one in chosen}
        limited = self.cell.settings.limit is not None
        return [
            score(one, floors, selected.get(one.data.task.name), limited)
            for one, floors in zip(self.evaluated, self.floors, strict=True)
        ]

    def _memory(self) -> Memory:
        """Peaks are this process' own, so they are exclusive whatever else runs."""
        training, evaluation = self.training_peak, self.evaluation_peak
        return Memory(
            exclusive=True,
            training_resident_bytes=training.resident,
            evaluation_resident_bytes=evaluation.resident,
            training_allocated_bytes=training.allocated,
            training_reserved_bytes=training.reserved,
            evaluation_allocated_bytes=evaluation.allocated,
            evaluation_reserved_bytes=evaluation.reserved,
            stored_file_bytes=self.stored_bytes,
        )


def rate_origin(cell: Cell) -> RateOrigin:
    """Where the learning rate of a cell comes from, as the tuned rates stand now."""
    if cell.settings.learning_rate is not None or "learning_rate" in cell.overrides:
        return RateOrigin(source="set")
    backbones = (cell.backbone, get(cell.backbone).like)
    rates = {name: tuned.rate(name, cell.kind, cell.method) for name in backbones}
    backbone, found = next(((name, rate) for name, rate in rates.items() if rate is not None), ("", None))
    if found is None or found.learning_rate != cell.parameters.get("learning_rate"):
        return RateOrigin(source="default")
    if found.search is None:
        return RateOrigin(source="by hand")
    search = found.search
    return RateOrigin(
        source="tuned",
        candidates=len(search.candidates),
        suite=search.suite,
        backbone=backbone,
        other_weights=search.weights != fingerprint(get(backbone)),
    )


def _environment(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What the cell ran on: the machine's description with the device and precision that were really used."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    precision = str(dtype).removeprefix("torch.")
    return environment() | {"device": name, "precision": precision, "threads": torch.get_num_threads()}
