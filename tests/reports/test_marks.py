"""Best, second, level and alone, from means and p-values."""

from __future__ import annotations

from reports.marks import against_best, alone, level, marks

COLUMN = {"vqa": [("a", 70.004), ("b", 70.001), ("c", 69.0), ("d", 60.0)], "": [("a", 1.0)]}
P = {"b": 0.9, "c": 0.04, "d": 0.03}


def test_marks_go_by_what_is_printed() -> None:
    assert marks(COLUMN) == {("a", "vqa"): "best", ("b", "vqa"): "best", ("c", "vqa"): "second"}
    assert marks(COLUMN, digits=3)[("b", "vqa")] == "second"


def test_a_row_is_level_where_no_test_separates_it_after_correction() -> None:
    tests = against_best(COLUMN, lambda label, best, _: P[label] if best == "a" else None)
    assert tests == {"vqa": P}  # a column of one row is no contest
    assert level(tests) == {("b", "vqa"), ("c", "vqa"), ("d", "vqa")}  # Holm: 3 × 0.03 and 2 × 0.04 are above 5 %
    assert level(tests, list) == {("b", "vqa")}


def test_the_best_is_alone_only_if_every_rival_was_tested() -> None:
    rivals = {"vqa": COLUMN["vqa"][1:]}
    tests = against_best(rivals, lambda label, *_: P[label])
    assert (alone(rivals, tests), alone(rivals, tests, list)) == ([], ["vqa"])
    untested = against_best(rivals, lambda label, *_: None if label == "c" else P[label])
    assert alone(rivals, untested) == []
    assert level(untested, list) == set()
