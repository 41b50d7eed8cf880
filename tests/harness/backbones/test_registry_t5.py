"""Loading checkpoints of the T5 family, on tiny ones written here."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import T5Config, T5ForConditionalGeneration

from harness import backbones
from harness.backbones.weights import load_tokenizer
from harness.errors import UserError
from harness.evaluation import choice_tokens

WORDS = ("<pad>", "</s>", "<unk>", "red", "blue", "true", "false", "<extra_id_1>", "<extra_id_0>")
ROWS = 12  # three more than words, as T5's own tables have more
SPEC = backbones.get("t5-base")
SHAPES = {
    "t5": {"feed_forward_proj": "relu"},
    "t5 v1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}


def write_tokenizer(folder, words=WORDS):
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))


def write(folder, **shape):
    """A random checkpoint as the hub holds them; that of v1.1 has a head beside its token table."""
    torch.manual_seed(0)
    config = T5Config(
        **{"vocab_size": ROWS, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}, **shape
    )
    model = T5ForConditionalGeneration(config)
    if shape.get("tie_word_embeddings") is False:
        model.lm_head.weight = torch.nn.Parameter(torch.randn(ROWS, 8))
    folder.mkdir(exist_ok=True)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return model.eval()


@pytest.fixture(params=SHAPES)
def published(request, tmp_path):
    """A checkpoint's folder where --weights expects it, and the model in it."""
    folder = tmp_path / "t5-base"
    return folder, write(folder, decoder_start_token_id=0, **SHAPES[request.param])


def test_it_gains_the_visual_tokens_after_its_spare_rows(published):
    folder, model = published
    loaded = backbones.load(SPEC, feature_width=4, weights=folder.parent)
    rows = len(WORDS) + 100
    assert loaded.tokenizer.convert_tokens_to_ids(["<vis_extra_id_99>", "<vis_extra_id_0>"]) == [9, rows - 1]
    assert loaded.tokenizer("red <extra_id_0> green").input_ids == [3, 8, 2, 1]
    assert loaded.tokenizer.bos_token is None
    table = loaded.model.lm.get_input_embeddings().weight
    assert torch.equal(table[:ROWS], model.shared.weight)
    assert table[ROWS:].shape == (97, 8)
    assert table[ROWS:].std().item() == pytest.approx(1.0, rel=0.1)  # torch's default, as in the published code
    assert loaded.model.random_rows == 97
    again = backbones.load(SPEC, feature_width=4, weights=folder.parent)
    assert torch.equal(again.model.lm.get_input_embeddings().weight, table)


@torch.no_grad()
def test_it_computes_what_the_checkpoint_computes(published):
    folder, model = published
    loaded = backbones.load(SPEC, feature_width=4, weights=folder.parent).model
    ids, labels = torch.tensor([[3, 4, 1]]), torch.tensor([[5, 1]])
    own = model(input_ids=ids, labels=labels).logits
    found = loaded(ids, torch.ones_like(ids), torch.zeros(1, 1, 0, 4), labels)
    torch.testing.assert_close(found[..., :ROWS], own)


def test_a_head_of_its_own_stays_apart_and_never_prefers_a_visual_token(published):
    folder, model = published
    loaded = backbones.load(SPEC, feature_width=4, weights=folder.parent).model
    head, table = loaded.lm.get_output_embeddings().weight, loaded.lm.get_input_embeddings().weight
    for stack in (loaded.lm.encoder, loaded.lm.decoder):
        assert stack.embed_tokens.weight is table
    if model.lm_head.weight is model.shared.weight:
        assert head is table
    else:
        assert torch.equal(head[:ROWS], model.lm_head.weight)
        torch.testing.assert_close(head[ROWS:], model.lm_head.weight.mean(0).expand(97, -1))


def test_its_numbers_are_counted_as_they_were_loaded(published):
    from harness.parameters import count
    from harness.plugins import find_methods

    folder, model = published
    loaded = backbones.load(SPEC, feature_width=4, weights=folder.parent).model
    method = find_methods().get("projection").configured("t5", "image-text", "t5-base")
    counts = count(method, SPEC, "image-text", loaded=loaded)
    tables = 1 if model.lm_head.weight is model.shared.weight else 2
    assert counts.language_model == sum(p.numel() for p in model.parameters())
    assert counts.token_rows == tables * 97 * 8
    assert counts.total == sum(p.numel() for p in loaded.parameters())


def test_choices_are_compared_at_the_first_decoder_step(published):
    folder, _ = published
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    assert choice_tokens(tokenizer, ("true", "false"), "nlvr2") == ([], [5, 6])


def test_a_checkpoint_without_a_start_token_is_refused(tmp_path):
    write(tmp_path / "t5-base")
    with pytest.raises(UserError, match=r"config\.json names no decoder_start_token_id"):
        backbones.load(SPEC, feature_width=4, weights=tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*WORDS, *"abcd"], "113 tokens after adding 100 to 13, which have 12 rows"),
        ([*WORDS, "<vis_extra_id_0>"], "109 tokens after adding 100 to 10, which have 12 rows"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path, words, message):
    folder = tmp_path / "t5-base"
    write(folder, decoder_start_token_id=0)
    write_tokenizer(folder, words)
    with pytest.raises(UserError, match=message):
        backbones.load(SPEC, feature_width=4, weights=tmp_path)


def test_the_checkpoint_of_another_family_is_refused(published):
    folder, _ = published
    spec = dataclasses.replace(backbones.get("bart-base"), name="t5-base")
    with pytest.raises(UserError, match="model_type 't5', not 'bart'"):
        backbones.load(spec, feature_width=4, weights=folder.parent)


def test_a_table_that_is_larger_than_the_vocabulary_loses_rows_without_tokens(tmp_path):
    folder = tmp_path / "t5-base"
    write(folder, decoder_start_token_id=0)
    spec = dataclasses.replace(SPEC, added_tokens=("<vis_extra_id_0>",))
    loaded = backbones.load(spec, feature_width=4, weights=tmp_path).model
    published = load_file(folder / "model.safetensors")["shared.weight"]
    assert torch.equal(loaded.lm.get_input_embeddings().weight, published[:10])
    assert loaded.random_rows == 0


def test_for_text_alone_rows_without_tokens_stay(published):
    folder, _ = published
    loaded = backbones.load(SPEC, feature_width=0, weights=folder.parent).model
    table = load_file(folder / "model.safetensors")["shared.weight"]
    assert torch.equal(loaded.lm.get_input_embeddings().weight, table)
    assert backbones.on_meta(SPEC, "text").lm.get_input_embeddings().weight.shape == (32128, 768)


def test_the_built_in_shape_is_that_of_vl_t5():
    model = backbones.on_meta(SPEC, "image-text")
    assert model.lm.get_input_embeddings().weight.shape == (32200, 768)
    assert model.random_rows == 72  # 28 of the 100 tokens take rows that t5-base has without a use
    assert SPEC.added_tokens[-1] == "<vis_extra_id_0>"
    assert model.lm.config.scale_decoder_outputs
