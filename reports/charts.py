"""What the page's charts are drawn from: of each board its rows with scores, intervals, costs and ranks."""

from __future__ import annotations

from typing import Any

from scipy.stats import t as student

from reports.aggregates import RANK
from reports.cost import shared
from reports.entries import Entry, Group
from reports.formats import plain
from reports.statistics import Summary, critical_difference
from reports.table import Table

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

Bounds = dict[tuple[str, str], tuple[float, float]]


def chart_data(group: Group, name: str, board: Table) -> dict[str, Any]:
    """The rows of a board as plain values; ``name`` is its anchor, ``board`` its table, which knows the intervals."""
    bounds = _bounds(group, board)
    rows = [_row(entry, bounds) for entry in group.entries if entry.done]
    tasks = [[task.name, f"{task.title} ({task.metric_title})", task.higher_is_better] for task in group.tasks]
    if group.has_average:
        tasks.insert(0, ["", f"Average over {_averaged(group)}", True])
    axes = [[column, title, more] for column, title, _, more in AXES if any(column in row["costs"] for row in rows)]
    return {
        "name": name,
        "tasks": tasks,
        "axes": axes,
        "rows": rows,
        "floors": {
            task: max(values[task] for values in group.floors.values() if task in values) for task in _floored(group)
        },
        "ranks": _ranks(group, board),
    }


def _averaged(group: Group) -> str:
    if group.has_task_average:
        return f"{group.values} metric values"
    return "all tasks" if group.averaged == group.tasks else ", ".join(task.title for task in group.averaged)


def _floored(group: Group) -> list[str]:
    return [task.name for task in group.tasks if any(task.name in values for values in group.floors.values())]


def _bounds(group: Group, board: Table) -> Bounds:
    """(label, task) → the interval that the table shows, "" being the average."""
    names = {task.title: task.name for task in group.tasks} | {"Average": ""}
    places = {place: names[column.title] for place, column in enumerate(board.columns) if column.title in names}
    return {
        (entry.label, task): bounds
        for entry, row in zip(group.entries, board.rows, strict=False)  # floors and notes follow the entries
        for place, task in places.items()
        if (bounds := row.cells[place].interval) is not None
    }


def _row(entry: Entry, bounds: Bounds) -> dict[str, Any]:
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
        "scores": {task: _score(summary, bounds.get((entry.label, task))) for task, summary in summaries.items()},
        "costs": {column: float(f"{v / divisors[column]:.4g}") for column, v in costs.items() if v is not None},
    }


def _score(summary: Summary, bounds: tuple[float, float] | None) -> list[float]:
    """Mean, number of seeds, and 95 % bounds where known: those given, else by Student's t over two seeds or more."""
    mean, n = round(summary.mean, 2), summary.n  # as the tables print it
    if bounds is None and summary.std is not None:
        half = float(student.ppf(0.975, n - 1)) * summary.std / n**0.5
        bounds = (summary.mean - half, summary.mean + half)
    return [mean, n, *(round(bound, 2) for bound in bounds or ())]


def _ranks(group: Group, board: Table) -> dict[str, Any] | None:
    """Mean ranks as the table shows them, best first, with Nemenyi's critical difference; None where it has none."""
    place = next((place for place, column in enumerate(board.columns) if column == RANK), None)
    if place is None:
        return None
    ranked = [(entry, row.cells[place]) for entry, row in zip(group.entries, board.rows, strict=False)]
    rows = [[e.label, float(cell.value), *(cell.interval or ())] for e, cell in ranked if isinstance(cell.value, float)]
    tasks = sum(task.higher_is_better for task in group.tasks)
    return {
        "rows": [
            [label, *(round(rank, 2) for rank in ranks)] for label, *ranks in sorted(rows, key=lambda row: row[1])
        ],
        "tasks": tasks,
        "critical": round(critical_difference(len(rows), tasks), 2),
    }
