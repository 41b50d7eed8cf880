"""Modules of which each task has its own, in every method that has such modules."""

from __future__ import annotations

import pytest
import torch
from tiny_backbone import METHODS, TASKS, batch, build

from methods.routing import PerTask


def own_modules(model):
    return [module for module in model.modules() if isinstance(module, PerTask)]


ROUTED = [n for n in METHODS.names() if METHODS.get(n).needs_task and own_modules(build(n, family="t5")[0])]


def logits(model, context):
    found = []
    for task in TASKS:
        with context.on(task), torch.no_grad():
            found.append(model(**batch()))
    return found


def test_there_are_methods_with_modules_per_task():
    assert len(ROUTED) >= 5


@pytest.mark.parametrize("name", ROUTED)
@pytest.mark.parametrize("family", ["bart", "t5"])
def test_a_tasks_own_modules_serve_that_task_alone(family, name):
    model, context, _ = build(name, family=family)
    model.eval()
    before = logits(model, context)
    with torch.no_grad():
        for module in own_modules(model):
            assert len(module.of_task) == len(TASKS)
            for parameter in module.of_task[1].parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    after = logits(model, context)
    assert torch.equal(after[0], before[0])
    assert not torch.allclose(after[1], before[1], atol=1e-3)
