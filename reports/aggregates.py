"""Aggregates over tasks that do not depend on the tasks' units, beside the papers' plain average.

A plain average of accuracies and CIDEr is decided by the metric with the widest scale. Two others are not: the mean
over tasks of a score relative to full fine-tuning's, and the mean over tasks of the rank among the competing rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reports.formats import decimal, p_value, signed
from reports.statistics import critical_difference, friedman, interval, mean_ranks
from reports.table import Column, TableCell

FEWEST = 2  # tasks or rows below which there is nothing to aggregate or rank


@dataclass(frozen=True)
class Contest:
    """Rows that compete on several tasks; all scores as shown, higher being better."""

    tasks: tuple[str, ...]  # titles
    averaged: Collection[str]  # titles of those that the plain average is over
    scores: Mapping[str, Sequence[float]]  # of every row that has all tasks, by label; references too
    competing: tuple[str, ...]  # labels of those that are ranked
    averages: Mapping[str, float]  # the plain average by label
    titles: Mapping[str, str]  # what the rows are called, by label
    full: str | None  # label of full fine-tuning
    draws: NDArray[np.float64] | None = None  # (draws, competing, tasks): how the scores might have come out

    @property
    def several(self) -> bool:
        """Whether there is anything to aggregate."""
        return len(self.tasks) >= FEWEST and bool(self.scores)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Scores (competing, tasks)."""
        return np.array([self.scores[label] for label in self.competing], dtype=np.float64)

    @cached_property
    def relative(self) -> dict[str, float]:
        """Label → 100 × mean over tasks of score / full fine-tuning's; empty where that is missing or not positive."""
        if self.full is None or min(self.scores[self.full]) <= 0:
            return {}
        full = np.array(self.scores[self.full])
        return {label: float(100 * (np.array(each) / full).mean()) for label, each in self.scores.items()}

    @cached_property
    def ranks(self) -> dict[str, tuple[float, tuple[float, float] | None]]:
        """Label → mean rank and its 95 % interval, which is None where nothing tells how the scores scatter."""
        if len(self.competing) < FEWEST:
            return {}
        means = mean_ranks(self.matrix)
        if self.draws is None:
            return {label: (float(mean), None) for label, mean in zip(self.competing, means, strict=True)}
        low, high = interval(mean_ranks(self.draws))
        places = zip(self.competing, means, low, high, strict=True)
        return {label: (float(mean), (float(one), float(other))) for label, mean, one, other in places}


RELATIVE = Column(
    "Relative to full (%)", tooltip="mean over all tasks of score / full fine-tuning's score; does not depend on units"
)
RANK = Column("Mean rank", tooltip="mean over all tasks of the rank among the ranked rows; 1 is best")


def columns(contest: Contest) -> list[Column]:
    """The columns that a table gains: those that can be filled."""
    if not contest.several:
        return []
    return [RELATIVE] * bool(contest.relative) + [RANK] * bool(contest.ranks)


def cells(contest: Contest) -> dict[str, list[TableCell]]:
    """Label → the cells of `columns`; a label without them has holes."""
    relative, ranks = contest.relative, contest.ranks
    found, gained = {}, columns(contest)
    for label in contest.titles:
        row = {RELATIVE: _relative_cell(relative.get(label)), RANK: _rank_cell(ranks.get(label))}
        found[label] = [row[column] for column in gained]
    return found


def _relative_cell(value: float | None) -> TableCell:
    return TableCell(decimal(value), value)


def _rank_cell(rank: tuple[float, tuple[float, float] | None] | None) -> TableCell:
    if rank is None:
        return TableCell()
    mean, bounds = rank
    detail = f"{decimal(bounds[0], 1)} to {decimal(bounds[1], 1)}" if bounds else ""
    return TableCell(decimal(mean), mean, detail=detail, interval=bounds)


def notes(contest: Contest) -> list[str]:
    """What the aggregates are, whether they agree on the winner, and what carries an average above full fine-tuning."""
    if not columns(contest):
        return []
    found = []
    if contest.relative:
        found.append(
            "Relative to full: mean over all tasks of score / full fine-tuning's score, so units do not matter."
        )
    if ranks := contest.ranks:
        bounds = " with 95 % interval" if contest.draws is not None else ""
        text = f"Mean rank{bounds}: over all tasks, among {len(ranks)} rows, 1 being best."
        if (p := friedman(contest.matrix)) is not None:
            apart = critical_difference(len(ranks), len(contest.tasks))
            text += (
                f" Friedman's test that all rank the same: {p_value(p)}; two rows differ at 5 % if their mean ranks "
                f"are more than {decimal(apart)} apart (Nemenyi)."
            )
        found.append(text)
    return found + [text for text in (_winners(contest), _carried(contest)) if text]


def _winners(contest: Contest) -> str | None:
    """A sentence where the aggregates disagree about the winner; equal ones win together."""
    relative, ranks = contest.relative, contest.ranks
    standings = {
        "the plain average": {label: contest.averages[label] for label in contest.competing},
        "the mean relative to full fine-tuning": {label: relative[label] for label in contest.competing if relative},
        "the mean rank": {label: -mean for label, (mean, _) in ranks.items()},
    }
    winners = {name: _best(values) for name, values in standings.items() if values}
    if not winners or set.intersection(*map(set, winners.values())):
        return None
    named = [f"{' and '.join(contest.titles[label] for label in labels)} by {name}" for name, labels in winners.items()]
    return f"The aggregates disagree about the winner: {', '.join(named)}."


def _best(values: Mapping[str, float]) -> list[str]:
    highest = max(values.values())
    return [label for label, value in values.items() if np.isclose(value, highest, rtol=0, atol=0.005)]


def _carried(contest: Contest) -> str | None:
    """Through which tasks the best average is above full fine-tuning's, where it is below on others."""
    if contest.full is None or contest.full not in contest.averages or not contest.competing:
        return None
    best = max(contest.competing, key=lambda label: contest.averages[label])
    if contest.averages[best] <= contest.averages[contest.full]:
        return None
    pairs = zip(contest.tasks, contest.scores[best], contest.scores[contest.full], strict=True)
    gains = [(task, mine - full) for task, mine, full in pairs if task in contest.averaged]
    above, below = ([(t, gain) for t, gain in gains if (gain > 0) == wanted] for wanted in (True, False))
    if not above or not below:
        return None
    listed = [", ".join(f"{task} ({signed(gain)})" for task, gain in part) for part in (above, below)]
    return (
        f"The best average, of {contest.titles[best]}, is above full fine-tuning's "
        f"({decimal(contest.averages[best])} and {decimal(contest.averages[contest.full])}) through {listed[0]} alone; "
        f"it is not above it on {listed[1]}."
    )
