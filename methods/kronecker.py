"""Linear layers whose weight is a sum of Kronecker products, as in Compacter."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Rules(nn.Module):
    """() -> R of shape (n, n, n): one small matrix per product, drawn from N(0, deviation)."""

    def __init__(self, divisions: int, deviation: float = 0.01) -> None:
        super().__init__()
        self.matrices = nn.Parameter(torch.empty(divisions, divisions, divisions))
        nn.init.normal_(self.matrices, std=deviation)

    def forward(self) -> Tensor:
        """All rules, (n, n, n)."""
        return self.matrices


class KroneckerLinear(nn.Module):
    """y = x H + b with H = Σᵢ Rᵢ ⊗ Wᵢ of shape (inputs, outputs); Rᵢ: n x n, Wᵢ: inputs/n x outputs/n, i = 1 … n.

    With a ``rank`` each Wᵢ is a product Lᵢ Kᵢ of that inner size. ``rules`` returns R: a module of the layer's own
    (the default) or the handle of a shared one. Wᵢ (or Lᵢ and Kᵢ) start xavier-uniform with gain √2, b from zero.
    Source: Compacter (Mahabadi, Henderson, Ruder, NeurIPS 2021), section 4; values from VL-Adapter's code.

    Raises:
        ValueError: inputs or outputs cannot be divided by n.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        divisions: int,
        rank: int | None = None,
        rules: Callable[[], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if inputs % divisions or outputs % divisions:
            raise ValueError(f"divisions ({divisions}) must divide {inputs} and {outputs}")
        rows, columns = inputs // divisions, outputs // divisions
        shapes = [(rows, columns)] if rank is None else [(rows, rank), (rank, columns)]
        self.rules = rules or Rules(divisions)
        self.factors = nn.ParameterList(xavier(divisions, *shape) for shape in shapes)
        # Not called "bias", which would spare it weight decay: the published code decays it.
        self.shift = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) -> (…, outputs)."""
        return linear(x, self.weight(), self.shift)

    def weight(self) -> Tensor:
        """The transpose of H, (outputs, inputs): the weight of the linear layer that computes the same.

        It is cheap beside a batch of tokens. Nothing is kept of it: a fused optimiser changes parameters unseen.
        """
        rules = self.rules()
        first, *second = self.factors
        slices = first @ second[0] if second else first
        # H[a·rows + c, b·columns + d] = Σᵢ Rᵢ[a, b] Wᵢ[c, d]
        blocks = (rules.flatten(1).T @ slices.flatten(1)).view(*rules.shape[1:], *slices.shape[1:])
        return blocks.permute(1, 3, 0, 2).flatten(2).flatten(0, 1)


def xavier(count: int, rows: int, columns: int) -> nn.Parameter:
    """``count`` matrices from U(-a, a), a = √2 √(6 / (rows + columns)): xavier-uniform with gain √2."""
    bound = math.sqrt(2) * math.sqrt(6 / (rows + columns))
    return nn.Parameter(torch.empty(count, rows, columns).uniform_(-bound, bound))
