"""A prompt per task."""

from __future__ import annotations

import pytest
import torch
from reference import LANGUAGE_MODEL, PROMPT, away, counted, encoder_input, prompt_vectors, visual_numbers
from tiny_backbone import TASKS, WIDTH, build


@pytest.mark.parametrize("task", TASKS)
def test_the_prompt_of_the_task_stands_before_the_text(task):
    model, context, _ = build("prompt-multiple", length=3, hidden=8)
    away(model)
    with context.on(task):
        seen, mask = encoder_input(model)
    vectors = prompt_vectors(model.prompts[0].of_task[TASKS.index(task)])
    torch.testing.assert_close(seen[:, :3], vectors.expand(2, 3, WIDTH))
    assert seen.shape[1] == 3 + 4 and mask.shape[1] == 3 + 4 + 4


def test_prompts_start_from_small_normal_weights_of_their_own():
    model, _, _ = build("prompt-multiple", length=200, hidden=100)
    one, other = model.prompts[0].of_task
    for module in (one, other):
        for weight in (module.table.weight, module.network[0].weight, module.network[2].weight):
            assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not torch.equal(one.table.weight, other.table.weight)


@pytest.mark.parametrize("kind", ["image-text", "video-text"])
@pytest.mark.parametrize("backbone", LANGUAGE_MODEL)
def test_counts_on_the_papers_backbones(backbone, kind):
    counts = counted("prompt-multiple", backbone, kind)
    assert counts.trained == 4 * PROMPT + visual_numbers(backbone, kind)
    assert counts.total == LANGUAGE_MODEL[backbone] + visual_numbers(backbone, kind) + 4 * PROMPT
