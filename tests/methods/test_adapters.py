"""Adapters of one task or of all, half-shared, low-rank, and beside a prompt: formulas and counts."""

from __future__ import annotations

import math

import pytest
import torch
from reference import (
    BART_NORMS,
    LANGUAGE_MODEL,
    PROMPT,
    SITES,
    affine,
    away,
    check_layers,
    counted,
    encoder_input,
    gelu_tanh,
    prompt_vectors,
    visual_numbers,
)
from tiny_backbone import TASKS, WIDTH, build

from methods.adapter import LowRankLinear


def product(low_rank):
    """(x, W) of a low-rank layer as one plain affine map."""
    return lambda x: x @ (low_rank.left @ low_rank.right) + low_rank.shift


def plain(linear):
    return lambda x: affine(linear, x)


# Down- and up-projection of a task (by its place) in what stands at a site.
PROJECTIONS = {
    "adapter-multiple": lambda pet, task: (plain(pet.of_task[task].down), plain(pet.of_task[task].up)),
    "adapter-half-shared-up": lambda pet, task: (plain(pet.down.of_task[task]), plain(pet.up)),
    "adapter-half-shared-down": lambda pet, task: (plain(pet.down), plain(pet.up.of_task[task])),
    "adapter-prompt": lambda pet, task: (plain(pet.down), plain(pet.up)),
    "adapter-lowrank": lambda pet, task: (product(pet.down), product(pet.up)),
}
every = pytest.mark.parametrize("name", PROJECTIONS)


@pytest.fixture
def x():
    return torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def adapted(name, task, pet, h):
    down, up = PROJECTIONS[name](pet, TASKS.index(task))
    inner = down(h)
    assert inner.shape[-1] == WIDTH // 4
    return h + up(gelu_tanh(inner))


@every
@pytest.mark.parametrize("task", TASKS)
def test_adapts_every_sublayer_of_bart_before_the_residual_sum(name, task, x):
    model, context, _ = build(name, reduction_factor=4)
    with context.on(task):
        check_layers(away(model), x, after=lambda exit_, h: adapted(name, task, exit_.pet, h))
    assert sum(hasattr(site.exit, "pet") for site in model.sites) == 2 * 2 + 2 * 3


@every
@pytest.mark.parametrize("task", TASKS)
def test_adapts_t5_before_the_residual_sum_and_its_norms_stay_frozen(name, task, x):
    model, context, _ = build(name, family="t5", reduction_factor=4)
    away(model)
    for stack, last in ((model.lm.encoder, 1), (model.lm.decoder, 2)):
        layer = stack.block[1].layer[last]
        dense = layer.DenseReluDense
        u = layer.layer_norm.weight * x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        h = (u @ dense.wi.weight.T).relu() @ dense.wo.weight.T
        with context.on(task):
            found = layer(x)
        torch.testing.assert_close(found, x + adapted(name, task, dense.wo.pet, h), rtol=1e-5, atol=1e-5)
    assert all(".pet." in n for n, parameter in model.lm.named_parameters() if parameter.requires_grad)
    assert sum(hasattr(site.exit, "pet") for site in model.sites) == 2 * 2 + 2 * 3


@every
def test_all_norms_of_bart_train_and_nothing_else_of_it(name):
    model, _, _ = build(name)
    trained = {n for n, parameter in model.lm.named_parameters() if parameter.requires_grad and ".pet." not in n}
    norms = {n for n, _ in model.lm.named_parameters() if "layer_norm." in n or "layernorm_embedding." in n}
    assert trained == norms and len(norms) == 2 * (2 * 2 + 2 * 3 + 2)


def test_the_prompt_stands_before_the_text_of_the_adapted_encoder():
    model, _, _ = build("adapter-prompt", length=3, hidden=8)
    away(model)
    seen, mask = encoder_input(model)
    torch.testing.assert_close(seen[:, :3], prompt_vectors(model.prompts[0]).expand(2, 3, WIDTH))
    assert seen.shape[1] == 3 + 4 and mask.shape[1] == 3 + 4 + 4


def test_tasks_start_from_different_numbers_of_the_same_kind():
    model, _, _ = build("adapter-multiple", reduction_factor=1)
    first, second = ([site.exit.pet.of_task[task].down for site in model.sites] for task in (0, 1))
    for linears in (first, second):
        assert torch.cat([linear.weight for linear in linears]).std().item() == pytest.approx(0.02, rel=0.03)
        assert not any(linear.bias.any() for linear in linears)
    assert not any(torch.equal(one.weight, other.weight) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_low_rank_factors_start_xavier_uniform_on_both_families(family):
    model, _, _ = build("adapter-lowrank", family=family, rank=4, reduction_factor=4)
    layers = [layer for layer in model.lm.modules() if isinstance(layer, LowRankLinear)]
    assert len(layers) == 2 * (2 * 2 + 2 * 3)
    bound = math.sqrt(2) * math.sqrt(6 / (WIDTH + 4))
    wide = torch.cat([factor for layer in layers for factor in (layer.left, layer.right.T) if len(factor) == WIDTH])
    assert 0.99 * bound < wide.abs().max().item() <= bound
    assert wide.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not any(layer.shift.any() for layer in layers)


@every
def test_an_adapter_without_a_bottleneck_is_refused(name):
    with pytest.raises(ValueError, match=rf"reduction_factor \({WIDTH + 1}\) leaves no bottleneck at width {WIDTH}"):
        build(name, reduction_factor=WIDTH + 1)


# Numbers at one site and elsewhere, for the four tasks of a suite at width 768 with bottlenecks of 96.
DOWN, UP = (768 + 1) * 96, (96 + 1) * 768
ADDED = {
    "adapter-multiple": (4 * (DOWN + UP), 0),
    "adapter-half-shared-up": (4 * DOWN + UP, 0),
    "adapter-half-shared-down": (DOWN + 4 * UP, 0),
    "adapter-prompt": (DOWN + UP, PROMPT),
    "adapter-lowrank": ((768 + 96 + 96) + (96 + 768 + 768), 0),
}


@every
@pytest.mark.parametrize("kind", ["image-text", "video-text"])
@pytest.mark.parametrize("backbone", SITES)
def test_counts_on_the_papers_backbones(backbone, kind, name):
    per_site, elsewhere = ADDED[name]
    added = SITES[backbone] * per_site + elsewhere
    visual = visual_numbers(backbone, kind)
    norms = BART_NORMS if backbone == "bart-base" else 0
    counts = counted(name, backbone, kind)
    assert counts.trained == added + norms + visual
    assert counts.total == LANGUAGE_MODEL[backbone] + visual + added
    assert (counts.added_at_inference, counts.frozen_extra) == (added, 0)


def test_percentages_of_the_published_code():
    assert round(counted("adapter-half-shared-up").updated_percent, 4) == 8.3584
    assert round(counted("adapter-half-shared-down").updated_percent, 4) == 8.3948
