"""Mean and deviation of a few values, such as one per seed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean of n values, and s = sqrt(Σ (x − mean)² / (n − 1)), which needs two values at least."""

    mean: float
    std: float | None
    n: int


def summarise(values: Iterable[float | None]) -> Summary | None:
    """Summarise the values that are there (None and NaN are not); None when there is none at all."""
    present = [float(value) for value in values if value is not None and not math.isnan(value)]
    if not present:
        return None
    n = len(present)
    mean = math.fsum(present) / n
    if n == 1:
        return Summary(mean, None, 1)
    return Summary(mean, math.sqrt(math.fsum((value - mean) ** 2 for value in present) / (n - 1)), n)


def pooled_deviation(summaries: Iterable[Summary]) -> float | None:
    """Pool the deviations of several groups: s² = Σ (nᵢ − 1) sᵢ² / Σ (nᵢ − 1); None where no group has one."""
    scattered = [(each.std, each.n - 1) for each in summaries if each.std is not None]
    if not scattered:
        return None
    return math.sqrt(math.fsum(freedom * std**2 for std, freedom in scattered) / sum(f for _, f in scattered))
