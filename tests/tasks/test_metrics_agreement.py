"""GLUE's scores against hand-worked cases and against scipy."""

import numpy as np
import pytest
from scipy import stats

from tasks.metrics.agreement import f1, matthews, number, pearson, spearman, whole


@pytest.mark.parametrize(("text", "value"), [("1", 1), (" 0 ", 0), ("yes", -1), ("", -1), ("0.0", -1)])
def test_text_that_is_no_class_is_minus_one(text, value):
    assert whole(text) == value


@pytest.mark.parametrize(("text", "value"), [("2.5", 2.5), ("three", -1.0), ("", -1.0), ("nan", -1.0), ("inf", -1.0)])
def test_text_that_is_no_number_is_minus_one(text, value):
    assert number(text) == value


def test_matthews_of_two_classes():
    # 3 true positives, 1 false negative, 2 false positives, 4 true negatives
    truth, said = [1] * 4 + [0] * 6, [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    assert matthews(said, truth) == pytest.approx((3 * 4 - 2 * 1) / np.sqrt((3 + 2) * (3 + 1) * (4 + 2) * (4 + 1)))
    assert matthews(truth, truth) == pytest.approx(1.0)
    assert matthews([1 - label for label in truth], truth) == pytest.approx(-1.0)


def test_an_answer_that_is_no_class_is_a_third_class_of_matthews():
    truth, said = [0, 0, 1, 1, 1], [0, -1, 1, 1, -1]
    # the correlation of one-hot rows, columns of equal class summed
    one_hot = [np.array([[label == c for c in (-1, 0, 1)] for label in labels], float) for labels in (said, truth)]
    x, y = (rows - rows.mean(0) for rows in one_hot)
    assert matthews(said, truth) == pytest.approx((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


@pytest.mark.parametrize(("said", "truth"), [([0, 0, 0], [0, 1, 0]), ([0, 1, 0], [1, 1, 1]), ([], [])])
def test_matthews_without_spread_is_zero(said, truth):
    assert matthews(said, truth) == 0.0


def test_f1_of_class_one():
    assert f1([1, 1, 1, 0, 0], [1, 1, 0, 1, 0]) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert f1([0, 0], [0, 0]) == 0.0
    assert f1([], []) == 0.0


def test_an_answer_that_is_no_class_is_the_wrong_one():
    assert f1([-1, 1, 7], [1, 1, 0]) == f1([0, 1, 1], [1, 1, 0]) == pytest.approx(0.5)


@pytest.mark.parametrize("step", [0.001, 1.0])  # the second makes many equal values
def test_correlations_are_scipys(step):
    random = np.random.default_rng(0)
    truth = random.uniform(0, 5, 200)
    said = np.round((truth + random.normal(0, 1, 200)) / step) * step
    truth = np.round(truth / step) * step
    assert pearson(said, truth) == pytest.approx(stats.pearsonr(said, truth)[0], abs=1e-12)
    assert spearman(said, truth) == pytest.approx(stats.spearmanr(said, truth)[0], abs=1e-12)


def test_numbers_too_large_to_correlate_are_zero():
    assert pearson([1e308, 1e308, -1.0], [1.0, 2.0, 3.0]) == 0.0
    assert spearman([1e308, 1e307, -1.0], [3.0, 2.0, 1.0]) == pytest.approx(1.0)


def test_correlations_with_a_constant_are_zero():
    for correlation in (pearson, spearman):
        assert correlation([0.1, 0.1, 0.1], [1.0, 2.0, 3.0]) == 0.0
        assert correlation([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]) == 0.0
        assert correlation([], []) == 0.0
        with pytest.raises(ValueError, match="1 numbers against 2"):
            correlation([1.0], [1.0, 2.0])
