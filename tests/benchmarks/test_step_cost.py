"""No method may need more time for a training step than full fine-tuning, unless its mathematics forces it.

Measured in one run by `harness.step_cost` (`python -m harness bench` prints its table): BART-base with random weights,
16 examples of 20 tokens of text, 36 visual tokens and 5 of the answer.
"""

from __future__ import annotations

import pytest
import torch

from harness.backbones import get
from harness.expand import matching_methods
from harness.plugins import find_methods
from harness.step_cost import FROZEN, FULL, Shape, StepCosts, table
from reports.markdown import write_table

NOISE = 1.05
# The encoder reads 40 prompt vectors besides 56 tokens, and gradients pass through all of them: with one prompt that
# is 1.10 times full fine-tuning's operations of forward and backward, by torch's counter.
FORCED = {"prompt-single", "prompt-multiple", "adapter-prompt"}


def test_no_method_takes_longer_than_full_fine_tuning(benchmark) -> None:
    registry = find_methods()
    names = matching_methods("usual", registry) if benchmark.enabled else [FULL, FROZEN, "adapter-single"]
    spec, repeats = get("bart-base" if benchmark.enabled else "mini-bart"), 3 if benchmark.enabled else 1

    def measure():
        costs = StepCosts(spec, "image-text", Shape(repeats=repeats), torch.device("cpu"))
        return list(costs.measure([registry.get(name) for name in names], tell=pytest.fail))

    costs = benchmark.pedantic(measure, rounds=1, warmup_rounds=0)
    written = write_table(table(costs, f"Training step on {spec.name}"))
    benchmark.extra_info["table"] = written
    assert [cost.method for cost in costs] == names
    assert all(f"| {name} |" in written for name in names)
    memory = {cost.method: cost.memory_to_full for cost in costs}
    assert memory[FROZEN] is None or memory[FROZEN] < memory[FULL] == 1
    operations = {cost.method: cost.operations_to_full for cost in costs}
    # Nothing computes gradients of frozen weights: up to a third of a step.
    assert 0.6 < operations[FROZEN] < operations["adapter-single"] < operations[FULL] == 1
    if benchmark.enabled:
        slower = {cost.method: cost.time_to_full for cost in costs if cost.time_to_full > NOISE}
        assert not slower.keys() - FORCED, written
