"""What the harness adds to a training step: each method's step against a bare PyTorch loop on the same batches.

Run with ``pytest tests/benchmarks --benchmark-enable``; ``extra_info`` of each benchmark holds the ratio.
"""

from __future__ import annotations

import time
from statistics import median

import mini_sized
import pytest
import torch
from torch.nn.functional import cross_entropy

from harness.cells import Settings
from harness.exclusive import Machine
from harness.plugins import find_methods
from harness.training import Stepper

WARM_UP, STEPS = 2, 10


@pytest.fixture(scope="module")
def words():
    return mini_sized.tokenizer()


@pytest.fixture(scope="module")
def mixture(tmp_path_factory, words):
    return mini_sized.mixture(tmp_path_factory.mktemp("cache"), words)


def bare_step(bench, optimiser, parameters, batch):
    with bench.context.on(batch.task):  # a few methods need it; it costs nothing
        logits = bench.model(batch.ids, batch.mask, batch.features, batch.labels)
        cross_entropy(logits.flatten(0, 1), batch.labels.flatten()).backward()
    torch.nn.utils.clip_grad_norm_(parameters, 5.0)
    optimiser.step()
    optimiser.zero_grad()


def seconds(work) -> float:
    """Processor time: other processes on this machine do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize("method", find_methods().names())
def test_a_training_step_costs_what_a_bare_loop_costs(benchmark, mixture, words, method, tmp_path):
    """Both loops take turns on one model. The harness' side includes making the batch and giving way."""
    if not benchmark.enabled and method != "adapter-single":
        pytest.skip("a benchmark only; where benchmarks are off, one method shows that this one runs")
    bench = mini_sized.bench(method, len(words))
    stepper = Stepper(bench, Settings(precision="float32"), 1000, mixture.forms)
    optimiser = torch.optim.AdamW(stepper.parameters, 1e-4, eps=1e-6, fused=True)
    machine, ratios = Machine(tmp_path), []
    batches = iter([])

    def harness_step():
        nonlocal batch
        machine.give_way()
        batch = next(batches)
        stepper.step(batch.to(bench.device))

    def take_turns():
        nonlocal batches
        batches = mixture.epoch(len(ratios))
        steps = min(STEPS, mixture.steps_per_epoch) if benchmark.enabled else WARM_UP + 1
        for number in range(steps):
            harness = seconds(harness_step)
            ready = batch.to(bench.device)
            bare = seconds(lambda ready=ready: bare_step(bench, optimiser, stepper.parameters, ready))
            if number >= WARM_UP:
                ratios.append(harness / bare)

    batch = None
    with machine.shared():
        benchmark.pedantic(take_turns, rounds=2 if benchmark.enabled else 1, iterations=1)
    benchmark.extra_info["harness_to_bare_loop"] = median(ratios)
    benchmark.extra_info["steps"] = len(ratios)
    assert all(torch.isfinite(parameter).all() for parameter in stepper.parameters)
