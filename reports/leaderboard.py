"""The paper-style leaderboard of one suite on one backbone, and the cards of its tasks.

Per column the best and the second-best ranked rows are marked; equal printed values share a mark. Reference
rows, controls and floors take no part. Symbols: † does not compare with published numbers, ‡ does not beat
projection, § is not above the highest floor of its task, ≈ is level with the best of its column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from reports.averages import CAPTIONS
from reports.entries import EMBEDDED, Entry, Group, TaskColumn, TaskScore
from reports.formats import HOLE, decimal, plain, spread
from reports.level import Competing, level_with_best
from reports.rates import COLUMN as RATE
from reports.rates import rate_cell, rate_note
from reports.rows import SELECTION_SPLIT
from reports.run import Run
from reports.statistics import Summary
from reports.table import Column, Mark, Row, Table, TableCell

UNCOMPARABLE, NOT_BETTER, AT_FLOOR, LEVEL = "†", "‡", "§", "≈"
EMBEDDED_SUITE = "Embedded suite: a small measuring instrument, not comparable with published numbers."
EMBEDDED_BACKBONE = "Embedded backbone: tiny and pre-trained on generated scenes alone, so scores on real data are low."


def leaderboard(group: Group, run: Run) -> Table:
    """Write the entries of a group of a run as a table: method, updated %, learning rate, tasks, average, n."""
    # Learning rates compete within a method; no row of theirs is a result that could be best.
    ranked = group.scored_on == "report"
    competing = _competing(group) if ranked else {}
    marks = _marks(competing)
    level = level_with_best(run, group, competing)
    worse = _not_better_than_projection(group) if ranked else set()
    rows = [entry_row(entry, group, marks, level, entry.label in worse) for entry in group.entries]
    rows += floor_rows(group)
    return Table(
        f"leaderboard-{group.name}",
        group.title,
        score_columns(group),
        tuple(rows),
        tuple(_notes(group, bool(worse), bool(level))),
    )


def score_columns(group: Group) -> tuple[Column, ...]:
    """The columns of `entry_row` and `floor_rows`; there is an average where it is over several tasks."""
    columns = [
        Column("Method", "left"),
        Column(
            "Updated params (%)",
            tooltip="100 × trained / (language model + visual embedding + added modules)",
        ),
        RATE,
        *(Column(task.title, tooltip=f"{task.metric_title} on {task.split}, × {task.scale:g}") for task in group.tasks),
    ]
    if len(group.averaged) > 1:
        columns.append(Column("Average", tooltip=f"plain mean over {_averaged(group)}"))
    return (*columns, Column("n", tooltip="seeds"))


def entry_cell(entry: Entry, symbols: str = "") -> TableCell:
    """The first cell of an entry's row: the method's title, with its name for the command line below it."""
    headline = entry.headline
    detail = " · ".join(part for part in (entry.label, entry.failure) if part and part != headline)
    link = f"{entry.done[0]['folder']}/result.json" if entry.done else ""
    return TableCell(
        headline,
        headline.casefold(),
        symbols=symbols,
        detail=detail,
        tooltip=plain(entry.paper),
        link=link,
    )


def entry_row(
    entry: Entry,
    group: Group,
    marks: Mapping[tuple[str, str], Mark] = MappingProxyType({}),
    level: Collection[tuple[str, str]] = (),
    worse: bool = False,
) -> Row:
    """The row of an entry, with a cell for each of `score_columns`; marks and levels by label and task."""
    cells = [entry_cell(entry, NOT_BETTER if worse else "")]
    cells += [TableCell(decimal(entry.updated_percent), entry.updated_percent), rate_cell(entry)]
    for task in group.tasks:
        score = entry.scores.get(task.name)
        if score is None:
            cells.append(TableCell())
            continue
        symbols = (UNCOMPARABLE if score.doubts else "") + (AT_FLOOR if _at_floor(score, task, group) else "")
        symbols += LEVEL if (entry.label, task.name) in level else ""
        mark = marks.get((entry.label, task.name))
        fewer = f"n = {score.summary.n}" if score.summary.n < entry.seeds else ""
        cells.append(_score_cell(score.summary, mark, symbols, "; ".join(score.doubts), fewer))
    if len(group.averaged) > 1:
        symbols = UNCOMPARABLE if entry.average and _doubtful(entry, group) else ""
        symbols += LEVEL if (entry.label, "") in level else ""
        cells.append(_score_cell(entry.average, marks.get((entry.label, "")), symbols))
    done, planned = entry.seeds, len({cell["seed"] for cell in entry.cells})
    seeds = f"{done}" if done == planned else f"{done} of {planned}"
    cells.append(TableCell(seeds, done))
    return Row(tuple(cells), entry.kind)


def _at_floor(score: TaskScore, task: TaskColumn, group: Group) -> bool:
    floors = [values[task.name] for values in group.floors.values() if task.name in values]
    return task.higher_is_better and bool(floors) and score.summary.mean <= max(floors)


def _score_cell(
    summary: Summary | None, mark: Mark | None, symbols: str = "", tooltip: str = "", detail: str = ""
) -> TableCell:
    if summary is None:
        return TableCell()
    return TableCell(spread(summary), summary.mean, mark, symbols, detail, tooltip=tooltip)


def floor_rows(group: Group) -> list[Row]:
    """The rows of what answers without a model score."""
    return [_floor_row(name, values, group) for name, values in group.floors.items()]


def _floor_row(name: str, values: dict[str, float], group: Group) -> Row:
    cells = [TableCell(f"{name} answer" if name == "majority" else name, name), TableCell(), TableCell()]
    cells += [TableCell(decimal(values.get(task.name)), values.get(task.name)) for task in group.tasks]
    if len(group.averaged) > 1:
        counted = [values[task.name] for task in group.averaged if task.name in values]
        mean = sum(counted) / len(counted) if len(counted) == len(group.averaged) else None
        cells.append(TableCell(decimal(mean), mean))
    return Row((*cells, TableCell()), "floor")


def _averaged(group: Group) -> str:
    """What an average is over, in words."""
    if len(group.averaged) == len(group.tasks):
        return "the tasks, as in the papers" if not group.suite.startswith(EMBEDDED) else "the tasks"
    aside = [task for task in group.tasks if task not in group.averaged]
    metrics = dict.fromkeys(task.metric_title for task in aside)
    return f"{', '.join(task.title for task in group.averaged)} (without {', '.join(metrics)}, which has another unit)"


def _doubtful(entry: Entry, group: Group) -> bool:
    """Whether a score in its average does not compare."""
    return any(entry.scores[task.name].doubts for task in group.averaged if task.name in entry.scores)


def _competing(group: Group) -> Competing:
    """Task, or "" for the average → the ranked rows that can be best there, with means of which higher is better.

    A score that is not above the floor of its task does not compete: it shows nothing that is better than anything.
    """
    found: dict[str, list[tuple[str, float]]] = {}
    for task in group.tasks:
        scored = [
            (entry.label, entry.scores[task.name])
            for entry in group.ranked
            if task.name in entry.scores and not _at_floor(entry.scores[task.name], task, group)
        ]
        # A score on a few examples does not win over one on all of them.
        sound = [pair for pair in scored if not pair[1].doubts] or scored
        sign = 1 if task.higher_is_better else -1
        found[task.name] = [(label, sign * score.summary.mean) for label, score in sound]
    if len(group.averaged) > 1:
        averaged = [entry for entry in group.ranked if entry.average is not None]
        sound_rows = [entry for entry in averaged if not _doubtful(entry, group)] or averaged
        found[""] = [(entry.label, entry.average.mean) for entry in sound_rows if entry.average is not None]
    return found


def _marks(competing: Competing) -> dict[tuple[str, str], Mark]:
    """(label, task) → mark; columns are ranked by what is printed."""
    marks: dict[tuple[str, str], Mark] = {}
    ranks: list[Mark] = ["best", "second"]
    for column, rows in competing.items():
        printed = [(label, round(value, 2)) for label, value in rows]
        if len(printed) < 2:
            continue
        for mark, level in zip(ranks, sorted({value for _, value in printed}, reverse=True), strict=False):
            marks |= {(label, column): mark for label, value in printed if value == level}
    return marks


def _not_better_than_projection(group: Group) -> set[str]:
    """Labels of the ranked rows whose average is not above projection's."""
    bars = [
        entry.average.mean
        for entry in group.entries
        if entry.method == "projection" and entry.control == "none" and entry.average is not None
    ]
    if not bars:
        return set()
    return {entry.label for entry in group.ranked if entry.average and entry.average.mean <= max(bars)}


