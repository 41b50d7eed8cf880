"""Which rows of a leaderboard's column are level with its best.

Two tests ask for a difference from the best row: a paired permutation test over the examples that both predicted,
clustered by image and averaged over seeds, where predictions are stored; and Welch's test over seeds where there are
two or more. The first knows nothing of what another seed would change, the second nothing of other examples, so a row
is separate only if every test that is possible says so, at 5 % after Holm's correction over the column's rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose

import numpy as np
import pandas as pd

from reports.entries import Entry, Group, TaskColumn
from reports.record import RecordError
from reports.run import Run
from reports.statistics import Summary, holm, sign_flips, welch

ALPHA = 0.05

Competing = Mapping[str, Sequence[tuple[str, float]]]
"""Task, or "" for the average → label and mean, higher being better, of the rows that compete in that column."""


def level_with_best(run: Run, group: Group, competing: Competing) -> set[tuple[str, str]]:
    """The (label, task) of rows that no test separates from the best of their column; the best one is not among them.

    A row that cannot be tested, for want of seeds and of predictions of the same examples, is not among them either.
    """
    entries = {entry.label: entry for entry in group.entries}
    stored = _Stored(run)
    found: set[tuple[str, str]] = set()
    for column, rows in competing.items():
        if len(rows) < 2:
            continue
        best = entries[max(rows, key=lambda row: row[1])[0]]
        tasks = [task for task in group.tasks if task.name == column] if column else list(group.averaged)
        tested: dict[str, float] = {}
        for entry in (entries[label] for label, _ in rows if label != best.label):
            values = [_over_seeds(entry, best, column), stored.over_examples(entry, best, tasks)]
            if possible := [value for value in values if value is not None]:
                tested[entry.label] = max(possible)
        adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
        found |= {(label, column) for label, value in adjusted.items() if value >= ALPHA}
    return found


def _over_seeds(one: Entry, other: Entry, column: str) -> float | None:
    mine, its = _summary(one, column), _summary(other, column)
    return welch(mine, its) if mine and its else None


def _summary(entry: Entry, column: str) -> Summary | None:
    if not column:
        return entry.average
    return entry.scores[column].summary if column in entry.scores else None


class _Stored:
    """Predictions of a run, each file read once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._examples: dict[str, pd.DataFrame | None] = {}

    def over_examples(self, one: Entry, other: Entry, tasks: Sequence[TaskColumn]) -> float | None:
        """Return p of the paired test on the mean over tasks; None unless both scored the same examples of each.

        None, too, where the score of a task is not the mean of its examples' scores, as a correlation is not.
        """
        mine, its = self._of(one), self._of(other)
        if mine is None or its is None:
            return None
        parts = []
        for task in tasks:
            left, right = (side[side["task"] == task.name].set_index("id") for side in (mine, its))
            if left.empty or set(left.index) != set(right.index):
                return None
            if not (_is_mean_of(left, one, task) and _is_mean_of(right, other, task)):
                return None
            parts.append(((left["score"] - right["score"]) / len(left)).groupby(left["cluster"]).sum())
        return sign_flips(pd.concat(parts).groupby(level=0).sum().to_numpy(dtype=np.float64))

    def _of(self, entry: Entry) -> pd.DataFrame | None:
        """Mean score over seeds by task and example, with its cluster."""
        if entry.label not in self._examples:
            self._examples[entry.label] = self._read(entry)
        return self._examples[entry.label]

    def _read(self, entry: Entry) -> pd.DataFrame | None:
        frames = []
        for cell in entry.done:
            try:
                frames.append(self._run.predictions(cell["key"])[["task", "id", "cluster", "score"]])
            except (RecordError, KeyError):
                return None
        scores = pd.concat(frames) if frames else pd.DataFrame()
        if scores.empty:
            return None
        return scores.groupby(["task", "id"], as_index=False).agg(cluster=("cluster", "first"), score=("score", "mean"))


def _is_mean_of(examples: pd.DataFrame, entry: Entry, task: TaskColumn) -> bool:
    """Whether a task's score is the mean of its examples' scores."""
    shown = entry.scores.get(task.name)
    mean = float(examples["score"].mean(skipna=False)) * task.scale
    return shown is not None and isclose(mean, shown.summary.mean, abs_tol=1e-6)
