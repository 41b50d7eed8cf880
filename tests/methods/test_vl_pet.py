"""VL-PET and its designs against their formulas, written out independently in float64 (methods-facts, section 9)."""

from __future__ import annotations

import pytest
import torch
from reference import LANGUAGE_MODEL, away, counted
from reference import gelu_tanh as phi
from tiny_backbone import CONFIGS, METHODS, WIDTH, bare, build

from methods.blocks import Bottleneck, MultiHeadBottleneck
from methods.gates import SmallGate

GATES = ("small", "middle-x", "middle-y", "large")
WITH_SIGMOID = ("small", "middle-x", "large")
PREFIXES = ("vl-pet", "vl-adapter-g", "compacter-g")
NAMES = [f"{prefix}-{gate}" for prefix in PREFIXES for gate in GATES]
CASES = [(name, "code") for name in NAMES] + [(name, "paper") for name in NAMES if not name.endswith("large")]


@pytest.fixture
def x():
    return torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def prepared(name, family, **overrides):
    """A model in float64 with every trained parameter away from its starting value."""
    model, _, _ = build(name, family=family, **overrides)
    return away(model)


def sigma(u):
    return 1 / (1 + torch.exp(-u))


def affine(layer, u):
    if hasattr(layer, "rules"):
        rules, (slices,) = layer.rules(), layer.factors
        return u @ sum(torch.kron(rule, slice_) for rule, slice_ in zip(rules, slices, strict=True)) + layer.shift
    return u @ layer.weight.T + layer.bias


def modified(name, part, h):
    if name.startswith("vl-pet"):
        assert len(part.heads) == 4
        return h + affine(part.up, phi(torch.cat([affine(head, h) for head in part.heads], dim=-1)))
    assert hasattr(part.down, "rules") is name.startswith("compacter")
    return h + affine(part.up, phi(affine(part.down, h)))


def gated(name, pet, x, h, formula="code", scale=1.0):
    """s G(x, m) ⊙ m, or s G(x, h) ⊙ m as the paper has it."""
    m, gate = modified(name, pet.modification, h), pet.gate
    seen = h if formula == "paper" else m
    if name.endswith("large"):
        g = sigma(affine(gate.up, phi(affine(gate.down, x))))
    elif name.endswith("middle-x"):
        g = sigma(affine(gate.score, x + seen))
    elif name.endswith("middle-y"):
        g = 1 + (sigma(gate.offset) if formula == "paper" else gate.offset)
    else:
        g = sigma(affine(gate.score, torch.cat([x, seen], dim=2))).sum(1, keepdim=True) / x.shape[1]
    return scale * g * m


def bart_layer(layer, frozen, x, change):
    """Post-norm: x = norm(x + change(x, f(x))); f from a backbone without a method."""
    h = frozen.self_attn(x)[0]
    x = layer.self_attn_layer_norm(x + change(layer.self_attn.out_proj.pet, x, h))
    h = frozen.fc2(frozen.activation_fn(frozen.fc1(x)))
    return layer.final_layer_norm(x + change(layer.fc2.pet, x, h))


def t5_layer(layer, frozen, x, change):
    """Pre-norm: x = x + change(x, f(norm(x))), the gate reading x before the norm."""
    attention, dense = frozen.layer[0].SelfAttention, frozen.layer[1].DenseReluDense
    h = attention(layer.layer[0].layer_norm(x))[0]
    x = x + change(layer.layer[0].SelfAttention.o.pet, x, h)
    h = dense.wo(dense.wi(layer.layer[1].layer_norm(x)).relu())
    return x + change(layer.layer[1].DenseReluDense.wo.pet, x, h)


@pytest.mark.parametrize(("name", "formula"), CASES)
def test_encoder_layer_of_bart(name, formula, x):
    overrides = {} if formula == "code" else {"formula": formula}
    model = prepared(name, "bart", scale=0.7, **overrides)
    layer, frozen = (m.lm.model.encoder.layers[1] for m in (model, bare().double().eval()))
    with torch.no_grad():
        expected = bart_layer(layer, frozen, x, lambda pet, x, h: gated(name, pet, x, h, formula, 0.7))
        torch.testing.assert_close(layer(x, None), expected)