def _notes(group: Group, worse: bool, level: bool) -> list[str]:
    notes = []
    if group.scored_on == "select":
        notes.append(f"Scored on the {SELECTION_SPLIT}, to compare learning rates: no result of a method, not ranked.")
    else:
        text = "Best ranked value above the floor in bold, second underlined; reference rows and floors are not ranked."
        notes.append(text)
    notes.append(seeds_note(group))
    if level:
        notes.append(
            f"{LEVEL} Level with the best ranked row of its column: not separated from it at 5 % by both a paired "
            "permutation test over the examples, clustered by image, and, with two seeds or more, Welch's test over "
            "seeds, with Holm's correction over the rows."
        )
    if worse:
        notes.append(f"{NOT_BETTER} Does not beat training the visual projection alone.")
    return notes + score_notes(group)


def seeds_note(group: Group) -> str:
    """What a group says about how far another seed would change it."""
    if max(entry.seeds for entry in group.entries) < 2:
        return "One seed: what another seed would change is not known."
    return "Mean ± sample standard deviation (n − 1) over n seeds."


def score_notes(group: Group) -> list[str]:
    """What the scores of a group, their averages and their symbols mean."""
    notes = []
    if len(group.averaged) > 1:
        metrics = list(dict.fromkeys(task.metric_title for task in group.averaged))
        mixes = len({task.metric == CAPTIONS for task in group.averaged}) > 1
        mixed = f" It mixes {' and '.join(metrics)}, which have different units." if mixes else ""
        notes.append(f"Average: plain mean over {_averaged(group)}; none where one of them is missing.{mixed}")
    if note := rate_note(group.entries):
        notes.append(note)
    doubts = list(dict.fromkeys(d for entry in group.entries for score in entry.scores.values() for d in score.doubts))
    if doubts:
        notes.append(f"{UNCOMPARABLE} Does not compare with published numbers: {'; '.join(doubts)}.")
    scored = [(score, t) for entry in group.entries for t in group.tasks if (score := entry.scores.get(t.name))]
    if any(_at_floor(score, task, group) for score, task in scored):
        notes.append(f"{AT_FLOOR} Not above the highest floor of its task.")
    if any(not entry.done for entry in group.entries) or any(len(e.scores) < len(group.tasks) for e in group.entries):
        notes.append(f"{HOLE} No score; the coverage table says why.")
    if group.suite.startswith(EMBEDDED):
        notes.append(EMBEDDED_SUITE)
    elif group.backbone.startswith(EMBEDDED):
        notes.append(EMBEDDED_BACKBONE)
    return notes
