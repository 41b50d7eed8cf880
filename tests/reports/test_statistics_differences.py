"""Tests of differences, against scipy on raw data, enumeration and worked examples."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from reports.statistics import (
    Summary,
    detectable_difference,
    holm,
    noise_limit,
    pooled_deviation,
    sign_flips,
    summarise,
    welch,
)


def test_welch_from_summaries_is_welch_on_the_values() -> None:
    one, other = [71.2, 73.5, 72.9, 70.8], [69.9, 66.0, 71.5]
    summaries = [summarise(values) for values in (one, other)]
    assert all(summaries)
    expected = ttest_ind(one, other, equal_var=False).pvalue
    assert welch(*summaries) == pytest.approx(expected)  # type: ignore[arg-type]


def test_welch_needs_two_seeds_and_knows_constants() -> None:
    assert welch(Summary(70, None, 1), Summary(60, 1.0, 3)) is None
    assert welch(Summary(70, 0.0, 3), Summary(70, 0.0, 3)) == 1
    assert welch(Summary(70, 0.0, 3), Summary(60, 0.0, 3)) == 0


@pytest.mark.parametrize("values", [[3.0, 1.0, -0.5, 2.0, 0.25, 0.0], [1.0] * 8, [1.0, -1.0, 2.0, -2.0]])
def test_sign_flips_agree_with_enumeration(values: list[float]) -> None:
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(values))
    ]
    exact = sum(total >= abs(sum(values)) - 1e-12 for total in sums) / len(sums)
    assert sign_flips(np.array(values), draws=20_000) == pytest.approx(exact, abs=0.015)


def test_sign_flips_of_nothing_and_of_much() -> None:
    assert sign_flips(np.zeros(10)) == 1
    assert sign_flips(np.ones(200), draws=999) == pytest.approx(1 / 1000)


def test_sign_flips_keep_their_level_under_the_null() -> None:
    generator = np.random.default_rng(1)
    rejected = [sign_flips(generator.standard_normal(40), draws=199) <= 0.05 for _ in range(600)]
    assert sum(rejected) / 600 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)
    assert sum(rejected) > 0


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("n, effect", [(64, 0.499), (17, 0.991), (4, 2.381)])
def test_detectable_differences_are_those_of_power_tables(n: int, effect: float) -> None:
    """Cohen's d at 80 % power and two-sided 5 %: tables give n = 64 for 0.5 and 17 for 1.0."""
    assert detectable_difference(1.0, n) == pytest.approx(effect, abs=0.001)
    assert detectable_difference(2.5, n) == pytest.approx(2.5 * detectable_difference(1.0, n))


def test_a_detectable_difference_is_found_four_times_in_five() -> None:
    generator = np.random.default_rng(3)
    shift = detectable_difference(0.4, 3)
    one, other = generator.normal(0, 0.4, (2, 20_000, 3))
    found = (ttest_ind(one + shift, other, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 20_000))


def test_two_runs_of_one_cell_keep_the_noise_limit_19_times_in_20() -> None:
    one, other = np.random.default_rng(4).normal(0, 0.3, (2, 40_000))
    assert (abs(one - other) <= noise_limit(0.3)).mean() == pytest.approx(0.95, abs=0.005)


def test_deviations_are_pooled_by_their_degrees_of_freedom() -> None:
    groups = ([1.0, 3.0, 8.0], [4.0, 4.5], [9.0])
    summaries = [summarise(values) for values in groups]
    squares = sum(((np.array(values) - np.mean(values)) ** 2).sum() for values in groups)
    assert pooled_deviation([each for each in summaries if each]) == pytest.approx(math.sqrt(squares / 3))
    assert pooled_deviation([Summary(9.0, None, 1)]) is None
