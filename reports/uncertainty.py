"""How sure the figures of a group are: intervals, what ranks may be, and which differences can be told apart at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.aggregates import Contest
from reports.entries import Entry, Group
from reports.examples import Draws
from reports.formats import decimal
from reports.statistics import detectable_difference, draw_means, interval, noise_limit, pooled_deviation
from reports.table import Row, TableCell

Interval = tuple[float, float]

_DETECTABLE = "Smallest detectable difference"
_NOISE = "Noise of a repeated run"
_MEANINGS = {
    _DETECTABLE: "the true difference of two rows that a t-test over their seeds finds four times in five at 5 %, from "
    "the deviations of the ranked rows pooled and the fewest seeds that one of them has",
    _NOISE: "what two runs of one cell with one seed differ by at most, 19 times in 20, from the cells that were run "
    "again",
}


def interval_note(seeds: int) -> str:
    """What the intervals are over, by the number of seeds that the rows have at most."""
    images = "images with all their questions"
    over = f"over seeds and, crossed with them, {images}; over two or three seeds they are too narrow"
    drawn = over if seeds > 1 else f"over {images}; one seed says nothing of others"
    return f"95 % intervals stand in the CSV file and show on pointing at a value: a bootstrap {drawn}."


def bounds_text(bounds: Interval | None) -> list[str]:
    """The interval in words; nothing where there is none."""
    return [f"95 % interval {decimal(bounds[0])} to {decimal(bounds[1])}"] if bounds else []


def intervals(group: Group, drawn: Draws | None) -> dict[tuple[str, str], Interval]:
    """(label, task) → 95 % interval of a mean as shown, "" being the average; empty without stored predictions."""
    if drawn is None:
        return {}
    averaged = [place for place, task in enumerate(group.tasks) if task in group.averaged]
    means = np.concatenate([drawn.means, drawn.means[:, :, averaged].mean(axis=2, keepdims=True)], axis=2)
    low, high = interval(means)
    names = [*(task.name for task in group.tasks), ""]
    return {
        (label, name): (float(low[row, column]), float(high[row, column]))
        for row, label in enumerate(drawn.labels)
        for column, name in enumerate(names)
    }


def contest(group: Group, drawn: Draws | None) -> Contest:
    """The rows that compete over all tasks; a row on a few examples does not, beside one on all of them."""
    tasks = [task for task in group.tasks if task.higher_is_better]
    whole = [e for e in group.entries if e.average is not None and all(task.name in e.scores for task in tasks)]
    ranked = [entry for entry in whole if entry.kind == "ranked"] if group.scored_on == "report" else []

    def sound(entries: Sequence[Entry]) -> Sequence[Entry]:
        return [entry for entry in entries if all(entry.scores[task.name].sound for task in tasks)] or entries

    competing = sound(ranked)
    full = sound([entry for entry in whole if entry.method == "full" and entry.control == "none"])
    return Contest(
        tasks=tuple(task.title for task in tasks),
        averaged={task.title for task in group.averaged},
        scores={entry.label: [entry.scores[task.name].summary.mean for task in tasks] for entry in whole},
        competing=tuple(entry.label for entry in competing),
        averages={entry.label: entry.average.mean for entry in whole if entry.average is not None},
        titles={entry.label: entry.headline for entry in group.entries},
        full=full[0].label if full and group.scored_on == "report" else None,
        draws=_draws(competing, group, drawn),
    )


def _draws(entries: Sequence[Entry], group: Group, drawn: Draws | None) -> NDArray[np.float64] | None:
    """From stored predictions where all have them, else from the deviations over seeds."""
    tasks = [place for place, task in enumerate(group.tasks) if task.higher_is_better]
    if drawn is not None and {entry.label for entry in entries} <= set(drawn.labels):
        return drawn.means[:, [drawn.labels.index(entry.label) for entry in entries]][:, :, tasks]
    if not entries:
        return None
    return draw_means([[entry.scores[group.tasks[place].name].summary for place in tasks] for entry in entries])


def resolution_rows(group: Group, gained: int) -> list[Row]:
    """What differences can be told apart, by column; ``gained`` columns of aggregates are left empty."""
    if group.scored_on == "select":
        return []
    columns = [*(task.name for task in group.tasks), *([""] if group.has_average else [])]
    found = {
        _DETECTABLE: [_detectable(group, column) for column in columns],
        _NOISE: [_noise(group, column) for column in columns],
    }
    return [
        Row(
            (
                TableCell(title, title.casefold(), tooltip=_MEANINGS[title]),
                *[TableCell()] * 2,  # updated params and learning rate
                *(TableCell(decimal(value), value) for value in values),
                *[TableCell()] * (group.has_task_average + gained + 1),
            ),
            "resolution",
        )
        for title, values in found.items()
        if any(value is not None for value in values)
    ]


def resolution_notes(rows: Sequence[Row]) -> list[str]:
    """What the rows of `resolution_rows` mean."""
    return [f"{title}: {_MEANINGS[title]}." for row in rows if (title := row.cells[0].text) in _MEANINGS]


def _detectable(group: Group, column: str) -> float | None:
    summaries = [entry.summary(column) for entry in group.ranked]
    several = [each for each in summaries if each is not None and each.std is not None]
    std = pooled_deviation(several)
    return detectable_difference(std, min(each.n for each in several)) if std else None


def _noise(group: Group, column: str) -> float | None:
    std = pooled_deviation(repeated for entry in group.entries for repeated in entry.repeats.get(column, ()))
    return None if std is None else noise_limit(std)
