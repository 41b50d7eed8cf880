"""Prefixes in attention and generated weights, against formulas written out here in float64; exact counts."""

from __future__ import annotations

import pytest
import torch
from tiny_backbone import CONFIGS, TASKS, WIDTH, bare, batch, build, learn
from torch.nn.functional import layer_norm, softmax

from harness import plugins
from harness.backbones import get
from harness.parameters import count
from methods import prefix

NAMES = ("prefix", "mam", "hyperprefix", "hyperpelt")
both = pytest.mark.parametrize("family", CONFIGS)
each = pytest.mark.parametrize("name", NAMES)
HEADS, HEAD = 4, 8

TRAINED = {  # at the papers' four image-text tasks
    ("bart-base", "prefix"): 25_687_392,
    ("bart-base", "mam"): 1_582_848 + 3 * (30 * 768 + 615_200 + 801 * 6 * 2 * 768) + 12 * (2 * 512 * 768 + 1_280),
    ("bart-base", "hyperprefix"): 3_945_088,
    ("bart-base", "hyperpelt"): 8_940_336,
    ("t5-base", "prefix"): 1_581_312 + 3 * (49 * 768 + 615_200 + 801 * 12 * 2 * 768),
    ("t5-base", "mam"): 66_693_216,
    ("t5-base", "hyperprefix"): 3_942_784,
    ("t5-base", "hyperpelt"): 8_938_032,
}


def heads(u):
    return u.unflatten(-1, (HEADS, HEAD)).transpose(-2, -3)


@pytest.mark.parametrize(("backbone", "name"), TRAINED)
def test_counts(backbone, name):
    spec = get(backbone)
    method = plugins.find_methods().get(name).configured(spec.family, "image-text", backbone)
    assert count(method, spec, "image-text").trained == TRAINED[backbone, name]


def test_two_places_come_to_the_printed_total_of_prefix_tuning():
    spec, method = get("t5-base"), plugins.find_methods().get("prefix")
    counts = count(method(places=("encoder_self_attn", "decoder_self_attn")), spec, "image-text")
    assert round(1 + (counts.trained - counts.visual_embedding) / 222_903_552, 2) == 1.14
    assert counts.added_at_inference == 24 * 2 * 49 * 768  # folded


