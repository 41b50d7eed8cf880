"""The paper-style leaderboard of one suite on one backbone, and the cards of its tasks.

Per column the best and the second-best ranked rows are marked; equal printed values share a mark. Reference
rows, controls and floors take no part. `reports.symbols` says what the other marks mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from reports import aggregates
from reports.aggregates import Contest
from reports.averages import CAPTIONS
from reports.entries import EMBEDDED, Entry, Group, TaskColumn, TaskScore
from reports.examples import Examples
from reports.formats import HOLE, decimal, plain
from reports.level import level_with_best
from reports.marks import Competing, marks
from reports.rates import COLUMN as RATE
from reports.rates import rate_cell, rate_note
from reports.rows import SELECTION_SPLIT
from reports.run import Run
from reports.symbols import AT_FLOOR, CHOSEN, LEGEND, LEVEL, NOT_BETTER, UNCOMPARABLE, legend
from reports.table import Column, Mark, Row, Table, TableCell, score_cell
from reports.uncertainty import (
    Interval,
    bounds_text,
    contest,
    interval_note,
    intervals,
    resolution_notes,
    resolution_rows,
)

OVER_TASKS = "Average over tasks"
PARTS_FIRST = "the tasks, the metrics of each averaged first, as in Hyperdecoders"
EMBEDDED_SUITE = "Embedded suite: a small measuring instrument, not comparable with published numbers."
EMBEDDED_BACKBONE = "Embedded backbone: tiny and pre-trained on generated scenes alone, so scores on real data are low."


@dataclass(frozen=True)
class Findings:
    """What rows tell beside means: (label, task) are places, "" being the average."""

    marks: Mapping[tuple[str, str], Mark]
    level: Collection[tuple[str, str]]
    worse: Collection[str]  # labels of rows that do not beat projection
    intervals: Mapping[tuple[str, str], Interval]


NOTHING_FOUND = Findings({}, (), (), {})


def leaderboard(group: Group, run: Run) -> Table:
    """Write the entries of a group of a run as a table: method, updated %, learning rate, tasks, aggregates, n."""
    found, rivals = _findings(group, run)
    beside, gained = aggregates.cells(rivals), aggregates.columns(rivals)
    rows = [entry_row(entry, group, found, beside[entry.label]) for entry in group.entries]
    rows += resolution_rows(group, len(gained))
    rows += floor_rows(group, len(gained))
    notes = _notes(group, found, rivals, rows)
    return Table(f"leaderboard-{group.name}", group.title, score_columns(group, gained), tuple(rows), tuple(notes))


def _findings(group: Group, run: Run) -> tuple[Findings, Contest]:
    if group.scored_on == "select":
        # Learning rates compete within a method; no row of theirs is a result that could be best.
        return NOTHING_FOUND, contest(group, None)
    competing, examples = _competing(group), Examples(run)
    drawn = examples.draws(group.entries, group)
    found = Findings(
        marks(competing),
        level_with_best(examples, group, competing),
        _not_better_than_projection(group),
        intervals(group, drawn),
    )
    return found, contest(group, drawn)


def score_columns(group: Group, gained: Sequence[Column] = ()) -> tuple[Column, ...]:
    """The columns of `entry_row` and `floor_rows`, with those ``gained`` by aggregates."""
    columns = [
        Column("Method", "left"),
        Column(
            "Updated params (%)",
            tooltip="100 × trained / (language model + visual embedding + added modules)",
        ),
        RATE,
        *(Column(task.title, tooltip=f"{task.metric_title} on {task.split}, × {task.scale:g}") for task in group.tasks),
    ]
    if group.has_average:
        columns.append(Column("Average", tooltip=f"plain mean over {_averaged(group)}"))
    if group.has_task_average:
        columns.append(Column(OVER_TASKS, tooltip=f"plain mean over {PARTS_FIRST}"))
    return (*columns, *gained, Column("n", tooltip="seeds"))


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


def entry_row(entry: Entry, group: Group, found: Findings = NOTHING_FOUND, beside: Sequence[TableCell] = ()) -> Row:
    """The row of an entry, with a cell for each of `score_columns`; those ``beside`` are of the gained columns."""
    cells = [entry_cell(entry, NOT_BETTER if entry.label in found.worse else "")]
    cells += [TableCell(decimal(entry.updated_percent), entry.updated_percent), rate_cell(entry)]
    for task in group.tasks:
        score, place = entry.scores.get(task.name), (entry.label, task.name)
        if score is None:
            cells.append(TableCell())
            continue
        symbols = score.symbols + (AT_FLOOR if _at_floor(score, task, group) else "")
        symbols += LEVEL if place in found.level else ""
        details = [f"{name} {value:.2f}" for name, value in zip(task.parts, score.parts, strict=True)]
        details += [f"n = {score.summary.n}"] if score.summary.n < entry.seeds else []
        bounds = found.intervals.get(place)
        tooltip = "; ".join([*score.doubts, *bounds_text(bounds)])
        cells.append(score_cell(score.summary, found.marks.get(place), symbols, ", ".join(details), tooltip, bounds))
    if group.has_average:
        place = (entry.label, "")
        symbols = _average_symbols(entry, group)
        level = LEVEL if place in found.level else ""
        bounds = found.intervals.get(place)
        tooltip = "; ".join(bounds_text(bounds))
        cells.append(score_cell(entry.average, found.marks.get(place), symbols + level, "", tooltip, bounds))
        if group.has_task_average:
            cells.append(score_cell(entry.task_average, symbols=symbols))
    planned = len({cell["seed"] for cell in entry.cells})
    seeds = f"{entry.seeds}" if entry.seeds == planned else f"{entry.seeds} of {planned}"
    return Row((*cells, *beside, TableCell(seeds, entry.seeds)), entry.kind)


def _average_symbols(entry: Entry, group: Group) -> str:
    """The marks of the scores in an average, each once."""
    if entry.average is None:
        return ""
    return "".join(
        dict.fromkeys("".join(entry.scores[t.name].symbols for t in group.averaged if t.name in entry.scores))
    )


def _at_floor(score: TaskScore, task: TaskColumn, group: Group) -> bool:
    floors = [values[task.name] for values in group.floors.values() if task.name in values]
    return task.higher_is_better and bool(floors) and score.summary.mean <= max(floors)


def floor_rows(group: Group, gained: int = 0) -> list[Row]:
    """The rows of what answers without a model score; ``gained`` columns of aggregates are left empty."""
    return [_floor_row(name, values, group, gained) for name, values in group.floors.items()]


def _floor_row(name: str, values: dict[str, float], group: Group, gained: int) -> Row:
    cells = [TableCell(f"{name} answer" if name == "majority" else name, name), TableCell(), TableCell()]
    cells += [TableCell(decimal(values.get(task.name)), values.get(task.name)) for task in group.tasks]
    if group.has_average:
        counted = [values[task.name] for task in group.averaged if task.name in values]
        mean = sum(counted) / len(counted) if len(counted) == len(group.averaged) else None
        # Of a metric with parts, floors know the mean alone.
        cells += [TableCell()] * group.has_task_average
        cells.append(TableCell(decimal(mean), mean))
    return Row((*cells, *[TableCell()] * gained, TableCell()), "floor")


def _averaged(group: Group) -> str:
    """What an average is over, in words."""
    if group.has_task_average:
        return f"{group.values} metric values of {len(group.averaged)} tasks, as in HyperFormer and HyperPELT"
    if len(group.averaged) == len(group.tasks):
        return "the tasks, as in the papers" if not group.suite.startswith(EMBEDDED) else "the tasks"
    aside = [task for task in group.tasks if task not in group.averaged]
    metrics = dict.fromkeys(task.metric_title for task in aside)
    return f"{', '.join(task.title for task in group.averaged)} (without {', '.join(metrics)}, which has another unit)"


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
        sound = [pair for pair in scored if pair[1].sound] or scored
        sign = 1 if task.higher_is_better else -1
        found[task.name] = [(label, sign * score.summary.mean) for label, score in sound]
    if group.has_average:
        averaged = [entry for entry in group.ranked if entry.average is not None]
        sound_rows = [entry for entry in averaged if not _average_symbols(entry, group)] or averaged
        found[""] = [(entry.label, entry.average.mean) for entry in sound_rows if entry.average is not None]
    return found


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


def _notes(group: Group, found: Findings, rivals: Contest, rows: Sequence[Row]) -> list[str]:
    if group.scored_on == "select":
        text = f"Scored on the {SELECTION_SPLIT}, to compare learning rates: no result of a method, not ranked."
    else:
        text = "Best ranked value above the floor in bold, second underlined; reference rows and floors are not ranked."
    notes = [text, *mean_notes(group)]
    if found.intervals:
        notes.append(interval_note(_most_seeds(group)))
    return notes + aggregates.notes(rivals) + resolution_notes(rows) + row_notes(group, rows)


def _most_seeds(group: Group) -> int:
    return max(entry.seeds for entry in group.entries)


def mean_notes(group: Group) -> list[str]:
    """What the means of a group are over: seeds and tasks."""
    if _most_seeds(group) <= 1:
        notes = ["One seed: what another seed would change is not known."]
    else:
        notes = ["Mean ± sample standard deviation (n − 1) over n seeds."]
    if group.has_average:
        metrics = list(dict.fromkeys(task.metric_title for task in group.averaged))
        mixes = len({task.metric == CAPTIONS for task in group.averaged}) > 1
        mixed = f" It mixes {' and '.join(metrics)}, which have different units." if mixes else ""
        notes.append(f"Average: plain mean over {_averaged(group)}; none where one of them is missing.{mixed}")
    if group.has_task_average:
        notes.append(f"{OVER_TASKS}: plain mean over {PARTS_FIRST}; the two averages do not compare.")
    return notes


def row_notes(group: Group, rows: Sequence[Row]) -> list[str]:
    """What the rates, marks and holes of a group's rows mean, and what no number of it is."""
    notes = []
    if note := rate_note(group.entries):
        notes.append(note)
    scores = [score for entry in group.entries for score in entry.scores.values()]
    doubts = dict.fromkeys(doubt for score in scores for doubt in score.doubts)
    chosen = dict.fromkeys(score.chosen_on for score in scores if score.chosen_on)
    meanings = {
        UNCOMPARABLE: f"Does not compare with published numbers: {'; '.join(doubts)}.",
        CHOSEN: f"{LEGEND[CHOSEN].rstrip('.')}, {' and '.join(chosen)}.",
        LEVEL: f"{LEGEND[LEVEL].rstrip('.')} by both a paired permutation test over the examples, clustered by image, "
        "and, with two seeds or more, Welch's test over seeds, with Holm's correction over the rows.",
    }
    notes += legend(rows, meanings)
    if any(not entry.done for entry in group.entries) or any(len(e.scores) < len(group.tasks) for e in group.entries):
        notes.append(f"{HOLE} No score; the coverage table says why.")
    if group.suite.startswith(EMBEDDED):
        notes.append(EMBEDDED_SUITE)
    elif group.backbone.startswith(EMBEDDED):
        notes.append(EMBEDDED_BACKBONE)
    return notes
