"""GLUE's scores beside accuracy, with the edge cases of HyperFormer's evaluation (Karimi Mahabadi et al. 2021).

What is no number counts as -1, and a score that is not defined (0/0) is 0.0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.base import Metric

MATTHEWS = Metric(name="matthews", title="Matthews' correlation", version="glue-1")
F1_AND_ACCURACY = Metric(
    name="f1-and-accuracy", title="Mean of F1 and accuracy", version="glue-1", parts=("f1", "accuracy")
)
CORRELATIONS = Metric(
    name="pearson-and-spearman",
    title="Mean of Pearson's and Spearman's correlation",
    version="glue-1",
    parts=("pearson", "spearman"),
)

Numbers = Sequence[float] | NDArray[np.float64]


def whole(text: str) -> int:
    """Return the class that a text names, -1 if it is no whole number."""
    try:
        return int(text)
    except ValueError:
        return -1


def number(text: str) -> float:
    """Return the number that a text names, -1.0 if it is none or not finite."""
    try:
        value = float(text)
    except ValueError:
        return -1.0
    return value if np.isfinite(value) else -1.0


def matthews(said: Sequence[int], truth: Sequence[int]) -> float:
    """Return Matthews' correlation of classes, of which there may be more than two (Gorodkin 2004).

    With n examples, c of them right, and class k said p_k times and true t_k times:
    (c n - sum p_k t_k) / sqrt((n^2 - sum p_k^2) (n^2 - sum t_k^2)).
    """
    right = sum(guess == label for guess, label in zip(said, truth, strict=True))
    guesses, labels = Counter(said), Counter(truth)
    total = len(truth) ** 2
    covariance = right * len(truth) - sum(count * labels[label] for label, count in guesses.items())
    spread = (total - sum(n * n for n in guesses.values())) * (total - sum(n * n for n in labels.values()))
    return float(covariance / spread**0.5) if spread else 0.0


def f1(said: Sequence[int], truth: Sequence[int]) -> float:
    """Return F1 of class 1; a guess that is neither 0 nor 1 counts as the wrong one of the two."""
    binary = [guess if guess in (0, 1) else 1 - label for guess, label in zip(said, truth, strict=True)]
    hits = sum(guess and label for guess, label in zip(binary, truth, strict=True))
    positives = sum(binary) + sum(truth)
    return 2 * hits / positives if positives else 0.0


def pearson(said: Numbers, truth: Numbers) -> float:
    """Return Pearson's correlation; 0.0 where either side is constant, or too large to be squared."""
    if len(said) != len(truth):
        raise ValueError(f"{len(said)} numbers against {len(truth)}")
    if not len(said) or np.ptp(said) == 0 or np.ptp(truth) == 0:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = (np.asarray(values, dtype=float) for values in (said, truth))
        first, second = (values - values.mean() for values in (first, second))
        first, second = (values / np.linalg.norm(values) for values in (first, second))
        value = float(np.clip(first @ second, -1.0, 1.0))
    return value if np.isfinite(value) else 0.0


def spearman(said: Numbers, truth: Numbers) -> float:
    """Return Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank."""
    return pearson(_ranks(said), _ranks(truth))


def _ranks(values: Numbers) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
