"""Compacter against torch's own Kronecker product, in float64, at the right place in the layer; exact counts."""

from __future__ import annotations

import pytest
import torch
from reference import BART_NORMS, SITES, away, check_layers, counted, gelu_tanh, visual_numbers
from tiny_backbone import TASKS, WIDTH, build

NAMES = ("compacter-single", "compacter-multiple", "compacter-shared")
NORMS = {"bart-base": BART_NORMS, "t5-base": 0}  # that train


@pytest.fixture
def x():
    return torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def times(layer, u, rules, slices):
    """u Σᵢ Rᵢ ⊗ Wᵢ + b."""
    return u @ sum(torch.kron(rule, piece) for rule, piece in zip(rules, slices, strict=True)) + layer.shift


def own(layer, u):
    (slices,) = layer.factors
    return times(layer, u, layer.rules.matrices, slices)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_single(x, n):
    model = away(build("compacter-single", reduction_factor=4, divisions=n)[0])

    def adapt(exit_, h):
        down, up = exit_.pet.down, exit_.pet.up
        assert down.factors[0].shape == (n, WIDTH // n, WIDTH // 4 // n)
        return h + own(up, gelu_tanh(own(down, h)))

    check_layers(model, x, after=adapt)


@pytest.mark.parametrize("row", [0, 1])
def test_multiple_runs_the_tasks_own(x, row):
    model = away(build("compacter-multiple")[0])

    def adapt(exit_, h):
        assert len(exit_.pet.of_task) == len(TASKS)
        adapter = exit_.pet.of_task[row]
        return h + own(adapter.up, gelu_tanh(own(adapter.down, h)))

    with model.sites[0].exit.pet.context.on(TASKS[row]):
        check_layers(model, x, after=adapt)


def test_shared_has_one_rule_in_the_language_model_and_low_rank_factors(x):
    model = away(build("compacter-shared", factor_rank=3, divisions=4)[0])
    rules = model.lm.pet.matrices

    def shared(layer, u):
        left, right = layer.factors
        assert left.shape[2] == right.shape[1] == 3
        return times(layer, u, rules, [one @ other for one, other in zip(left, right, strict=True)])

    check_layers(model, x, after=lambda exit_, h: h + shared(exit_.pet.up, gelu_tanh(shared(exit_.pet.down, h))))
    assert [name for name, _ in model.lm.named_parameters() if "matrices" in name] == ["pet.matrices"]


@pytest.mark.parametrize("name", NAMES)
def test_every_site_has_an_adapter_and_norms_train_on_bart_only(name):
    for family in ("bart", "t5"):
        model, _, _ = build(name, family=family)
        assert all(hasattr(site.exit, "pet") for site in model.sites)
        others = [key for key, p in model.lm.named_parameters() if p.requires_grad and "pet." not in key]
        assert all("norm" in key for key in others) and len(others) == (24 if family == "bart" else 0)


def test_factors_start_as_drawn_not_from_the_familys_rule_for_linears():
    model, _, _ = build("compacter-single")
    factors = torch.cat([layer.factors[0].flatten() for s in model.sites for layer in (s.exit.pet.down, s.exit.pet.up)])
    bound = 12**0.5 / (WIDTH // 2 + 2) ** 0.5  # √2 √(6 / (rows + columns))
    assert 0.98 * bound < factors.abs().max().item() <= bound


@pytest.mark.parametrize("kind", ["image-text", "video-text"])
@pytest.mark.parametrize("backbone", SITES)
@pytest.mark.parametrize("name", NAMES)
def test_counts(name, backbone, kind):
    n, width, rank = 2, 768, 96
    if name == "compacter-shared":
        factors = 2 * n * (width // n + rank // n)  # of rank 1
        new = SITES[backbone] * (factors + rank + width) + n**3
        assert backbone != "bart-base" or new == 77_760 + 8
    else:
        one = 2 * n * (width // n) * (rank // n) + 2 * n**3 + rank + width
        assert one == 74_608
        new = SITES[backbone] * one * (4 if name == "compacter-multiple" else 1)
    counts = counted(name, backbone, kind)
    assert counts.trained == visual_numbers(backbone, kind) + NORMS[backbone] + new
    assert counts.total == counts.language_model + counts.token_rows + counts.visual_embedding + new
    assert counts.added_at_inference == new and counts.frozen_extra == 0


@pytest.mark.parametrize("name", NAMES)
def test_sizes_that_do_not_fit_are_refused(name):
    with pytest.raises(ValueError, match=rf"reduction_factor \(99\) leaves no bottleneck at width {WIDTH}"):
        build(name, reduction_factor=99)
    with pytest.raises(ValueError, match=r"divisions \(3\) must divide 32 and 4"):
        build(name, divisions=3)
