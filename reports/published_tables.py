"""Tables that papers print, with the marks that their own numbers support, and ours beside them."""

from __future__ import annotations

from reports import aggregates
from reports.aggregates import Contest
from reports.entries import REFERENCES, Entry, Group
from reports.formats import decimal, p_value, signed
from reports.marks import Adjustment, Competing, PValues, against_best, alone, level, marks
from reports.published_scores import PublishedRow, PublishedTable, published_tables
from reports.statistics import Summary, draw_means, holm, welch
from reports.symbols import COPIED, LEGEND, LEVEL, RE_RUN, SECONDARY, legend
from reports.table import Column, Row, Table, TableCell, score_cell, text_cell

_OBTAINED = {"own": "", "re-run": RE_RUN, "copied": COPIED}


def published_table(table: PublishedTable) -> Table:
    """A printed table as ours would show it: reference rows aside, marks recomputed, rows level with the best told."""
    summaries = {row.title: table.summaries(row) for row in table.rows}
    competing = _competing(table, summaries)
    tests = _tests(competing, summaries)
    marked, ties, contest = marks(competing, table.digits), level(tests), _contest(table, summaries)
    beside = aggregates.cells(contest)
    rows = []
    for row in table.rows:
        symbols = _OBTAINED[row.obtained] + (SECONDARY if table.provenance == "notes" else "")
        cells = [TableCell(row.title, row.title.casefold(), symbols=symbols)]
        cells.append(TableCell(decimal(row.percent), row.percent))
        for column in (*(task.name for task in table.tasks), ""):
            place, digits = (row.title, column), row.digits or table.digits
            symbols = LEVEL if place in ties else ""
            cells.append(score_cell(summaries[row.title].get(column), marked.get(place), symbols, digits=digits))
        rows.append(Row((*cells, *beside[row.title]), "reference" if row.method in REFERENCES else "ranked"))
    columns = (
        Column("Method", "left"),
        Column("Updated params (%)"),
        *(Column(task.title, tooltip=f"{task.metric} on {task.split}") for task in table.tasks),
        Column("Average", tooltip="as printed"),
        *aggregates.columns(contest),
    )
    title = f"{table.place}: {table.suite} on {table.backbone}, as published"
    ordered = sorted(rows, key=lambda row: row.kind != "reference")
    return Table(table.name, title, columns, tuple(ordered), tuple(_notes(table, tests, competing, contest, rows)))


def _competing(table: PublishedTable, summaries: dict[str, dict[str, Summary]]) -> Competing:
    ranked = [row.title for row in table.rows if row.method not in REFERENCES]
    columns = (*(task.name for task in table.tasks), "")
    return {
        column: [(title, summaries[title][column].mean) for title in ranked if column in summaries[title]]
        for column in columns
    }


def _tests(competing: Competing, summaries: dict[str, dict[str, Summary]]) -> PValues:
    return against_best(competing, lambda one, other, column: welch(summaries[one][column], summaries[other][column]))


def _contest(table: PublishedTable, summaries: dict[str, dict[str, Summary]]) -> Contest:
    names = [task.name for task in table.tasks]
    whole = [row for row in table.rows if row.scores and row.average is not None]
    ranked = [row.title for row in whole if row.method not in REFERENCES]
    return Contest(
        tasks=tuple(task.title for task in table.tasks),
        averaged={task.title for task in table.tasks},
        scores={row.title: row.scores for row in whole},
        competing=tuple(ranked),
        averages={row.title: row.average for row in whole if row.average is not None},
        titles={row.title: row.title for row in table.rows},
        full=next((row.title for row in whole if row.method == "full"), None),
        draws=draw_means([[summaries[title][name] for name in names] for title in ranked]) if ranked else None,
    )


def _notes(table: PublishedTable, tests: PValues, competing: Competing, contest: Contest, rows: list[Row]) -> list[str]:
    said = [f"Read in: {table.source}. {table.note}".rstrip()]
    if table.n is None:
        said.append("The number of runs is not told.")
    elif any(row.std for row in table.rows):
        said.append(f"Mean ± standard deviation over n = {table.n} seeds, as printed.")
    else:
        said.append(f"n = {table.n}: what another seed would change is not known.")
    said.append("Best ranked value in bold, second underlined, by the printed digits; reference rows are not ranked.")
    if any(tests.values()):
        said.append(_separation(table, competing, tests))
    sources = ", ".join(dict.fromkeys(row.copied_from for row in table.rows if row.copied_from))
    meanings = {
        RE_RUN: "Re-run by the authors of this table.",
        COPIED: f"Copied from the paper: {sources}.",
        LEVEL: f"{LEGEND[LEVEL].rstrip('.')} by Welch's test from mean, deviation and n, with Holm's correction.",
    }
    return said + legend(rows, meanings) + aggregates.notes(contest)


