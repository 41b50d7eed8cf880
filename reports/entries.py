"""The rows of a leaderboard before they are written: one entry per configuration, its seeds summarised."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from reports.averages import decides
from reports.columns import records
from reports.formats import plain, present, slug
from reports.rows import SELECTION_SPLIT
from reports.run import Run
from reports.statistics import Summary, summarise

REFERENCES = ("full", "projection")
"""The two methods that frame the others: everything trains, and nothing but the visual projection does.
They, and every row under a control, are shown but not ranked."""

EMBEDDED = "mini-"  # how embedded suites and backbones are named

FAILURES = ("failed", "out-of-memory", "timed-out", "diverged", "incompatible")


@dataclass(frozen=True)
class TaskColumn:
    """One task of a suite as its scores describe it."""

    name: str
    title: str
    metric: str
    metric_title: str
    split: str
    scale: float
    higher_is_better: bool


@dataclass(frozen=True)
class TaskScore:
    """The shown score (raw fraction × scale) of one entry on one task, over seeds."""

    summary: Summary
    doubts: tuple[str, ...]  # why it does not compare with published numbers


@dataclass(frozen=True)
class Entry:
    """One configuration of one method on one suite and backbone."""

    configuration: str
    label: str
    title: str
    paper: str
    kind: Literal["reference", "ranked"]
    method: str
    control: str
    cells: list[dict[str, Any]]  # rows of Run.cells, of every state
    scores: dict[str, TaskScore]  # by task; a task without a score is absent
    average: Summary | None  # over seeds, of the mean over the averaged tasks; None unless all of them are there

    @property
    def headline(self) -> str:
        """The label as papers print it: the method's title in the place of its name."""
        if not self.title or not self.label.startswith(self.method):
            return self.label
        return self.title + self.label.removeprefix(self.method).removesuffix(f", {SELECTION_SPLIT}")

    @property
    def done(self) -> list[dict[str, Any]]:
        """The finished cells."""
        return [cell for cell in self.cells if cell["state"] == "done"]

    @property
    def seeds(self) -> int:
        """Number of seeds of which all cells finished: one cell of each, but in a study a cell for every task."""
        left = {cell["seed"] for cell in self.cells if cell["state"] != "done"}
        return len({cell["seed"] for cell in self.done} - left)

    @property
    def updated_percent(self) -> float | None:
        """Updated params (%), the same for all seeds; known as soon as the method is attached."""
        return next((float(value) for cell in self.cells if present(value := cell["updated_percent"])), None)

    @property
    def learning_rate(self) -> float | None:
        """Peak learning rate, the same for all seeds."""
        return next((float(value) for cell in self.cells if present(value := cell["learning_rate"])), None)

    def median(self, column: str) -> float | None:
        """Median over the finished cells in which a column was measured."""
        values = sorted(float(cell[column]) for cell in self.done if present(cell[column]))
        if not values:
            return None
        middle = len(values) // 2
        return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2

    @property
    def failure(self) -> str:
        """What kept seeds from finishing: "diverged", or "1 of 3 diverged" beside finished ones; else empty."""
        states = [cell["state"] for cell in self.cells if cell["state"] in FAILURES]
        if len(states) == len(self.cells):
            return ", ".join(dict.fromkeys(states))
        return ", ".join(f"{states.count(state)} of {len(self.cells)} {state}" for state in dict.fromkeys(states))


@dataclass(frozen=True)
class Group:
    """All entries of one suite on one backbone and one split, in the order of the leaderboard."""

    suite: str
    backbone: str
    scored_on: str  # "report", or "select": scores that compare learning rates and are no result
    tasks: tuple[TaskColumn, ...]
    averaged: tuple[TaskColumn, ...]  # all, as in the papers; on an embedded suite those of `reports.averages`
    entries: tuple[Entry, ...]
    floors: dict[str, dict[str, float]]  # floor → task → raw fraction × scale

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.suite} on {self.backbone}" + (f", {SELECTION_SPLIT}" if self.scored_on == "select" else "")

    @property
    def name(self) -> str:
        """Safe in file names and anchors."""
        return f"{slug(self.suite)}-{slug(self.backbone)}" + ("-selection-split" if self.scored_on == "select" else "")

    @property
    def ranked(self) -> list[Entry]:
        """The entries that compete."""
        return [entry for entry in self.entries if entry.kind == "ranked"]


def groups(run: Run) -> list[Group]:
    """One group per suite × backbone × scored split in which at least one cell was scored; of the ranked cells."""
    done = run.scores[(run.scores["state"] == "done") & run.scores["ranked"]]
    place = ["suite", "backbone", "scored_on"]
    cells = dict(list(run.cells[run.cells["ranked"]].groupby(place, sort=True)))
    scores = dict(list(done.groupby(place, sort=True)))
    return [_group(place, cells[place], scores[place]) for place in scores]


def _group(place: Any, cells: pd.DataFrame, scores: pd.DataFrame) -> Group:
    configurations: dict[str, list[dict[str, Any]]] = {}
    for cell in records(cells):
        configurations.setdefault(cell["label"], []).append(cell)
    group = make_group(place, configurations, records(scores))
    return replace(group, entries=tuple(sorted(group.entries, key=_order)))


