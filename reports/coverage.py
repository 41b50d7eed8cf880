"""What ran and what did not: counts per state, the reasons, and every cell."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

from reports.columns import records
from reports.formats import count, duration, plain, present
from reports.record import State
from reports.run import Run
from reports.table import Column, Row, Table, TableCell, text_cell

STATES: tuple[str, ...] = ("done", *(state for state in get_args(State) if state != "done"))
_SHOWN_LABELS = 6


def state_counts(run: Run) -> dict[str, int]:
    """State → number of cells, in the order of the states; states without a cell are absent."""
    counts = Counter(run.cells["state"])
    return {state: counts[state] for state in STATES if counts[state]}


def coverage(run: Run) -> Table:
    """One row per suite and backbone, one column per state that occurs."""
    states = list(state_counts(run))
    places = run.cells.groupby(["suite", "backbone"], sort=True)["state"]
    rows = []
    for (suite, backbone), column in places:
        counts = Counter(column)
        cells = [text_cell(str(suite)), text_cell(str(backbone))]
        cells += [TableCell(str(counts[state]), counts[state]) if counts[state] else TableCell() for state in states]
        rows.append(Row((*cells, TableCell(count(len(column)), len(column)))))
    columns = (Column("Suite", "left"), Column("Backbone", "left"), *map(Column, states), Column("cells"))
    return Table("coverage", "Cells by state", columns, tuple(rows))


def reasons(run: Run) -> Table | None:
    """Why cells did not finish, equal reasons together; None when all are done."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for cell in records(run.cells):
        if cell["state"] != "done":
            reason = plain(cell["reason"]) if present(cell["reason"]) else ""
            alike.setdefault((cell["suite"], cell["backbone"], cell["state"], reason), []).append(cell)
    rows = []
    for (suite, backbone, state, reason), cells in alike.items():
        labels = list(dict.fromkeys(cell["label"] for cell in cells))
        methods = "; ".join(labels[:_SHOWN_LABELS])  # a label may hold a comma
        if len(labels) > _SHOWN_LABELS:
            methods += f" and {len(labels) - _SHOWN_LABELS} more"
        texts = [text_cell(text) for text in (suite, backbone, state, reason, methods)]
        rows.append(Row((*texts, TableCell(str(len(cells)), len(cells)))))
    columns = tuple(Column(title, "left") for title in ("Suite", "Backbone", "State", "Reason", "Methods"))
    return Table("reasons", "Why cells did not finish", (*columns, Column("Cells")), tuple(rows)) if rows else None


def every_cell(run: Run) -> Table:
    """One row per cell, with its state, where it stopped and its log."""
    columns = (
        Column("Suite", "left"),
        Column("Backbone", "left"),
        Column("Method", "left"),
        Column("Seed"),
        Column("State", "left"),
        Column("Phase", "left"),
        Column("Step"),
        Column("Time"),
        Column("Reason", "left"),
        Column("Key", "left", "leads to the cell's log"),
    )
    return Table("cells", "Every cell", columns, tuple(_cell_row(cell) for cell in records(run.cells)))


def _cell_row(cell: dict[str, Any]) -> Row:
    seed = int(cell["seed"]) if present(cell["seed"]) else None
    step = int(cell["step"]) if present(cell["step"]) else None
    seconds = float(cell["total_seconds"]) if present(cell["total_seconds"]) else None
    return Row(
        (
            text_cell(cell["suite"]),
            text_cell(cell["backbone"]),
            text_cell(cell["label"]),
            TableCell(str(seed), seed) if seed is not None else TableCell(),
            text_cell(cell["state"]),
            text_cell(_text(cell["phase"])),
            TableCell(count(step), step),
            TableCell(duration(seconds), seconds),
            text_cell(_text(cell["reason"])),
            text_cell(cell["key"][:8], link=f"{cell['folder']}/log.txt"),
        )
    )


def _text(value: Any) -> str | None:
    return plain(value) if present(value) else None
