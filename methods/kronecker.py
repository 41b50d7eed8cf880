"""Linear layers whose weight is a sum of Kronecker products, as in Compacter."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear


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
    H is computed at every call while gradients flow, and otherwise kept until what it is made of changes.
    Source: Compacter (Mahabadi, Henderson, Ruder, NeurIPS 2021), section 4; values from VL-Adapter's code.

    Raises:
        ValueError: inputs or outputs cannot be divided by n.
    """

    def __init__(
        self, inputs: int, outputs: int, divisions: int, rank: int | None = None, rules: nn.Module | None = None
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
        self._folded: tuple[list[tuple[int, int]], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) -> (…, outputs)."""
        return linear(x, self.weight(), self.shift)

    def weight(self) -> Tensor:
        """The transpose of H, (outputs, inputs): the weight of the linear layer that computes the same."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._dense()
        # The versions count changes in place; a module that moves gets new storage.
        state = [(tensor.data_ptr(), tensor._version) for tensor in (self.rules(), *self.factors)]
        if self._folded is None or self._folded[0] != state:
            self._folded = state, self._dense()
        return self._folded[1]

    def _dense(self) -> Tensor:
        rules = self.rules()
        with torch.autocast(rules.device.type, enabled=False):
            first, *second = self.factors
            slices = first @ second[0] if second else first
            # H[a·rows + c, b·columns + d] = Σᵢ Rᵢ[a, b] Wᵢ[c, d]
            return torch.einsum("iab,icd->bdac", rules, slices).flatten(2).flatten(0, 1)


class KroneckerBottleneck(nn.Module):
    """A(y) = y + U(φ(D(y))) with Kronecker layers D: width -> rank, U: rank -> width; φ the tanh-approximated GELU."""

    def __init__(self, width: int, rank: int, divisions: int) -> None:
        super().__init__()
        self.down = KroneckerLinear(width, rank, divisions)
        self.up = KroneckerLinear(rank, width, divisions)

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt the sub-layer's output y; its input goes unused. Both (batch, length, width)."""
        return y + self.up(gelu(self.down(y), approximate="tanh"))


def xavier(count: int, rows: int, columns: int) -> nn.Parameter:
    """``count`` matrices from U(-a, a), a = √2 √(6 / (rows + columns)): xavier-uniform with gain √2."""
    bound = math.sqrt(2) * math.sqrt(6 / (rows + columns))
    return nn.Parameter(torch.empty(count, rows, columns).uniform_(-bound, bound))
