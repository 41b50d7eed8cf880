"""Muon, the optimiser of matrices between hidden states (Jordan et al. 2024), in float32.

torch's own computes in bfloat16, which takes about thirty times as long on processors without such instructions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_MOMENTUM = 0.95
_ROUNDS = 5
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)  # steepest at 0 of those that keep singular values in about [0.7, 1.2]


class Muon(Optimizer):
    """W <- (1 - lr λ) W - 0.2 √(larger side) lr O(g + μ m), m <- μ m + (1 - μ) g mixed in as Nesterov does.

    O sets the singular values of a matrix to about 1. The factor makes updates as large as AdamW's (Liu et al. 2025,
    arXiv:2502.16982), and λ is the weight decay.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        """All tensors must be matrices."""
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; matrices of one shape are orthogonalised together. No closure is called."""
        for group in self.param_groups:
            shapes: defaultdict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    momentum = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix))
                    momentum.lerp_(matrix.grad, 1 - _MOMENTUM)
                    shapes[matrix.shape].append((matrix, matrix.grad.lerp(momentum, _MOMENTUM)))
            for shape, pairs in shapes.items():
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                directions = orthogonal(torch.stack([direction for _, direction in pairs]))
                for (matrix, _), direction in zip(pairs, directions, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=rate)


def orthogonal(matrices: Tensor) -> Tensor:
    """(n, rows, columns) -> matrices with the same singular vectors and singular values of about 1."""
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    first, second, third = _POLYNOMIAL
    result = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_ROUNDS):
        gram = result @ result.mT
        result = first * result + (second * gram + third * gram @ gram) @ result
    return result if wide is matrices else result.mT
