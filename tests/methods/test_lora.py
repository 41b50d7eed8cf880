"""A pair of LoRA matrices per task."""

from __future__ import annotations

import math

import pytest
import torch
from reference import LANGUAGE_MODEL, affine, away, check_layers, counted, visual_numbers
from tiny_backbone import TASKS, WIDTH, build

from methods.lora import LowRankUpdate


def updates(model):
    return [module for module in model.lm.modules() if isinstance(module, LowRankUpdate)]


@pytest.mark.parametrize("task", TASKS)
def test_updates_q_and_v_with_the_pair_of_the_task(task):
    rank, alpha, seen = 5, 3.0, set()
    model, context, _ = build("lora-multiple", rank=rank, alpha=alpha, dropout=0.5)
    away(model)

    def project(linear, u):
        if not hasattr(linear, "pet"):
            return affine(linear, u)
        seen.add(linear)
        pair = linear.pet.of_task[TASKS.index(task)]
        return affine(linear, u) + alpha / rank * (u @ pair.a.weight.T) @ pair.b.weight.T

    x = torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with context.on(task):
        check_layers(model, x, project=project)
    assert len(seen) == 2 + 4  # of an encoder and a decoder layer


@pytest.mark.parametrize(("family", "names"), [("bart", {"q_proj", "v_proj"}), ("t5", {"q", "v"})])
def test_stands_on_q_and_v_of_every_attention(family, names):
    model, _, _ = build("lora-multiple", family=family)
    carriers = [name for name, module in model.lm.named_modules() if hasattr(module, "pet")]
    assert {name.rpartition(".")[2] for name in carriers} == names
    assert len(carriers) == 2 * 2 + 2 * 4


def test_starts_at_zero_with_a_uniform_first_matrix_per_task():
    model, _, _ = build("lora-multiple", rank=64)
    first = torch.cat([update.a.weight.flatten() for update in updates(model)])
    assert first.abs().max().item() <= WIDTH**-0.5
    assert first.std().item() == pytest.approx(WIDTH**-0.5 / math.sqrt(3), rel=0.03)
    assert not any(update.b.weight.any() for update in updates(model))
    pair = model.sites[0].linears["q"].pet.of_task
    assert not torch.equal(pair[0].a.weight, pair[1].a.weight)


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_trains_the_pairs_and_every_bias_vector(family):
    model, _, _ = build("lora-multiple", family=family)
    for name, parameter in model.lm.named_parameters():
        assert parameter.requires_grad is (".pet." in name or name.endswith(".bias")), name


def test_drops_inputs_while_training_only():
    update = LowRankUpdate(50, 50, 50, scale=1.0, dropout=0.5)
    torch.nn.init.eye_(update.a.weight)
    torch.nn.init.eye_(update.b.weight)
    torch.manual_seed(0)
    ones, zeros = torch.ones(1, 4, 50), torch.zeros(1, 4, 50)
    assert set(update(ones, zeros).flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(update.eval()(ones, zeros), ones)
    model, _, _ = build("lora-multiple", dropout=0.25)
    assert {update.dropout.p for update in updates(model)} == {0.25}


ATTENTIONS = {"bart-base": 6 + 2 * 6, "t5-base": 12 + 2 * 12}
RANK = {"bart-base": 128, "t5-base": 150}
# Linear layers: four per attention and two per feed-forward layer. Norms: one per sub-layer, and two of embeddings.
BART_BIASES = ATTENTIONS["bart-base"] * 4 * 768 + 12 * (3072 + 768) + (6 * 2 + 6 * 3 + 2) * 768


@pytest.mark.parametrize("kind", ["image-text", "video-text"])
@pytest.mark.parametrize("backbone", ATTENTIONS)
def test_counts_on_the_papers_backbones(backbone, kind):
    pairs = ATTENTIONS[backbone] * 2 * 4 * (768 + 768) * RANK[backbone]
    biases = BART_BIASES if backbone == "bart-base" else 0
    counts = counted("lora-multiple", backbone, kind)
    assert counts.trained == pairs + biases + visual_numbers(backbone, kind)
    assert counts.total == LANGUAGE_MODEL[backbone] + visual_numbers(backbone, kind) + pairs
    assert counts.added_at_inference == pairs  # no single weight can take them in


def test_percentage_of_the_published_code():
    assert round(counted("lora-multiple").updated_percent, 4) == 17.7144
