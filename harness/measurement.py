"""The short phase that measures speed, alone on the machine (design section 6).

It comes last: its steps change the model's weights, of which the cell has taken its copies by then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, islice

import numpy as np
import torch

from harness.cells import Settings
from harness.data import Batch, Mixture, TaskData
from harness.evaluation import Answerer
from harness.meters import training_flops
from harness.training import Stepper
from harness.workbench import Workbench
from reports.record import Speed, Spread

WARM_UP_STEPS = 3
TRAINING_STEPS = 12
FEWEST_STEPS = 3  # even when they take longer than `BUDGET_SECONDS`
ANSWERS = 10  # for the latency of one example
COUNTED_SAMPLES = 8  # at most, in the batches whose operations are counted: plain attention needs much memory
BUDGET_SECONDS = 20.0  # of training steps, and again of evaluation: others are waiting meanwhile


def measure(bench: Workbench, mixture: Mixture, report: Sequence[TaskData], settings: Settings, alone: bool) -> Speed:
    """Take training and evaluation speed, latency and operations; ``alone``: nothing else runs here.

    The model's weights change.
    """
    training = _training(bench, mixture, settings)
    bench.model.eval()
    p50, p95 = _latency(bench, report)
    return Speed(
        exclusive=alone,
        threads=torch.get_num_threads(),
        training_samples_per_second=spread(training.samples, training.seconds),
        training_tokens_per_second=spread(training.tokens, training.seconds),
        training_step_seconds=spread(training.seconds),
        data_wait_share=training.wait_share,
        evaluation_samples_per_second=_evaluation_rate(bench, report, settings.evaluation_batch_size),
        latency_p50_seconds=p50,
        latency_p95_seconds=p95,
        flops_per_sample=_flops_per_sample(bench, mixture),
    )


def spread(amounts: Sequence[float], per: Sequence[float] | None = None) -> Spread:
    """Median and quartiles of amounts, or of amounts by what stands at the same place in ``per``."""
    values = np.array(amounts, dtype=float) / (1.0 if per is None else np.array(per, dtype=float))
    lower, median, upper = np.percentile(values, (25, 50, 75)).tolist()
    return Spread(median=median, lower=lower, upper=upper, count=len(values))


@dataclass
class _Steps:
    """Measured training steps; seconds include the wait for data."""

    samples: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    waited: float = 0.0

    @property
    def wait_share(self) -> float:
        return self.waited / sum(self.seconds)


def _training(bench: Workbench, mixture: Mixture, settings: Settings) -> _Steps:
    """Time steps on the first batches of the real mixture, with an optimiser of its own."""
    bench.model.train()
    stepper = Stepper(bench, settings, WARM_UP_STEPS + TRAINING_STEPS, mixture.forms)
    batches = _endless(mixture)
    for batch in islice(batches, WARM_UP_STEPS):
        stepper.step(batch.to(bench.device))
    steps = _Steps()
    for _ in range(TRAINING_STEPS):
        bench.synchronise()
        start = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - start
        stepper.step(batch.to(bench.device))
        bench.synchronise()
        steps.seconds.append(time.perf_counter() - start)
        steps.waited += waited
        steps.samples.append(len(batch))
        steps.tokens.append(batch.tokens)
        if sum(steps.seconds) > BUDGET_SECONDS and len(steps.seconds) >= FEWEST_STEPS:
            break
    return steps


def _endless(mixture: Mixture) -> Iterator[Batch]:
    return chain.from_iterable(mixture.epoch(epoch) for epoch in count())


def _flops_per_sample(bench: Workbench, mixture: Mixture) -> float | None:
    """Of one batch of each task, weighted by the tasks' shares of an epoch."""
    operations = samples = 0.0
    bench.model.train()
    for name, data in mixture.tasks.items():
        batch = _typical(data, min(mixture.sizes[name], COUNTED_SAMPLES))
        flops = training_flops(bench, batch.to(bench.device), mixture.forms[name])
        if flops is None:
            return None
        operations += flops / len(batch) * len(data)
        samples += len(data)
    return operations / samples


def _evaluation_rate(bench: Workbench, report: Sequence[TaskData], batch_size: int) -> float:
    """Samples per second over all reporting examples, reckoned from one batch of typical length per task."""
    seconds = 0.0
    for data in report:
        batch = _typical(data, batch_size)
        seconds += _seconds(bench, Answerer(bench, data), batch) / len(batch) * len(data)
    return sum(map(len, report)) / seconds


def _latency(bench: Workbench, report: Sequence[TaskData]) -> tuple[float, float]:
    """Median and 95th percentile of the time to answer one example, over all tasks in turn."""
    answerers = [Answerer(bench, data) for data in report]
    times: list[float] = []
    for number in range(len(report) + ANSWERS):  # one of each task to warm up
        data, answerer = report[number % len(report)], answerers[number % len(report)]
        index = number // len(report) % len(data)
        batch = data.batch(np.array([index]), data.texts.first[data.kept[[index]]])
        times.append(_seconds(bench, answerer, batch))
        if sum(times) > BUDGET_SECONDS and len(times) >= len(report) + FEWEST_STEPS:
            break
    p50, p95 = np.percentile(times[len(report) :], (50, 95)).tolist()
    return p50, p95


def _typical(data: TaskData, size: int) -> Batch:
    """A batch of examples of about median length."""
    order = np.argsort(data.lengths, kind="stable")
    start = max(0, (len(order) - size) // 2)
    indices = order[start : start + size]
    return data.batch(indices, data.texts.first[data.kept[indices]])


def _seconds(bench: Workbench, answerer: Answerer, batch: Batch) -> float:
    bench.synchronise()
    start = time.perf_counter()
    answerer.answer(batch)
    bench.synchronise()
    return time.perf_counter() - start
