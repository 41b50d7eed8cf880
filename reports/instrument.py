"""How far the embedded suites can be trusted to rank methods: criteria, their bounds, and what a run measured.

Averages are those of `reports.averages`. What they do not tell is whether all rows had the same budget: `reports.trust`
says that beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import pandas as pd

from reports.averages import Averages, Missing
from reports.formats import decimal
from reports.run import Run
from reports.statistics import Summary

SUITE, DOUBLE, VIDEO, BACKBONE = "mini-image", "mini-image-double", "mini-video", "mini-bart"
FULL, PROJECTION, ADAPTER, LORA = "full", "projection", "adapter-single", "lora-single"
SET = 3  # seeds in each of two disjoint sets
STEADY = 5  # seeds for a deviation
METHODS = 3  # the fewest that can be ranked
CHANCE = 5.0  # points above a floor: about two and a half standard errors of an accuracy over 600 questions
CLEAR = 8.0  # points between a run that sees all of a clip and one that sees a part; as for full and projection


@dataclass(frozen=True)
class Criterion:
    """One thing that an instrument must show."""

    name: str
    unit: str  # "points", "%" or "" for correlations
    lowest: float | None
    highest: float | None
    measured: float | None = None
    basis: str = ""  # what the figure was made from, with n
    missing: str = ""  # why there is no figure

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps the bound; None without a figure."""
        if self.measured is None:
            return None
        low, high = self.lowest, self.highest
        return (low is None or self.measured >= low) and (high is None or self.measured <= high)

    @property
    def bound(self) -> str:
        """The bound in words."""
        if self.lowest is None:
            return f"at most {self.highest:g} {self.unit}".rstrip()
        if self.highest is None:
            return f"at least {self.lowest:g} {self.unit}".rstrip()
        return f"{self.lowest:g} to {self.highest:g} {self.unit}".rstrip()

    @property
    def shown(self) -> str:
        """The figure with its unit."""
        return f"{decimal(self.measured)} {self.unit}".rstrip() if self.measured is not None else "not measured"


Figure = tuple[float, str]  # the figure and what it was made from


def averages(run: Run) -> tuple[Averages, Averages, Averages]:
    """Of the suite, of its double and of the clips, on the embedded backbone."""
    default, double, video = (Averages(run, suite, BACKBONE) for suite in (SUITE, DOUBLE, VIDEO))
    return default, double, video


def criteria(run: Run) -> list[Criterion]:
    """Every criterion, with a figure where the run holds what it takes; empty without any cell that counts."""
    default, double, video = averages(run)
    if default.table.empty and video.table.empty:
        return []
    made = []
    for name, unit, lowest, highest, measure in _tests(default, double, video):
        try:
            measured, basis = measure()
            made.append(Criterion(name, unit, lowest, highest, measured, basis))
        except Missing as missing:
            made.append(Criterion(name, unit, lowest, highest, missing=str(missing)))
    return made


Test = tuple[str, str, float | None, float | None, Callable[[], Figure]]


def _tests(default: Averages, double: Averages, video: Averages) -> Iterator[Test]:
    random = f"{ADAPTER}, random-backbone"
    gap = partial(_gap, default)
    yield "Single adapter: pre-trained minus random backbone", "points", 10, None, partial(gap, ADAPTER, random)
    yield "Full fine-tuning minus projection only", "points", 8, None, partial(gap, FULL, PROJECTION)
    yield "Share of that gain that the single adapter recovers", "%", 75, None, partial(_share, default)
    yield "Best average", "points", 60, 95, partial(_best, default)
    for method in (ADAPTER, LORA, FULL):
        name = f"Standard deviation over seeds: {method}"
        yield name, "points", None, 1.5, partial(_deviation, default, method)
    yield "Rank correlation between two sets of three seeds", "", 0.8, None, partial(_between_seeds, default)
    yield "Rank correlation between default and twice the data", "", 0.7, None, partial(_between_data, default, double)
    for control, floors in (
        ("image-blind", ("floor_majority", "floor_question_only")),
        ("question-blind", ("floor_majority",)),
    ):
        name = f"Full fine-tuning, {control}: above the floor of a task"
        yield name, "points", None, CHANCE, partial(_above_floor, default, f"{FULL}, {control}", floors)
    for control, left in (("image-blind", "subtitles"), ("subtitle-blind", "frames")):
        name = f"{VIDEO}: full fine-tuning minus {control} ({left} alone)"
        yield name, "points", CLEAR, None, partial(_gap, video, FULL, f"{FULL}, {control}")


