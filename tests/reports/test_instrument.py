from __future__ import annotations

import json

import pytest
from synthetic import MINI_TASKS, VIDEO_TASKS, Synthetic, write_run

import reports
from reports.instrument import DOUBLE, VIDEO, Criterion, criteria
from reports.record import RateOrigin
from reports.trust import trust_tables

METHODS = {"full": 80, "adapter-single": 76, "lora-single": 70, "bitfit": 60, "projection": 50}
SHIFTS = (-1.0, 0.0, 1.0, 0.5, -0.5, 0.0)  # of each seed


def cell(method: str, average: float, **more) -> Synthetic:
    """Accuracies around an average in points; captions, which must not count, far away."""
    accuracies = [average - 5, average, average + 5]
    return Synthetic(method, {task: v / 100 for task, v in zip(MINI_TASKS, [*accuracies, 250], strict=True)}, **more)


def seeds(method: str, average: float, number: int = 6, **more) -> list[Synthetic]:
    return [cell(method, average + SHIFTS[seed], seed=seed, **more) for seed in range(number)]


def clips(average: float, control: str = "none") -> Synthetic:
    """Full fine-tuning on the clips; captions, which must not count, go the other way."""
    values = [average - 2, average + 2, 290 - average, 310 - average]
    scores = {task: value / 100 for task, value in zip(VIDEO_TASKS, values, strict=True)}
    return Synthetic("full", scores, suite=VIDEO, tasks=VIDEO_TASKS, control=control)


def everything() -> list[Synthetic]:
    found = [one for method, average in METHODS.items() for one in seeds(method, average)]
    found += [one for method, average in METHODS.items() for one in seeds(method, average + 5, number=3, suite=DOUBLE)]
    found += seeds("adapter-single", 40, number=3, control="random-backbone")
    found += seeds("full", 32, number=3, control="image-blind")
    found += [clips(60), clips(45, "image-blind"), clips(53, "subtitle-blind")]
    return found + seeds("full", 29, number=3, control="question-blind")


def measured(folder) -> dict[str, Criterion]:
    return {criterion.name: criterion for criterion in criteria(reports.load(folder))}


def one(folder, start: str) -> Criterion:
    (found,) = [criterion for name, criterion in measured(folder).items() if name.startswith(start)]
    return found


def test_every_criterion_is_measured_from_the_accuracies(run_of):
    found = measured(run_of(*everything()))
    figures = {name: criterion.measured for name, criterion in found.items()}
    assert figures == pytest.approx(
        {
            "Single adapter: pre-trained minus random backbone": 76 - 40,
            "Full fine-tuning minus projection only": 30,
            "Share of that gain that the single adapter recovers": 100 * 26 / 30,
            "Best average": 80,
            "Standard deviation over seeds: adapter-single": 0.7071,
            "Standard deviation over seeds: lora-single": 0.7071,
            "Standard deviation over seeds: full": 0.7071,
            "Rank correlation between two sets of three seeds": 1.0,
            "Rank correlation between default and twice the data": 1.0,
            "Full fine-tuning, image-blind: above the floor of a task": 32 + 5 - 33,  # the higher floor: question only
            "Full fine-tuning, question-blind: above the floor of a task": 29 + 5 - 21,
            "mini-video: full fine-tuning minus image-blind (subtitles alone)": 15,
            "mini-video: full fine-tuning minus subtitle-blind (frames alone)": 7,
        },
        abs=1e-3,
    )
    assert [name for name, criterion in found.items() if not criterion.met] == [
        "Full fine-tuning, question-blind: above the floor of a task",
        "mini-video: full fine-tuning minus subtitle-blind (frames alone)",
    ]
    assert found["Best average"].basis == "full, n = 6"
    assert "(n = 3)" in found["Single adapter: pre-trained minus random backbone"].basis


def test_a_run_of_the_clips_alone_is_judged_too(run_of):
    folder = run_of(clips(60), clips(45, "image-blind"))
    assert one(folder, "mini-video: full fine-tuning minus image").met
    assert one(folder, "mini-video: full fine-tuning minus sub").missing == (
        "no finished cell of full, subtitle-blind on mini-video"
    )
    criteria_table, averages = trust_tables(reports.load(folder))
    assert len(criteria_table.rows) == 1
    assert averages.title == "Averages on mini-video, mini-bart"
    assert [row.cells[1].text for row in averages.rows] == ["60.00", "45.00"]
    assert [row.cells[2].text for row in averages.rows] == ["240.00", "255.00"]  # of one seed: two tasks spread nothing


