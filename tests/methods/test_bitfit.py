"""BitFit with biases added where a backbone has none."""

from __future__ import annotations

import pytest
import torch
from reference import LANGUAGE_MODEL, affine, away, counted, visual_numbers
from tiny_backbone import FEATURES, WIDTH, batch, build
from torch.nn.functional import linear


def trained_names(model):
    return {name for name, parameter in model.lm.named_parameters() if parameter.requires_grad}


def attention(place, block):
    return {f"{place}.layer_norm", *(f"{place}.{block}.{role}" for role in "qkvo")}


def feed_forward(place):
    return {f"{place}.{part}" for part in ("layer_norm", "DenseReluDense.wi", "DenseReluDense.wo")}


def test_every_linear_layer_and_norm_of_t5_gets_a_bias_from_zero():
    model, _, _ = build("bitfit-added", family="t5")
    places = {"encoder.final_layer_norm", "decoder.final_layer_norm", "lm_head"}
    for block in ("block.0", "block.1"):
        places |= attention(f"encoder.{block}.layer.0", "SelfAttention") | feed_forward(f"encoder.{block}.layer.1")
        places |= attention(f"decoder.{block}.layer.0", "SelfAttention")
        places |= attention(f"decoder.{block}.layer.1", "EncDecAttention") | feed_forward(f"decoder.{block}.layer.2")
    assert trained_names(model) == {f"{place}.bias" for place in places}
    assert not any(model.lm.get_parameter(name).any() for name in trained_names(model))


def test_a_feed_forward_layer_of_t5_computes_with_its_biases():
    model, _, _ = build("bitfit-added", family="t5")
    away(model)
    x = torch.randn(2, 6, WIDTH, dtype=torch.float64)
    for stack, last in ((model.lm.encoder, 1), (model.lm.decoder, 2)):
        layer = stack.block[1].layer[last]
        dense, norm = layer.DenseReluDense, layer.layer_norm
        u = norm.weight * x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() + norm.bias
        expected = x + affine(dense.wo, affine(dense.wi, u).relu())
        torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)  # T5's norm computes in float32


def test_q_k_v_o_of_t5_compute_with_their_biases():
    model, _, _ = build("bitfit-added", family="t5")
    away(model)
    x = torch.randn(2, 6, WIDTH, dtype=torch.float64)
    for site in model.sites:
        for role in set("qkvo") & site.linears.keys():
            layer = site.linears[role]
            assert layer.bias.any()
            torch.testing.assert_close(layer(x) - linear(x, layer.weight), layer.bias.expand(2, 6, -1))


def test_norms_of_t5s_visual_embedding_get_a_bias_too():
    model, _, _ = build("bitfit-added", family="t5")
    features, table = torch.randn(1, 1, 3, FEATURES), model.lm.get_input_embeddings().weight
    before, shift = model.visual(features, table), torch.randn(2, WIDTH)
    with torch.no_grad():
        for norm, vector in zip((model.visual.feature[1], model.visual.box[1]), shift, strict=True):
            assert not norm.bias.any() and norm.bias.requires_grad
            norm.bias.add_(vector)
    torch.testing.assert_close(model.visual(features, table) - before, shift.sum(0).expand_as(before))


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_the_output_head_gets_a_bias(family):
    model, _, _ = build("bitfit-added", family=family)
    model.eval()
    inputs = batch()
    read = {**inputs, "decoder_ids": inputs["labels"]}
    del read["labels"]
    before, before_next = model(**inputs), model.next_token_logits(**read)
    shift = torch.randn(before.shape[-1])
    with torch.no_grad():
        assert not model.lm.lm_head.bias.any()
        model.lm.lm_head.bias.add_(shift)
    torch.testing.assert_close(model(**inputs) - before, shift.expand_as(before), atol=1e-4, rtol=1e-4)
    found = model.next_token_logits(**read) - before_next
    torch.testing.assert_close(found, shift.expand_as(found), atol=1e-4, rtol=1e-4)


def test_on_bart_it_is_bitfit_with_a_bias_of_the_output_head():
    added, plain = build("bitfit-added")[0], build("bitfit")[0]
    assert trained_names(added) == trained_names(plain) | {"lm_head.bias"}
    assert len(trained_names(plain)) > 20


# Bias vectors of layers of T5-base: q, k, v, o of each attention, the two linear layers, and a norm per sub-layer.
ENCODER_LAYER = 4 * 768 + (3072 + 768) + 2 * 768
DECODER_LAYER = 2 * 4 * 768 + (3072 + 768) + 3 * 768


@pytest.mark.parametrize("kind", ["image-text", "video-text"])
def test_counts_on_t5(kind):
    added = 12 * (ENCODER_LAYER + DECODER_LAYER) + 2 * 768 + (32_128 + 72) + 2 * 768  # the last: visual norms
    visual = visual_numbers("t5-base", kind)
    counts = counted("bitfit-added", "t5-base", kind)
    assert counts.trained == added + visual
    assert counts.total == LANGUAGE_MODEL["t5-base"] + visual + added
    assert counts.added_at_inference == added  # T5 has no place for them


def test_counts_on_bart():
    added, plain = counted("bitfit-added"), counted("bitfit")
    assert added.trained - plain.trained == added.total - plain.total == 50_265 + 200
