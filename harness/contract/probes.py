"""What rules look at, and how they say what they saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn


def some(names: Iterable[str], shown: int = 3) -> str:
    """The first few names in a line."""
    ordered = sorted(names)
    more = f" and {len(ordered) - shown} more" if len(ordered) > shown else ""
    return ", ".join(ordered[:shown]) + more


def distance(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> str:
    """How far apart two results are, in words; empty where they are the same within the tolerance."""
    if torch.allclose(found, expected, rtol=tolerance, atol=tolerance):
        return ""
    return f"off by {(found - expected).abs().max():.2g}"


def first_difference(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """The first of the tensors of two steps that differ, with their distance; empty where all are the same."""
    if other := found.keys() ^ expected.keys():
        return f"only once: {some(other)}"
    for name, tensor in expected.items():
        scale = tensor.abs().max().clamp(min=1)  # the largest summands decide on how sums are rounded
        if apart := distance(found[name] / scale, tensor / scale):
            return f"{name} {apart}"
    return ""


def leaves(loss: Tensor) -> Iterator[Tensor]:
    """All tensors that ``loss.backward()`` would reach."""
    waiting, seen = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [before for before, _ in node.next_functions]


def trained(model: nn.Module, once: bool = False) -> list[tuple[str, nn.Parameter]]:
    """What trains, under all its names or once."""
    return [(name, p) for name, p in model.named_parameters(remove_duplicate=once) if p.requires_grad]


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    """Copies of all gradients, by name."""
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
