"""Statistics over seeds and examples: mean and deviation, tests of a difference, and their correction for many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_ind_from_stats

_CHUNK = 5_000_000  # signs drawn at once


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


def welch(one: Summary, other: Summary) -> float | None:
    """Two-sided p of Welch's test that two means over seeds are equal; None where one of them has a single seed."""
    if one.std is None or other.std is None:
        return None
    if one.std == other.std == 0:
        return 1.0 if one.mean == other.mean else 0.0
    result = ttest_ind_from_stats(one.mean, one.std, one.n, other.mean, other.std, other.n, equal_var=False)
    return float(result.pvalue)


def sign_flips(differences: NDArray[np.float64], draws: int = 9_999, seed: int = 0) -> float:
    """Two-sided p of a paired permutation test: could the sum of the differences be as large under random signs?

    Args:
        differences: one number per independent cluster (n,), such as an image with all its questions.
        draws: random sets of signs; the smallest p is 1 / (draws + 1).
        seed: of the draws.
    """
    kept = differences[differences != 0]
    observed = abs(kept.sum())
    if observed == 0:
        return 1.0
    generator = np.random.default_rng(seed)
    reached, step = 0, max(1, _CHUNK // len(kept))
    for start in range(0, draws, step):
        signs = generator.integers(0, 2, (min(step, draws - start), len(kept)), dtype=np.int8) * 2 - 1
        # Sums in another order differ by rounding; equal ones count as reached.
        reached += int((np.abs(signs @ kept) >= observed * (1 - 1e-12)).sum())
    return (1 + reached) / (1 + draws)


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the given order: at most alpha of a family's true hypotheses are rejected."""
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=lambda index: values[index])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = largest
    return adjusted