@pytest.mark.parametrize("name", NAMES)
def test_encoder_layer_of_t5(name, x):
    model = prepared(name, "t5")
    layer, frozen = (m.lm.encoder.block[1] for m in (model, bare("t5").double().eval()))
    with torch.no_grad():
        expected = t5_layer(layer, frozen, x, lambda pet, x, h: gated(name, pet, x, h, scale=0.3))
        torch.testing.assert_close(layer(x)[0], expected, rtol=1e-5, atol=1e-5)  # T5's norm computes in float32


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_changes_the_values_of_cross_attention_alone(name, family, x):
    model, plain = prepared(name, family), bare(family).double().eval()
    for site, frozen in zip(model.sites, plain.sites, strict=True):
        attached = {role for role, linear in site.linears.items() if hasattr(linear, "pet")}
        if site.stack == "encoder":
            assert attached == {"o" if site.kind == "self_attn" else "down"}
        elif site.kind != "cross_attn":
            assert not attached
        else:
            assert attached == {"v"}
            pet = site.linears["v"].pet
            value = frozen.linears["v"](x) + affine(pet.up, phi(affine(pet.down, x)))
            torch.testing.assert_close(site.linears["v"](x), value)
            assert hasattr(pet.down, "rules") is name.startswith("compacter")


def test_value_adapters_read_the_encoders_output(x):
    model, plain = prepared("vl-pet-large", "bart"), bare().double().eval()
    attention, frozen = (m.lm.model.decoder.layers[1].encoder_attn for m in (model, plain))
    e, pet = x[:, :1], attention.v_proj.pet  # one position gets all attention, so that its value is the result
    value = affine(frozen.v_proj, e) + affine(pet.up, phi(affine(pet.down, e)))
    found = attention(x, key_value_states=e)[0]
    torch.testing.assert_close(found, affine(frozen.out_proj, value).expand_as(x))


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("name", NAMES)
def test_the_encoders_norms_train_and_no_others(name, family):
    model, _, _ = build(name, family=family)
    trained = {n for n, p in model.lm.named_parameters() if p.requires_grad}
    norms = {n for n in trained if ".pet." not in n}
    assert all("norm" in n and "encoder." in n and "decoder." not in n for n in norms)
    # Two per layer, and BART's embedding norm or T5's final one; BART's have biases.
    assert len(norms) == (2 * 2 + 1) * (2 if family == "bart" else 1)


@pytest.mark.parametrize("name", NAMES)
def test_on_t5_sub_layers_start_scaled_and_values_unchanged(name, x):
    model, _, _ = build(name, family="t5")
    model.double()
    factor = 0.3 * (0.5 if name.endswith(WITH_SIGMOID) else 1)
    with torch.no_grad():
        for site in model.sites:
            if site.stack == "encoder":
                torch.testing.assert_close(site.exit.pet(x, 2 * x), factor * 2 * x)
            elif site.kind == "cross_attn":
                torch.testing.assert_close(site.linears["v"].pet(x, 2 * x), 2 * x)


@pytest.mark.parametrize("name", ["vl-pet-large", "compacter-g-small"])
def test_zero_start_is_a_choice_on_bart(name, x):
    model, _, _ = build(name, zero_start=True)
    torch.testing.assert_close(model.double().sites[0].exit.pet(x, x), 0.5 * x)


@pytest.mark.parametrize("gate", GATES)
def test_on_bart_new_layers_start_small_and_normal(gate):
    large = {"gate_rank": 64} if gate == "large" else {}
    model, _, _ = build(f"vl-pet-{gate}", rank=64, **large)
    pets = [site.exit.pet for site in model.sites if site.stack == "encoder"]
    pets += [site.linears["v"].pet for site in model.sites if site.kind == "cross_attn"]
    assert len(pets) == 4 + 2
    linears = [m for pet in pets for m in pet.modules() if isinstance(m, torch.nn.Linear)]
    weights = torch.cat([linear.weight.flatten() for linear in linears])
    assert weights.std().item() == pytest.approx(0.02, rel=0.03)
    assert not any(linear.bias.any() for linear in linears)
    if gate == "middle-y":
        offsets = torch.cat([pet.gate.offset for pet in pets[:4]])
        assert offsets.std().item() == pytest.approx(0.02, rel=0.2)


