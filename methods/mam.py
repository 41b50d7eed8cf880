"""MAM adapter: prefixes in attention and scaled parallel adapters at feed-forward layers."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu

from methods.base import Paper, TaskContext
from methods.prefix_tuning import PrefixTuning
from methods.sites import Backbone, around


class MixAndMatch(PrefixTuning):
    """y + s (U relu(D x + b_D) + b_U) at every feed-forward layer f(x) = y, besides the prefixes of prefix-tuning.

    x is what the first linear of the feed-forward layer reads: on T5 the normed residual stream. D starts from
    U(-1/√width, 1/√width) (kaiming-uniform with a = √5), U and both biases from zero, on both families. Sizes are
    those of the paper's generation tasks. One set for all tasks, as HyperPELT re-ran it. No norm trains.
    """

    name = "mam"
    title = "MAM adapter"
    paper = Paper(
        key="he2022mam",
        title="Towards a Unified View of Parameter-Efficient Transfer Learning",
        url="https://arxiv.org/abs/2110.04366",
        year=2022,
        section="section 4.6; shared by all tasks as in HyperPELT (arXiv:2203.03878), section 6.1",
    )
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"learning_rate": 3e-4},
        "mini-bart": {"length": 10, "hidden": 32, "dropout": 0.0, "rank": 32},
    }

    length: int = Field(30, ge=1, description="prefix vectors per attention")
    rank: int = Field(512, ge=1, description="hidden units of an adapter")
    scale: float = Field(4.0, gt=0, description="factor s of an adapter's output")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Attach the prefixes, then an adapter beside every feed-forward layer."""
        super().attach(model, context)
        for site in model.sites:
            if site.kind == "ffn":
                around(replace(site, entry=site.linears["up"]), ScaledParallel(site.width, self.rank, self.scale))


class ScaledParallel(nn.Module):
    """(x, y) -> y + s (U relu(D x + b_D) + b_U); D: width -> rank, U: rank -> width."""

    def __init__(self, width: int, rank: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.down = nn.Linear(width, rank)  # torch's own start is the uniform one
        self.up = nn.Linear(rank, width)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Both (batch, length, width)."""
        return y + self.scale * self.up(relu(self.down(x)))
