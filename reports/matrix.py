"""The coverage matrix: methods × tasks, what ran, what failed, what is absent and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from reports.columns import records
from reports.coverage import STATES
from reports.formats import plain, present
from reports.record import State
from reports.run import Run
from reports.table import Column, Row, Table, TableCell, text_cell

SYMBOLS: dict[State, str] = {
    "done": "●",
    "running": "◐",
    "planned": "○",
    "interrupted": "◐",
    "unavailable": "∅",
    "incompatible": "⊘",
    "failed": "✕",
    "out-of-memory": "✕",
    "timed-out": "✕",
    "diverged": "✕",
}
"""Told apart without colour; the state stands beside the symbol."""


@dataclass(frozen=True, slots=True)
class Place:
    """A column: one task of a suite on a backbone."""

    suite: str
    backbone: str
    task: str


@dataclass(frozen=True, slots=True)
class Slot:
    """What became of one method on one task, over its seeds."""

    state: State  # the most advanced one; "done" says nothing of the other seeds
    text: str
    reason: str
    link: str  # to the result or the log of its first cell


@dataclass(frozen=True)
class Matrix:
    """Rows of slots in the order of the columns; None where the grid has no such cell."""

    places: tuple[Place, ...]
    rows: tuple[tuple[str, tuple[Slot | None, ...]], ...]

    @property
    def headings(self) -> list[tuple[Place, int]]:
        """The first of neighbouring columns of one suite on one backbone, with how many they are."""
        alike = groupby(self.places, key=lambda place: (place.suite, place.backbone))
        groups = [list(members) for _, members in alike]
        return [(members[0], len(members)) for members in groups]

    def table(self) -> Table:
        """The same for the writers of tables."""
        columns = tuple(Column(f"{place.task} ({place.suite}, {place.backbone})", "left") for place in self.places)
        rows = tuple(Row((text_cell(label), *map(_cell, slots))) for label, slots in self.rows)
        return Table("coverage-matrix", "Methods and tasks", (Column("Method", "left"), *columns), rows)


def _cell(slot: Slot | None) -> TableCell:
    return TableCell() if slot is None else TableCell(slot.text, slot.text, tooltip=slot.reason, link=slot.link)


def coverage_matrix(run: Run) -> Matrix:
    """One row per label, one column per task, suite and backbone; a cell whose tasks no file names is left out."""
    scored = {(row["key"], row["task"]) for row in records(run.scores) if present(row["value"])}
    cells: dict[tuple[str, Place], list[dict[str, Any]]] = {}
    places: dict[Place, None] = {}
    labels: dict[str, None] = {}
    for cell in records(run.cells):
        for task in cell["tasks"].split() if present(cell["tasks"]) else ():
            place = Place(cell["suite"], cell["backbone"], plain(task))
            places.setdefault(place)
            labels.setdefault(cell["label"])
            cells.setdefault((cell["label"], place), []).append(cell)
    ordered = sorted(places, key=lambda place: (place.suite, place.backbone))  # tasks keep their suite's order
    rows = tuple(
        (
            label,
            tuple(_slot(found, place, scored) if (found := cells.get((label, place))) else None for place in ordered),
        )
        for label in labels
    )
    return Matrix(tuple(ordered), rows)


def _slot(cells: Sequence[dict[str, Any]], place: Place, scored: set[tuple[str, str]]) -> Slot:
    states = Counter(cell["state"] for cell in cells)
    first = min(cells, key=lambda cell: STATES.index(cell["state"]))
    state: State = first["state"]
    unscored = state == "done" and not any((cell["key"], place.task) in scored for cell in cells)
    seeds = [cell for cell in cells if cell["state"] == state]
    number = f"{len(seeds)}" if len(seeds) == len(cells) else f"{len(seeds)} of {len(cells)}"
    name = ("no score" if unscored else "") if state == "done" else state
    others = [f"{count} {other}" for other, count in states.items() if other != state]
    reasons = dict.fromkeys(plain(cell["reason"]) for cell in cells if present(cell["reason"]))
    return Slot(
        state,
        " ".join(part for part in (SYMBOLS[state], number if len(cells) > 1 or state == "done" else "", name) if part),
        "; ".join([*others, *reasons]),
        f"{first['folder']}/{'result.json' if state == 'done' else 'log.txt'}",
    )
