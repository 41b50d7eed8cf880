"""Averages over the accuracies of an embedded suite, in points.

They are what its rows are ranked, its learning rates chosen and it is itself judged by. Captions count only where a
suite has nothing else: CIDEr has another unit and, at 200 to 400 points where an accuracy has at most 100, would decide
alone. (In the papers' suites it is near the accuracies, and their average is over all tasks.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from reports.formats import present
from reports.run import Run
from reports.statistics import Summary, summarise

CAPTIONS = "cider"  # the metric that is no accuracy


class Missing(Exception):
    """A figure cannot be made; the text says what is not there."""


def in_points(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of `Run.scores` with their value as it is shown, in the column ``points``."""
    return scores.assign(points=scores["value"] * scores["scale"])


def metric_values(score: Mapping[str, Any]) -> list[float]:
    """What a task adds to an average over metric values, in points: the parts of its metric, or its one value.

    HyperFormer averages GLUE so, over eleven values (Karimi Mahabadi et al. 2021), and whoever compares with it.
    """
    parts = str(score["parts"]).split() if present(score["parts"]) else []
    values = [score[f"more_{part}"] for part in parts] or [score["value"]]
    return [value * score["scale"] for value in values]


def decides(metric: str, metrics: Collection[str]) -> bool:
    """Whether a task counts in the average of an embedded suite, by its metric and those of all the suite's tasks."""
    return metric != CAPTIONS or set(metrics) == {CAPTIONS}


def deciding(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of one embedded suite's scores that an average is over: its accuracies, or all where it has none."""
    metrics = set(scores["metric"])
    return scores[scores["metric"].isin([metric for metric in metrics if decides(metric, metrics)])]


class Averages:
    """Scores of the ranked rows of one suite on one backbone without overrides, on all data and the reporting split."""

    def __init__(self, run: Run, suite: str, backbone: str) -> None:
        scores = run.scores
        plain = scores["method"].where(scores["control"] == "none", scores["method"] + ", " + scores["control"])
        kept = (scores["suite"] == suite) & (scores["backbone"] == backbone) & (scores["state"] == "done")
        kept &= (scores["scored_on"] == "report") & scores["comparable"] & (scores["label"] == plain)
        kept &= scores["ranked"]
        scores = in_points(scores[kept])
        self.suite = suite
        self.captions = _whole(scores[scores["metric"] == CAPTIONS])
        self.accuracies = scores[(scores["metric"] != CAPTIONS) & scores["points"].notna()]
        self.table = _whole(scores[scores["metric"] != CAPTIONS])  # label × seed
        self.cells = run.cells[run.cells["key"].isin(scores["key"])]

    @property
    def methods(self) -> pd.DataFrame:
        """The rows that are no controls."""
        return self.table[[", " not in label for label in self.table.index]]

    def summary(self, label: str) -> Summary | None:
        """Mean over seeds of one row, or None."""
        return summarise(self.table.loc[[label]].to_numpy().ravel()) if label in self.table.index else None

    def of(self, label: str) -> Summary:
        """The same, of a row that is needed.

        Raises:
            Missing: no seed of it finished.
        """
        found = self.summary(label)
        if found is None:
            raise Missing(f"no finished cell of {label} on {self.suite}")
        return found


def _whole(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over tasks, label × seed; only of cells that have all the tasks."""
    once = scores.groupby(["label", "seed", "task"])["points"].mean()  # a seed that was run again counts once
    means = once.groupby(["label", "seed"]).agg(["mean", "count"])
    whole = means.loc[means["count"] == scores["task"].nunique(), "mean"]
    return whole.astype(float).unstack("seed").sort_index(axis=1)
