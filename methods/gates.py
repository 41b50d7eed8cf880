"""The gates of VL-PET, and the module that joins one with a modification of a sub-layer's output."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from methods.blocks import zero


class Gate(nn.Module):
    """(x, h) -> G, which broadcasts over h; x, the sub-layer's input, and h: (batch, length, width)."""

    def start_from_zero(self) -> None:
        """Zero the last layer; a gate that has more than one says which."""
        zero(self)


class LargeGate(Gate):
    """G = σ(U φ(D x + b_D) + b_U), a number per position and feature; φ the tanh-approximated GELU."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank)
        self.up = nn.Linear(rank, width)

    def forward(self, x: Tensor, _h: Tensor) -> Tensor:
        """(batch, length, width)."""
        return self.up(gelu(self.down(x), approximate="tanh")).sigmoid()

    def start_from_zero(self) -> None:
        """Zero U and b_U."""
        zero(self.up)


class MiddleXGate(Gate):
    """G = σ(w · (x + h) + b), a number per position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """(batch, length, 1)."""
        return self.score(x + h).sigmoid()


class MiddleYGate(Gate):
    """G = 1 + z, a number per feature, z from N(0, 0.02); ``squashed``: 1 + σ(z)."""

    def __init__(self, width: int, squashed: bool = False) -> None:
        super().__init__()
        self.squashed = squashed
        self.offset = nn.Parameter(torch.empty(width))
        nn.init.normal_(self.offset, std=0.02)

    def forward(self, _x: Tensor, _h: Tensor) -> Tensor:
        """(width)."""
        return 1 + (self.offset.sigmoid() if self.squashed else self.offset)


class SmallGate(Gate):
    """G = mean over positions of σ(w · [x; h] + b), a number per example.

    All positions count, padded ones too: an example's gate depends on how far its batch is padded.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(2 * width, 1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """(batch, 1, 1)."""
        return self.score(torch.cat([x, h], dim=-1)).sigmoid().mean(dim=1, keepdim=True)


class Gated(nn.Module):
    """(x, y) -> s G(x, m) ⊙ m with m = modification(x, y); ``before``: the gate sees y, G(x, y)."""

    def __init__(self, modification: nn.Module, gate: Gate, scale: float, before: bool = False) -> None:
        super().__init__()
        self.modification = modification
        self.gate = gate
        self.scale = scale
        self.before = before

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Both (batch, length, width)."""
        modified = self.modification(x, y)
        return self.scale * self.gate(x, y if self.before else modified) * modified

    def start_from_zero(self) -> None:
        """Zero the modification's up-projection and the gate's last layer."""
        zero(self.modification.get_submodule("up"))
        self.gate.start_from_zero()
