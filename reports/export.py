"""Data frames and tables as files for other programs: CSV and Parquet.

A text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a carriage return) gets
an apostrophe in front in CSV. Numbers are left alone, and Parquet holds every text as it is.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from reports.files import write, write_text
from reports.formats import present
from reports.table import Table

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
    """A table as CSV: numbers in full precision where a cell has one, else the text; holes are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([guarded(column.title) for column in table.columns] + ["row"])
    for row in table.rows:
        values = [_value(cell.value, cell.text) for cell in row.cells]
        writer.writerow([*values, row.kind])
    return buffer.getvalue()


def _value(value: float | str | None, text: str) -> str:
    if not present(value):
        return ""
    return guarded(text) if isinstance(value, str) else repr(value)
