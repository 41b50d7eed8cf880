"""How durations are written for people."""

import pytest

from reports.formats import HOLE, duration, rough_duration


@pytest.mark.parametrize(
    ("seconds", "measured", "rough"),
    [
        (0.0412, "41.2 ms", "0 s"),
        (4.4, "4.40 s", "4 s"),
        (125, "2 min 05 s", "2 min"),
        (3900, "1 h 05 min", "1 h 05 min"),
    ],
)
def test_measured_durations_are_exact_and_estimated_ones_rough(seconds: float, measured: str, rough: str) -> None:
    assert (duration(seconds), rough_duration(seconds)) == (measured, rough)


def test_what_was_not_measured_is_a_hole() -> None:
    assert duration(None) == duration(float("nan")) == HOLE
