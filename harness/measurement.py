"""The short phase that measures speed, alone on the machine (design section 6).

It comes last: its training steps change the model's weights, of which the cell has taken its copies by then. Answers
are timed before, because how long generation takes depends on what the model says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count

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
BATCHES = 3  # per task, for the evaluation rate
ANSWERS = 10  # for the latency of one example
COUNTED_SAMPLES = 8  # at most, in the batches whose operations are counted: plain attention needs much memory
BUDGET_SECONDS = 3.0  # of each figure, warm-up included: others are waiting meanwhile


def measure(
    bench: Workbench, mixture: Mixture, report: Sequence[TaskData], settings: Settings, alone: Callable[[], bool]
) -> Speed:
    """Take evaluation and training speed, latency and operations.

    The model's weights change. ``alone`` is asked at the end whether nothing else ran here meanwhile.
    """
    bench.model.eval()
    evaluation_rate = _evaluation_rate(bench, report, settings.evaluation_batch_size)
    p50, p95 = _latency(bench, report)
    steps = _training(bench, mixture, settings)
    seconds = [step.seconds for step in steps]
    operations = _flops_per_sample(bench, mixture)
    return Speed(
        exclusive=alone(),
        threads=torch.get_num_threads(),
        training_samples_per_second=spread([step.samples for step in steps], seconds),
        training_tokens_per_second=spread([step.tokens for step in steps], seconds),
        training_step_seconds=spread(seconds),
        data_wait_share=sum(step.waited for step in steps) / sum(seconds),
        evaluation_samples_per_second=evaluation_rate,
        latency_p50_seconds=p50,
        latency_p95_seconds=p95,
        flops_per_sample=operations,
    )


def spread(amounts: Sequence[float], per: Sequence[float] | None = None) -> Spread:
    """Median and quartiles of amounts, or of amounts by what stands at the same place in ``per``."""
    values = np.array(amounts, dtype=float) / (1.0 if per is None else np.array(per, dtype=float))
    lower, median, upper = np.percentile(values, (25, 50, 75)).tolist()
    return Spread(median=median, lower=lower, upper=upper, count=len(values))


def _repeated(take: Callable[[], float], warm_up: int, repeats: int, fewest: int, budget: float) -> list[float]:
    """Seconds of each call after the warm-up: of ``repeats``, or at least ``fewest`` when the budget is spent."""
    times: list[float] = []
    for _ in range(warm_up + repeats):
        times.append(take())
        if sum(times) > budget and len(times) >= warm_up + fewest:
            break
    return times[warm_up:]


@dataclass(frozen=True)
class _Step:
    """A measured training step; seconds include the wait for data."""

    samples: int
    tokens: int
    seconds: float
    waited: float


def _training(bench: Workbench, mixture: Mixture, settings: Settings) -> list[_Step]:
    """Time steps on the first batches of the real mixture, with an optimiser of its own."""
    bench.model.train()
    stepper = Stepper(bench, settings, WARM_UP_STEPS + TRAINING_STEPS, mixture.forms)
    batches = _endless(mixture)
    steps: list[_Step] = []

    def step() -> float:
        bench.synchronise()
        start = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - start
        stepper.step(batch.to(bench.device))
        bench.synchronise()
        seconds = time.perf_counter() - start
        steps.append(_Step(len(batch), batch.tokens, seconds, waited))
        return seconds

    _repeated(step, WARM_UP_STEPS, TRAINING_STEPS, FEWEST_STEPS, BUDGET_SECONDS)
    return steps[WARM_UP_STEPS:]


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
    """Samples per second over all reporting examples, reckoned from a batch of typical length per task."""
    seconds = 0.0
    for data in report:
        answer = partial(_seconds, bench, Answerer(bench, data), _typical(data, batch_size))
        times = _repeated(answer, 1, BATCHES, 1, BUDGET_SECONDS / len(report))
        seconds += float(np.median(times)) / min(batch_size, len(data)) * len(data)
    return sum(map(len, report)) / seconds


def _latency(bench: Workbench, report: Sequence[TaskData]) -> tuple[float, float]:
    """Median and 95th percentile of the time to answer one example, over all tasks in turn."""
    answerers = [Answerer(bench, data) for data in report]
    numbers = count()

    def answer() -> float:
        turn, place = divmod(next(numbers), len(report))
        data = report[place]
        index = turn % len(data)
        batch = data.batch(np.array([index]), data.texts.first[data.kept[[index]]])
        return _seconds(bench, answerers[place], batch)

    times = _repeated(answer, len(report), ANSWERS, FEWEST_STEPS, BUDGET_SECONDS)  # each task once to warm up
    p50, p95 = np.percentile(times, (50, 95)).tolist()
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