def test_rows_that_were_not_trained_or_tuned_alike_are_told(tmp_path):
    def terms(name, *cells):
        notes = trust_tables(reports.load(write_run(tmp_path / name, list(cells))))[0].notes
        return next(note for note in notes if note.startswith("mini-image:"))

    def rated(method, average, source, **settings):
        origin = RateOrigin(source=source, candidates=8 if source == "tuned" else None)
        return cell(method, average, rate_origin=origin, settings={"batch_size": 64} | settings)

    alike = terms("alike", rated("full", 70, "tuned"), rated("projection", 50, "tuned"))
    assert alike == "mini-image: 20 epochs in batches of 64; learning rates best of 8."
    other = terms("other", rated("full", 70, "by hand"), rated("projection", 50, "tuned", epochs=3))
    assert "20 epochs in batches of 64 or 3 epochs in batches of 64" in other
    assert "learning rates best of 8 or without a search. Not the same for all rows" in other


def test_ranks_that_turn_around_with_the_seeds_or_the_data_show(run_of):
    turned = {"full": 50, "adapter-single": 60, "lora-single": 70, "bitfit": 76, "projection": 80}
    found = [one for method, average in METHODS.items() for one in seeds(method, average, 3)]
    found += [cell(method, average, seed=seed) for method, average in turned.items() for seed in (3, 4, 5)]
    found += [cell(method, average, seed=seed, suite=DOUBLE) for method, average in turned.items() for seed in (0, 1)]
    folder = run_of(*found)
    between_seeds = one(folder, "Rank correlation between two sets")
    assert between_seeds.measured == pytest.approx(-1)
    assert between_seeds.met is False
    assert "seeds 0, 1, 2 and 3, 4, 5; over all 10 ways to split them -1.00 to" in between_seeds.basis.replace("−", "-")
    assert one(folder, "Rank correlation between default").measured == pytest.approx(-1)


def test_equal_scores_share_the_mean_of_their_ranks(run_of):
    levels = {"full": 70, "adapter-single": 60, "bitfit": 50}
    tied = {"full": 70, "adapter-single": 60, "bitfit": 60}
    found = [cell(method, value) for method, value in levels.items()]
    found += [cell(method, value, suite=DOUBLE) for method, value in tied.items()]
    # ranks 3 2 1 against 3 1.5 1.5: Σdd' = 1.5, over √(2 × 1.5)
    assert one(run_of(*found), "Rank correlation between default").measured == pytest.approx(1.5 / 3**0.5)


def test_what_is_not_there_is_said_and_keeps_no_bound(run_of):
    folder = run_of(cell("full", 70), cell("projection", 50))
    found = measured(folder)
    assert found["Full fine-tuning minus projection only"].measured == pytest.approx(20)
    missing = {name: criterion for name, criterion in found.items() if criterion.measured is None}
    assert len(missing) == 11
    assert all(criterion.met is None and criterion.missing for criterion in missing.values())
    assert missing["Standard deviation over seeds: full"].missing == "full has 1 of 5 seeds on mini-image"


@pytest.mark.parametrize(
    "more",
    [
        {"comparable": False},
        {"settings": {"score_on": "select"}},
        {"overrides": {"rank": 4}},
        {"backbone": "bart-base"},
        {"suite": "daquar"},
    ],
)
def test_only_plain_rows_on_all_data_of_the_embedded_suite_count(run_of, more):
    assert criteria(reports.load(run_of(cell("full", 70, **more), cell("projection", 50, **more)))) == []


def test_a_seed_without_all_accuracies_does_not_count(run_of):
    holed = Synthetic("full", {"mini-vqa": 0.99, "mini-gqa": None, "mini-nlvr": 0.99}, seed=1)
    folder = run_of(cell("full", 70), holed, cell("projection", 50))
    assert one(folder, "Full fine-tuning minus").measured == pytest.approx(20)


def test_floors_that_were_not_recorded_are_no_figure(run_of):
    folder = run_of(cell("full", 32, control="image-blind"))
    for path in folder.rglob("result.json"):
        record = json.loads(path.read_text())
        for score in record["scores"]:
            score["floors"] = {}
        path.write_text(json.dumps(record))
    assert one(folder, "Full fine-tuning, image-blind").missing == "the floors were not recorded"


def test_a_gain_of_nothing_has_no_share(run_of):
    folder = run_of(cell("full", 50), cell("projection", 50), cell("adapter-single", 60))
    assert one(folder, "Share").missing == "full fine-tuning gains nothing over projection only"
