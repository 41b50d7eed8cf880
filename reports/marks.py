"""Best, second and level with the best: what a column of means may claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reports.statistics import ALPHA, holm
from reports.table import Mark

Competing = Mapping[str, Sequence[tuple[str, float]]]
"""Task, or "" for the average → label and mean, higher being better, of the rows that compete in that column."""

PValues = Mapping[str, Mapping[str, float]]
"""Column → p of the test against the column's best row, by label; without the best, and rows that no test serves."""

Adjustment = Callable[[Sequence[float]], Sequence[float]]


def marks(competing: Competing, digits: int = 2) -> dict[tuple[str, str], Mark]:
    """(label, column) → mark; columns are ranked by what is printed, and equal prints share a mark."""
    found: dict[tuple[str, str], Mark] = {}
    ranks: list[Mark] = ["best", "second"]
    for column, rows in competing.items():
        printed = [(label, round(value, digits)) for label, value in rows]
        if len(printed) < 2:
            continue
        for mark, height in zip(ranks, sorted({value for _, value in printed}, reverse=True), strict=False):
            found |= {(label, column): mark for label, value in printed if value == height}
    return found


def against_best(competing: Competing, test: Callable[[str, str, str], float | None]) -> PValues:
    """Test every row against the best of its column; ``test`` is asked for p by two labels and the column."""
    found: dict[str, dict[str, float]] = {}
    for column, rows in competing.items():
        if len(rows) < 2:
            continue
        best = max(rows, key=lambda row: row[1])[0]
        tests = {label: test(label, best, column) for label, _ in rows if label != best}
        found[column] = {label: p for label, p in tests.items() if p is not None}
    return found


def level(tests: PValues, adjust: Adjustment = holm) -> set[tuple[str, str]]:
    """The (label, column) of rows that are not separate from the best of their column at 5 %."""
    found: set[tuple[str, str]] = set()
    for column, values in tests.items():
        adjusted = zip(values, adjust(list(values.values())), strict=True)
        found |= {(label, column) for label, p in adjusted if p >= ALPHA}
    return found


def alone(competing: Competing, tests: PValues, adjust: Adjustment = holm) -> list[str]:
    """The columns whose best row is separate from every rival; none where a rival cannot be tested."""
    together = {column for _, column in level(tests, adjust)}
    return [column for column in tests if column not in together and len(tests[column]) == len(competing[column]) - 1]
