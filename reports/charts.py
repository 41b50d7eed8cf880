"""What the page's charts are drawn from: of each board its rows with scores, intervals, costs and ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student

from reports.cost import shared
from reports.entries import Entry, Group
from reports.families import families
from reports.formats import plain
from reports.statistics import Summary, critical_difference, mean_ranks

MEBIBYTE = 2.0**20

AXES: tuple[tuple[str, str, float, bool], ...] = (
    ("updated_percent", "Updated params (%)", 1, False),
    ("trained_parameters", "Trained parameters", 1, False),
    ("stored_file_bytes", "Stored file (MiB)", MEBIBYTE, False),
    ("training_resident_bytes", "Peak memory of training (MiB, resident)", MEBIBYTE, False),
    ("training_allocated_bytes", "Peak memory of training (MiB, CUDA allocated)", MEBIBYTE, False),
    ("evaluation_resident_bytes", "Peak memory of evaluation (MiB, resident)", MEBIBYTE, False),
    ("training_samples_per_second", "Training (samples/s)", 1, True),
    ("evaluation_samples_per_second", "Evaluation (samples/s)", 1, True),
    ("training_step_seconds", "Training step (ms)", 1e-3, False),
    ("latency_p50_seconds", "Latency of one example (ms, median)", 1e-3, False),
    ("total_seconds", "Wall time of a cell (s)", 1, False),
)
"""Column of `Run.cells`, title, divisor of its values, and whether more is better."""


def chart_data(group: Group, name: str) -> dict[str, Any]:
    """The rows of a board as plain values; ``name`` is the board's anchor."""
    rows = [_row(entry) for entry in group.entries if entry.done]
    family = families(entry.method for entry in group.entries)
    for row, entry in zip(rows, (entry for entry in group.entries if entry.done), strict=True):
        row["family"] = family[entry.method]
    tasks = [[task.name, f"{task.title} ({task.metric_title})", task.higher_is_better] for task in group.tasks]
    if len(group.averaged) > 1:
        tasks.insert(0, ["", f"Average over {', '.join(task.title for task in group.averaged)}", True])
    axes = [[column, title, more] for column, title, _, more in AXES if any(column in row["costs"] for row in rows)]
    return {
        "name": name,
        "tasks": tasks,
        "axes": axes,
        "rows": rows,
        "floors": {
            task: max(values[task] for values in group.floors.values() if task in values) for task in _floored(group)
        },
        "ranks": _ranks(group),
    }


def _floored(group: Group) -> list[str]:
    return [task.name for task in group.tasks if any(task.name in values for values in group.floors.values())]


def _row(entry: Entry) -> dict[str, Any]:
    summaries = {task: score.summary for task, score in entry.scores.items()}
    if entry.average is not None:
        summaries[""] = entry.average
    costs = {column: entry.median(column) for column, *_ in AXES}
    divisors = {column: divisor for column, _, divisor, _ in AXES}
    return {
        "label": entry.label,
        "title": plain(entry.headline, 80),
        "kind": "control" if entry.control != "none" else entry.kind,
        "key": entry.done[0]["key"],
        "shared": shared(entry),
        "scores": {task: _interval(summary) for task, summary in summaries.items()},
        "costs": {column: float(f"{v / divisors[column]:.4g}") for column, v in costs.items() if v is not None},
    }


def _interval(summary: Summary) -> list[float]:
    """Mean and number of seeds; with two seeds or more the bounds of the mean's 95 % interval by Student's t."""
    mean, n = round(summary.mean, 3), summary.n
    if summary.std is None:
        return [mean, n]
    half = float(student.ppf(0.975, n - 1)) * summary.std / n**0.5
    return [mean, n, round(mean - half, 3), round(mean + half, 3)]


def _ranks(group: Group) -> dict[str, Any] | None:
    """Mean rank over the tasks of the ranked rows that have all of them; None with fewer than two rows or tasks."""
    tasks = group.tasks
    whole = [entry for entry in group.ranked if all(task.name in entry.scores for task in tasks)]
    if len(whole) < 2 or len(tasks) < 2 or group.scored_on != "report":
        return None
    signs = [1 if task.higher_is_better else -1 for task in tasks]
    scores = np.array(
        [[s * e.scores[task.name].summary.mean for s, task in zip(signs, tasks, strict=True)] for e in whole]
    )
    ranks = mean_ranks(scores)
    order = np.argsort(ranks, kind="stable")
    return {
        "rows": [[whole[place].label, round(float(ranks[place]), 3)] for place in order],
        "tasks": len(tasks),
        "critical": round(critical_difference(len(whole), len(tasks)), 3),
    }
