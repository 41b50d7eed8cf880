"""MixPHM: experts and their mean, the routing and the penalty, written out independently in float64; exact counts."""

from __future__ import annotations

import math

import pytest
import torch
from reference import LANGUAGE_MODEL, away, check_layers, counted, gelu_tanh, visual_numbers
from tiny_backbone import CONFIGS, TASKS, WIDTH, batch, build, learn, loss_of

both = pytest.mark.parametrize("family", CONFIGS)


def feed_forwards(model):
    return [site for site in model.sites if site.kind == "ffn"]


def kronecker(rules, factors, shift, x):
    left, right = factors
    return x @ sum(torch.kron(rules[i], left[i] @ right[i]) for i in range(4)) + shift


def added(rules, mixture, y, experts):
    """What a place adds to y with the mean of some of its experts."""
    inner = gelu_tanh(kronecker(rules, mixture.down.factors, mixture.down.shift, y))
    ups = [mixture.ups[expert] for expert in experts]
    factors = [sum(up.factors[part] for up in ups) / len(ups) for part in (0, 1)]
    return kronecker(rules, factors, sum(up.shift for up in ups) / len(ups), inner)


# --- experts


def test_evaluation_takes_the_mean_of_the_experts_factors():
    model = away(build("mixphm")[0])
    x = torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rules = model.lm.pet.rules.matrices

    def after(exit_, h):
        return h + added(rules, exit_.pet, h, range(4)) if hasattr(exit_, "pet") else h

    check_layers(model, x, after=after)
    assert sum(hasattr(site.exit, "pet") for site in model.sites) == len(feed_forwards(model)) == 4


def test_on_t5_it_stands_before_the_residual_sum():
    model = away(build("mixphm", family="t5")[0])
    x = torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for stack, last in ((model.lm.encoder, 1), (model.lm.decoder, 2)):
        layer = stack.block[1].layer[last]
        dense = layer.DenseReluDense
        u = layer.layer_norm.weight * x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        h = (u @ dense.wi.weight.T).relu() @ dense.wo.weight.T
        expected = x + h + added(model.lm.pet.rules.matrices, dense.wo.pet, h, range(4))
        torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)  # T5's norm computes in float32


@both
def test_training_draws_one_expert_at_each_place(family):
    model = away(build("mixphm", family=family)[0]).train()
    y = torch.randn(2, 3, WIDTH, dtype=torch.float64)
    place, other = (site.exit.pet for site in feed_forwards(model)[:2])
    rules = model.lm.pet.rules.matrices
    pairs = []
    with torch.no_grad():
        alone = [[y + added(rules, pet, y, [expert]) for expert in range(4)] for pet in (place, other)]
        torch.manual_seed(0)
        for _ in range(120):
            found = (place(y, y), other(y, y))
            chosen = [[torch.allclose(out, one) for one in ones] for out, ones in zip(found, alone, strict=True)]
            assert [sum(row) for row in chosen] == [1, 1]
            pairs.append(tuple(row.index(True) for row in chosen))
    assert {first for first, _ in pairs} == {second for _, second in pairs} == {0, 1, 2, 3}
    assert len(set(pairs)) > 10  # places do not follow each other


@both
def test_only_drawn_experts_learn_in_a_step(family):
    model, context, _ = build("mixphm", family=family)
    model.train()
    with context.on(TASKS[0]):
        loss_of(model).backward()
    for site in feed_forwards(model):
        reached = [all(p.grad is not None for p in up.parameters()) for up in site.exit.pet.ups]
        assert sum(reached) == 1
        assert all(
            p.grad is None for up, on in zip(site.exit.pet.ups, reached, strict=True) if not on for p in up.parameters()
        )


