"""VL-BART's joint encoder against a reference written out by hand, and the properties that the papers rely on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import embedding, gelu, layer_norm, softmax
from transformers import BartConfig, BartForConditionalGeneration

from harness.backbones.bart import JointBart

WIDTH, HEADS, FEATURES, VOCABULARY = 32, 4, 12, 99
PAD = 1


@pytest.fixture
def model():
    torch.manual_seed(1)
    config = BartConfig(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=64,
    )
    built = JointBart(BartForConditionalGeneration(config), FEATURES)
    with torch.no_grad():  # away from zero biases and unit norms, so that none goes unnoticed
        for parameter in built.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return built.double().eval()


def encoder_input(model, inputs):
    """What the first encoder layer reads, (b, s, width)."""
    seen = []
    layer = model.lm.model.encoder.layers[0]
    handle = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.encode(**inputs)
    handle.remove()
    return seen[0]


def reference_encoder(weights, inputs):
    """[text; visual] through post-norm layers, from the tensors of the state dict alone."""

    def linear(name, u):
        return u @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, u):
        return layer_norm(u, (u.shape[-1],), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5)

    ids, mask, features = inputs.values()
    table = weights["lm.model.shared.weight"]
    positions = weights["lm.model.encoder.embed_positions.weight"]
    text = embedding(ids, table) + positions[2 : 2 + ids.shape[1]]
    text = norm("lm.model.encoder.layernorm_embedding", text)
    visual = []
    for image in range(features.shape[1]):
        box = norm("visual.box.1", linear("visual.box.0", torch.zeros(5, dtype=torch.float64)))
        for token in range(features.shape[2]):
            seen = norm("visual.feature.1", linear("visual.feature.0", features[:, image, token]))
            order = weights["visual.image_order.weight"][image]
            visual.append(seen + box + order + table[VOCABULARY - 1 - token])
    states = torch.cat([text, torch.stack(visual, dim=1)], dim=1)
    hidden = torch.cat([mask == 0, torch.zeros(len(mask), len(visual), dtype=torch.bool)], dim=1)

    for index in range(2):
        name = f"lm.model.encoder.layers.{index}"
        q, k, v = (
            linear(f"{name}.self_attn.{role}_proj", states).unflatten(-1, (HEADS, -1)).transpose(1, 2) for role in "qkv"
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
        attended = softmax(scores.masked_fill(hidden[:, None, None], -math.inf), dim=-1) @ v
        out = linear(f"{name}.self_attn.out_proj", attended.transpose(1, 2).flatten(2))
        states = norm(f"{name}.self_attn_layer_norm", states + out)
        out = linear(f"{name}.fc2", gelu(linear(f"{name}.fc1", states)))
        states = norm(f"{name}.final_layer_norm", states + out)
    return states


@torch.no_grad()
def test_joint_encoder_equals_the_hand_written_reference(model, inputs):
    states, mask = model.encode(**inputs)
    torch.testing.assert_close(states.last_hidden_state, reference_encoder(model.state_dict(), inputs))
    assert mask.tolist() == [[1] * 4 + [0] * 3 + [1] * 10, [1] * 17, [1] * 17]


@torch.no_grad()
def test_without_images_it_is_transformers_own_encoder(model, inputs):
    inputs["features"] = inputs["features"][:, :, :0]
    own = model.lm.get_encoder()(input_ids=inputs["ids"], attention_mask=inputs["mask"]).last_hidden_state
    torch.testing.assert_close(model.encode(**inputs)[0].last_hidden_state, own)


@torch.no_grad()
def test_only_text_has_positions(model, inputs):
    before = encoder_input(model, inputs)
    model.lm.model.encoder.embed_positions.weight.normal_()
    after = encoder_input(model, inputs)
    assert not torch.isclose(before[:, :7], after[:, :7]).all(-1).any()
    assert torch.equal(before[:, 7:], after[:, 7:])


@torch.no_grad()
def test_visual_tokens_enter_as_the_visual_embedding_made_them_whatever_the_text(model, inputs):
    longer = dict(inputs, ids=inputs["ids"].repeat(1, 2), mask=inputs["mask"].repeat(1, 2))
    assert torch.equal(encoder_input(model, inputs)[:, 7:], encoder_input(model, longer)[:, 14:])


@torch.no_grad()
@pytest.mark.parametrize("token", [0, 3])
def test_token_j_of_each_image_reads_the_row_counted_from_the_end_of_the_table(model, inputs, token):
    table = model.lm.get_input_embeddings().weight
    before = model.visual(inputs["features"], table)
    table[VOCABULARY - 1 - token] += 1.0
    difference = model.visual(inputs["features"], table) - before
    moved = [place for place in range(10) if difference[:, place].abs().max() > 1e-9]
    assert moved == [token, 5 + token]
    torch.testing.assert_close(difference[:, moved], torch.ones_like(difference[:, moved]))


@torch.no_grad()
def test_two_images_differ_by_the_order_rows_alone(model, inputs):
    table = model.lm.get_input_embeddings().weight
    straight = model.visual(inputs["features"], table)
    swapped = model.visual(inputs["features"].flip(1), table)
    assert not torch.allclose(straight, torch.cat([swapped[:, 5:], swapped[:, :5]], dim=1))
    rows = model.visual.image_order.weight
    rows.copy_(rows.flip(0))
    swapped = model.visual(inputs["features"].flip(1), table)
    torch.testing.assert_close(straight, torch.cat([swapped[:, 5:], swapped[:, :5]], dim=1))


@torch.no_grad()
def test_more_images_than_order_rows_are_refused(model, inputs):
    inputs["features"] = inputs["features"].repeat(1, 2, 1, 1)
    with pytest.raises(ValueError, match="4 images per example; the visual embedding has room for 2"):
        model.encode(**inputs)


@torch.no_grad()
def test_padding_never_changes_a_result(model, inputs):
    labels = torch.tensor([[5, 6, 2], [7, 8, 2], [9, 10, 2]])
    logits = model(**inputs, labels=labels)
    wide = dict(
        inputs,
        ids=nn.functional.pad(inputs["ids"], (0, 4), value=PAD),
        mask=nn.functional.pad(inputs["mask"], (0, 4), value=0),
    )
    torch.testing.assert_close(model(**wide, labels=labels), logits)
    alone = {name: tensor[:1] for name, tensor in inputs.items()}
    alone = dict(alone, ids=alone["ids"][:, :4], mask=alone["mask"][:, :4])
    torch.testing.assert_close(model(**alone, labels=labels[:1]), logits[:1])
    assert torch.equal(model.generate(**wide, beams=3, max_length=8), model.generate(**inputs, beams=3, max_length=8))


@torch.no_grad()
def test_logits_are_teacher_forced_from_the_start_token(model, inputs):
    labels = torch.tensor([[5, 6, 2], [7, 2, -100], [9, 10, 2]])
    logits = model(**inputs, labels=labels)
    decoder_ids = torch.tensor([[2, 5, 6], [2, 7, 2], [2, 9, 10]])
    torch.testing.assert_close(model.next_token_logits(**inputs, decoder_ids=decoder_ids), logits[:, -1])
    torch.testing.assert_close(model.next_token_logits(**inputs, decoder_ids=decoder_ids[:, :2]), logits[:, 1])


@torch.no_grad()
def test_greedy_generation_follows_the_next_token_logits(model, inputs):
    found = model.generate(**inputs, beams=1, max_length=6, no_repeat_ngram_size=0)
    expected = torch.full((3, 1), 2)
    for _ in range(found.shape[1] - 1):
        step = model.next_token_logits(**inputs, decoder_ids=expected).argmax(-1)
        if expected.shape[1] == 5:
            step = torch.full_like(step, 2)  # the last place is for </s>
        ended = (expected[:, 1:] == 2).any(-1)
        expected = torch.cat([expected, step.where(~ended, PAD)[:, None]], dim=1)
    assert torch.equal(found, expected)


def test_generation_settings_are_the_published_ones_unless_overridden(model):
    assert model.generation["no_repeat_ngram_size"] == 3
    other = JointBart(model.lm, FEATURES, {"no_repeat_ngram_size": 0})
    assert other.generation["no_repeat_ngram_size"] == 0
    assert other.generation["early_stopping"] is True
    assert model.generation["no_repeat_ngram_size"] == 3


@torch.no_grad()
def test_a_repeated_trigram_is_kept_out_unless_the_task_allows_it(model, inputs):
    model.lm.get_output_embeddings().weight.zero_()
    model.lm.final_logits_bias.zero_()
    model.lm.final_logits_bias[0, 7] = 9.0  # the model always says 7
    assert model.generate(**inputs, beams=1, max_length=8)[0, 1:-1].unique().tolist() != [7]
    repeated = model.generate(**inputs, beams=1, max_length=8, no_repeat_ngram_size=0)
    assert repeated[0, 1:-1].unique().tolist() == [7]
