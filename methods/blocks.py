"""Trainable blocks that methods share; all take and return (batch, length, features)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu


class Bottleneck(nn.Module):
    """A(y) = y + U φ(D y + b_D) + b_U; D: width -> rank, U: rank -> width, φ the tanh-approximated GELU."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank)
        self.up = nn.Linear(rank, width)

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt the sub-layer's output y; its input goes unused. Both (batch, length, width)."""
        return y + self.up(gelu(self.down(y), approximate="tanh"))
