"""The tasks of a run: what goes in and comes out, how it is scored and on what, where the data comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.formats import count, plain, present, significant
from reports.table import Column, Row, Table, TableCell, without_empty_columns

COLUMNS = (
    Column("Suite", "left"),
    Column("Task", "left"),
    Column("In and out", "left", "what the model gets and what it must give"),
    Column("Metric", "left"),
    Column("Scored on", "left", "the split that the scores are of"),
    Column("Selected on", "left", "the split that chooses a checkpoint where selection is 'best'"),
    Column("Examples", tooltip="examples that were scored"),
    Column("Clusters", tooltip="groups of dependent examples, such as the questions on one image"),
    Column("Source", "left", "where the data comes from, and under which licence it may be used"),
)


def task_cards(scores: Sequence[Mapping[str, Any]]) -> Table:
    """One row per suite and task, from the first score of each; what no record says is left out."""
    first: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for row in scores:
        if row["state"] == "done":
            first.setdefault((row["suite"], row["task"], row["scored_on"]), row)
    columns, rows = without_empty_columns(COLUMNS, tuple(map(_row, first.values())))
    return Table("tasks", "Tasks", columns, rows)


def _row(score: Mapping[str, Any]) -> Row:
    title, name = plain(score["title"]), plain(score["task"])
    metric = f"{plain(score['metric_title'])} × {significant(float(score['scale']), 1)}"
    return Row(
        (
            _text(score["suite"]),
            _text(title, "" if title == name else name),
            _text(score["summary"]),
            _text(metric, f"version {plain(score['metric_version'])}"),
            _text(score["split"]),
            _text(score["select_split"]),
            *(TableCell(count(float(score[field])), float(score[field])) for field in ("examples", "clusters")),
            _text(score["source"], f"licence: {plain(score['licence'])}" if present(score["licence"]) else ""),
        )
    )


def _text(value: Any, detail: str = "") -> TableCell:
    text = plain(value) if present(value) else ""
    return TableCell(text, text.casefold(), detail=detail) if text else TableCell(detail=detail)
