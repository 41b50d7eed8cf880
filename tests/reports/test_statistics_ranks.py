"""Ranks over tasks, against published critical values, scipy and enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, t

from reports.statistics import Summary, critical_difference, draw_means, friedman, mean_ranks

# Demšar 2006, table 5 (a): q(0.05) by the number of classifiers.
CRITICAL = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}


def test_the_best_has_rank_one_and_equals_share_theirs() -> None:
    scores = np.array([[0.9, 0.5], [0.7, 0.5], [0.8, 0.1]])
    assert mean_ranks(scores) == pytest.approx([1.25, 2.25, 2.5])
    assert mean_ranks(np.stack([scores, scores[::-1]]))[1] == pytest.approx([2.5, 2.25, 1.25])


@pytest.mark.parametrize("methods", CRITICAL)
def test_critical_differences_are_demsars(methods: int) -> None:
    expected = CRITICAL[methods] * math.sqrt(methods * (methods + 1) / (6 * 14))
    assert critical_difference(methods, 14) == pytest.approx(expected, rel=0.0005)


def test_friedman_asks_whether_all_rank_the_same() -> None:
    scores = np.array([[0.9, 0.8, 0.9, 0.7], [0.5, 0.6, 0.5, 0.6], [0.1, 0.2, 0.3, 0.1]])
    assert friedman(scores) == pytest.approx(friedmanchisquare(*scores).pvalue)
    assert friedman(np.ones((3, 4))) == 1
    assert friedman(scores[:2]) is None and friedman(scores[:, :1]) is None


def test_drawn_means_scatter_as_a_mean_of_n_does() -> None:
    drawn = draw_means([[Summary(70.0, 0.6, 3)], [Summary(50.0, 1.0, 10)]], draws=40_000)
    assert drawn is not None and drawn.shape == (40_000, 2, 1)
    for place, (mean, std, n) in enumerate([(70.0, 0.6, 3), (50.0, 1.0, 10)]):
        expected = mean + t.ppf(0.975, n - 1) * std / math.sqrt(n)
        assert np.quantile(drawn[:, place, 0], 0.975) == pytest.approx(expected, abs=0.07)
    assert draw_means([[Summary(70.0, None, 1)]]) is None
