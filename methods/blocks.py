"""Trainable blocks that methods share; all take and return (batch, length, features)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import gelu

Build = Callable[[int, int], nn.Module]  # (inputs, outputs) -> an affine map between vectors of these sizes


class Bottleneck(nn.Module):
    """A(y) = y + U φ(D y + b_D) + b_U; D: width -> rank, U: rank -> width, φ the tanh-approximated GELU.

    ``down`` builds D with b_D, ``up`` builds U with b_U: plain linear layers where nothing else is asked for.
    """

    def __init__(self, width: int, rank: int, down: Build = nn.Linear, up: Build = nn.Linear) -> None:
        super().__init__()
        self.down = down(width, rank)
        self.up = up(rank, width)

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt the sub-layer's output y; its input goes unused. Both (batch, length, width)."""
        return y + self.up(gelu(self.down(y), approximate="tanh"))
