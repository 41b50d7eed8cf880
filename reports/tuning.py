"""Which learning rate was best, from the cells of a run that were scored on the selection split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from reports.averages import deciding, in_points, metric_values
from reports.columns import records
from reports.formats import present
from reports.record import RecordError
from reports.run import Run
from reports.statistics import Summary, summarise

TRIED = ("done", "diverged")  # a rate at which training breaks down was tried, and is never the best

Row = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One learning rate of one method."""

    rate: float
    average: Summary | None  # over seeds, of the plain mean over `Tuning.tasks`; None where a seed has none


@dataclass(frozen=True)
class Tuning:
    """All trials of one method on one suite and backbone, by rising rate."""

    suite: str
    kind: str
    backbone: str
    method: str
    trials: tuple[Trial, ...]
    seeds: tuple[int, ...]
    settings: Mapping[str, Any]  # that all trials share
    tasks: tuple[str, ...]  # that the average is over: `reports.averages.deciding`
    splits: tuple[str, ...]  # that were scored, by their own names
    examples: int  # scored per candidate and seed
    steps: int  # optimisation steps per candidate and seed
    harness_version: str
    unfinished: int  # cells that did not run to an end

    @property
    def candidates(self) -> tuple[float, ...]:
        """The rates that were tried."""
        return tuple(trial.rate for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        """The trial with the best average; of equals the one with the smallest rate; None when none has one."""
        scored = [(trial.average.mean, -trial.rate, trial) for trial in self.trials if trial.average is not None]
        return max(scored)[2] if scored else None

    @property
    def at_edge(self) -> bool:
        """Whether the best is the smallest or the largest rate: a better one may lie outside."""
        return self.best is not None and self.best.rate in (self.candidates[0], self.candidates[-1])


def tunings(run: Run) -> list[Tuning]:
    """What a run tried, method by method.

    Raises:
        RecordError: no cell of the run was scored on the selection split, or the candidates of a method, or of
            two methods on one suite and backbone, differ in more than the rate.
    """
    methods: dict[tuple[str, str, str], list[Row]] = {}
    for cell in records(run.cells):
        if cell["scored_on"] == "select" and cell["control"] == "none" and present(cell["learning_rate"]):
            methods.setdefault((cell["suite"], cell["backbone"], cell["method"]), []).append(cell)
    if not methods:
        raise RecordError(
            f"{run.folder}: no cell was scored on the selection split; run `--grid tune-mini`, "
            "or a grid of learning rates with the setting score_on: select"
        )
    averages = _averages(run)
    found = [_tuning(run, cells, averages) for _, cells in sorted(methods.items())]
    _require_equal_budgets(run, found)
    return found


def _tuning(run: Run, cells: Sequence[Row], averages: Mapping[str, float]) -> Tuning:
    by_rate: dict[float, list[Row]] = {}
    for cell in cells:
        by_rate.setdefault(float(cell["learning_rate"]), []).append(cell)
    seeds = {tuple(sorted(int(cell["seed"]) for cell in tried)) for tried in by_rate.values()}
    settings = [_settings(cell) for cell in cells]
    first = next((cell for cell in cells if cell["state"] == "done"), cells[0])
    if len(seeds) > 1 or any(len(set(each)) < len(each) for each in seeds) or any(s != settings[0] for s in settings):
        raise RecordError(
            f"{run.folder}: the cells of {first['method']} on {first['suite']} and {first['backbone']} differ in more "
            "than the learning rate, so they do not compare; run the grid again in a folder of its own"
        )
    scores = run.scores[run.scores["key"] == first["key"]]
    version = first.get("environment_harness_version")
    return Tuning(
        suite=first["suite"],
        kind=first["kind"],
        backbone=first["backbone"],
        method=first["method"],
        trials=tuple(_trial(rate, by_rate[rate], averages) for rate in sorted(by_rate)),
        seeds=seeds.pop(),
        settings=settings[0],
        tasks=tuple(deciding(scores)["task"]),
        splits=tuple(sorted(set(scores["split"]))),
        examples=int(scores["examples"].sum()),
        steps=int(first["step"]) if present(first["step"]) else 0,
        harness_version=version if isinstance(version, str) else "",
        unfinished=sum(cell["state"] not in TRIED for cell in cells),
    )


def _trial(rate: float, cells: Sequence[Row], averages: Mapping[str, float]) -> Trial:
    values = [averages.get(cell["key"]) for cell in cells]
    return Trial(rate, None if None in values else summarise(values))


def _averages(run: Run) -> dict[str, float]:
    """Key of a finished cell -> plain mean of its deciding scores; cells that lack any score are absent."""
    done = in_points(run.scores[run.scores["state"] == "done"])
    wanted = {cell["key"]: len(str(cell["tasks"]).split()) for cell in records(run.cells)}
    return {
        str(key): fmean(value for score in records(deciding(scores)) for value in metric_values(score))
        for key, scores in done.groupby("key")
        if scores["points"].count() == wanted[str(key)]
    }


def _settings(cell: Row) -> Row:
    """The settings of a cell without the learning rate, which may be given there too."""
    return {
        name.removeprefix("settings_"): _whole(value) if present(value) else None
        for name, value in cell.items()
        if name.startswith("settings_") and name != "settings_learning_rate"
    }


def _whole(value: Any) -> Any:
    """Whole numbers, which columns with holes hold as fractions, as what they are."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _require_equal_budgets(run: Run, found: Sequence[Tuning]) -> None:
    first: dict[tuple[str, str], Tuning] = {}
    for tuning in found:
        other = first.setdefault((tuning.suite, tuning.backbone), tuning)
        mine, others = ((each.candidates, each.seeds, each.settings) for each in (tuning, other))
        if mine != others:
            raise RecordError(
                f"{run.folder}: {tuning.method} and {other.method} were not tuned with the same candidates, seeds and "
                "settings; a comparison needs one budget for all methods"
            )
