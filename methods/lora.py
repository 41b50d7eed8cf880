"""LoRA on the query and value projections: for all tasks through Hugging Face peft, and one per task."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import peft
from pydantic import Field
from torch import Tensor, nn

from methods.base import Method, Paper, TaskContext
from methods.peft_bridge import PeftMethod, linear_names
from methods.routing import PerTask
from methods.sites import Backbone, after, unfreeze_biases

ROLES = ("q", "v")  # of the linear layers that get an update


class Lora(Method):
    """Sizes and defaults of LoRA in VL-Adapter's code and, on T5, in Ladder Side-Tuning's script."""

    paper = Paper(
        key="hu2022lora",
        title="LoRA: Low-Rank Adaptation of Large Language Models",
        url="https://arxiv.org/abs/2106.09685",
        year=2022,
        section="section 4; sizes and placement from VL-Adapter's code",
    )
    identity_at_start = True
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"rank": 150, "learning_rate": 3e-4},
        "mini-bart": {"rank": 16, "alpha": 4.0},
    }

    rank: int = Field(128, ge=1, description="rows of A and columns of B")
    alpha: float = Field(32.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.1, ge=0, lt=1, description="on the input of A, while training")


class SingleLora(Lora, PeftMethod):
    """y = W u + b + (α / r) B A dropout(u) on q and v of every attention block; one pair for all tasks.

    A starts from U(-1/√width, 1/√width) (kaiming-uniform with a = √5), B from zero. Cross-attention's q reads
    the decoder, its v the encoder. Every bias vector of the backbone trains too, as in VL-Adapter's code (T5 has
    none); norm weights stay frozen. The rank on T5 is that of Ladder Side-Tuning's script.
    """

    name = "lora-single"
    title = "Single LoRA"
    mergeable = True

    def config(self, model: Backbone) -> peft.PeftConfig:
        """Target q and v of every attention block by full name."""
        return peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # declared int; any number works
            lora_dropout=self.dropout,
            target_modules=linear_names(model, set(ROLES)),
        )

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Inject A and B, then unfreeze the biases."""
        super().attach(model, context)
        unfreeze_biases(model)


class MultipleLora(Lora):
    """y = W u + b + (α / r) B_τ A_τ dropout(u) on q and v of every attention block; a pair for each task τ.

    Like `SingleLora` in everything else, biases included, except that no single weight can take in the pairs: they
    stay beside the backbone. On BART-base 17.714 % train; a summary of the paper says 17.72.
    """

    name = "lora-multiple"
    title = "Multiple LoRA"
    needs_task = True

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put a pair per task on every q and v, then unfreeze the biases."""
        for linear in (site.linears[role] for site in model.sites for role in ROLES if role in site.linears):
            after(linear, PerTask(context, partial(self.update, linear)))
        unfreeze_biases(model)

    def update(self, linear: nn.Linear) -> nn.Module:
        """Build a pair for a linear layer."""
        scale = self.alpha / self.rank
        return LowRankUpdate(linear.in_features, linear.out_features, self.rank, scale, self.dropout)


class LowRankUpdate(nn.Module):
    """(u, y) -> y + s B A dropout(u); A: inputs -> rank, B: rank -> outputs."""

    def __init__(self, inputs: int, outputs: int, rank: int, scale: float, dropout: float) -> None:
        super().__init__()
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        self.a = nn.Linear(inputs, rank, bias=False)  # torch's own start is the uniform one
        self.b = nn.Linear(rank, outputs, bias=False)
        nn.init.zeros_(self.b.weight)

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """Both (batch, length, features)."""
        return y + self.scale * self.b(self.a(self.dropout(u)))
