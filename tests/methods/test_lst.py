"""Ladder Side-Tuning: its formula in float64, what it saves, its cache, its starting weights; exact counts."""

from __future__ import annotations

import pytest
import torch
from tiny_backbone import CONFIGS, TASKS, WIDTH, batch, build, learn, loss_of
from torch import nn
from torch.nn.functional import pad

from harness import plugins
from harness.backbones import get
from harness.parameters import count

NARROW = WIDTH // 4
both = pytest.mark.parametrize("family", CONFIGS)
fed = pytest.mark.parametrize("fed", [False, True], ids=["text-alone", "fed"])


def ladder(family, fed):
    model, context, _ = build("lst", family=family, feed_visual_tokens=fed)
    return model, context


def stir(model, deviation=0.3):
    """Move the side network away from its start, so that everything in it has an effect."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.lm.pet.parameters():
            parameter.add_(deviation * torch.randn_like(parameter))


def double(inputs):
    return {name: value.double() if value.is_floating_point() else value for name, value in inputs.items()}


# --- the formula


@both
@fed
def test_formula(family, fed):
    """Runs the side network by hand over what hooks saw of the backbone; its layers are transformers' own."""
    model, context = ladder(family, fed)
    model.double().eval()
    stir(model, 0.1)
    side = model.lm.pet
    seen = {stack: [] for stack in model.layers}
    for stack, layers in model.layers.items():
        layers[0].register_forward_pre_hook(lambda _, args, to=seen[stack]: to.append(args[0]))
        for layer in layers:
            layer.register_forward_hook(lambda _m, _x, y, to=seen[stack]: to.append(y if torch.is_tensor(y) else y[0]))
    visual = []
    model.visual.register_forward_hook(lambda _m, _x, tokens: visual.append(tokens))
    inputs = double(batch())
    with context.on(TASKS[0]), torch.no_grad():
        logits = model(**inputs)

        ids, images = inputs["ids"], visual[0].shape[1]
        words = ids.shape[1]
        shown = torch.cat([inputs["mask"], torch.ones(3, images)], dim=1).bool()[:, None, None]
        causal = torch.ones(5, 5).tril().bool()[None, None]

        def climb(stack, entry, step):
            half, (_, *states) = getattr(side, stack), seen[stack]
            z = half.entry.weight @ entry.mT + half.entry.bias[:, None]
            for i, h in enumerate(states):
                gate = 1 / (1 + torch.exp(-half.gates[i] / 0.1))
                below = half.down[i].weight @ h.mT + half.down[i].bias[:, None]
                below = torch.cat([below, torch.zeros(3, NARROW, z.shape[2] - below.shape[2])], dim=2)
                z = step(i, half.layers[i], (gate * z + (1 - gate) * below).mT).mT
            z = z.mT
            if family == "t5":
                z = half.end[0].weight * z / (z.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
            return z

        first = seen["encoder"][0]
        assert first.shape[1] == words + images * fed
        entry = first if fed else torch.cat([first, visual[0]], dim=1)

        def encode(_i, layer, mixed):
            if family == "bart":
                return layer(mixed, shown)
            table = side.encoder.layers[0].layer[0].SelfAttention
            bias = pad(table.compute_bias(words, words), (0, images, 0, images))
            return layer(mixed, shown, bias)[0]

        memory = climb("encoder", entry, encode)

        def decode(_i, layer, mixed):
            if family == "bart":
                return layer(mixed, causal, memory, shown)
            bias = side.decoder.layers[0].layer[0].SelfAttention.compute_bias(5, 5)
            return layer(mixed, causal, bias, memory, shown)[0]

        z = climb("decoder", seen["decoder"][0], decode)
        out = z @ side.up.weight.T + side.up.bias
        table = model.lm.get_input_embeddings().weight
        expected = (out * (WIDTH**-0.5 if family == "t5" else 1)) @ table.T
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)  # T5's norm computes in float32
    assert logits.std() > 0.1


@both
def test_visual_tokens_act_through_the_side_network_alone_where_the_backbone_reads_text_alone(family):
    found = {}
    for fed in (False, True):
        model, context = ladder(family, fed)
        learn(model, context, steps=1)
        states, logits = [], []
        for scale in (1, -3):
            inputs = batch()
            inputs["features"] = scale * inputs["features"]
            with context.on(TASKS[0]), torch.no_grad():
                logits.append(model(**inputs))
                inputs.pop("labels")
                states.append(model.encode(**inputs)[0].last_hidden_state)
        assert not torch.allclose(*logits, atol=1e-3)
        found[fed] = torch.equal(states[0], states[1])
    assert found == {False: True, True: False}


@both
@fed
def test_padding_stays_hidden_and_fused_attention_equals_eager(family, fed):
    model, context = ladder(family, fed)
    learn(model, context, steps=1)
    inputs, changed = batch(), batch()
    changed["ids"] = torch.where(inputs["mask"] == 0, 7, inputs["ids"])
    with context.on(TASKS[0]), torch.no_grad():
        fused = model(**inputs)
        torch.testing.assert_close(model(**changed), fused)
        model.lm.set_attn_implementation("eager")
        torch.testing.assert_close(model(**changed), fused, rtol=1e-3, atol=1e-3)


