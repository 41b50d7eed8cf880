"""KronA against torch's own Kronecker product, in float64, at the right place in the layer; exact counts."""

from __future__ import annotations

import math

import pytest
import torch
from reference import affine, away, check_layers, counted, visual_numbers
from tiny_backbone import CONFIGS, TASKS, WIDTH, batch, build, learn

from methods.krona import KroneckerUpdate

ATTENTIONS = {"bart-base": 6 + 2 * 6, "t5-base": 12 + 2 * 12}


@pytest.mark.parametrize("factor", [1, 4, 16])
def test_updates_queries_and_values(factor):
    x = torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = away(build("krona", factor=factor, scale=0.5)[0])
    seen = set()

    def project(linear, u):
        if not hasattr(linear, "pet"):
            return affine(linear, u)
        seen.add(linear)
        return affine(linear, u) + 0.5 * u @ torch.kron(linear.pet.left, linear.pet.right).T

    check_layers(model, x, project=project)
    assert len(seen) == 2 + 4  # of one layer of each stack
    carriers = [name for name, module in model.lm.named_modules() if hasattr(module, "pet")]
    assert {name.rpartition(".")[2] for name in carriers} == {"q_proj", "v_proj"}
    assert len(carriers) == 2 * 2 + 2 * 4


def test_projections_need_not_be_square():
    torch.manual_seed(0)
    update = KroneckerUpdate(torch.nn.Linear(12, 20), 4, 3.0).double()
    torch.nn.init.normal_(update.right)
    u, y = torch.randn(2, 3, 12, dtype=torch.float64), torch.randn(2, 3, 20, dtype=torch.float64)
    expected = y + 3 * u @ torch.kron(update.left, update.right).T
    torch.testing.assert_close(update(u, y), expected)
    torch.testing.assert_close(update.weight(), 3 * torch.kron(update.left, update.right))


@pytest.mark.parametrize("family", CONFIGS)
def test_merging_moves_the_update_into_the_weights_and_takes_the_modules_off(family):
    model, context, method = build("krona", family=family)
    learn(model, context)
    linear = model.sites[0].linears["q"]
    expected = linear.weight + torch.kron(linear.pet.left, linear.pet.right)
    with context.on(TASKS[0]), torch.no_grad():
        before = model(**batch())
        method.merge(model)
        torch.testing.assert_close(linear.weight, expected)
        torch.testing.assert_close(model(**batch()), before, atol=1e-4, rtol=1e-4)
    assert not any("pet" in name for name, _ in model.named_parameters())
    assert not linear._forward_hooks
    method.attach(model, context)  # the place is free again


def test_starts_from_zero_and_trains_nothing_else_in_the_language_model():
    model, _, _ = build("krona")
    updates = [site.linears[role].pet for site in model.sites if site.attention for role in "qv"]
    left = torch.cat([update.left.flatten() for update in updates])
    assert left.abs().max().item() <= 16**-0.5
    assert left.std().item() == pytest.approx(16**-0.5 / math.sqrt(3), rel=0.05)
    assert not any(update.right.any() for update in updates)
    assert all(".pet." in name for name, p in model.lm.named_parameters() if p.requires_grad)


@pytest.mark.parametrize("kind", ["image-text", "video-text"])
@pytest.mark.parametrize("backbone", ATTENTIONS)
def test_counts(backbone, kind):
    new = ATTENTIONS[backbone] * 2 * (32**2 + (768 // 32) ** 2)
    counts = counted("krona", backbone, kind)
    assert counts.trained == visual_numbers(backbone, kind) + new
    assert counts.total == counts.language_model + counts.token_rows + counts.visual_embedding + new
    assert counts.added_at_inference == counts.frozen_extra == 0


def test_a_size_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=rf"factor \(5\) must divide {WIDTH} and {WIDTH}"):
        build("krona", factor=5)