def test_experts_start_alike_and_rules_are_one_tensor():
    model, _, _ = build("mixphm", experts=3)
    for site in feed_forwards(model):
        first, *rest = site.exit.pet.ups
        assert len(rest) == 2
        for up in rest:
            for mine, its in zip(first.parameters(), up.parameters(), strict=True):
                assert torch.equal(mine, its) and mine is not its
    mixtures = [site.exit.pet for site in feed_forwards(model)]
    assert not torch.equal(mixtures[0].ups[0].factors[0], mixtures[1].ups[0].factors[0])
    rules = model.lm.pet.rules.matrices
    assert all(layer.rules() is rules for pet in mixtures for layer in (pet.down, *pet.ups))
    assert [name for name, _ in model.lm.named_parameters() if "rules" in name] == ["pet.rules.matrices"]


def test_dropout_is_in_the_bottleneck():
    mixture = feed_forwards(build("mixphm", dropout=0.5)[0])[0].exit.pet.train()
    seen = []
    for up in mixture.ups:
        up.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    mixture(None, torch.randn(40, 10, WIDTH))
    assert 0.45 < (seen[0] == 0).double().mean().item() < 0.55


@both
def test_merging_leaves_one_expert(family):
    model, context, method = build("mixphm", family=family)
    learn(model, context)
    expected = [
        added(model.lm.pet.rules.matrices, site.exit.pet, torch.ones(1, 1, WIDTH), range(4))
        for site in feed_forwards(model)
    ]
    method.merge(model)
    for site, u in zip(feed_forwards(model), expected, strict=True):
        assert len(site.exit.pet.ups) == 1
        torch.testing.assert_close(site.exit.pet(None, torch.ones(1, 1, WIDTH)), 1 + u)


# --- the penalty


def computed(family, weights, inputs=None):
    """A training step's penalty, and what each place of each stack noted, with the last states."""
    model, context, method = build("mixphm", family=family, redundancy=weights[0], alignment=weights[1])
    away(model).train()
    noted = []
    for site in feed_forwards(model):
        site.exit.pet.register_forward_hook(
            lambda _m, args, out, to=site.stack: noted.append((to, out - args[1], args[1]))
        )
    ends = {}
    model.lm.get_decoder().register_forward_hook(
        lambda _m, _x, kwargs, out: ends.update(encoder=kwargs["encoder_hidden_states"], decoder=out.last_hidden_state),
        with_kwargs=True,
    )
    inputs = {key: value.double() if value.is_floating_point() else value for key, value in (inputs or batch()).items()}
    torch.manual_seed(3)
    with context.on(TASKS[0]):
        model(**inputs)
        return method.regulariser(model), noted, ends, inputs


def tokens(stack, inputs, length):
    """Which positions of an example count: text but its padding, and every visual token; all of the decoder's."""
    for example, mask in enumerate(inputs["mask"].tolist()):
        shown = mask + [1] * (length - len(mask)) if stack == "encoder" else [1] * length
        yield from ((example, position) for position in range(length) if shown[position])


def redundancy(u, y, pairs):
    c = torch.zeros(WIDTH, WIDTH, dtype=torch.float64)
    for example, position in pairs:
        a, b = u[example, position], y[example, position]
        c += torch.outer(a / a.norm(), b / b.norm())
    off = sum(c[i, j] ** 2 for i in range(WIDTH) for j in range(WIDTH) if i != j)
    return 3.9e-3 * off * 16 / len(u) ** 2


def disagreement(u, states, pairs):
    own, others, examples = 0.0, 0.0, len(u)
    means = states.mean(dim=1)
    for example, position in pairs:
        for other in range(examples):
            s = (u[example, position] @ means[other]).item()
            if other == example:
                own += math.log(2) - math.log1p(math.exp(-s))
            else:
                others += math.log1p(math.exp(-s)) + s - math.log(2)
    return others / (len(pairs) * (examples - 1)) - own / len(pairs)


@both
@pytest.mark.parametrize("weights", [(0.2, 0.0), (0.0, 0.04), (0.3, 0.7)])
def test_penalty(family, weights):
    penalty, noted, ends, inputs = computed(family, weights)
    expected = 0.0
    with torch.no_grad():
        for stack in ("encoder", "decoder"):
            places = [(u, y) for name, u, y in noted if name == stack]
            assert len(places) == 2
            for u, y in places:
                pairs = list(tokens(stack, inputs, u.shape[1]))
                value = weights[0] * redundancy(u, y, pairs) + weights[1] * disagreement(u, ends[stack], pairs)
                expected += value / len(places) / 2
    torch.testing.assert_close(penalty.item(), float(expected), rtol=1e-5, atol=1e-7)
    assert abs(expected) > 1e-3