def test_heads_are_the_rows_of_one_matrix(x):
    heads, plain = MultiHeadBottleneck(WIDTH, 8, 4).double(), Bottleneck(WIDTH, 8).double()
    with torch.no_grad():
        plain.down.weight.copy_(torch.cat([head.weight for head in heads.heads]))
        plain.down.bias.copy_(torch.cat([head.bias for head in heads.heads]))
        plain.up.load_state_dict(heads.up.state_dict())
    torch.testing.assert_close(heads(x, x), plain(x, x))


def test_a_small_gate_counts_padding(x):
    gate = SmallGate(WIDTH).double()
    padded = torch.nn.functional.pad(x, (0, 0, 0, 2))
    blank = sigma(gate.score.bias)
    torch.testing.assert_close(gate(padded, padded), (6 * gate(x, x) + 2 * blank) / 8)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("vl-pet-small", {"rank": 18, "heads": 4}, r"heads \(4\) must divide rank \(18\)"),
        ("vl-adapter-g-large", {"reduction_factor": 64}, r"reduction_factor \(64\) leaves no bottleneck at width 32"),
        ("compacter-g-small", {"divisions": 3}, r"divisions \(3\) must divide 32 and"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(name, overrides, message):
    with pytest.raises(ValueError, match=message):
        build(name, **overrides)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(
    ("family", "kind", "published"),
    [
        ("bart", "image-text", {"rank": 96, "scale": 1.0, "learning_rate": 1e-3, "zero_start": False}),
        ("bart", "video-text", {"rank": 96, "scale": 1.0, "learning_rate": 7e-4, "zero_start": False}),
        ("t5", "image-text", {"rank": 192, "scale": 0.3, "learning_rate": 3e-4, "zero_start": True}),
    ],
)
def test_settings_are_the_published_ones(gate, family, kind, published):
    method = METHODS.get(f"vl-pet-{gate}").configured(family, kind, f"{family}-base")
    wanted = published | {"heads": 4, "decoder_rank": 96}
    wanted |= {"gate_rank": published["rank"]} if gate == "large" else {"formula": "code"}
    assert method.model_dump() == wanted


def numbers_of_bottleneck(name, rank):
    """D and U of width 768 with their biases; of a Kronecker layer in 2 parts: two slices, two 2 x 2 rules, a shift."""
    if name.startswith("compacter"):
        return sum(2 * (i // 2) * (o // 2) + 2 * 2 * 2 + o for i, o in ((768, rank), (rank, 768)))
    return 2 * 768 * rank + rank + 768


def numbers_of_gate(name, rank):
    sizes = {"small": 2 * 768 + 1, "middle-x": 768 + 1, "middle-y": 768, "large": 2 * 768 * rank + rank + 768}
    return next(size for gate, size in sizes.items() if name.endswith(gate))


VISUAL = {
    ("bart-base", "image-text"): 1_582_848,
    ("bart-base", "video-text"): 403_200,
    ("t5-base", "image-text"): 1_581_312,
    ("t5-base", "video-text"): 401_664,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("backbone", "kind"), VISUAL)
def test_counts(name, backbone, kind):
    counts = counted(name, backbone, kind)
    layers, rank = (6, 96) if backbone == "bart-base" else (12, 192)
    # 13 norms of 768 weights and biases; T5 has 25 without biases.
    norms = (2 * layers + 1) * 768 * (2 if backbone == "bart-base" else 1)
    encoder = 2 * layers * (numbers_of_bottleneck(name, rank) + numbers_of_gate(name, rank))
    added = encoder + layers * numbers_of_bottleneck(name, 96)
    assert counts.trained == added + norms + VISUAL[backbone, kind]
    assert counts.total == LANGUAGE_MODEL[backbone] + VISUAL[backbone, kind] + added
    assert counts.added_at_inference == added
