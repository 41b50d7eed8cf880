"""The texts that an example teaches, with what each is worth."""

from __future__ import annotations

from tasks.base import DataError, Example


def weighted_targets(example: Example) -> list[tuple[str, float]]:
    """Targets with their weights; targets that came without any count one each.

    Raises:
        DataError: there are weights, but not one for each target.
    """
    weights = example.weights or (1.0,) * len(example.targets)
    if len(weights) != len(example.targets):
        raise DataError(f"example {example.id!r}: {len(example.targets)} targets but {len(weights)} weights")
    return list(zip(example.targets, weights, strict=True))