@both
def test_prefixes_stand_before_keys_and_values(family):
    torch.manual_seed(0)
    model = bare(family).double().eval()
    site = next(site for site in model.sites if site.stack == "decoder" and site.kind == "self_attn")
    keys, values = torch.randn(2, 1, HEADS, 3, HEAD, dtype=torch.float64)

    class Given(torch.nn.Module):
        def forward(self):
            return keys, values

    prefix(model, site, Given())
    x = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    q, k, v = (heads(site.linears[role](x)) for role in "qkv")
    scores = q @ k.mT + (site.attention.compute_bias(5, 5) if family == "t5" else 0)
    scores = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf)
    scores = torch.cat([q @ keys.mT, scores], dim=-1) * (1 if family == "t5" else HEAD**-0.5)
    mixed = softmax(scores, dim=-1) @ torch.cat([values.expand(2, -1, -1, -1), v], dim=2)
    expected = site.linears["o"](mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(site.attention(x)[0], expected)


def test_a_feed_forward_layer_has_no_prefix_and_changed_attention_is_refused():
    model, context, _ = build("prefix")
    with pytest.raises(ValueError, match="needs an attention; encoder layer 0 ffn has none"):
        prefix(model, model.sites[1], torch.nn.Identity())
    model.lm.set_attn_implementation("eager")
    with context.on(TASKS[0]), pytest.raises(RuntimeError, match="changed after a prefix was attached"):
        model(**batch())


@each
def test_weights_are_made_once_per_batch_and_generation_and_are_not_kept(name):
    model, context, _ = build(name)
    runs = []
    model.lm.pet.register_forward_hook(lambda *_: runs.append(1))
    inputs = batch()
    with context.on(TASKS[0]):
        model(**inputs)
        assert len(runs) == 1
        inputs.pop("labels")
        model.generate(**inputs, beams=2, max_length=6)
    assert len(runs) == 2
    assert context.made is None and context.image is None


@pytest.mark.parametrize("reading", ["patch", "pooled"])
def test_generated_prefixes_and_adapters(reading):
    model, context, _ = build("hyperpelt", reading=reading, length=2, rank=3)
    model.double().eval()
    networks = model.lm.pet
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    inputs = {key: value.double() if value.is_floating_point() else value for key, value in batch().items()}
    with context.on(TASKS[1]), torch.no_grad():
        model(**inputs)
        image, made = context.image, context.made["decoder"]
    stack = networks.stacks["decoder"]

    def embed(z, layer, block):
        e = stack.embedding
        u = torch.cat([z, e.tables[0].weight[layer], e.tables[1].weight[block]])
        u = e.second.weight @ (e.first.weight @ u + e.first.bias).relu() + e.second.bias
        return layer_norm(u, u.shape, e.LayerNorm.weight, e.LayerNorm.bias, 1e-6)

    def write(generator, code):
        return generator.weight @ code + generator.bias

    task, tokens = networks.task.weight[1], networks.visual(image[2])  # of the third example
    place = 2 * 1 + 1  # layer 1, cross-attention
    rows = [*write(stack.task_prefix, embed(task, 1, 1)).view(2, 2, WIDTH)]
    if reading == "patch":
        rows += [write(stack.visual_prefix, embed(z, 1, 1)).view(2, WIDTH) for z in tokens]
    else:
        rows += [*write(stack.visual_prefix, embed(tokens.mean(0), 1, 1)).view(2, 2, WIDTH)]
    expected = heads(torch.stack(rows, dim=1))  # (2, heads, length, head width)
    torch.testing.assert_close(made.prefixes[place][:, 2], expected)

    site, y = model.sites[-1], torch.randn(6, 4, WIDTH, dtype=torch.float64)  # two beams of three examples
    context.made = {"decoder": made}
    found = site.exit.pet(y, y)[5]
    total = y[5]
    for generator, z in ((stack.task_adapter, task), (stack.visual_adapter, tokens.mean(0))):
        parts = (generator.down, generator.down_bias, generator.up, generator.up_bias)
        down, down_bias, up, up_bias = (write(part, embed(z, 1, 2)) for part in parts)
        u = y[5] @ down.view(3, WIDTH).T + down_bias
        u = 0.5 * u * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (u + 0.044715 * u**3)))
        total = total + u @ up.view(WIDTH, 3).T + up_bias
    torch.testing.assert_close(found, total)


@both
@pytest.mark.parametrize("name", ["hyperprefix", "hyperpelt"])
def test_tasks_differ_and_images_act_without_visual_tokens(family, name):
    model, context, _ = build(name, family=family, feed_visual_tokens=False)
    learn(model, context, steps=1)
    inputs = batch()
    found = []
    for task, scale in ((TASKS[0], 1), (TASKS[1], 1), (TASKS[0], -3)):
        with context.on(task), torch.no_grad():
            found.append(model(**{**inputs, "features": scale * inputs["features"]}))
            assert model.encode(inputs["ids"], inputs["mask"], inputs["features"])[1].shape == inputs["mask"].shape
    assert not torch.allclose(found[0], found[1], atol=1e-4)
    assert not torch.allclose(found[0], found[2], atol=1e-4)


@both
def test_mam_adapters_read_what_the_feed_forward_layer_reads(family):
    model, context, _ = build("mam", family=family)
    site = model.sites[1]
    learn(model, context, steps=1)
    seen = {}
    site.linears["up"].register_forward_pre_hook(lambda _, args: seen.update(x=args[0]))
    site.exit.pet.register_forward_hook(lambda _, args, out: seen.update(read=args[0], y=args[1], out=out))
    with context.on(TASKS[0]), torch.no_grad():
        model(**batch())
    pet = site.exit.pet
    inner = (seen["x"] @ pet.down.weight.T + pet.down.bias).relu()
    torch.testing.assert_close(seen["out"], seen["y"] + 4 * (inner @ pet.up.weight.T + pet.up.bias))
