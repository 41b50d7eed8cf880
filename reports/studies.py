"""Tables of a grid's studies: what becomes of a method when one thing about its training changes.

A row is a method under a setting. Tasks that were trained each alone, as suites of one, make one row together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reports.columns import records
from reports.entries import REFERENCES, Entry, Group, make_group
from reports.formats import literal, plain, present, slug
from reports.leaderboard import entry_row, floor_rows, mean_notes, row_notes, score_columns
from reports.run import Run
from reports.table import Column, Row, Table, TableCell, text_cell, without_empty_columns

TITLE = "Studies"
ALONE = "each task alone"
TOGETHER = "tasks together"

Cell = dict[str, Any]  # a row of `Run.cells`
Facts = dict[str, Any]  # what a study may vary, by name
Setting = tuple[str, ...]


def study_tables(run: Run) -> list[Table]:
    """One table per study of which a cell was scored on the reporting split, by title."""
    members: dict[str, list[Cell]] = {}
    for cell in records(run.cells[run.cells["scored_on"] == "report"]):
        for study in cell["studies"].splitlines():
            members.setdefault(study, []).append(cell)
    scores = records(run.scores[run.scores["state"] == "done"])
    tables = []
    for study, cells in sorted(members.items()):
        folders = {cell["folder"] for cell in cells}
        if scored := [row for row in scores if row["folder"] in folders]:
            tables.append(_table(study, cells, scored))
    return tables


def _table(study: str, cells: Sequence[Cell], scores: Sequence[dict[str, Any]]) -> Table:
    configurations: dict[str, list[Cell]] = {}
    settings: dict[str, str] = {}  # by label
    for method, setting, members in _rows(cells):
        label = ", ".join((method, *setting))
        configurations[label], settings[label] = members, ", ".join(setting)
    first = cells[0]
    group = make_group((first["suite"], first["backbone"], "report"), configurations, scores)
    rows = [_row(entry, group, settings[entry.label]) for entry in group.entries]
    floors = [Row((row.cells[0], TableCell(), *row.cells[1:]), row.kind) for row in floor_rows(group)]
    titles = score_columns(group)
    columns, kept = without_empty_columns((titles[0], Column("Setting", "left"), *titles[1:]), (*rows, *floors))
    notes = ["Rows stand side by side, not ranked; no test was made of their differences."]
    notes += [*mean_notes(group), *row_notes(group, kept)]
    return Table(f"study-{slug(study)}", study, columns, kept, tuple(notes))


def _row(entry: Entry, group: Group, setting: str) -> Row:
    method, *others = entry_row(entry, group).cells
    title = entry.title or entry.method
    detail = " · ".join(part for part in (entry.method, entry.failure) if part and part != title)
    method = replace(method, text=title, value=title.casefold(), detail=detail)
    return Row((method, text_cell(setting), *others))


def _rows(cells: Sequence[Cell]) -> list[tuple[str, Setting, list[Cell]]]:
    """Method, what is particular about its cells, and the cells; full fine-tuning and projection first."""
    methods: dict[str, list[Cell]] = {}
    for cell in cells:
        methods.setdefault(cell["method"], []).append(cell)
    place = {method: number for number, method in enumerate(REFERENCES)}
    several = len({cell["suite"] for cell in cells if not _alone(cell)}) > 1
    rows = []
    for method in sorted(methods, key=lambda name: (place.get(name, len(place)), name)):
        facts = [_facts(cell, several) for cell in methods[method]]
        varied = _varied(facts)
        together: dict[Setting, list[Cell]] = {}
        order: dict[Setting, Any] = {}
        for cell, known in zip(methods[method], facts, strict=True):
            setting = tuple(_said(name, known.get(name)) for name in varied)
            together.setdefault(setting, []).append(cell)
            order[setting] = [_sortable(known.get(name)) for name in varied]
        rows += [(method, setting, together[setting]) for setting in sorted(together, key=lambda one: order[one])]
    return rows


def _alone(cell: Cell) -> bool:
    return present(cell["tasks"]) and " " not in cell["tasks"]


def _facts(cell: Cell, several: bool) -> Facts:
    """What may vary; where tasks are trained together in ``several`` suites, their names tell them apart."""
    facts = {name.removeprefix("settings_"): value for name, value in cell.items() if name.startswith("settings_")}
    facts |= json.loads(cell["parameters"])
    together = cell["suite"] if several else TOGETHER
    # Settings and hyper-parameters both name a rate; the cell's own says which of them counts.
    facts["learning_rate"] = cell["learning_rate"]
    return facts | {"backbone": cell["backbone"], "training": ALONE if _alone(cell) else together}


def _varied(facts: Sequence[Facts]) -> list[str]:
    """Names of what the cells of a method differ in; of a rate that only follows from something else, nothing."""
    names = dict.fromkeys(name for known in facts for name in known)
    varied = [name for name in names if len({literal(known.get(name)) for known in facts}) > 1]
    others = [name for name in varied if name != "learning_rate"]
    rates: dict[Setting, set[str]] = {}
    for known in facts:
        setting = tuple(literal(known.get(name)) for name in others)
        rates.setdefault(setting, set()).add(literal(known.get("learning_rate")))
    return others if all(len(each) == 1 for each in rates.values()) else varied


def _said(name: str, value: Any) -> str:
    if name in ("backbone", "training"):
        return plain(value)
    text = f"{value:g}" if _is_number(value) else literal(value) if present(value) else "none"
    return plain(f"{name.replace('_', ' ')}: {text}")


def _sortable(value: Any) -> tuple[float, str]:
    return (float(value), "") if _is_number(value) else (float("inf"), literal(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and present(value)
