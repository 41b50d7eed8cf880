"""Trainable blocks that methods share; all take and return (batch, length, features)."""

from __future__ import annotations

from collections.abc import Callable

import torch
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


class MultiHeadBottleneck(nn.Module):
    """A(y) = y + U φ([D₁ y + b₁; …; D_n y + b_n]) + b_U; D_j: width -> rank/n, U: rank -> width; φ as above.

    Joined, the heads are one D with the same start: their number changes the shapes of parameters and nothing else.

    Raises:
        ValueError: the rank cannot be divided by n.
    """

    def __init__(self, width: int, rank: int, heads: int) -> None:
        super().__init__()
        if rank % heads:
            raise ValueError(f"heads ({heads}) must divide rank ({rank})")
        self.heads = nn.ModuleList(nn.Linear(width, rank // heads) for _ in range(heads))
        self.up = nn.Linear(rank, width)

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt the sub-layer's output y; its input goes unused. Both (batch, length, width)."""
        inner = torch.cat([head(y) for head in self.heads], dim=-1)
        return y + self.up(gelu(inner, approximate="tanh"))


class ParallelBottleneck(nn.Module):
    """(x, y) -> y + up(φ(down(x))), beside a linear layer x -> y; φ as above."""

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down = down
        self.up = up

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Change y (batch, length, outputs) by what x (batch, length, inputs) says."""
        return y + self.up(gelu(self.down(x), approximate="tanh"))

    def start_from_zero(self) -> None:
        """Zero the up-projection."""
        zero(self.up)


def reduced(width: int, factor: int) -> int:
    """Units of a bottleneck that is ``factor`` times narrower than the model.

    Raises:
        ValueError: there would be none.
    """
    if width < factor:
        raise ValueError(f"reduction_factor ({factor}) leaves no bottleneck at width {width}")
    return width // factor


def zero(layer: nn.Module) -> None:
    """Let a layer give zero at the start; the rules of a Kronecker layer stay, or it would never learn."""
    for name, parameter in layer.named_parameters():
        if not name.startswith("rules."):
            nn.init.zeros_(parameter)