@both
def test_padding_does_not_count(family):
    inputs, changed = batch(), batch()
    changed["ids"] = torch.where(inputs["mask"] == 0, 7, inputs["ids"])
    # J reads the mean of the last states, padding included, as in the published code.
    found = [computed(family, (0.2, 0.0), each)[0] for each in (inputs, changed)]
    torch.testing.assert_close(*found)


def test_redundancy_does_not_grow_with_the_batch():
    inputs = batch()
    twice = {key: torch.cat([value, value]) for key, value in inputs.items()}
    torch.testing.assert_close(computed("bart", (0.2, 0.0), inputs)[0], computed("bart", (0.2, 0.0), twice)[0])


@both
def test_the_penalty_reaches_the_experts_and_is_taken_once(family):
    model, context, method = build("mixphm", family=family)
    model.train()
    with context.on(TASKS[0]):
        loss_of(model)
        penalty = method.regulariser(model)
        penalty.backward()
        assert method.regulariser(model) is None
    for site in feed_forwards(model):
        assert sum(up.shift.grad is not None and bool(up.shift.grad.any()) for up in site.exit.pet.ups) == 1
        assert site.exit.pet.down.factors[0].grad.any()
    assert model.lm.pet.rules.matrices.grad.isfinite().all()
    model.eval()
    with context.on(TASKS[0]):
        loss_of(model)
        assert method.regulariser(model) is None


@both
def test_checkpointing_changes_nothing_of_the_penalty(family):
    gradients = []
    for checkpointing in (False, True):
        model, context, method = build("mixphm", family=family, dropout=0.5)
        if checkpointing:
            model.lm.activation_checkpointing_enable()
            model.lm.disable_input_require_grads()
        model.train()
        torch.manual_seed(5)
        with context.on(TASKS[0]):
            loss = loss_of(model)
            (loss + method.regulariser(model)).backward()
        assert not model.lm.pet.noted  # what was computed again was not kept
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    torch.testing.assert_close(*gradients)


@both
def test_the_penalty_is_computed_in_full_precision(family):
    model, context, method = build("mixphm", family=family)
    model.train()
    with context.on(TASKS[0]):
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model)
        penalty = method.regulariser(model)
        (loss + penalty).backward()
    assert penalty.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


# --- counts and refusals


@pytest.mark.parametrize(
    ("backbone", "layers", "percents"),
    [
        ("t5-base", 12, {"image-text": 1.09, "video-text": 0.57}),
        ("bart-base", 6, {"image-text": 1.43, "video-text": 0.60}),
    ],
)
def test_counts(backbone, layers, percents):
    down = 4 * (768 // 4 * 8 + 8 * 64 // 4) + 64
    up = 4 * (64 // 4 * 8 + 8 * 768 // 4) + 768
    for kind, percent in percents.items():
        counts, visual = counted("mixphm", backbone, kind), visual_numbers(backbone, kind)
        new = 2 * layers * (down + 4 * up) + 4**3
        assert counts.trained == visual + new
        assert counts.total == LANGUAGE_MODEL[backbone] + visual + new
        assert counts.added_at_inference == 2 * layers * (down + up) + 4**3
        assert counts.frozen_extra == 0
        assert round(counts.updated_percent, 2) == percent
    if backbone == "t5-base":
        assert new == 874_048


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"reduction_factor": WIDTH + 1}, r"reduction_factor \(33\) leaves no bottleneck at width 32"),
        ({"reduction_factor": 3}, r"divisions \(4\) must divide"),
    ],
)
def test_a_bottleneck_that_cannot_be_built_is_refused(overrides, message):
    with pytest.raises(ValueError, match=message):
        build("mixphm", **overrides)
