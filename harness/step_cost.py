"""What a training step costs: each method beside full fine-tuning, in one run, on a backbone with random weights.

Steps of a method and of full fine-tuning take turns, so that whatever else the machine does meets both alike; on a CPU
processor time is read, to which other processes do not count. How long a step takes hangs on no weight and no text, so
none is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from harness.backbones import BackboneSpec, on_meta, untrained
from harness.cells import Settings
from harness.data import Batch
from harness.meters import PeakMeter, training_flops
from harness.parameters import PAPER_SUITES
from harness.training import Stepper
from harness.workbench import Workbench, attention, find_dtype, make_reproducible, seed_everything
from methods import Method, TaskContext
from reports.formats import decimal
from reports.table import Column, Row, Table, TableCell

FULL, FROZEN = "full", "projection"  # everything trains; the language model is frozen
TEXT, TARGET = 20, 5  # tokens of a question and of an answer
STEPS = 1000  # of a schedule that never ends
COUNTED = 2  # examples whose operations are counted


@dataclass(frozen=True)
class Shape:
    """How large a measurement is."""

    batch_size: int = 16
    repeats: int = 3  # pairs of steps after the first
    layers: int | None = None  # of each stack; None: all


@dataclass(frozen=True)
class StepCost:
    """A method's training step beside that of full fine-tuning; medians over pairs of steps that took turns."""

    method: str
    updated_percent: float
    seconds: float
    full_seconds: float  # of the steps in between
    time_to_full: float  # median of the ratios
    memory_to_full: float | None  # of peaks: weights, and what the first step puts beside them
    operations_to_full: float | None  # of forward and backward, by torch's counter


class StepCosts:
    """Measures one method after the other on copies of one backbone."""

    def __init__(self, spec: BackboneSpec, kind: str, shape: Shape, device: torch.device, threads: int = 1) -> None:
        make_reproducible(threads, device)
        seed_everything(0)
        meta = on_meta(spec, kind)
        if shape.layers is not None:
            _keep_layers(meta.lm.config, shape.layers)
        self.backbone = untrained(meta)
        self.spec, self.kind, self.shape, self.device = spec, kind, shape, device
        self.suite = PAPER_SUITES[kind]
        self.batch, self.counted = self._batch(shape.batch_size), self._batch(COUNTED)
        self.weights = sum(parameter.nbytes for parameter in self.backbone.parameters())

    def measure(self, methods: Sequence[type[Method]], tell: Callable[[str], None]) -> Iterator[StepCost]:
        """Yield each method's cost as soon as it is known; ``tell`` hears of methods that cannot serve the backbone."""
        full = next(method for method in methods if method.name == FULL)
        reference = self._steps(full)
        for method in methods:
            try:
                steps = reference if method is full else self._steps(method)
            except ValueError as error:
                tell(f"{method.name} cannot serve {self.spec.name}: {error}")
                continue
            pairs = [(reference.seconds(), steps.seconds()) for _ in range(self.shape.repeats)]
            yield StepCost(
                method.name,
                steps.updated_percent,
                seconds=median(own for _, own in pairs),
                full_seconds=median(of_full for of_full, _ in pairs),
                time_to_full=median(own / of_full for of_full, own in pairs),
                memory_to_full=_ratio(steps.peak, reference.peak, self.weights),
                operations_to_full=_ratio(steps.operations, reference.operations),
            )

    def _steps(self, method: type[Method]) -> _Steps:
        """Attach a method to a copy of the backbone and take its first step.

        Raises:
            ValueError: the method cannot serve the backbone.
        """
        model = deepcopy(self.backbone)  # nothing is attached to it
        if self.device.type == "cpu":
            model.lm.set_attn_implementation(attention())
        context = TaskContext(self.suite.tasks)
        made = method.configured(self.spec.family, self.kind, self.spec.name, like=self.spec.like)
        made.attach(model, context)
        dtype = find_dtype("auto", self.device)
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel()))  # nothing is written or read
        bench = Workbench(model.to(self.device).train(), tokenizer, made, context, self.device, dtype)
        return _Steps(bench, self.batch, self.counted)

    def _batch(self, b: int) -> Batch:
        """Random tokens and features, as many as of a question on an image (or clip) and of its answer."""
        images = self.suite.visual_tokens

        def tokens(length: int) -> Tensor:
            return torch.randint(3, self.backbone.lm.config.vocab_size, (b, length))  # the first ones are special

        return Batch(
            task=self.suite.tasks[0],
            ids=tokens(TEXT),
            mask=torch.ones(b, TEXT, dtype=torch.long),
            features=torch.randn(b, 1, images, self.backbone.visual.feature_width),
            visual_tokens=b * images,
            labels=tokens(TARGET),
            weights=torch.ones(b),
            indices=np.arange(b),
        )


def _keep_layers(config: PretrainedConfig, layers: int) -> None:
    """Shorten both stacks; BART and T5 name their lengths differently."""
    for name in ("encoder_layers", "decoder_layers", "num_layers", "num_decoder_layers"):
        if hasattr(config, name):
            setattr(config, name, layers)


def _ratio(own: int | None, of_full: int | None, common: int = 0) -> float | None:
    return None if own is None or of_full is None else (common + own) / (common + of_full)


def _difference(high: int | None, low: int | None) -> int | None:
    return None if high is None or low is None else high - low


class _Steps:
    """Training steps of one method on one batch."""

    def __init__(self, bench: Workbench, batch: Batch, counted: Batch) -> None:
        self.bench = bench
        self.batch = batch.to(bench.device)
        self.stepper = Stepper(bench, Settings.model_validate({}), STEPS, {batch.task: "example"})
        total = sum(parameter.numel() for parameter in bench.model.parameters())
        trained = sum(parameter.numel() for parameter in self.stepper.parameters)
        self.updated_percent = 100 * trained / total
        meter = PeakMeter(bench.device)
        meter.start()
        before = meter.read()
        self.seconds()
        after = meter.read()
        self.peak = _difference(after.resident, before.resident)
        if bench.device.type == "cuda":
            self.peak = _difference(after.allocated, before.allocated)
        self.operations = training_flops(bench, counted.to(bench.device), "example")

    def seconds(self) -> float:
        """Take a step."""
        clock = time.process_time if self.bench.device.type == "cpu" else time.perf_counter
        self.bench.synchronise()
        start = clock()
        self.stepper.step(self.batch)
        self.bench.synchronise()
        return clock() - start


def table(costs: Sequence[StepCost], title: str) -> Table:
    """The costs as a table, in order of time."""
    frozen = next((cost.time_to_full for cost in costs if cost.method == FROZEN), None)
    columns = (
        Column("Method", "left"),
        Column("Updated params (%)"),
        Column("Step (s)"),
        Column("Time (× full)"),
        Column("Time (× projection)"),
        Column("Peak memory (× full)"),
        Column("Operations (× full)"),
    )
    rows = []
    for cost in sorted(costs, key=lambda cost: cost.time_to_full):
        to_frozen = cost.time_to_full / frozen if frozen else None
        ratios = (cost.time_to_full, to_frozen, cost.memory_to_full, cost.operations_to_full)
        values = (cost.updated_percent, cost.seconds, *ratios)
        rows.append(Row((TableCell(cost.method, cost.method), *(TableCell(decimal(v), v) for v in values))))
    note = f"Medians over pairs of steps that took turns. {FULL} beside itself shows how far a ratio can be trusted."
    return Table("step-cost", title, columns, tuple(rows), (note,))
