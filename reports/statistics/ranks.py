"""Ranks over tasks: a comparison of methods that does not depend on the units of their scores.

Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from reports.statistics.differences import ALPHA
from reports.statistics.summary import Summary

Floats = NDArray[np.float64]


def mean_ranks(scores: Floats) -> Floats:
    """Mean over tasks of each method's rank, 1 being the best and equals sharing the mean of theirs.

    Args:
        scores: higher is better (..., methods, tasks); all must be there.

    Returns:
        (..., methods)
    """
    return np.asarray(rankdata(-scores, axis=-2)).mean(axis=-1)


def friedman(scores: Floats) -> float | None:
    """Return p of Friedman's test that all methods rank the same over the tasks (methods, tasks).

    It is made for three methods or more, and for two tasks or more; None otherwise.
    """
    methods, tasks = scores.shape
    if methods < 3 or tasks < 2:
        return None
    if (scores == scores[0]).all():
        return 1.0
    return float(friedmanchisquare(*scores).pvalue)


@cache
def critical_difference(methods: int, tasks: int, alpha: float = ALPHA) -> float:
    """Nemenyi's critical difference of two mean ranks: q(alpha, k) sqrt(k (k + 1) / 6 N), k methods over N tasks.

    q is the quantile of the studentised range for infinite degrees of freedom over sqrt(2).
    """
    quantile = float(studentized_range.isf(alpha, methods, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * tasks))


def draw_means(summaries: Sequence[Sequence[Summary]], draws: int = 1_000, seed: int = 0) -> Floats | None:
    """Draw means that would explain what is printed, mean + std t(n − 1) / sqrt(n): (draws, methods, tasks).

    For methods of which mean, std and n alone are known; None where one of them lacks its std.
    """
    flat = [each for row in summaries for each in row]
    if any(each.std is None for each in flat):
        return None
    shape = len(summaries), len(summaries[0])
    mean, std, n = (np.array([getattr(each, name) for each in flat]).reshape(shape) for name in ("mean", "std", "n"))
    drawn = np.random.default_rng(seed).standard_t(n - 1, size=(draws, *shape))
    return np.asarray(mean + std * drawn / np.sqrt(n))
