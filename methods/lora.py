"""LoRA on the query and value projections, through Hugging Face peft."""

from __future__ import annotations

from typing import ClassVar

import peft
from pydantic import Field

from methods.base import Paper, TaskContext
from methods.peft_bridge import PeftMethod, linear_names
from methods.sites import Backbone, unfreeze_biases


class SingleLora(PeftMethod):
    """y = W u + b + (α / r) B A dropout(u) on q and v of every attention block; one pair for all tasks.

    A starts from U(-1/√width, 1/√width) (kaiming-uniform with a = √5), B from zero. Cross-attention's q reads
    the decoder, its v the encoder. Every bias vector of the backbone trains too, as in VL-Adapter's code (T5 has
    none); norm weights stay frozen. The rank on T5 is that of Ladder Side-Tuning's script.
    """

    name = "lora-single"
    title = "Single LoRA"
    paper = Paper(
        key="hu2022lora",
        title="LoRA: Low-Rank Adaptation of Large Language Models",
        url="https://arxiv.org/abs/2106.09685",
        year=2022,
        section="section 4; sizes and placement from VL-Adapter's code",
    )
    identity_at_start = True
    mergeable = True
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"rank": 150, "learning_rate": 3e-4},
        "mini-bart": {"rank": 16, "alpha": 4.0},
    }

    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")
    rank: int = Field(128, ge=1, description="rows of A and columns of B")
    alpha: float = Field(32.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.1, ge=0, lt=1, description="on the input of A, while training")

    def config(self, model: Backbone) -> peft.PeftConfig:
        """Target q and v of every attention block by full name."""
        return peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # declared int; any number works
            lora_dropout=self.dropout,
            target_modules=linear_names(model, {"q", "v"}),
        )

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Inject A and B, then unfreeze the biases."""
        super().attach(model, context)
        unfreeze_biases(model)
