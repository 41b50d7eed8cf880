"""What a stage of pre-training is: one model and its training loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from PIL.Image import Image
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from harness.backbones.vision import to_pixels
from tasks.mini.drawing import PIXELS

WIDTH = 128
HEADS = 4
TEXT_LIMIT = 80  # tokens of an account of six items, and some more
ATTENTION = "eager"  # on CPUs, the backward pass of torch's fused attention is slow in bfloat16


class Stage(ABC):
    """One model and its training loss; each step's data comes from the step's number alone."""

    name: ClassVar[str]
    steps: ClassVar[int]
    batch_size: ClassVar[int]
    learning_rate: ClassVar[float]
    matrix_learning_rate: ClassVar[float] = 2e-3  # Muon's, scaled so that updates are as large as AdamW's
    held_out_batches: ClassVar[int] = 24

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.model: nn.Module = nn.Module()

    def matrices(self) -> list[Tensor]:
        """Weights between hidden states, which Muon trains; AdamW trains the rest."""
        return []

    @abstractmethod
    def loss(self, step: int) -> Tensor:
        """The training loss of a step (scalar)."""

    @abstractmethod
    def held_out(self) -> dict[str, float]:
        """Accuracies on scenes of the validation part, by kind."""

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts -> ids and mask (n, longest)."""
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=TEXT_LIMIT, return_tensors="pt")
        return batch["input_ids"].to(self.device), batch["attention_mask"].to(self.device)

    def pixels(self, pictures: Sequence[Image]) -> Tensor:
        """Pictures -> (n, 3, size, size)."""
        return torch.stack([to_pixels(picture, PIXELS) for picture in pictures]).to(self.device)
