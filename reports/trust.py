"""The section "How far this instrument can be trusted": the measured criteria and the averages behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.averages import Averages
from reports.columns import records
from reports.formats import present
from reports.instrument import BACKBONE, DOUBLE, Criterion, averages, criteria
from reports.run import Run
from reports.statistics import summarise
from reports.table import Column, Row, Table, TableCell, score_cell, text_cell, without_empty_columns

TITLE = "How far this instrument can be trusted"
USE = (
    "For: ranking tuning methods against each other at this size, and finding mistakes in a method. Not for: scores on "
    "photos or human language, large backbones, or differences smaller than the deviation between seeds."
)
_VERDICTS = {True: "yes", False: "no"}


def trust_tables(run: Run) -> list[Table]:
    """The criteria, then the averages of each suite behind them; none when the run measured no criterion."""
    found = criteria(run)
    measured = [criterion for criterion in found if criterion.measured is not None]
    if not measured:
        return []
    default, double, video = averages(run)
    notes = ["Averages are over accuracies, in points; captions are left out, because CIDEr has another unit."]
    notes += [_terms(scores) for scores in (default, double, video) if not scores.table.empty]
    others = [each for each in found if each.measured is None]
    if others:
        notes.append("Not measured in this run: " + "; ".join(f"{each.name} ({each.missing})" for each in others) + ".")
    tables = [_averages("trust-averages", default, double), _averages("trust-averages-video", video)]
    return [_criteria(measured, [*notes, USE]), *(table for table in tables if table.rows)]


def _criteria(measured: list[Criterion], notes: list[str]) -> Table:
    rows = []
    for each in measured:
        verdict = _VERDICTS[bool(each.met)]
        cells = (TableCell(each.shown, each.measured), text_cell(verdict), text_cell(each.bound), text_cell(each.basis))
        rows.append(Row((text_cell(each.name), *cells)))
    columns = (
        Column("Criterion", "left"),
        Column("Measured"),
        Column("Met", "left"),
        Column("Bound", "left"),
        Column("Made from", "left", "n: seeds"),
    )
    return Table("trust", "Criteria", columns, tuple(rows), tuple(notes))


def _terms(scores: Averages) -> str:
    """How the rows were trained and how their rates were found: they compare where both were the same for all."""
    cells = records(scores.cells)
    budgets = sorted({_budget(cell) for cell in cells})
    searches = sorted({_search(cell) for cell in cells})
    warning = "" if len(budgets) == len(searches) == 1 else " Not the same for all rows, as the criteria ask."
    return f"{scores.suite}: {' or '.join(budgets)}; learning rates {' or '.join(searches)}.{warning}"


def _budget(cell: Mapping[str, Any]) -> str:
    epochs, batch = (cell.get(f"settings_{name}") for name in ("epochs", "batch_size"))
    return f"{epochs:g} epochs in batches of {batch:g}" if present(epochs) and present(batch) else "unknown epochs"


def _search(cell: Mapping[str, Any]) -> str:
    if not present(cell["rate_source"]):
        return "of unknown origin"
    return f"best of {cell['rate_candidates']}" if cell["rate_source"] == "tuned" else "without a search"


def _averages(name: str, default: Averages, double: Averages | None = None) -> Table:
    """One row per method and control: accuracies at the default and at twice the data, and CIDEr."""
    means = default.table.mean(axis=1).sort_values(ascending=False)
    columns = (
        Column("Method", "left"),
        Column("Accuracies", tooltip=f"mean over the accuracies of {default.suite}, over seeds"),
        Column("CIDEr", tooltip=f"mean over the caption tasks of {default.suite}, over seeds"),
        Column("n", tooltip="seeds"),
        Column("Accuracies, twice the data", tooltip=DOUBLE),
    )
    rows = []
    for label in map(str, means.index):
        mine, twice = default.summary(label), double.summary(label) if double else None
        told = label in default.captions.index
        captions = summarise(default.captions.loc[[label]].to_numpy().ravel()) if told else None
        seeds = TableCell(str(mine.n), mine.n) if mine else TableCell()
        rows.append(Row((text_cell(label), score_cell(mine), score_cell(captions), seeds, score_cell(twice))))
    kept, thinner = without_empty_columns(columns, tuple(rows))
    return Table(name, f"Averages on {default.suite}, {BACKBONE}", kept, thinner)


def verdict_lines(run: Run) -> list[str]:
    """One line per criterion, for a terminal; empty when none was measured."""
    found = criteria(run)
    if all(each.measured is None for each in found):
        return []
    return [f"{TITLE}:", *(f"  {_line(each)}" for each in found)]


def _line(each: Criterion) -> str:
    verdict = {True: "met", False: "not met", None: "not measured"}[each.met]
    figure = each.missing if each.measured is None else f"{each.shown}, {each.bound} wanted; {each.basis}"
    return f"{verdict:<12}  {each.name}: {figure}"
