"""VL-T5's joint encoder against a reference written out by hand, and against transformers' own T5."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, embedding, gelu, relu, softmax
from transformers import T5Config

from harness.backbones.specs import FAMILIES
from harness.backbones.t5 import JointT5
from methods import prompt

WIDTH, HEADS, FEATURES, VOCABULARY = 32, 4, 12, 99
PAD, END = 0, 1
LABELS = torch.tensor([[5, 6, END], [7, END, -100], [9, 10, END]])


@pytest.fixture(params=["relu", "gated-gelu"], ids=["t5", "t5 v1.1"])
def model(request):
    """The first T5 ties and scales its head; v1.1 has gated feed-forward layers and a head of its own."""
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        d_kv=6,  # heads need not add up to the width
        d_ff=48,
        num_layers=2,
        num_heads=HEADS,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=16,
        feed_forward_proj=request.param,
        decoder_start_token_id=PAD,
    )
    config.tie_word_embeddings = request.param == "relu"  # given above, transformers would set it to True
    built = JointT5(FAMILIES["t5"].build(config), FEATURES)
    with torch.no_grad():  # away from unit norms and small position biases, so that none goes unnoticed
        for parameter in built.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        for stack in (built.lm.encoder, built.lm.decoder):
            stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight.normal_()
    return built.double().eval()


class Constant(nn.Module):
    """A prompt of three vectors."""

    def __init__(self):
        super().__init__()
        self.vectors = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def forward(self):
        return self.vectors


def bucket(distance):
    """Of 8: the first 4 for keys up to the query, each half with two exact ones and two on a logarithmic scale."""
    steps = abs(distance)
    far = 2 + int(math.log(max(steps, 1) / 2) / math.log(16 / 2) * 2) if steps >= 2 else steps
    return min(far, 3) + (4 if distance > 0 else 0)


def reference_bias(weights, words, length):
    """(heads, length, length): the table's bias among words, zero elsewhere."""
    table = weights["lm.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    bias = torch.zeros(HEADS, length, length, dtype=torch.float64)
    for query in range(words):
        for key in range(words):
            bias[:, query, key] = table[bucket(key - query)]
    return bias


def norm(weight, u):
    return weight * u / (u.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()


def reference_encoder(weights, inputs, prompts):
    """[prompt; text; visual] through pre-norm layers, from the tensors of the state dict alone."""
    ids, mask, features = inputs.values()
    table = weights["lm.shared.weight"]
    visual = []
    for image in range(features.shape[1]):
        box = norm(weights["visual.box.1.weight"], weights["visual.box.0.bias"])
        for token in range(features.shape[2]):
            seen = features[:, image, token] @ weights["visual.feature.0.weight"].T + weights["visual.feature.0.bias"]
            seen = norm(weights["visual.feature.1.weight"], seen)
            order = weights["visual.image_order.weight"][image]
            visual.append(seen + box + order + table[VOCABULARY - 1 - token])
    states = torch.cat([prompts.expand(len(ids), -1, -1), embedding(ids, table), torch.stack(visual, dim=1)], dim=1)
    before, after = torch.zeros(len(ids), len(prompts)).bool(), torch.zeros(len(ids), len(visual)).bool()
    hidden = torch.cat([before, mask == 0, after], dim=1)
    bias = reference_bias(weights, len(prompts) + ids.shape[1], states.shape[1])

    for index in range(2):
        name = f"lm.encoder.block.{index}.layer.0"
        u = norm(weights[f"{name}.layer_norm.weight"], states)
        q, k, v = (
            (u @ weights[f"{name}.SelfAttention.{role}.weight"].T).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for role in "qkv"
        )
        scores = (q @ k.transpose(-1, -2) + bias).masked_fill(hidden[:, None, None], -math.inf)  # not scaled
        attended = (softmax(scores, dim=-1) @ v).transpose(1, 2).flatten(2)
        states = states + attended @ weights[f"{name}.SelfAttention.o.weight"].T
        name = f"lm.encoder.block.{index}.layer.1"
        u = norm(weights[f"{name}.layer_norm.weight"], states)
        dense = f"{name}.DenseReluDense"
        if f"{dense}.wi.weight" in weights:
            u = relu(u @ weights[f"{dense}.wi.weight"].T)
        else:
            gate = gelu(u @ weights[f"{dense}.wi_0.weight"].T, approximate="tanh")
            u = gate * (u @ weights[f"{dense}.wi_1.weight"].T)
        states = states + u @ weights[f"{dense}.wo.weight"].T
    return norm(weights["lm.encoder.final_layer_norm.weight"], states)


def close(found, expected):
    """T5's norm takes its mean in float32 whatever the weights are."""
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("prompted", [False, True])
def test_joint_encoder_equals_the_hand_written_reference(model, inputs, prompted):
    vectors = torch.zeros(0, WIDTH, dtype=torch.float64)
    if prompted:
        prompt(model, Constant())
        vectors = Constant().vectors
    states, mask = model.encode(**inputs)
    close(states.last_hidden_state, reference_encoder(model.state_dict(), inputs, vectors))
    before = [1] * len(vectors)
    assert mask.tolist() == [before + [1] * 4 + [0] * 3 + [1] * 10, before + [1] * 17, before + [1] * 17]


@torch.no_grad()
def test_without_images_it_is_transformers_own_t5(model, inputs):
    inputs["features"] = inputs["features"][:, :, :0]
    own = model.lm(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=LABELS)
    torch.testing.assert_close(model.encode(**inputs)[0].last_hidden_state, own.encoder_last_hidden_state)
    torch.testing.assert_close(model(**inputs, labels=LABELS), own.logits)


@torch.no_grad()
def test_pairs_with_a_visual_token_have_no_position_bias(model, inputs):
    prompt(model, Constant())
    seen = []
    for block in model.lm.encoder.block:
        block.register_forward_pre_hook(lambda _, args: seen.append(args[2]))
    model.encode(**inputs)
    assert len(seen) == 2 and torch.equal(seen[0], seen[1])
    assert seen[0].shape == (1, HEADS, 20, 20)
    assert seen[0][..., :10, :10].all()  # prompts count as words
    assert not seen[0][..., 10:, :].any() and not seen[0][..., :, 10:].any()


@torch.no_grad()
def test_the_order_of_visual_tokens_is_in_their_embedding_alone(model, inputs):
    table = model.lm.get_input_embeddings().weight
    table[VOCABULARY - 5 :] = table[-1].clone()  # one place row for all five
    model.visual.image_order.weight.copy_(model.visual.image_order.weight[:1].expand(2, -1))
    straight = model.encode(**inputs)[0].last_hidden_state
    mixed = model.encode(**dict(inputs, features=inputs["features"].flip(2)))[0].last_hidden_state
    close(mixed[:, :7], straight[:, :7])


@torch.no_grad()
def test_padding_never_changes_a_result(model, inputs):
    logits = model(**inputs, labels=LABELS)
    wide = dict(
        inputs,
        ids=nn.functional.pad(inputs["ids"], (0, 4), value=PAD),
        mask=nn.functional.pad(inputs["mask"], (0, 4), value=0),
    )
    close(model(**wide, labels=LABELS), logits)
    alone = {name: tensor[:1] for name, tensor in inputs.items()}
    alone = dict(alone, ids=alone["ids"][:, :4], mask=alone["mask"][:, :4])
    close(model(**alone, labels=LABELS[:1]), logits[:1])


@torch.no_grad()
def test_logits_are_teacher_forced_from_the_start_token(model, inputs):
    logits = model(**inputs, labels=LABELS)
    decoder_ids = torch.tensor([[PAD, 5, 6], [PAD, 7, END], [PAD, 9, 10]])
    torch.testing.assert_close(model.next_token_logits(**inputs, decoder_ids=decoder_ids), logits[:, -1])
    torch.testing.assert_close(model.next_token_logits(**inputs, decoder_ids=decoder_ids[:, :2]), logits[:, 1])


@torch.no_grad()
def test_cached_generation_follows_the_next_token_logits_computed_without_cache(model, inputs):
    found = model.generate(**inputs, beams=1, max_length=8)
    expected = torch.full((3, 1), PAD)
    for _ in range(found.shape[1] - 1):
        step = model.next_token_logits(**inputs, decoder_ids=expected).argmax(-1)
        ended = (expected[:, 1:] == END).any(-1)
        expected = torch.cat([expected, step.where(~ended, PAD)[:, None]], dim=1)
    assert found.shape[1] > 2
    assert torch.equal(found, expected)


def test_fused_attention_equals_eager_with_its_gradients(model, inputs):
    """The table of position biases enters fused attention by its mask; its gradient must come back from there."""
    found = {}
    model.requires_grad_(True)
    for attention in ("eager", "sdpa"):
        model.lm.set_attn_implementation(attention)
        assert model.lm.encoder.config._attn_implementation == attention
        model.zero_grad()
        logits = model(**inputs, labels=LABELS)
        cross_entropy(logits.flatten(0, 1), LABELS.flatten()).backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        assert gradients["lm.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"].any()
        found[attention] = [logits.detach(), *gradients.values()]
        with torch.no_grad():
            found[attention].append(model.generate(**inputs, beams=3, max_length=8))
    torch.testing.assert_close(found["sdpa"], found["eager"], rtol=1e-5, atol=1e-6)


def test_dropout_is_drawn_over_the_whole_input_and_after_the_last_norm(model, inputs):
    model.lm.encoder.dropout.p = 0.5
    model.lm.encoder.train()
    model.training = True
    seen = []
    model.lm.encoder.block[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    seen.append(model.encode(**inputs)[0].last_hidden_state)
    for states in seen:
        for part in (states[:, :7], states[:, 7:]):
            assert (part == 0).double().mean().item() == pytest.approx(0.5, abs=0.1)


def test_new_modules_keep_torchs_defaults_and_norms_are_t5s(model):
    linear = nn.Linear(200, 200)
    before = linear.weight.clone()
    assert torch.equal(model.initialise(linear).weight, before)
    new = JointT5(model.lm, 200).visual
    assert new.feature[0].bias.any()  # BART's rule would have zeroed it
    assert new.image_order.weight.std().item() == pytest.approx(1.0, abs=0.3)
    assert [name for name, _ in new.feature[1].named_parameters()] == ["weight"]
    x = torch.randn(3, WIDTH)
    torch.testing.assert_close(new.feature[1](x), norm(torch.ones(WIDTH), x))


def test_sites_name_the_linears_of_plain_and_gated_feed_forward_layers(model):
    gated = model.lm.config.is_gated_act
    for site in model.sites:
        if site.kind == "ffn":
            assert list(site.linears) == (["gate", "up", "down"] if gated else ["up", "down"])
            x = torch.randn(2, WIDTH, dtype=torch.float64)
            up = site.linears["up"](x)
            inner = gelu(site.linears["gate"](x), approximate="tanh") * up if gated else relu(up)
            dense = model.lm.get_submodule(f"{site.stack}.block.{site.layer}").layer[-1].DenseReluDense
            torch.testing.assert_close(dense(x), site.linears["down"](inner))
        else:
            assert list(site.linears) == ["q", "k", "v", "o"]
            assert site.heads == HEADS and site.width == WIDTH


def test_generation_has_no_settings_of_its_own_unless_overridden(model):
    assert model.generation == {}
    assert JointT5(model.lm, FEATURES, {"no_repeat_ngram_size": 3}).generation == {"no_repeat_ngram_size": 3}