# --- what it saves


@both
@fed
def test_nothing_is_back_propagated_through_the_backbone(family, fed):
    model, context = ladder(family, fed)
    model.train()
    outputs = []
    for site in model.sites:
        for part in (site.entry, site.exit):
            part.register_forward_hook(lambda _m, _x, y: outputs.append(y.requires_grad))
    with context.on(TASKS[0]):
        loss_of(model).backward()
    assert len(outputs) == 2 * len(model.sites) and not any(outputs)
    for name, parameter in model.visual.named_parameters():
        assert name == "box.0.weight" or parameter.grad.any(), name


def kept_bytes(name, family, **overrides):
    """Most bytes that autograd keeps at any moment of a step for the backward pass, parameters apart."""
    model, context, _ = build(name, family=family, **overrides)
    model.train()
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    alive, peak = {}, 0

    class Kept:
        def __init__(self, tensor):
            nonlocal peak
            self.tensor, self.key = tensor, tensor.untyped_storage().data_ptr()
            users, size = alive.get(self.key, (0, tensor.untyped_storage().nbytes()))
            alive[self.key] = users + 1, size
            peak = max(peak, sum(size for key, (_, size) in alive.items() if key not in parameters))

        def __del__(self):
            users, size = alive.pop(self.key)
            if users > 1:
                alive[self.key] = users - 1, size

    with context.on(TASKS[0]), torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        loss_of(model).backward()
    return peak


@both
@fed
def test_less_is_kept_for_the_backward_pass(family, fed):
    adapter = kept_bytes("adapter-single", family)
    assert kept_bytes("lst", family, feed_visual_tokens=fed) < 0.6 * adapter


@both
def test_checkpointing_reaches_the_side_network(family):
    model, context = ladder(family, True)
    model.lm.activation_checkpointing_enable()
    model.lm.disable_input_require_grads()
    model.train()
    runs = []
    side = model.lm.pet
    for layer in (model.layers["encoder"][0], side.encoder.layers[0], side.decoder.layers[1]):
        projection = next(part for part in layer.modules() if isinstance(part, nn.Linear))
        projection.register_forward_hook(lambda *_, key=len(runs): runs.__setitem__(key, runs[key] + 1))
        runs.append(0)
    with context.on(TASKS[0]):
        loss_of(model).backward()
    assert runs == [1, 2, 2]


# --- generation


