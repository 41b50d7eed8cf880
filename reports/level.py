"""Which rows of a leaderboard's column are level with its best.

Two tests ask for a difference from the best row: a paired permutation test over the examples that both predicted,
clustered by image and averaged over seeds, where predictions are stored; and Welch's test over seeds where there are
two or more. The first knows nothing of what another seed would change, the second nothing of other examples, so a row
is separate only if every test that is possible says so, at 5 % after Holm's correction over the column's rows.
"""

from __future__ import annotations

from reports.entries import Entry, Group
from reports.examples import Examples
from reports.marks import Competing, against_best, level
from reports.statistics import welch


def level_with_best(examples: Examples, group: Group, competing: Competing) -> set[tuple[str, str]]:
    """The (label, task) of rows that no test separates from the best of their column; the best one is not among them.

    A row that cannot be tested, for want of seeds and of predictions of the same examples, is not among them either.
    """
    entries = {entry.label: entry for entry in group.entries}

    def test(label: str, best_label: str, column: str) -> float | None:
        entry, best = entries[label], entries[best_label]
        tasks = [task for task in group.tasks if task.name == column] if column else group.averaged
        values = [_over_seeds(entry, best, column), examples.test(entry, best, tasks)]
        return max((value for value in values if value is not None), default=None)

    return level(against_best(competing, test))


def _over_seeds(one: Entry, other: Entry, column: str) -> float | None:
    mine, its = one.summary(column), other.summary(column)
    return welch(mine, its) if mine and its else None
