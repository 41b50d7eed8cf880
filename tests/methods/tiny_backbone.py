"""A random VL-BART of a few thousand parameters, without dropout, and batches for it."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration

from harness import plugins
from harness.backbones.bart import JointBart
from methods import Method, TaskContext

TASKS = ("vqa", "nlvr")
METHODS = plugins.find_methods()
WIDTH, FEATURES, VOCABULARY = 32, 12, 99
Batch = dict[str, Tensor]


def bare() -> JointBart:
    """The backbone before any method; the same numbers at every call, biases and norms away from 0 and 1."""
    torch.manual_seed(1)
    config = BartConfig(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=64,
        dropout=0.0,
    )
    model = JointBart(BartForConditionalGeneration(config), FEATURES, {"no_repeat_ngram_size": 0})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def configured(name: str, **overrides: object) -> Method:
    """A method with the sizes of the embedded backbone."""
    return METHODS.get(name).configured("bart", "image-text", "mini-bart", overrides)


def build(name: str, seed: int = 0, **overrides: object) -> tuple[JointBart, TaskContext, Method]:
    """The backbone with a method attached; ``seed`` draws the method's own parameters."""
    model, context, method = bare(), TaskContext(TASKS), configured(name, **overrides)
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


def loss_of(model: JointBart) -> Tensor:
    """Token cross-entropy of `batch`."""
    inputs = batch()
    return torch.nn.functional.cross_entropy(model(**inputs).flatten(0, 1), inputs["labels"].flatten())


def learn(model: JointBart, context: TaskContext, steps: int = 3) -> None:
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