@both
@fed
def test_beam_search_with_cache_equals_without(family, fed):
    model, context = ladder(family, fed)
    model.eval()
    stir(model)
    inputs, runs, caches = batch(), [], []
    inputs.pop("labels")
    side = model.lm.pet
    side.encoder.register_forward_hook(lambda *_: runs.append("encoder"))
    side.decoder.register_forward_hook(lambda _m, args, _y: caches.append(args[1].cache))
    with context.on(TASKS[0]), torch.no_grad():
        cached = model.generate(**inputs, beams=3, max_length=8)
        assert runs == ["encoder"]
        states, mask = model.encode(**inputs)
        options = {"num_beams": 3, "max_length": 8, "do_sample": False, **model.generation}
        plain = model.lm.generate(encoder_outputs=states, attention_mask=mask, use_cache=False, **options)
    assert torch.equal(cached, plain) and cached.shape[1] > 2
    steps = caches.index(None)
    (cache,) = set(caches[:steps])
    own, across = cache.self_attention_cache.layers, cache.cross_attention_cache.layers
    head = WIDTH // 4
    assert [layer.keys.shape for layer in own] == 2 * [(9, 4, steps, head)] + 2 * [(9, 4, steps, head // 4)]
    words, images = inputs["ids"].shape[1], 10
    backbone, beside = (9, 4, words + images * fed, head), (9, 4, words + images, head // 4)
    assert [layer.keys.shape for layer in across] == 2 * [backbone] + 2 * [beside]


@both
@fed
def test_beams_of_an_example_read_that_example(family, fed):
    model, context = ladder(family, fed)
    model.eval()
    stir(model)
    inputs = batch()
    inputs.pop("labels")
    with context.on(TASKS[0]):
        together = model.generate(**inputs, beams=4, max_length=8)
        for row, found in enumerate(together):
            alone = model.generate(
                **{name: part[row : row + 1] for name, part in inputs.items()}, beams=4, max_length=8
            )
            assert torch.equal(found[: alone.shape[1]], alone[0])
    assert len({tuple(row.tolist()) for row in together}) > 1


# --- starting weights


def strongest(matrix, number):
    sums = [row.abs().sum().item() for row in matrix]
    return sorted(sorted(range(len(sums)), key=lambda row: -sums[row])[:number])


@both
def test_layers_start_from_the_strongest_rows_and_columns(family):
    """The chain of kept features, written out by the names of the first encoder layer and of the decoder's end."""
    model, _ = ladder(family, False)
    side, table = model.lm.pet, model.lm.get_input_embeddings().weight
    kept = strongest(table.T, NARROW)
    if family == "bart":
        wide, narrow = model.lm.model.encoder.layers[0], side.encoder.layers[0]
        attention, twin = wide.self_attn, narrow.self_attn
        inputs, output, up, down = ("q_proj", "k_proj", "v_proj"), "out_proj", "fc1", "fc2"
        feed_forward, narrow_feed_forward = wide, narrow
    else:
        wide, narrow = model.lm.encoder.block[0].layer, side.encoder.layers[0].layer
        attention, twin = wide[0].SelfAttention, narrow[0].SelfAttention
        inputs, output, up, down = ("q", "k", "v"), "o", "wi", "wo"
        feed_forward, narrow_feed_forward = wide[1].DenseReluDense, narrow[1].DenseReluDense
        assert torch.equal(narrow[0].layer_norm.weight, wide[0].layer_norm.weight[kept])
        assert torch.equal(twin.relative_attention_bias.weight, attention.relative_attention_bias.weight)
    q, k, v = (getattr(attention, name).weight[:, kept] for name in inputs)
    hidden = strongest(q * k * v, NARROW)
    for name, part in zip(inputs, (q, k, v), strict=True):
        assert torch.equal(getattr(twin, name).weight, part[hidden])
    o = getattr(attention, output)
    given = strongest(o.weight[:, hidden], NARROW)
    assert torch.equal(getattr(twin, output).weight, o.weight[given][:, hidden])
    if family == "bart":
        assert torch.equal(twin.q_proj.bias, attention.q_proj.bias[hidden])
        assert torch.equal(twin.out_proj.bias, o.bias[given])
        for part in ("weight", "bias"):
            norm = getattr(wide.self_attn_layer_norm, part)[given]
            assert torch.equal(getattr(narrow.self_attn_layer_norm, part), norm)
    units = strongest(getattr(feed_forward, up).weight[:, given], 12)
    last = strongest(getattr(feed_forward, down).weight[:, units], NARROW)
    assert torch.equal(getattr(narrow_feed_forward, up).weight, getattr(feed_forward, up).weight[units][:, given])
    assert torch.equal(getattr(narrow_feed_forward, down).weight, getattr(feed_forward, down).weight[last][:, units])
    wide_values = {
        value.item()
        for value in model.lm.get_decoder().state_dict(keep_vars=True).values()
        for value in value.flatten()
    }
    for name, parameter in side.decoder.layers.named_parameters():
        assert set(parameter.flatten().tolist()) <= wide_values, name
    assert not side.decoder.gates.any() and not side.encoder.gates.any()


# --- counts and refusals

VISUAL = {"bart-base": 1_582_848, "t5-base": 1_581_312}
BACKBONE = {"bart-base": 141_156_864, "t5-base": 224_540_160}  # with the visual embedding


def side_numbers(family, layers, width, hidden, heads, buckets):
    """Parameters of a side network of ``width`` beside ``layers`` + ``layers`` layers of width 768."""
    if family == "bart":
        attention, norm = 4 * (width * width + width), 2 * width
        feed_forward, extra = 2 * width * hidden + hidden + width, 0
    else:
        attention, norm = 4 * width * width, width
        feed_forward, extra = 2 * width * hidden, 2 * (buckets * heads + width)  # tables and final norms
    encoder, decoder = attention + feed_forward + 2 * norm, 2 * attention + feed_forward + 3 * norm
    down = 2 * (layers + 1) * (768 * width + width)
    return layers * (encoder + decoder) + extra + down + 2 * layers + width * 768 + 768


@pytest.mark.parametrize(("backbone", "layers", "percent"), [("t5-base", 12, 7.46), ("bart-base", 6, 6.70)])
def test_counts(backbone, layers, percent):
    spec = get(backbone)
    method = plugins.find_methods().get("lst").configured(spec.family, "image-text", backbone)
    counts = count(method, spec, "image-text")
    added = side_numbers(spec.family, layers, 192, 768, 12, 32)
    assert counts.trained == VISUAL[backbone] + added
    assert counts.total == BACKBONE[backbone] + added
    assert counts.added_at_inference == added and counts.frozen_extra == 0
    assert round(counts.updated_percent, 2) == percent


@pytest.mark.parametrize(
    ("family", "reduction", "message"),
    [
        ("bart", 5, r"reduction_factor \(5\) must divide d_model, which is 32"),
        ("bart", 16, r"reduction_factor \(16\) leaves a width of 2 to 4 heads"),
        ("t5", 16, r"reduction_factor \(16\) must divide d_kv, which is 8"),
    ],
)
def test_a_width_that_cannot_be_divided_is_refused(family, reduction, message):
    with pytest.raises(ValueError, match=message):
        build("lst", family=family, reduction_factor=reduction)


def test_a_second_side_network_is_refused():
    model, context, method = build("lst")
    with pytest.raises(ValueError, match="two methods at one place"):
        method.attach(model, context)
