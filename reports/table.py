"""The one table model; HTML, Markdown, LaTeX and CSV are writers of it.

A cell's ``text`` is what people read, its ``value`` what columns sort by (None: a hole, sorted last).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from reports.formats import HOLE, spread
from reports.statistics import Summary

Mark = Literal["best", "second"]
RowKind = Literal["reference", "ranked", "resolution", "floor"]

ROW_TITLES: dict[RowKind, str] = {
    "reference": "Reference rows (not ranked)",
    "ranked": "Tuning methods",
    "resolution": "What differences can be told apart",
    "floor": "Floors (no image, no model)",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: right-aligned columns hold numbers."""

    title: str
    align: Literal["left", "right"] = "right"
    tooltip: str = ""  # what it means, with its unit


@dataclass(frozen=True, slots=True)
class TableCell:
    """One entry of a table. All texts are plain; writers escape them."""

    text: str = HOLE
    value: float | str | None = None
    mark: Mark | None = None
    symbols: str = ""  # such as "†"; the table's notes explain them
    std: float | None = None  # sample standard deviation over seeds; `text` shows it after "±"
    n: int | None = None  # seeds
    interval: tuple[float, float] | None = None  # 95 %, as `value` is scaled
    detail: str = ""  # a second, smaller line
    link: str = ""  # relative address of a file of the run
    tooltip: str = ""

    @property
    def mean_and_deviation(self) -> tuple[str, str]:
        """The text before and after its "±"; the second is empty where there is none."""
        mean, _, deviation = self.text.partition(" ± ")
        return mean, deviation


@dataclass(frozen=True, slots=True)
class Row:
    """Cells in the order of the columns; the kind keeps reference rows and floors out of the ranking."""

    cells: tuple[TableCell, ...]
    kind: RowKind = "ranked"


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table with notes under it."""

    name: str  # safe as a file name
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def sections(self) -> list[tuple[str, list[Row]]]:
        """Consecutive rows of one kind, with a heading where the table holds several kinds."""
        parts = [(kind, list(rows)) for kind, rows in groupby(self.rows, key=lambda row: row.kind)]
        if len(parts) == 1:
            return [("", parts[0][1])]
        return [(ROW_TITLES[kind], rows) for kind, rows in parts]


def score_cell(
    summary: Summary | None,
    mark: Mark | None = None,
    symbols: str = "",
    detail: str = "",
    tooltip: str = "",
    interval: tuple[float, float] | None = None,
    digits: int = 2,
) -> TableCell:
    """Mean and deviation over seeds; the hole when there is none."""
    if summary is None:
        return TableCell()
    text = spread(summary, digits)
    return TableCell(text, summary.mean, mark, symbols, summary.std, summary.n, interval, detail, tooltip=tooltip)


def text_cell(text: str | None, link: str = "") -> TableCell:
    """A cell that sorts by its own text; the hole when there is none."""
    return TableCell(text, text.casefold(), link=link) if text else TableCell()


def without_empty_columns(
    columns: tuple[Column, ...], rows: tuple[Row, ...]
) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """Leave out the columns that hold nothing but holes."""
    kept = [place for place in range(len(columns)) if any(row.cells[place].value is not None for row in rows)]
    thinner = tuple(Row(tuple(row.cells[place] for place in kept), row.kind) for row in rows)
    return tuple(columns[place] for place in kept), thinner