def _separation(table: PublishedTable, competing: Competing, tests: PValues) -> str:
    titles = {task.name: task.title for task in table.tasks} | {"": "the average"}

    def listed(adjust: Adjustment) -> str:
        return " and ".join(titles[column] for column in alone(competing, tests, adjust)) or "none"

    return (
        "Columns whose best row is separate from every rival at 5 % (Welch's test from mean, deviation and n): "
        f"with Holm's correction {listed(holm)}; without it {listed(list)}."
    )


def beside_published(group: Group) -> list[Table]:
    """Our rows of a suite and backbone, each followed by what papers print of it and our deviation; then their tables.

    Nothing where no paper at hand prints a method of the group, as for every embedded suite and backbone: a row of ours
    has a counterpart where suite, backbone and method are the same and nothing of the method was changed.
    """
    printed = [each for each in published_tables() if (each.suite, each.backbone) == (group.suite, group.backbone)]
    rows = []
    for entry in group.entries if group.scored_on == "report" else ():
        counterparts = [(table, row) for table in printed for row in table.rows if row.method == entry.label]
        if entry.done and counterparts:
            rows.append(_ours(entry, group))
            rows += [_theirs(table, row, entry, group) for table, row in counterparts]
    if not rows:
        return []
    columns = (
        Column("Method", "left"),
        Column("Source", "left"),
        Column("Updated params (%)"),
        *(Column(task.title, tooltip=f"{task.metric_title} on {task.split}") for task in group.tasks),
        Column("Average"),
        Column("n", tooltip="seeds"),
    )
    said = [
        "Below a published value, or after it in parentheses: ours minus the published one, where task, metric and "
        "split are the same and ours bears no mark.",
        *legend(rows),
    ]
    title = f"{group.title}, beside published numbers"
    ours = Table(f"beside-published-{group.name}", title, columns, tuple(rows), tuple(said))
    return [ours, *(published_table(table) for table in printed if any(row.scores for row in table.rows))]


def _ours(entry: Entry, group: Group) -> Row:
    cells = [TableCell(entry.headline, entry.headline.casefold(), symbols=RE_RUN), text_cell("this run")]
    cells.append(TableCell(decimal(entry.updated_percent), entry.updated_percent))
    for task in group.tasks:
        score = entry.scores.get(task.name)
        cells.append(score_cell(score.summary, symbols=score.symbols) if score else TableCell())
    return Row((*cells, score_cell(entry.average), TableCell(str(entry.seeds), entry.seeds)))


def _theirs(table: PublishedTable, row: PublishedRow, entry: Entry, group: Group) -> Row:
    summaries, digits = table.summaries(row), row.digits or table.digits
    columns = {task.name: task for task in table.tasks}
    source = f"{table.place}, copied from {row.copied_from}" if row.copied_from else table.place
    symbols = COPIED + (SECONDARY if table.provenance == "notes" else "")
    cells = [TableCell(row.title, row.title.casefold(), symbols=symbols), text_cell(source)]
    cells.append(TableCell(decimal(row.percent), row.percent))
    sound = []
    for task in group.tasks:
        score, theirs = entry.scores.get(task.name), columns.get(task.name)
        same = theirs is not None and (theirs.metric, theirs.split) == (task.metric, task.split)
        ours = score.summary if same and score is not None and score.sound else None
        sound.append(ours is not None)
        cells.append(_deviating(summaries.get(task.name), ours, digits))
    whole = all(sound) and len(sound) == len(columns)
    cells.append(_deviating(summaries.get(""), entry.average if whole else None, digits))
    return Row((*cells, TableCell(str(table.n), table.n) if table.n else TableCell()))


def _deviating(theirs: Summary | None, ours: Summary | None, digits: int) -> TableCell:
    if theirs is None or ours is None:
        return score_cell(theirs, digits=digits)
    p = welch(ours, theirs)
    tooltip = f"Welch's test of the difference: {p_value(p)}" if p is not None else ""
    return score_cell(theirs, detail=signed(ours.mean - theirs.mean), tooltip=tooltip, digits=digits)
