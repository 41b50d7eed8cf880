"""The backbones that exist: their architecture, sizes and where their weights are published."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PretrainedConfig,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from harness.backbones.bart import JointBart
from harness.backbones.joint import JointBackbone
from harness.backbones.t5 import JointT5
from harness.backbones.weights import EMBEDDED


@dataclass(frozen=True)
class BackboneSpec:
    """What is known about a backbone without its weights. Either ``hub`` or ``embedded`` is set."""

    name: str
    title: str
    family: str  # a key of `FAMILIES`
    encoder: str  # the image encoder whose features it reads in real runs
    feature_widths: Mapping[str, int]  # by kind of suite, as in the papers; for parameter tables
    config: Mapping[str, Any] = field(default_factory=dict)  # of a hub backbone, before tokens are added
    hub: str = ""  # Hugging Face id
    embedded: Path | None = None  # folder with configuration, weights and tokenizer
    added_tokens: tuple[str, ...] = ()  # appended to the vocabulary, in this order
    spare_rows: int = 0  # of the published token table, which no token of its tokenizer has; added tokens take them
    like: str = ""  # another backbone, whose presets and tuned rates serve this one too

    def __hash__(self) -> int:
        return hash(self.name)  # mappings have none

    @property
    def added_rows(self) -> int:
        """Rows that the token table gains."""
        return len(self.added_tokens) - self.spare_rows


@dataclass(frozen=True)
class Family:
    """transformers' classes of a family and the joint backbone around them."""

    joint: type[JointBackbone]
    config: type[PretrainedConfig]
    model: type[PreTrainedModel]

    def build(self, config: PretrainedConfig) -> PreTrainedModel:
        """A random language model of a configuration's shape.

        ``tie_word_embeddings`` decides on the output head alone: it is the token table, or a table of its own as in
        T5 v1.1. (In transformers the same switch would also part encoder's and decoder's token tables.)
        """
        config = deepcopy(config)
        tied, config.tie_word_embeddings = config.tie_word_embeddings, True
        model = self.model(config)
        if not tied:
            model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
            config.tie_word_embeddings = False
        return model


FAMILIES: Mapping[str, Family] = {
    "bart": Family(JointBart, BartConfig, BartForConditionalGeneration),
    "t5": Family(JointT5, T5Config, T5ForConditionalGeneration),
}

BART_BASE = {
    "vocab_size": 50265,
    "d_model": 768,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 12,
    "decoder_attention_heads": 12,
    "encoder_ffn_dim": 3072,
    "decoder_ffn_dim": 3072,
    "max_position_embeddings": 1024,
    "activation_function": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "activation_dropout": 0.1,
    "init_std": 0.02,
    "scale_embedding": False,
}

T5_BASE = {
    "vocab_size": 32128,
    "d_model": 768,
    "d_kv": 64,
    "d_ff": 3072,
    "num_layers": 12,
    "num_decoder_layers": 12,
    "num_heads": 12,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "feed_forward_proj": "relu",
    "dropout_rate": 0.1,
    "layer_norm_epsilon": 1e-6,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
}

# In descending order, so that <vis_extra_id_0> is the last id and image token j reads row V - 1 - j. T5 has the
# <extra_id_...> of its own pre-training before them.
VL_T5_TOKENS = tuple(f"<vis_extra_id_{i}>" for i in reversed(range(100)))
VL_BART_TOKENS = (*(f"<extra_id_{i}>" for i in reversed(range(100))), *VL_T5_TOKENS)

PAPERS_FEATURES = {"image-text": 2048, "video-text": 512}  # widths of CLIP's, in VL-Adapter

MINI_BART = BackboneSpec(
    name="mini-bart",
    title="mini-BART (embedded)",
    family="bart",
    encoder="mini-clip",
    feature_widths={"image-text": 128, "video-text": 128},
    embedded=EMBEDDED / "mini-bart",
)

SPECS: Mapping[str, BackboneSpec] = {
    spec.name: spec
    for spec in (
        MINI_BART,
        replace(
            MINI_BART,
            name="mini-bart-text",
            title="mini-BART without V&L pre-training (embedded)",
            embedded=EMBEDDED / "mini-bart-text",
            like=MINI_BART.name,
        ),
        BackboneSpec(
            name="bart-base",
            title="VL-BART (BART-base)",
            family="bart",
            encoder="clip-rn101",
            feature_widths=PAPERS_FEATURES,
            config=BART_BASE,
            hub="facebook/bart-base",
            added_tokens=VL_BART_TOKENS,
        ),
        BackboneSpec(
            name="t5-base",
            title="VL-T5 (T5-base)",
            family="t5",
            encoder="clip-rn101",
            feature_widths=PAPERS_FEATURES,
            config=T5_BASE,
            hub="google-t5/t5-base",
            added_tokens=VL_T5_TOKENS,
            spare_rows=28,  # 32,128 rows for 32,100 tokens
        ),
    )
}
