"""A bootstrap over two levels: which seeds were trained, and which images were asked about.

Both are samples, and each adds to how far a mean over them may be off. A draw takes seeds with replacement and,
crossed with them, clusters (an image with all its questions) with replacement, the same for all methods and tasks.
Over n seeds the first level shows (n − 1) / n of the seeds' variance, so intervals over two or three are too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWS = 1_000
_CHUNK = 10_000_000  # weights of clusters held at once


def two_level_bootstrap(
    totals: Floats, sizes: Floats, groups: Sequence[Sequence[int]], draws: int = DRAWS, seed: int = 0
) -> Floats:
    """Draw means of groups of runs on several tasks: (draws, groups, tasks).

    Args:
        totals: sum of the scores of every cluster, run and task (clusters, runs, tasks); NaN where a run has none.
        sizes: how many examples of every task a cluster holds (clusters, tasks).
        groups: the runs of each group, which differ in their seed alone.
        draws: how many.
        seed: of the draws.
    """
    clusters, runs, tasks = totals.shape
    generator = np.random.default_rng(seed)
    flat = totals.reshape(clusters, runs * tasks)
    means = np.empty((draws, runs, tasks))
    step = max(1, _CHUNK // max(1, clusters))
    for start in range(0, draws, step):
        weights = _weights(generator, min(step, draws - start), clusters)
        with np.errstate(invalid="ignore"):  # a draw may miss a task that few clusters have
            drawn = (weights @ flat).reshape(-1, runs, tasks) / (weights @ sizes)[:, None, :]
        means[start : start + step] = drawn
    return np.stack([_over_seeds(generator, means[:, list(group)]) for group in groups], axis=1)


def interval(draws: Floats, level: float = 0.95) -> Floats:
    """Percentile interval over the first axis: the lower and the upper bound (2, ...); draws that are NaN are left out.

    Bounds of a column without any draw are NaN.
    """
    empty = np.isnan(draws).all(axis=0)
    filled = np.where(empty, 0.0, draws)
    bounds = np.nanquantile(filled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.where(empty, np.nan, bounds)


def _weights(generator: np.random.Generator, draws: int, clusters: int) -> Floats:
    """How often each cluster is drawn, when as many are drawn as there are (draws, clusters)."""
    picked = generator.integers(0, clusters, (draws, clusters))
    picked += np.arange(draws)[:, None] * clusters
    return np.bincount(picked.ravel(), minlength=draws * clusters).reshape(draws, clusters).astype(np.float64)


def _over_seeds(generator: np.random.Generator, means: Floats) -> Floats:
    """Mean over as many drawn runs as there are: (draws, runs, tasks) to (draws, tasks)."""
    draws, runs, _ = means.shape
    if runs == 1:
        return means[:, 0]
    picked = generator.integers(0, runs, (draws, runs))
    return np.take_along_axis(means, picked[:, :, None], axis=1).mean(axis=1)