def make_group(
    place: tuple[str, str, str],
    configurations: Mapping[str, list[dict[str, Any]]],
    scores: Sequence[dict[str, Any]],
) -> Group:
    """Summarise the cells of each label with their scores; entries in the order of the labels.

    ``place`` is a suite, a backbone and the split that was scored. Entries without any result are left out.
    """
    by_key: dict[str, list[dict[str, Any]]] = {}
    for row in scores:
        by_key.setdefault(row["key"], []).append(row)
    cells = [cell for members in configurations.values() for cell in members]
    listed = [name for cell in cells if present(cell["tasks"]) for name in cell["tasks"].split()]
    tasks = _tasks(listed, scores)
    metrics = {task.metric for task in tasks}
    averaged = tuple(t for t in tasks if not place[0].startswith(EMBEDDED) or decides(t.metric, metrics))
    aside = {task.name for task in tasks} - {task.name for task in averaged}

    def summary(label: str, members: list[dict[str, Any]]) -> Entry:
        entry = _entry(label, members, by_key, tasks)
        return replace(entry, average=_average(entry.done, by_key, set(listed) - aside, aside))

    entries = [summary(label, members) for label, members in configurations.items()]
    shown = tuple(entry for entry in entries if entry.done or entry.failure)
    return Group(*place, tasks, averaged, shown, _floors(scores, tasks))


def _tasks(listed: Sequence[str], scores: Sequence[dict[str, Any]]) -> tuple[TaskColumn, ...]:
    """The tasks in the suite's order, with those that nothing scored left out."""
    first: dict[str, dict[str, Any]] = {}
    for row in scores:
        first.setdefault(row["task"], row)
    names = list(dict.fromkeys([*listed, *first]))
    return tuple(
        TaskColumn(
            name,
            plain(row["title"]),
            row["metric"],
            plain(row["metric_title"]),
            plain(row["split"]),
            float(row["scale"]),
            bool(row["higher_is_better"]),
        )
        for name in names
        if name in first
        for row in [first[name]]
    )


def _entry(
    label: str,
    cells: list[dict[str, Any]],
    by_key: dict[str, list[dict[str, Any]]],
    tasks: Sequence[TaskColumn],
) -> Entry:
    done = [cell for cell in cells if cell["state"] == "done"]
    # A seed that finished replaces what is left of an earlier, unfinished trial of it.
    finished = {(cell["suite"], cell["seed"]) for cell in done}
    left = [cell for cell in cells if cell["state"] != "done"]
    cells = done + [cell for cell in left if (cell["suite"], cell["seed"]) not in finished]
    first = cells[0]
    rows = [(cell, row) for cell in done for row in by_key.get(cell["key"], [])]
    scores = {}
    for task in tasks:
        mine = [(cell, row) for cell, row in rows if row["task"] == task.name and present(row["value"])]
        summary = summarise(row["value"] * row["scale"] for _, row in mine)
        if summary is not None:
            doubts = dict.fromkeys(doubt for cell, row in mine for doubt in _doubts(cell, row))
            scores[task.name] = TaskScore(summary, tuple(doubts))
    reference = first["method"] in REFERENCES or first["control"] != "none"
    return Entry(
        configuration=first["configuration"],
        label=label,
        title=first["method_title"] if present(first["method_title"]) else "",
        paper=first["method_paper"] if present(first["method_paper"]) else "",
        kind="reference" if reference else "ranked",
        method=first["method"],
        control=first["control"],
        cells=cells,
        scores=scores,
        average=None,
    )


def _doubts(cell: dict[str, Any], row: dict[str, Any]) -> list[str]:
    doubts = []
    if present(cell.get("settings_limit")):
        doubts.append(f"limited to {int(cell['settings_limit'])} examples per task and role")
    elif not row["comparable"]:
        doubts.append("too little data for the metric, such as CIDEr over one image")
    if cell.get("settings_selection") == "best" and row["split"] == row["select_split"]:
        doubts.append(f"the checkpoint was selected on the reporting split, {plain(row['split'])}")
    return doubts


def _average(
    done: list[dict[str, Any]], by_key: dict[str, list[dict[str, Any]]], wanted: Collection[str], aside: Collection[str]
) -> Summary | None:
    """Mean over seeds of the plain mean over the tasks ``wanted``; a hole in them is a hole here.

    Where no cell says what its tasks are, all that it has scores of are wanted, but those ``aside``.
    """
    of_seed: dict[Any, list[dict[str, Any]]] = {}
    for cell in done:
        of_seed.setdefault(cell["seed"], []).extend(by_key.get(cell["key"], []))
    averages = []
    for scores in of_seed.values():
        rows = [row for row in scores if row["task"] not in aside]
        there = [row for row in rows if present(row["value"]) and row["higher_is_better"]]
        if not there or {row["task"] for row in there} != (wanted or {row["task"] for row in rows}):
            return None
        averages.append(sum(row["value"] * row["scale"] for row in there) / len(there))
    return summarise(averages)


def _floors(scores: Sequence[dict[str, Any]], tasks: Sequence[TaskColumn]) -> dict[str, dict[str, float]]:
    """Floors of the data, from the score with the most examples where a limit made them differ."""
    names = sorted({name for row in scores for name in row if name.startswith("floor_")})
    floors: dict[str, dict[str, float]] = {}
    for name in names:
        for task in tasks:
            rows = [row for row in scores if row["task"] == task.name and present(row[name])]
            if rows:
                largest = max(rows, key=lambda row: row["examples"])
                title = name.removeprefix("floor_").replace("_", " ")
                floors.setdefault(title, {})[task.name] = largest[name] * task.scale
    return floors


def _order(entry: Entry) -> tuple[Any, ...]:
    """References first (full, projection, then controls), the others by falling average, holes last."""
    place = REFERENCES.index(entry.method) if entry.method in REFERENCES else len(REFERENCES)
    mean = -entry.average.mean if entry.average is not None else float("inf")
    if entry.kind == "reference":
        return (0, entry.control != "none", place, entry.label)
    return (1, mean, entry.label)
