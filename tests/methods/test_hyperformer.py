"""Generated adapters against their formula in float64, at the right place in the layer; exact counts."""

from __future__ import annotations

import pytest
import torch
from reference import BART_NORMS, affine, away, check_layers, counted, gelu_tanh, visual_numbers
from tiny_backbone import TASKS, WIDTH, batch, build, learn
from torch.nn.functional import layer_norm

from harness.training import parameter_groups

NAMES = ("hyperformer", "hyperformer-efficient")
KINDS = {"self_attn.out_proj": "self_attn", "encoder_attn.out_proj": "cross_attn", "fc2": "ffn"}
each = pytest.mark.parametrize("name", NAMES)
LAYERS = {"bart-base": 6, "t5-base": 12}  # of each stack
NORMS = {"bart-base": BART_NORMS, "t5-base": 0}  # that train


@pytest.fixture
def x():
    return torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("name", "form"), [(NAMES[0], {}), (NAMES[1], {}), (NAMES[1], {"form": "original"})], ids=str)
@pytest.mark.parametrize("row", [0, 1])
def test_adapters_are_affine_in_the_embedding_of_task_and_place(name, form, row, x):
    model = away(build(name, reduction_factor=8, source=5, hidden=6, embedding=3, **form)[0])
    networks = model.lm.pet

    def place(exit_):
        parts = next(key for key, module in model.lm.named_modules() if module is exit_).split(".")
        return parts[1], int(parts[3]), KINDS[".".join(parts[4:])]

    def adapt(exit_, h):
        stack_name, layer, kind = place(exit_)
        if form and kind == "cross_attn":
            return h
        stack = networks.stacks[stack_name]
        e = stack.embedding
        vectors = [networks.tasks[row], e.tables[0].weight[layer]]
        if name == "hyperformer":
            generator = stack.generators[kind]
        else:
            generator = stack.generators["all"]
            vectors.append(e.tables[1].weight[["ffn", "self_attn", "cross_attn"].index(kind)])
        z = affine(e.second, affine(e.first, torch.cat(vectors)).relu())
        z = layer_norm(z, (3,), e.LayerNorm.weight, e.LayerNorm.bias, 1e-6)
        down = affine(generator.down, z).view(WIDTH // 8, WIDTH)
        up = affine(generator.up, z).view(WIDTH, WIDTH // 8)
        inner = gelu_tanh(h @ down.T + affine(generator.down_bias, z))
        change = inner @ up.T + affine(generator.up_bias, z)
        if form:  # a norm with generated scale and shift
            centred = change - change.mean(-1, keepdim=True)
            change = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
            change = change * affine(generator.scale, z) + affine(generator.shift_bias, z)
        return h + change

    with networks.context.on(TASKS[row]):
        inputs = {key: value.double() if value.is_floating_point() else value for key, value in batch().items()}
        with torch.no_grad():
            model(**inputs)  # generates the adapters of this task
        check_layers(model, x, after=adapt)


@each
def test_adapters_are_generated_once_per_batch_and_generation(name):
    model, context, _ = build(name)
    runs = []
    model.lm.pet.register_forward_hook(lambda *_: runs.append(context.task))
    inputs = batch()
    with context.on(TASKS[1]):
        model(**inputs)
        inputs.pop("labels")
        model.generate(**inputs, beams=2, max_length=6)
    assert runs == [TASKS[1]] * 2
    assert context.made is None


@each
def test_tasks_differ_by_their_vector_alone(name):
    model, context, _ = build(name)
    learn(model, context, steps=1)

    def outputs():
        found = []
        for task in TASKS:
            with context.on(task), torch.no_grad():
                found.append(model(**batch()))
        return found

    one, other = outputs()
    assert not torch.allclose(one, other, atol=1e-4)
    with torch.no_grad():
        model.lm.pet.tasks[1] = model.lm.pet.tasks[0]
    assert torch.equal(*outputs())


@pytest.mark.parametrize(("family", "deviation", "of_vectors"), [("bart", 0.02, 0.02), ("t5", 0.01, 1.0)])
@each
def test_starting_values_and_what_trains(name, family, deviation, of_vectors):
    model, _, _ = build(name, family=family, source=64)
    networks = model.lm.pet
    linears = [part for part in networks.modules() if isinstance(part, torch.nn.Linear)]
    weights = torch.cat([part.weight.flatten() for part in linears])
    assert weights.std().item() == pytest.approx(deviation, rel=0.05)
    assert not any(part.bias.any() for part in linears)
    vectors = torch.cat([t.weight.flatten() for s in networks.stacks.values() for t in s.embedding.tables])
    assert vectors.std().item() == pytest.approx(of_vectors, rel=0.15)
    assert networks.tasks.std().item() == pytest.approx(1, rel=0.2)
    others = [key for key, p in model.lm.named_parameters() if p.requires_grad and not key.startswith("pet.")]
    assert all("norm" in key for key in others) and len(others) == (24 if family == "bart" else 0)


@each
def test_generators_of_biases_and_the_norm_are_spared_weight_decay_as_in_the_published_code(name):
    model, _, _ = build(name)
    decayed = {id(parameter) for parameter in parameter_groups(model, 1e-3, 0.01)[0]["params"]}
    spared = {key for key, p in model.lm.pet.named_parameters() if id(p) not in decayed}
    weights = {key.split(".")[-2] for key in spared if key.endswith("weight")}
    assert weights == {"LayerNorm", "down_bias", "up_bias"}
    assert {"tasks", "stacks.decoder.embedding.tables.0.weight"}.isdisjoint(spared)


@pytest.mark.parametrize("kind", ["image-text", "video-text"])
@pytest.mark.parametrize("backbone", LAYERS)
@each
def test_counts(name, backbone, kind):
    width, rank, source, hidden, size = 768, 96, 512, 128, 8
    generator = (size + 1) * (2 * width * rank + rank + width)
    new = 4 * source  # a vector per task
    for kinds in (2, 3):  # encoder and decoder
        block_types = 0 if name == "hyperformer" else kinds
        inputs = (2 if name == "hyperformer" else 3) * source
        new += (LAYERS[backbone] + block_types) * source + (inputs + 1) * hidden + (hidden + 1) * size + 2 * size
        new += generator * (kinds if name == "hyperformer" else 1)
    counts = counted(name, backbone, kind)
    assert counts.trained == visual_numbers(backbone, kind) + NORMS[backbone] + new
    assert counts.total == counts.language_model + counts.token_rows + counts.visual_embedding + new
    assert counts.added_at_inference == new and counts.frozen_extra == 0


def test_the_original_trains_on_glue_what_its_paper_prints():
    width, rank, source, hidden, size = 768, 24, 64, 128, 64
    generators = (size + 1) * (2 * width * rank + rank + width + 2 * width)  # of an adapter and its norm
    embedding = (12 + 2) * source + (3 * source + 1) * hidden + (hidden + 1) * size + 2 * size
    new = 8 * source + 2 * (embedding + generators)
    counts = counted("hyperformer-efficient", "t5-base", "text")
    assert counts.trained == 5_211_056 == new + 62 * width  # all norms of T5-base
    assert counts.total == 222_903_552 + new


def test_the_original_trains_the_norms_of_t5_and_spares_what_makes_biases_weight_decay():
    model, _, _ = build("hyperformer-efficient", family="t5", form="original")
    others = {key for key, p in model.lm.named_parameters() if p.requires_grad and not key.startswith("pet.")}
    assert others == {key for key, _ in model.lm.named_parameters() if "norm" in key and not key.startswith("pet.")}
    decayed = {id(parameter) for parameter in parameter_groups(model, 1e-3, 0.01)[0]["params"]}
    generator = model.lm.pet.stacks["encoder"].generators["all"]
    assert id(generator.scale.weight) in decayed and id(generator.shift_bias.weight) not in decayed


@each
def test_a_bottleneck_without_units_is_refused(name):
    with pytest.raises(ValueError, match=rf"reduction_factor \(33\) leaves no bottleneck at width {WIDTH}"):
        build(name, reduction_factor=33)
