"""Scores of single examples that the cells of a run stored, ready to be compared and drawn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.entries import Entry, Group, TaskColumn
from reports.record import RecordError
from reports.run import Run
from reports.statistics import sign_flips, two_level_bootstrap

Floats = NDArray[np.float64]

_SAME = 0.005  # points: what rounding may change


@dataclass(frozen=True)
class TaskExamples:
    """Raw scores (examples, runs) on one task; ``ids`` is the same object for all that scored the same examples."""

    ids: pd.Index
    clusters: NDArray[np.object_]
    scores: Floats


@dataclass(frozen=True)
class Draws:
    """How the means might have come out: shown scale (draws, labels, tasks)."""

    labels: list[str]
    means: Floats


class Examples:
    """Predictions of a run, each file read once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._entries: dict[str, dict[str, TaskExamples]] = {}
        self._known: dict[str, list[pd.Index]] = defaultdict(list)  # task → sets of examples, in their first order

    def of(self, entry: Entry) -> Mapping[str, TaskExamples]:
        """By task, over the seeds of an entry; a task of which seeds lack scores or differ in examples is absent.

        So is one whose examples have no scores of their own, such as numbers whose correlation alone is measured.
        """
        if entry.label not in self._entries:
            self._entries[entry.label] = self._read(entry)
        return self._entries[entry.label]

    def test(self, one: Entry, other: Entry, tasks: Sequence[TaskColumn]) -> float | None:
        """Return p of the paired test on the mean over tasks; None unless both scored the same examples of each.

        None, too, where the score of a task is not the mean of its examples' scores, as a correlation is not.
        """
        clusters, differences = [], []
        for task in tasks:
            if not (self._serves(one, task) and self._serves(other, task)):
                return None
            left, right = (self.of(entry)[task.name] for entry in (one, other))
            if left.ids is not right.ids:
                return None
            clusters.append(left.clusters)
            differences.append((left.scores.mean(axis=1) - right.scores.mean(axis=1)) / len(left.ids))
        codes, names = pd.factorize(np.concatenate(clusters))
        sums: Floats = np.bincount(codes, np.concatenate(differences), len(names)).astype(np.float64)
        return sign_flips(sums)

    def draws(self, entries: Sequence[Entry], group: Group) -> Draws | None:
        """Draw seeds and clusters of the entries that all tasks' examples serve.

        An entry is left out where its examples are not those of most, or do not average to its score, as those of a
        metric that is no mean do not. None where nothing is left.
        """
        names = [task.name for task in group.tasks]
        alike: dict[tuple[int, ...], list[Entry]] = defaultdict(list)
        for entry in entries:
            if all(self._serves(entry, task) for task in group.tasks):
                alike[tuple(id(self.of(entry)[task].ids) for task in names)].append(entry)
        if not alike:
            return None
        served = max(alike.values(), key=len)
        first = self.of(served[0])
        codes, clusters = pd.factorize(np.concatenate([first[task].clusters for task in names]))
        parts = np.split(codes, np.cumsum([len(first[task].ids) for task in names])[:-1])
        counts = [self.of(entry)[names[0]].scores.shape[1] for entry in served]
        totals = np.empty((len(clusters), sum(counts), len(names)))
        sizes = np.empty((len(clusters), len(names)))
        for place, (task, part) in enumerate(zip(names, parts, strict=True)):
            sizes[:, place] = np.bincount(part, minlength=len(clusters))
            runs = np.concatenate([self.of(entry)[task].scores for entry in served], axis=1)
            for run, scores in enumerate(runs.T):
                totals[:, run, place] = np.bincount(part, scores, len(clusters))
        members = np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])
        drawn = two_level_bootstrap(totals, sizes, [list(each) for each in members])
        return Draws([entry.label for entry in served], drawn * [task.scale for task in group.tasks])

    def _serves(self, entry: Entry, task: TaskColumn) -> bool:
        """Whether the score of a task is the mean of its stored examples' scores."""
        scored, stored = entry.scores.get(task.name), self.of(entry).get(task.name)
        if scored is None or stored is None or task.parts:  # parts weigh in averages as several scores
            return False
        return abs(float(stored.scores.mean()) * task.scale - scored.summary.mean) < _SAME

    def _read(self, entry: Entry) -> dict[str, TaskExamples]:
        found: dict[str, list[TaskExamples]] = defaultdict(list)
        keys = dict.fromkeys(cell["key"] for cell in entry.done)
        for key in keys:
            try:
                frame = self._run.predictions(key)[["task", "id", "cluster", "score"]]
            except (RecordError, KeyError):
                return {}
            for task, part in frame.groupby("task", sort=False):
                if not (part["score"].isna().any() or part["id"].duplicated().any()):
                    found[str(task)].append(self._ordered(str(task), part))
        return {
            task: TaskExamples(each[0].ids, each[0].clusters, np.concatenate([one.scores for one in each], axis=1))
            for task, each in found.items()
            if len(each) == len(keys) and all(one.ids is each[0].ids for one in each)
        }

    def _ordered(self, task: str, part: pd.DataFrame) -> TaskExamples:
        """The examples in the order in which the same ones were first seen."""
        ids = pd.Index(part["id"])
        clusters, scores = part["cluster"].to_numpy(dtype=object), part["score"].to_numpy(dtype=np.float64)[:, None]
        for known in self._known[task]:
            if known.equals(ids):
                return TaskExamples(known, clusters, scores)
            if len(known) == len(ids) and (order := ids.get_indexer(known)).min(initial=0) >= 0:
                return TaskExamples(known, clusters[order], scores[order])
        self._known[task].append(ids)
        return TaskExamples(ids, clusters, scores)
