"""Data frames and tables as files for other programs: CSV and Parquet.

A text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a carriage return) gets
an apostrophe in front in CSV. Numbers are left alone, and Parquet holds every text as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reports.files import write, write_text
from reports.formats import present
from reports.table import Table, TableCell

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guarded(text: str) -> str:
    """The text, with an apostrophe in front if a spreadsheet would compute it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def export_frame(frame: pd.DataFrame, folder: Path, name: str) -> None:
    """Write ``name.csv`` and ``name.parquet``; raises as `reports.files.replacing`."""
    safe = frame.rename(columns=guarded)
    for column in safe.columns[[isinstance(kind, pd.StringDtype) for kind in safe.dtypes]]:
        safe[column] = safe[column].map(guarded, na_action="ignore")
    write_text(folder / f"{name}.csv", safe.to_csv(index=False, lineterminator="\n"))
    write(folder / f"{name}.parquet", lambda path: frame.to_parquet(path, index=False))


def table_to_csv(table: Table) -> str:
    """A table as CSV: numbers in full precision where a cell has one, else the text; holes are empty.

    The columns of the page, each followed by what it shows beside its values, as far as it does: "(detail)" is what
    stands below, such as a method's name, "(shown)" the printed value with its deviation and symbols, "(mark)" says
    best or second, "(std)", "(n)", "(low)" and "(high)" are the deviation over seeds, their number and the 95 %
    interval. "row" is the row's kind.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    extras = [_extras([row.cells[index] for row in table.rows]) for index in range(len(table.columns))]
    titles = [
        title
        for column, more in zip(table.columns, extras, strict=True)
        for title in (column.title, *(f"{column.title} ({name})" for name in more))
    ]
    writer.writerow([*map(guarded, titles), "row"])
    for row in table.rows:
        values = []
        for cell, more in zip(row.cells, extras, strict=True):
            beside = _beside(cell)
            values += [_value(cell.value, cell.text), *(beside[name] for name in more)]
        writer.writerow([*values, row.kind])
    return buffer.getvalue()


def _extras(cells: Sequence[TableCell]) -> list[str]:
    """What else a column holds beside its values, in the order of `_beside`."""
    told = {name for cell in cells for name, text in _beside(cell).items() if text}
    if not any("±" in cell.text or cell.symbols for cell in cells):
        told.discard("shown")
    return [name for name in _beside(TableCell()) if name in told]


def _beside(cell: TableCell) -> dict[str, str]:
    low, high = cell.interval or (None, None)
    return {
        "detail": guarded(cell.detail),
        "shown": guarded(f"{cell.text}{cell.symbols}") if present(cell.value) else "",
        "mark": cell.mark or "",
        "std": _value(cell.std),
        "n": _value(cell.n),
        "low": _value(low),
        "high": _value(high),
    }


def _value(value: float | str | None, text: str = "") -> str:
    if value is None or not present(value):
        return ""
    if isinstance(value, str):
        return guarded(text)
    return str(int(value)) if float(value).is_integer() else repr(value)
