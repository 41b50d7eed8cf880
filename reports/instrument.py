"""How far the embedded suite can be trusted to rank methods: criteria, their bounds, and what a run measured.

Averages are over the accuracies of the suite, in points; captions are left out, because CIDEr has another unit.
Only rows without overrides count, on all data and the reporting split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import pandas as pd

from reports.formats import decimal
from reports.run import Run
from reports.statistics import Summary, summarise

SUITE, DOUBLE, BACKBONE = "mini-image", "mini-image-double", "mini-bart"
FULL, PROJECTION, ADAPTER, LORA = "full", "projection", "adapter-single", "lora-single"
SET = 3  # seeds in each of two disjoint sets
STEADY = 5  # seeds for a deviation
METHODS = 3  # the fewest that can be ranked
CHANCE = 5.0  # points above a floor: about two and a half standard errors of an accuracy over 600 questions


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


class _Missing(Exception):
    """A figure cannot be made; the text says what is not there."""


Figure = tuple[float, str]  # the figure and what it was made from


class Averages:
    """Scores of the rows of one suite on the embedded backbone."""

    def __init__(self, run: Run, suite: str = SUITE) -> None:
        scores = run.scores
        plain = scores["method"].where(scores["control"] == "none", scores["method"] + ", " + scores["control"])
        kept = (scores["suite"] == suite) & (scores["backbone"] == BACKBONE) & (scores["state"] == "done")
        kept &= (scores["scored_on"] == "report") & scores["comparable"] & (scores["label"] == plain)
        scores = scores[kept & scores["value"].notna()]
        self.suite = suite
        self.captions = scores[scores["metric"] == "cider"].assign(points=lambda s: s["value"] * s["scale"])
        self.accuracies = scores[scores["metric"] != "cider"].assign(points=lambda s: s["value"] * s["scale"])
        tasks = self.accuracies["task"].nunique()
        means = self.accuracies.groupby(["label", "seed"])["points"].agg(["mean", "count"])
        whole = means.loc[means["count"] == tasks, "mean"]
        self.table: pd.DataFrame = whole.astype(float).unstack("seed").sort_index(axis=1)  # label × seed

    @property
    def methods(self) -> pd.DataFrame:
        """The rows that are no controls."""
        return self.table[[", " not in label for label in self.table.index]]

    def summary(self, label: str) -> Summary | None:
        """Mean over seeds of one row, or None."""
        return summarise(self.table.loc[[label]].to_numpy().ravel()) if label in self.table.index else None

    def of(self, label: str) -> Summary:
        """The same, of a row that is needed.

        Raises:
            _Missing: no seed of it finished.
        """
        found = self.summary(label)
        if found is None:
            raise _Missing(f"no finished cell of {label} on {self.suite}")
        return found


def criteria(run: Run) -> list[Criterion]:
    """Every criterion, with a figure where the run holds what it takes; empty without any cell that counts."""
    default, double = Averages(run), Averages(run, DOUBLE)
    if default.table.empty:
        return []
    made = []
    for name, unit, lowest, highest, measure in _tests(default, double):
        try:
            measured, basis = measure()
            made.append(Criterion(name, unit, lowest, highest, measured, basis))
        except _Missing as missing:
            made.append(Criterion(name, unit, lowest, highest, missing=str(missing)))
    return made


Test = tuple[str, str, float | None, float | None, Callable[[], Figure]]


def _tests(default: Averages, double: Averages) -> Iterator[Test]:
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


def _said(summary: Summary) -> str:
    return f"{decimal(summary.mean)} (n = {summary.n})"


def _gap(scores: Averages, upper: str, lower: str) -> Figure:
    one, other = scores.of(upper), scores.of(lower)
    return one.mean - other.mean, f"{_said(one)} and {_said(other)}"


def _share(scores: Averages) -> Figure:
    top, bottom, middle = (scores.of(method) for method in (FULL, PROJECTION, ADAPTER))
    if top.mean <= bottom.mean:
        raise _Missing("full fine-tuning gains nothing over projection only")
    share = (middle.mean - bottom.mean) / (top.mean - bottom.mean)
    return 100 * share, f"projection {_said(bottom)}, adapter {_said(middle)}, full {_said(top)}"


def _best(scores: Averages) -> Figure:
    if scores.methods.empty:
        raise _Missing("no finished cell that is not a control")
    means = scores.methods.mean(axis=1)
    label = str(means.idxmax())
    return float(means.max()), f"{label}, n = {scores.of(label).n}"


def _deviation(scores: Averages, method: str) -> Figure:
    summary = scores.of(method)
    if summary.std is None or summary.n < STEADY:
        raise _Missing(f"{method} has {summary.n} of {STEADY} seeds on {scores.suite}")
    return summary.std, f"n = {summary.n}"


def _between_seeds(scores: Averages) -> Figure:
    """Lowest seeds against the next ones; the basis also tells the range over all ways to split the six."""
    seeds = list(scores.methods.columns)[: 2 * SET]
    complete = scores.methods[seeds].dropna()
    if len(seeds) < 2 * SET or len(complete) < METHODS:
        raise _Missing(f"needs {2 * SET} seeds of {METHODS} methods; here {len(seeds)} of {len(complete)}")
    ways = [
        _rank_correlation(complete[list(one)].mean(axis=1), complete.drop(columns=list(one)).mean(axis=1))
        for one in combinations(seeds, SET)
        if seeds[0] in one
    ]
    basis = f"{len(complete)} methods, seeds {_listed(seeds[:SET])} and {_listed(seeds[SET:])}; "
    return ways[0], basis + f"over all {len(ways)} ways to split them {decimal(min(ways))} to {decimal(max(ways))}"


def _between_data(default: Averages, double: Averages) -> Figure:
    if double.table.empty:
        raise _Missing(f"no finished cell on {DOUBLE}")
    seeds = list(default.methods.columns.intersection(double.methods.columns))
    once, twice = default.methods[seeds].dropna(), double.methods[seeds].dropna()
    both = once.index.intersection(twice.index)
    if not seeds or len(both) < METHODS:
        raise _Missing(f"needs a seed of {METHODS} methods on {SUITE} and {DOUBLE}; here {len(both)} methods")
    found = _rank_correlation(once.loc[both].mean(axis=1), twice.loc[both].mean(axis=1))
    return found, f"{len(both)} methods, seeds {_listed(seeds)}"


def _above_floor(scores: Averages, label: str, floors: tuple[str, ...]) -> Figure:
    """The largest difference, over the tasks, of the score and the highest of its floors."""
    summary = scores.of(label)
    rows = scores.accuracies[scores.accuracies["label"] == label]
    known = [name for name in floors if name in rows]
    if not known:
        raise _Missing("the floors were not recorded")
    above = rows["points"] - rows[known].max(axis=1) * rows["scale"]
    by_task = above.astype(float).groupby(rows["task"], sort=False).mean()
    each = ", ".join(f"{task} {decimal(value)}" for task, value in by_task.items())
    return float(by_task.max()), f"{each}; n = {summary.n}"


def _rank_correlation(one: pd.Series, other: pd.Series) -> float:
    """Spearman's: Pearson's correlation of the ranks, equal values sharing the mean of theirs."""
    found = float(one.rank().corr(other.rank()))
    if pd.isna(found):
        raise _Missing("all methods score the same")
    return found


def _listed(seeds: Iterable[object]) -> str:
    return ", ".join(str(seed) for seed in seeds)
