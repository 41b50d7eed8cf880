"""The rows of a leaderboard before they are written: one entry per configuration, its seeds summarised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Literal

import pandas as pd

from reports.averages import decides, metric_values
from reports.columns import records
from reports.formats import plain, present, slug
from reports.rows import SELECTION_SPLIT
from reports.run import Run
from reports.statistics import Summary, summarise
from reports.symbols import CHOSEN, UNCOMPARABLE

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
    parts: tuple[str, ...]  # the metrics that its own is the mean of, where it has no single one


@dataclass(frozen=True)
class TaskScore:
    """The shown score (raw fraction × scale) of one entry on one task, over seeds."""

    summary: Summary
    doubts: tuple[str, ...] = ()  # why it does not compare with published numbers
    chosen_on: str = ""  # the split that is reported, where it also chose the checkpoint
    parts: tuple[float, ...] = ()  # means over seeds of the parts of its metric

    @property
    def sound(self) -> bool:
        """Whether it may stand beside the scores of others and of papers."""
        return not self.doubts and not self.chosen_on

    @property
    def symbols(self) -> str:
        """The marks of what is wrong with it."""
        return (CHOSEN if self.chosen_on else "") + (UNCOMPARABLE if self.doubts else "")


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
    task_average: Summary | None  # the same, the parts of a task's metric averaged first
    repeats: Mapping[str, tuple[Summary, ...]]  # by task, or "" for the average: seeds that were run more than once

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
        """How many seeds finished, in a study with a cell for every task; one that was run again counts once."""
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

    def summary(self, task: str) -> Summary | None:
        """Mean over seeds of the shown score on a task, or of the average for ""; None without it."""
        if not task:
            return self.average
        return self.scores[task].summary if task in self.scores else None

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
    def has_average(self) -> bool:
        """Whether there is more than one score to average."""
        return len(self.averaged) > 1

    @property
    def values(self) -> int:
        """How many values an average is over: more than there are tasks, where a metric has parts."""
        return sum(len(task.parts) or 1 for task in self.averaged)

    @property
    def has_task_average(self) -> bool:
        """Whether the average over values is another than one over tasks."""
        return self.has_average and self.values > len(self.averaged)

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
    by_folder: dict[str, list[dict[str, Any]]] = {}
    for row in scores:
        by_folder.setdefault(row["folder"], []).append(row)
    cells = [cell for members in configurations.values() for cell in members]
    listed = [name for cell in cells if present(cell["tasks"]) for name in cell["tasks"].split()]
    tasks = _tasks(listed, scores)
    metrics = {task.metric for task in tasks}
    averaged = tuple(t for t in tasks if not place[0].startswith(EMBEDDED) or decides(t.metric, metrics))
    aside = {task.name for task in tasks} - {task.name for task in averaged}
    entries = [
        _entry(label, each, by_folder, tasks, set(listed) - aside, aside) for label, each in configurations.items()
    ]
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
            tuple(row["parts"].split()) if present(row["parts"]) else (),
        )
        for name in names
        if name in first
        for row in [first[name]]
    )


def _entry(
    label: str,
    cells: list[dict[str, Any]],
    by_folder: dict[str, list[dict[str, Any]]],
    tasks: Sequence[TaskColumn],
    wanted: Collection[str],
    aside: Collection[str],
) -> Entry:
    done = [cell for cell in cells if cell["state"] == "done"]
    # A seed that finished replaces what is left of an earlier, unfinished trial of it.
    finished = {(cell["suite"], cell["seed"]) for cell in done}
    left = [cell for cell in cells if cell["state"] != "done"]
    cells = done + [cell for cell in left if (cell["suite"], cell["seed"]) not in finished]
    first = cells[0]
    rows = [(cell, row) for cell in done for row in by_folder.get(cell["folder"], [])]
    scores, repeats = {}, {}
    for task in tasks:
        mine = [(cell, row) for cell, row in rows if row["task"] == task.name and present(row["value"])]
        summary, again = _over_seeds((cell["seed"], row["value"] * row["scale"]) for cell, row in mine)
        if summary is not None:
            repeats[task.name] = again
            doubts = dict.fromkeys(doubt for cell, row in mine for doubt in _doubts(cell, row))
            chosen = next((chosen for cell, row in mine if (chosen := _chosen_on(cell, row))), "")
            parts = _part_means(mine) if task.parts else ()
            scores[task.name] = TaskScore(summary, tuple(doubts), chosen, parts)
    average, repeats[""] = _average(done, by_folder, wanted, aside, metric_values)
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
        average=average,
        task_average=_average(done, by_folder, wanted, aside, lambda row: [row["value"] * row["scale"]])[0],
        repeats=repeats,
    )


def _over_seeds(values: Iterable[tuple[int, float]]) -> tuple[Summary | None, tuple[Summary, ...]]:
    """Summarise values by seed; a seed that was run again counts once, by its mean, and its values apart too."""
    by_seed: dict[int, list[float]] = {}
    for seed, value in values:
        by_seed.setdefault(seed, []).append(value)
    each = [found for found in map(summarise, by_seed.values()) if found is not None]
    return summarise(one.mean for one in each), tuple(one for one in each if one.n > 1)


def _part_means(rows: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> tuple[float, ...]:
    """Means over seeds of the parts of a metric, from pairs of a cell and its score."""
    parts = zip(*([(cell["seed"], value) for value in metric_values(row)] for cell, row in rows), strict=True)
    return tuple(summary.mean for summary, _ in map(_over_seeds, parts) if summary is not None)


def _doubts(cell: dict[str, Any], row: dict[str, Any]) -> list[str]:
    doubts = []
    if present(cell.get("settings_limit")):
        doubts.append(f"limited to {int(cell['settings_limit'])} examples per task and role")
    elif not row["comparable"]:
        doubts.append("too little data for the metric, such as CIDEr over one image")
    return doubts


def _chosen_on(cell: dict[str, Any], row: dict[str, Any]) -> str:
    chosen = cell.get("settings_selection") == "best" and row["split"] == row["select_split"]
    return plain(row["split"]) if chosen else ""


def _average(
    done: list[dict[str, Any]],
    by_folder: dict[str, list[dict[str, Any]]],
    wanted: Collection[str],
    aside: Collection[str],
    values: Callable[[dict[str, Any]], list[float]],
) -> tuple[Summary | None, tuple[Summary, ...]]:
    """`_over_seeds` of the plain mean of the ``values`` of the tasks ``wanted``; a hole in them is a hole here.

    Where no cell says what its tasks are, all that it has scores of are wanted, but those ``aside``.
    """
    averages = []
    for seed, cells in _trials(done):
        rows = [row for cell in cells for row in by_folder.get(cell["folder"], []) if row["task"] not in aside]
        there = [row for row in rows if present(row["value"]) and row["higher_is_better"]]
        if not there or {row["task"] for row in there} != (wanted or {row["task"] for row in rows}):
            return None, ()
        averages.append((seed, fmean(value for row in there for value in values(row))))
    return _over_seeds(averages)


def _trials(done: Iterable[dict[str, Any]]) -> Iterator[tuple[int, tuple[dict[str, Any], ...]]]:
    """Seeds, as often as each was run, with the cells that are one run of it: one of each suite."""
    by_seed: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for cell in done:
        by_seed.setdefault(cell["seed"], {}).setdefault(cell["suite"], []).append(cell)
    for seed, suites in by_seed.items():
        yield from ((seed, cells) for cells in zip(*suites.values(), strict=False))


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
