import pytest

from tasks.metrics.consistency import consistency
from tasks.metrics.exact import exact


def test_only_the_same_string_counts():
    value, each = exact(["red", "Red", "red ", "", "blue"], [["red"]] * 4 + [["navy", "blue"]])
    assert each == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert value == pytest.approx(0.4)


def test_nothing_to_score_is_zero():
    assert exact([], []) == (0.0, [])


def test_lengths_must_agree():
    with pytest.raises(ValueError):
        exact(["a"], [])


def test_consistency_wants_every_judgement_of_a_group():
    assert consistency([1, 1, 1, 0, 1], ["a", "a", "b", "b", "c"]) == pytest.approx(2 / 3)
    assert consistency([], []) == 0.0
