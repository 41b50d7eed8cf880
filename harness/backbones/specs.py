"""The backbones that exist: their architecture, sizes and where their weights are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import BartConfig, BartForConditionalGeneration, PretrainedConfig, PreTrainedModel

from harness.backbones.bart import JointBart
from harness.backbones.joint import JointBackbone
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
    generation: Mapping[str, Any] = field(default_factory=dict)  # overrides of the family's settings
    like: str = ""  # another backbone, whose presets and tuned rates serve this one too


@dataclass(frozen=True)
class Family:
    """transformers' classes of a family and the joint backbone around them."""

    joint: type[JointBackbone]
    config: type[PretrainedConfig]
    model: type[PreTrainedModel]


FAMILIES: Mapping[str, Family] = {"bart": Family(JointBart, BartConfig, BartForConditionalGeneration)}

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

# Both in descending order, so that <vis_extra_id_0> is the last id and image token j reads row V - 1 - j.
VL_BART_TOKENS = tuple(f"<{name}_{i}>" for name in ("extra_id", "vis_extra_id") for i in reversed(range(100)))

MINI_BART = BackboneSpec(
    name="mini-bart",
    title="mini-BART (embedded)",
    family="bart",
    encoder="mini-clip",
    feature_widths={"image-text": 128, "video-text": 128},
    embedded=EMBEDDED / "mini-bart",
    generation={"no_repeat_ngram_size": 0},  # its captions may repeat three words: "and a red ... and a red"
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
            encoder="clip-vit-b32",
            feature_widths={"image-text": 2048, "video-text": 512},
            config=BART_BASE,
            hub="facebook/bart-base",
            added_tokens=VL_BART_TOKENS,
        ),
    )
}