def _said(summary: Summary) -> str:
    return f"{decimal(summary.mean)} (n = {summary.n})"


def _gap(scores: Averages, upper: str, lower: str) -> Figure:
    one, other = scores.of(upper), scores.of(lower)
    return one.mean - other.mean, f"{_said(one)} and {_said(other)}"


def _share(scores: Averages) -> Figure:
    top, bottom, middle = (scores.of(method) for method in (FULL, PROJECTION, ADAPTER))
    if top.mean <= bottom.mean:
        raise Missing("full fine-tuning gains nothing over projection only")
    share = (middle.mean - bottom.mean) / (top.mean - bottom.mean)
    return 100 * share, f"projection {_said(bottom)}, adapter {_said(middle)}, full {_said(top)}"


def _best(scores: Averages) -> Figure:
    if scores.methods.empty:
        raise Missing("no finished cell that is not a control")
    means = scores.methods.mean(axis=1)
    label = str(means.idxmax())
    return float(means.max()), f"{label}, n = {scores.of(label).n}"


def _deviation(scores: Averages, method: str) -> Figure:
    summary = scores.of(method)
    if summary.std is None or summary.n < STEADY:
        raise Missing(f"{method} has {summary.n} of {STEADY} seeds on {scores.suite}")
    return summary.std, f"n = {summary.n}"


def _between_seeds(scores: Averages) -> Figure:
    """Lowest seeds against the next ones; the basis also tells the range over all ways to split the six."""
    seeds = list(scores.methods.columns)[: 2 * SET]
    complete = scores.methods[seeds].dropna()
    if len(seeds) < 2 * SET or len(complete) < METHODS:
        raise Missing(f"needs {2 * SET} seeds of {METHODS} methods; here {len(seeds)} of {len(complete)}")
    ways = [
        _rank_correlation(complete[list(one)].mean(axis=1), complete.drop(columns=list(one)).mean(axis=1))
        for one in combinations(seeds, SET)
        if seeds[0] in one
    ]
    basis = f"{len(complete)} methods, seeds {_listed(seeds[:SET])} and {_listed(seeds[SET:])}; "
    return ways[0], basis + f"over all {len(ways)} ways to split them {decimal(min(ways))} to {decimal(max(ways))}"


def _between_data(default: Averages, double: Averages) -> Figure:
    if double.table.empty:
        raise Missing(f"no finished cell on {DOUBLE}")
    seeds = list(default.methods.columns.intersection(double.methods.columns))
    once, twice = default.methods[seeds].dropna(), double.methods[seeds].dropna()
    both = once.index.intersection(twice.index)
    if not seeds or len(both) < METHODS:
        raise Missing(f"needs a seed of {METHODS} methods on {SUITE} and {DOUBLE}; here {len(both)} methods")
    found = _rank_correlation(once.loc[both].mean(axis=1), twice.loc[both].mean(axis=1))
    return found, f"{len(both)} methods, seeds {_listed(seeds)}"


def _above_floor(scores: Averages, label: str, floors: tuple[str, ...]) -> Figure:
    """The largest difference, over the tasks, of the score and the highest of its floors."""
    summary = scores.of(label)
    rows = scores.accuracies[scores.accuracies["label"] == label]
    known = [name for name in floors if name in rows]  # empty: a maximum over no column is a hole
    above = (rows["points"] - rows[known].max(axis=1) * rows["scale"]).dropna()
    if above.empty:
        raise Missing("the floors were not recorded")
    by_task = above.astype(float).groupby(rows["task"], sort=False).mean()
    each = ", ".join(f"{task} {decimal(value)}" for task, value in by_task.items())
    return float(by_task.max()), f"{each}; n = {summary.n}"


def _rank_correlation(one: pd.Series, other: pd.Series) -> float:
    """Spearman's: Pearson's correlation of the ranks, equal values sharing the mean of theirs."""
    found = float(one.rank().corr(other.rank()))
    if pd.isna(found):
        raise Missing("all methods score the same")
    return found


def _listed(seeds: Iterable[object]) -> str:
    return ", ".join(str(seed) for seed in seeds)
