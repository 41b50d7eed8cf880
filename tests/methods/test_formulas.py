"""The first methods against their formulas, written out independently in float64, at the right place in the layer."""

from __future__ import annotations

import math

import pytest
import torch
from reference import affine, away, check_layers, gelu_tanh
from tiny_backbone import WIDTH, build


@pytest.fixture
def x():
    return torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def prepared(name, **overrides):
    """A model in float64 with every parameter of the method away from its starting value."""
    return away(build(name, **overrides)[0])


def test_the_reference_layer_is_transformers_layer(x):
    check_layers(prepared("projection"), x)


def test_adapter(x):
    model = prepared("adapter-single", reduction_factor=4)

    def adapt(exit_, h):
        down, up = exit_.pet.down, exit_.pet.up
        assert down.weight.shape == (WIDTH // 4, WIDTH)
        return h + affine(up, gelu_tanh(affine(down, h)))

    check_layers(model, x, after=adapt)


def test_adapter_starts_from_small_normal_weights_and_zero_biases():
    model, _, _ = build("adapter-single", reduction_factor=1)
    adapters = [site.exit.pet for site in model.sites]
    assert len(adapters) == 2 * 2 + 2 * 3
    weights = torch.cat([part.weight.flatten() for pet in adapters for part in (pet.down, pet.up)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.03)
    assert not any(part.bias.any() for pet in adapters for part in (pet.down, pet.up))


def test_adapter_on_t5_stands_before_the_residual_sum_and_norms_stay_frozen(x):
    model = prepared("adapter-single", family="t5", reduction_factor=4)
    for stack, last in ((model.lm.encoder, 1), (model.lm.decoder, 2)):
        layer = stack.block[1].layer[last]
        dense = layer.DenseReluDense
        u = layer.layer_norm.weight * x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        h = (u @ dense.wi.weight.T).relu() @ dense.wo.weight.T
        adapted = h + affine(dense.wo.pet.up, gelu_tanh(affine(dense.wo.pet.down, h)))
        torch.testing.assert_close(layer(x), x + adapted, rtol=1e-5, atol=1e-5)  # T5's norm computes in float32
    assert sum(hasattr(site.exit, "pet") for site in model.sites) == 2 * 2 + 2 * 3
    assert {n.split(".")[-3] for n, p in model.lm.named_parameters() if p.requires_grad} == {"pet"}


def test_adapter_on_t5_starts_from_torchs_defaults():
    model, _, _ = build("adapter-single", family="t5")
    for site in model.sites:
        for part in (site.exit.pet.down, site.exit.pet.up):
            bound = part.in_features**-0.5
            assert 0.5 * bound < part.weight.abs().max().item() <= bound
            assert part.bias.any()


def test_lora_on_t5_trains_nothing_else_in_the_language_model():
    model, _, _ = build("lora-single", family="t5")
    trained = [n for n, p in model.lm.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name for name in trained)


def test_an_adapter_without_a_bottleneck_is_refused():
    build("adapter-single", reduction_factor=WIDTH)
    with pytest.raises(ValueError, match=rf"reduction_factor \({WIDTH + 1}\) leaves no bottleneck at width {WIDTH}"):
        build("adapter-single", reduction_factor=WIDTH + 1)


def test_lora(x):
    rank, alpha = 5, 3.0
    model = prepared("lora-single", rank=rank, alpha=alpha, dropout=0.5)
    seen = set()

    def project(linear, u):
        if not hasattr(linear, "lora_A"):
            return affine(linear, u)
        a, b = linear.lora_A["default"].weight, linear.lora_B["default"].weight
        seen.add(linear)
        return affine(linear.base_layer, u) + alpha / rank * (u @ a.T) @ b.T

    check_layers(model, x, project=project)
    wrapped = [name for name, module in model.lm.named_modules() if hasattr(module, "lora_A")]
    assert {name.rpartition(".")[2] for name in wrapped} == {"q_proj", "v_proj"}
    assert len(wrapped) == 2 * 2 + 2 * 4
    assert len(seen) == 2 + 4


def test_lora_starts_at_zero_with_uniform_a_and_trains_every_bias_but_no_norm_weight():
    model, _, _ = build("lora-single", rank=64)
    a = torch.cat([p.flatten() for n, p in model.lm.named_parameters() if "lora_A" in n])
    assert a.abs().max().item() <= WIDTH**-0.5
    assert a.std().item() == pytest.approx(WIDTH**-0.5 / math.sqrt(3), rel=0.03)
    assert not any(p.any() for n, p in model.lm.named_parameters() if "lora_B" in n)
    for name, parameter in model.lm.named_parameters():
        assert parameter.requires_grad is ("lora_" in name or "bias" in name), name


def test_lora_drops_its_input_while_training_only():
    model, _, _ = build("lora-single", dropout=0.5)
    rates = {m.lora_dropout["default"].p for m in model.lm.modules() if hasattr(m, "lora_dropout")}
    assert rates == {0.5}


def test_prompt_stands_before_the_text_without_positions():
    model = prepared("prompt-single", length=3, hidden=8)
    network = model.prompts[0]
    first, last = network.network[0], network.network[2]
    vectors = affine(last, torch.tanh(affine(first, network.table.weight)))
    encoder = model.lm.get_encoder()
    seen = []
    encoder.layernorm_embedding.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 1, 1]])
    mask = (ids != 1).long()
    states, joint_mask = model.encode(ids, mask, torch.randn(2, 1, 4, 12, dtype=torch.float64))
    words = encoder.embed_tokens.weight[ids] + encoder.embed_positions.weight[2:6]  # BART's positions start at 2
    torch.testing.assert_close(seen[0], torch.cat([vectors.expand(2, 3, WIDTH), words], dim=1))
    assert states.last_hidden_state.shape == (2, 3 + 4 + 4, WIDTH)
    assert joint_mask.tolist() == [[1] * 11, [1] * 5 + [0] * 2 + [1] * 4]


def test_prompt_starts_from_small_normal_weights():
    model, _, _ = build("prompt-single", length=200, hidden=100)
    module = model.prompts[0]
    for weight in (module.table.weight, module.network[0].weight, module.network[2].weight):
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not module.network[0].bias.any() and not module.network[2].bias.any()


def test_bitfit_trains_biases_only():
    model, _, _ = build("bitfit")
    for name, parameter in model.lm.named_parameters():
        assert parameter.requires_grad is ("bias" in name), name


def test_projection_with_norms_trains_norms_only():
    model, _, _ = build("projection-ln")
    trained = {n.rpartition(".")[0] for n, p in model.lm.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 2 + 2 * 3 + 2  # layers of both stacks, and the two embedding norms
    assert all(name.endswith(("layer_norm", "layernorm_embedding")) for name in trained)
