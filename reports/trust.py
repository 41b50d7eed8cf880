"""The section "How far this instrument can be trusted": the measured criteria and the averages behind them."""

from __future__ import annotations

from reports.formats import spread
from reports.instrument import BACKBONE, DOUBLE, SUITE, Averages, Criterion, criteria
from reports.run import Run
from reports.statistics import Summary, summarise
from reports.table import Column, Row, Table, TableCell, text_cell, without_empty_columns

TITLE = "How far this instrument can be trusted"
USE = (
    "For: ranking tuning methods against each other at this size, and finding mistakes in a method. Not for: scores on "
    "photos or human language, large backbones, or differences smaller than the deviation between seeds."
)
_VERDICTS = {True: "yes", False: "no"}


def trust_tables(run: Run) -> list[Table]:
    """Two tables, or none when the run measured no criterion."""
    found = criteria(run)
    measured = [criterion for criterion in found if criterion.measured is not None]
    if not measured:
        return []
    return [_criteria(measured, [each for each in found if each.measured is None]), _averages(run)]


def _criteria(measured: list[Criterion], others: list[Criterion]) -> Table:
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
    notes = [f"Averages are over the accuracies of {SUITE} on {BACKBONE}, in points; captions are left out.", USE]
    if others:
        notes.append("Not measured in this run: " + "; ".join(f"{each.name} ({each.missing})" for each in others) + ".")
    return Table("trust", "Criteria", columns, tuple(rows), tuple(notes))


def _averages(run: Run) -> Table:
    """One row per method and control: accuracies at the default and at twice the data, and CIDEr."""
    default, double = Averages(run), Averages(run, DOUBLE)
    means = default.table.mean(axis=1).sort_values(ascending=False)
    columns = (
        Column("Method", "left"),
        Column("Accuracies", tooltip=f"mean over the accuracies of {SUITE}, over seeds"),
        Column("CIDEr", tooltip=f"of the captions of {SUITE}"),
        Column("n", tooltip="seeds"),
        Column("Accuracies, twice the data", tooltip=DOUBLE),
    )
    rows = []
    for label in means.index:
        mine = default.summary(str(label))
        captions = default.captions.loc[default.captions["label"] == label, "points"]
        twice = double.summary(str(label))
        seeds = TableCell(str(mine.n), mine.n) if mine else TableCell()
        rows.append(Row((text_cell(str(label)), _cell(mine), _cell(summarise(captions)), seeds, _cell(twice))))
    kept, thinner = without_empty_columns(columns, tuple(rows))
    return Table("trust-averages", f"Averages on {SUITE}, {BACKBONE}", kept, thinner)


def _cell(summary: Summary | None) -> TableCell:
    return TableCell(spread(summary), summary.mean) if summary else TableCell()


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
