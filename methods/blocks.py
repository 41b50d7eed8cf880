"""Trainable blocks that methods share; all take and return (batch, length, features)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu


class Bottleneck(nn.Module):
    """A(y) = y + up(φ(down(y))), φ the tanh-approximated GELU; down: width -> rank, up: rank -> width."""

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down, self.up = down, up

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt the sub-layer's output y; its input goes unused. Both (batch, length, width)."""
        return y + self.up(gelu(self.down(y), approximate="tanh"))


def bottleneck_rank(width: int, reduction_factor: int) -> int:
    """Units of a bottleneck.

    Raises:
        ValueError: there would be none.
    """
    rank = width // reduction_factor
    if rank == 0:
        raise ValueError(f"reduction_factor ({reduction_factor}) leaves no bottleneck at width {width}")
    return rank
