"""KronA: Kronecker products beside the query and value projections."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.base import Method, Paper, TaskContext
from methods.sites import Backbone, after, detach


class KronA(Method):
    """y = W u + b + s (A ⊗ B) u on q and v of every attention block, one pair for all tasks; the rest stays frozen.

    A is ``factor`` x ``factor``, and B as large as the projection needs. A starts from U(-1/√factor, 1/√factor), as
    LoRA's A does, B from zero. Sizes: square factors of about the same size have the fewest numbers of all that reach
    the full rank of W: 32² + 24² = 1,600 at width 768, where a LoRA of rank 1 has 1,536. The paper's own sizes and
    scale could not be read. Its KronA_B and KronA_Bres, at feed-forward layers, are other methods.
    """

    name = "krona"
    title = "KronA"
    paper = Paper(
        key="edalati2022krona",
        title="KronA: Parameter Efficient Tuning with Kronecker Adapter",
        url="https://arxiv.org/abs/2212.10650",
        year=2022,
        section="abstract; sizes and scale are ours",
    )
    identity_at_start = True
    mergeable = True
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"learning_rate": 3e-4},
        "mini-bart": {"factor": 16},
    }

    factor: int = Field(32, ge=1, description="rows and columns of A")
    scale: float = Field(1.0, gt=0, description="factor s of the update")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put a product beside every query and value projection.

        Raises:
            ValueError: A's size does not divide a projection's.
        """
        for linear in _projections(model):
            after(linear, KroneckerUpdate(linear, self.factor, self.scale))

    def merge(self, model: Backbone) -> None:
        """Add every product to its projection's weight."""
        for linear in _projections(model):
            update: KroneckerUpdate = detach(linear)  # type: ignore[assignment]
            with torch.no_grad():
                linear.weight += update.weight()


class KroneckerUpdate(nn.Module):
    """(u, y) -> y + s (A ⊗ B) u; u: (batch, length, in features), y: (batch, length, out features)."""

    def __init__(self, linear: nn.Linear, factor: int, scale: float) -> None:
        super().__init__()
        inputs, outputs = linear.in_features, linear.out_features
        if inputs % factor or outputs % factor:
            raise ValueError(f"factor ({factor}) must divide {inputs} and {outputs}")
        self.scale = scale
        self.left = nn.Parameter(torch.empty(factor, factor))
        nn.init.kaiming_uniform_(self.left, a=math.sqrt(5))
        self.right = nn.Parameter(torch.zeros(outputs // factor, inputs // factor))

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """Apply one factor after the other: with X the pieces of u as rows, (A ⊗ B) u is A X B^T, row after row."""
        pieces = u.unflatten(-1, (len(self.left), -1))
        return y + self.scale * (self.left @ (pieces @ self.right.T)).flatten(-2)

    def weight(self) -> Tensor:
        """Return s (A ⊗ B), (out features, in features)."""
        return self.scale * torch.kron(self.left, self.right)


def _projections(model: Backbone) -> Iterator[nn.Linear]:
    for site in model.sites:
        if site.attention is not None:
            yield from (site.linears["q"], site.linears["v"])
