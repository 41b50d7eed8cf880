"""Finding, building and loading backbones, on tiny checkpoints written here."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BartConfig, BartForConditionalGeneration

from harness import backbones
from harness.backbones.bart import JointBart
from harness.backbones.specs import VL_BART_TOKENS
from harness.errors import Unavailable, UserError

WORDS = ("<s>", "<pad>", "</s>", "<unk>", "red", "blue")
CONFIG = {
    "vocab_size": len(WORDS),
    "d_model": 8,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 8,
    "decoder_ffn_dim": 8,
    "max_position_embeddings": 16,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
HUB = dataclasses.replace(backbones.get("bart-base"), config=CONFIG, hub="nobody/nothing")


def write_tokenizer(folder):
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture
def checkpoint(tmp_path):
    """A BART checkpoint as the hub holds them, where --weights expects it."""
    torch.manual_seed(0)
    lm = BartForConditionalGeneration(BartConfig(**CONFIG, num_beams=4))
    folder = tmp_path / "bart-base"
    lm.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


@pytest.fixture
def embedded(tmp_path):
    """An embedded backbone as pre-training writes it, tied tensors once."""
    torch.manual_seed(0)
    model = JointBart(BartForConditionalGeneration(BartConfig(**CONFIG)), feature_width=4)
    once = {tensor.data_ptr(): (name, tensor) for name, tensor in model.state_dict().items()}
    save_file(dict(once.values()), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    write_tokenizer(tmp_path)
    spec = dataclasses.replace(backbones.get("mini-bart"), embedded=tmp_path, feature_widths={"image-text": 4})
    return spec, model


def test_unknown_names_are_answered_with_the_nearest():
    assert {"bart-base", "mini-bart"} <= set(backbones.known())
    with pytest.raises(UserError, match="unknown backbone 'bart-bse'; did you mean 'bart-base'"):
        backbones.get("bart-bse")


def test_a_backbone_takes_the_presets_of_one_that_is_there():
    like = {spec.name: spec.like for spec in backbones.SPECS.values() if spec.like}
    assert like == {"mini-bart-text": "mini-bart"}


def test_on_meta_has_shapes_but_no_numbers():
    model = backbones.on_meta(backbones.get("bart-base"), "image-text")
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert model.lm.get_input_embeddings().weight.shape == (50465, 768)
    assert model.visual.feature[0].in_features == 2048
    with pytest.raises(UserError, match="serves no text suites; it serves: image-text, video-text"):
        backbones.on_meta(backbones.get("bart-base"), "text")


def test_a_hub_backbone_gains_the_tokens_of_vl_bart(checkpoint):
    loaded = backbones.load(HUB, feature_width=4, weights=checkpoint.parent)
    rows = len(WORDS) + 200
    assert VL_BART_TOKENS[0] == "<extra_id_99>"
    assert loaded.tokenizer.convert_tokens_to_ids(["<extra_id_99>", "<extra_id_0>"]) == [6, 105]
    assert loaded.tokenizer.convert_tokens_to_ids(["<vis_extra_id_99>", "<vis_extra_id_0>"]) == [106, rows - 1]
    assert loaded.tokenizer("red <extra_id_1> green").input_ids == [4, 104, 3]
    assert loaded.model.lm.get_input_embeddings().weight.shape == (rows, 8)
    assert loaded.model.lm.get_output_embeddings().weight is loaded.model.lm.get_input_embeddings().weight
    assert loaded.model.lm.final_logits_bias.shape == (1, rows)
    assert loaded.model.random_rows == 200
    assert loaded.model.lm.generation_config.num_beams in (None, 1)  # the checkpoint's own decoding is gone


def test_old_rows_are_the_checkpoints_and_new_ones_the_same_in_every_run(checkpoint):
    tables = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = backbones.load(HUB, feature_width=4, weights=checkpoint.parent).model
        tables.append(model.lm.get_input_embeddings().weight)
    published = load_file(checkpoint / "model.safetensors")["model.shared.weight"]
    assert torch.equal(tables[0][:6], published)
    assert torch.equal(tables[0], tables[1])
    assert tables[0][6:].std().item() == pytest.approx(0.02, rel=0.1)
    assert not tables[0].requires_grad


def test_an_embedded_backbone_comes_back_whole(embedded):
    spec, written = embedded
    loaded = backbones.load(spec, feature_width=4)
    for name, tensor in written.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name
    assert loaded.tokenizer.pad_token_id == 1
    assert loaded.model.random_rows == 0
    assert backbones.on_meta(spec, "image-text").width == 8


def test_an_embedded_backbone_reads_features_of_another_width_by_a_projection_drawn_anew(embedded):
    spec, written = embedded
    torch.manual_seed(1)
    loaded = backbones.load(spec, feature_width=6).model
    assert loaded.visual.feature[0].weight.shape == (8, 6) and loaded.visual.feature[0].weight.std() > 0
    for name, tensor in written.state_dict().items():
        assert name.startswith("visual.feature.") or torch.equal(loaded.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("visual.image_order.weight"), "missing tensors.*image_order"),
        (lambda t: t.update(more=torch.zeros(1)), "unexpected tensors.*more"),
        (lambda t: t.update({"visual.image_order.weight": torch.zeros(3, 8)}), "size mismatch"),
    ],
)
def test_an_embedded_file_that_does_not_fit_is_refused_in_one_line(embedded, change, message):
    spec, _ = embedded
    tensors = load_file(spec.embedded / "model.safetensors")
    change(tensors)
    save_file(tensors, spec.embedded / "model.safetensors")
    with pytest.raises(UserError, match=message) as caught:
        backbones.load(spec, feature_width=4)
    assert "\n" not in str(caught.value)


def test_a_broken_weights_file_is_refused(checkpoint):
    (checkpoint / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="not the weights of bart-base"):
        backbones.load(HUB, feature_width=4, weights=checkpoint.parent)


def test_a_checkpoint_that_lacks_tensors_is_refused(checkpoint):
    tensors = load_file(checkpoint / "model.safetensors")
    del tensors["model.encoder.layers.0.fc1.weight"]
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"missing tensors: .*layers\.0\.fc1\.weight"):
        backbones.load(HUB, feature_width=4, weights=checkpoint.parent)


def test_a_hub_backbone_is_read_from_the_hubs_cache_and_never_fetched(checkpoint, monkeypatch):
    def fetch(*_arguments, **_options):
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", fetch)
    with pytest.raises(Unavailable, match="hf download nobody/nothing"):
        backbones.load(HUB, 4)
    monkeypatch.setattr(backbones.weights, "try_to_load_from_cache", lambda _hub, name: str(checkpoint / name))
    assert backbones.load(HUB, 4).fingerprint == backbones.fingerprint(HUB, checkpoint.parent)


def test_what_is_missing_is_said_without_loading(tmp_path, checkpoint):
    assert "hf download nobody/nothing" in backbones.missing(HUB)
    assert backbones.missing(HUB, checkpoint.parent) is None
    (checkpoint / "tokenizer.json").unlink()
    assert "lack tokenizer.json" in backbones.missing(HUB, checkpoint.parent)
    nowhere = dataclasses.replace(backbones.get("mini-bart"), embedded=tmp_path / "nowhere")
    assert "python -m harness pretrain" in backbones.missing(nowhere)
    for call in (lambda: backbones.load(HUB, 4), lambda: backbones.load(nowhere, 4)):
        with pytest.raises(Unavailable):
            call()


def test_the_fingerprint_follows_the_files(embedded):
    spec, _ = embedded
    first = backbones.fingerprint(spec)
    assert first == backbones.load(spec, feature_width=4).fingerprint
    tensors = load_file(spec.embedded / "model.safetensors")
    tensors["visual.image_order.weight"] += 1
    save_file(tensors, spec.embedded / "model.safetensors")
    assert backbones.fingerprint(spec) != first
