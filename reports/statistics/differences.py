"""Tests of a difference, their correction for many, and how large a difference must be to be found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import nct, t, ttest_ind_from_stats

from reports.statistics.summary import Summary

ALPHA = 0.05
POWER = 0.8

_CHUNK = 5_000_000  # signs drawn at once


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


def detectable_difference(std: float, n: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return the smallest true difference of two means over n seeds each that a two-sided t-test finds with that power.

    Solves P(T > t(1 − alpha/2, 2n − 2)) = power, where T is t-distributed with non-centrality d / (std sqrt(2 / n));
    that T falls below the other bound is less likely than one in 10,000.

    Args:
        std: the deviation over seeds that both have, in the unit of the result.
        n: seeds of each, two at least.
        alpha: level of the test.
        power: share of experiments in which the difference is to be found.
    """
    freedom, error = 2 * n - 2, std * math.sqrt(2 / n)
    critical = float(t.isf(alpha / 2, freedom))

    def missing(shift: float) -> float:
        return float(nct.sf(critical, freedom, shift)) - power

    return error * float(brentq(missing, 0, 2 * critical + 1))


def noise_limit(std: float) -> float:
    """Return what two runs of the same cell differ by at most, 19 times in 20: 1.96 sqrt(2) s (ISO 5725: limit r)."""
    return 1.96 * math.sqrt(2) * std
