from __future__ import annotations

import dataclasses

import pytest
from synthetic import Synthetic

import reports
from reports import RecordError
from reports.tuning import tunings

TASKS = ("mini-vqa", "mini-gqa", "mini-caption")


def trial(method: str, rate: float, average: float | None, **more) -> Synthetic:
    """A cell on the selection split whose accuracies have the average given; its CIDEr would turn the order around."""
    shown = {} if average is None else dict(zip(TASKS, (average - 10, average + 10, 300 - 9 * average), strict=True))
    scores = {task: value / 100 for task, value in shown.items()}
    settings = {"score_on": "select"} | more.pop("settings", {})
    overrides = {"learning_rate": rate} | more.pop("overrides", {})
    return Synthetic(
        method, scores, tasks=TASKS, overrides=overrides, settings=settings, split="validation", **{"seed": 100} | more
    )


def test_the_best_average_wins_and_of_equals_the_smaller_rate(run_of):
    folder = run_of(
        trial("full", 0.01, 50), trial("full", 0.001, 50), trial("full", 0.0001, 30), trial("full", 0.03, 49)
    )
    (tuning,) = tunings(reports.load(folder))
    assert tuning.candidates == (0.0001, 0.001, 0.01, 0.03)
    assert tuning.best.rate == 0.001
    assert tuning.best.average.mean == pytest.approx(50)
    assert tuning.tasks == ("mini-vqa", "mini-gqa")
    assert not tuning.at_edge
    assert (tuning.kind, tuning.splits, tuning.examples, tuning.steps) == ("image-text", ("validation",), 3000, 800)


def test_captions_decide_where_a_suite_has_nothing_else(run_of):
    def captions(rate, value):
        return dataclasses.replace(trial("full", rate, 0), tasks=TASKS[2:], scores={TASKS[2]: value})

    (tuning,) = tunings(reports.load(run_of(captions(0.001, 1.5), captions(0.01, 2.5))))
    assert (tuning.best.rate, tuning.tasks) == (0.01, ("mini-caption",))


def test_a_rate_without_all_scores_has_no_average(run_of):
    holed = dataclasses.replace(trial("full", 0.01, 90), scores={"mini-vqa": 0.9})
    (tuning,) = tunings(reports.load(run_of(trial("full", 0.001, 20), holed)))
    assert tuning.best.rate == 0.001


def test_seeds_are_averaged(run_of):
    cells = [trial("full", 0.001, value, seed=seed) for seed, value in enumerate((60, 40))]
    cells += [trial("full", 0.01, value, seed=seed) for seed, value in enumerate((59, 45))]
    (tuning,) = tunings(reports.load(run_of(*cells)))
    assert tuning.best.rate == 0.01
    assert tuning.seeds == (0, 1)
    assert tuning.at_edge  # of two, each is at an edge


def test_a_rate_that_breaks_down_was_tried_and_is_never_the_best(run_of):
    folder = run_of(trial("full", 0.001, 20), trial("full", 0.01, None, state="diverged"))
    (tuning,) = tunings(reports.load(folder))
    assert (tuning.best.rate, tuning.at_edge, tuning.unfinished) == (0.001, True, 0)
    assert [value.average is None for value in tuning.trials] == [False, True]


def test_what_did_not_finish_is_counted(run_of):
    folder = run_of(trial("full", 0.001, 20), trial("full", 0.01, None, state="failed"))
    assert tunings(reports.load(folder))[0].unfinished == 1


def test_cells_of_the_reporting_split_and_controls_tune_nothing(run_of):
    folder = run_of(
        trial("full", 0.001, 20),
        trial("full", 0.01, 90, settings={"score_on": "report"}),
        trial("full", 0.01, 90, control="image-blind"),
    )
    assert tunings(reports.load(folder))[0].candidates == (0.001,)


def test_a_run_that_tuned_nothing_is_one_clear_line(run_of):
    with pytest.raises(RecordError, match="no cell was scored on the selection split; run `--grid tune-mini`"):
        tunings(reports.load(run_of(Synthetic("full", {"mini-vqa": 0.5}))))


def test_trials_that_differ_in_more_than_the_rate_are_refused(run_of):
    folder = run_of(trial("full", 0.001, 20), trial("full", 0.01, 30, settings={"epochs": 9}))
    with pytest.raises(RecordError, match="differ in more than the learning rate"):
        tunings(reports.load(folder))


@pytest.mark.parametrize("other", [{"rate": 0.02}, {"rate": 0.01, "seed": 7}, {"rate": 0.01, "settings": {"limit": 9}}])
def test_methods_need_one_budget(run_of, other):
    folder = run_of(trial("full", 0.01, 20), trial("bitfit", average=30, **other))
    with pytest.raises(RecordError, match="full and bitfit were not tuned with the same candidates"):
        tunings(reports.load(folder))
