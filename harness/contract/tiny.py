"""A random VL-BART and a random VL-T5 of a few thousand parameters, without dropout, and a batch for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from harness.backbones import JointBackbone
from harness.backbones.specs import FAMILIES
from methods import Method, TaskContext

TASKS = ("vqa", "nlvr")
WIDTH, FEATURES, VOCABULARY = 32, 12, 99
TARGETS = 5  # tokens of a target; beam search writes as many and more
Attention = Literal["eager", "sdpa"]

CONFIGS: Mapping[str, Mapping[str, Any]] = {
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


class Attached(NamedTuple):
    """A backbone with a method."""

    model: JointBackbone
    context: TaskContext
    method: Method

    def loss(self) -> Tensor:
        """What a training step minimises on `batch`; to be computed, with its gradient, while a task is active."""
        loss, extra = loss_of(self.model), self.method.regulariser(self.model)
        return loss if extra is None else loss + extra

    def learn(self, steps: int = 1) -> None:
        """Take large optimiser steps on every task, as the trainer does; one leaves zero initialisations behind."""
        optimiser = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], 0.02, fused=True)
        self.model.train()
        for done, task in enumerate(TASKS * steps, start=1):
            with self.context.on(task):
                optimiser.zero_grad()
                self.loss().backward()
                optimiser.step()
            self.method.after_step(self.model, done, steps * len(TASKS))
        self.model.eval()

    @torch.no_grad()
    def logits(self, **changes: Tensor) -> Tensor:
        """Of `batch` with some of its tensors changed, (tasks, examples, tokens, vocabulary), without dropout."""
        self.model.eval()
        found = []
        for task in TASKS:
            with self.context.on(task):
                found.append(self.model(**(batch() | changes)))
        return torch.stack(found)


def bare(family: str = "bart", attention: Attention = "sdpa") -> JointBackbone:
    """The backbone before any method; the same numbers at every call, biases and norms away from 0 and 1."""
    torch.manual_seed(1)
    classes = FAMILIES[family]
    lm = classes.build(classes.config(**CONFIGS[family]))
    lm.set_attn_implementation(attention)
    model = classes.joint(lm, FEATURES, {"no_repeat_ngram_size": 0, "min_length": TARGETS})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def configured(method: type[Method], family: str, **overrides: object) -> Method:
    """A method with the sizes of the embedded backbone."""
    return method.configured(family, "image-text", "mini-bart", overrides)


def build(
    method: type[Method], family: str, seed: int = 0, attention: Attention = "sdpa", **overrides: object
) -> Attached:
    """The backbone with a method attached; ``seed`` draws the method's own parameters."""
    found = Attached(bare(family, attention), TaskContext(TASKS), configured(method, family, **overrides))
    torch.manual_seed(seed)
    found.method.attach(found.model, found.context)
    return found


def batch() -> dict[str, Tensor]:
    """Three examples of two images each; the first two texts are padded."""
    random = torch.Generator().manual_seed(3)
    mask = torch.ones(3, 7, dtype=torch.long)
    mask[0, -3:] = 0
    mask[1, -1:] = 0
    return {
        "ids": torch.randint(4, VOCABULARY, (3, 7), generator=random),
        "mask": mask,
        "features": torch.randn(3, 2, 5, FEATURES, generator=random),
        "labels": torch.randint(4, VOCABULARY, (3, TARGETS), generator=random),
    }


def loss_of(model: Callable[..., Tensor]) -> Tensor:
    """Token cross-entropy of `batch`."""
    inputs = batch()
    return cross_entropy(model(**inputs).flatten(0, 1), inputs["labels"].flatten())
