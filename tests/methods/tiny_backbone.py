"""A random VL-BART and a random VL-T5 of a few thousand parameters, without dropout, and batches for them."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import plugins
from harness.backbones import JointBackbone
from harness.backbones.specs import FAMILIES
from methods import Method, TaskContext

TASKS = ("vqa", "nlvr")
METHODS = plugins.find_methods()
WIDTH, FEATURES, VOCABULARY = 32, 12, 99
Batch = dict[str, Tensor]


CONFIGS = {
    "bart": {
        "vocab_size": VOCABULARY,
        "d_model": WIDTH,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 64,
        "dropout": 0.0,
    },
    "t5": {
        "vocab_size": VOCABULARY,
        "d_model": WIDTH,
        "d_kv": 8,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 4,
        "dropout_rate": 0.0,
        "decoder_start_token_id": 0,
    },
}


def bare(family: str = "bart") -> JointBackbone:
    """The backbone before any method; the same numbers at every call, biases and norms away from 0 and 1."""
    torch.manual_seed(1)
    classes = FAMILIES[family]
    model = classes.joint(classes.build(classes.config(**CONFIGS[family])), FEATURES, {"no_repeat_ngram_size": 0})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def configured(name: str, family: str = "bart", **overrides: object) -> Method:
    """A method with the sizes of the embedded backbone."""
    return METHODS.get(name).configured(family, "image-text", "mini-bart", overrides)


def build(
    name: str, seed: int = 0, family: str = "bart", **overrides: object
) -> tuple[JointBackbone, TaskContext, Method]:
    """The backbone with a method attached; ``seed`` draws the method's own parameters."""
    model, context, method = bare(family), TaskContext(TASKS), configured(name, family, **overrides)
    torch.manual_seed(seed)
    method.attach(model, context)
    return model, context, method


def batch() -> Batch:
    """Three examples of two images each; the first two texts are padded."""
    random = torch.Generator().manual_seed(3)
    mask = torch.ones(3, 7, dtype=torch.long)
    mask[0, -3:] = 0
    mask[1, -1:] = 0
    return {
        "ids": torch.randint(4, VOCABULARY, (3, 7), generator=random),
        "mask": mask,
        "features": torch.randn(3, 2, 5, FEATURES, generator=random),
        "labels": torch.randint(4, VOCABULARY, (3, 5), generator=random),
    }


def loss_of(model: JointBackbone) -> Tensor:
    """Token cross-entropy of `batch`."""
    inputs = batch()
    return torch.nn.functional.cross_entropy(model(**inputs).flatten(0, 1), inputs["labels"].flatten())


def learn(model: JointBackbone, context: TaskContext, steps: int = 3) -> None:
    """Take a few large optimiser steps on every task."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 0.02)
    model.train()
    for _ in range(steps):
        for task in TASKS:
            with context.on(task):
                optimiser.zero_grad()
                loss_of(model).backward()
                optimiser.step()
    model.eval()
