from __future__ import annotations

import math
import statistics as reference

import pytest
from synthetic import Synthetic

import reports
from reports.cost import cost_tables
from reports.entries import groups
from reports.leaderboard import leaderboard
from reports.record import RateOrigin
from reports.statistics import summarise
from reports.table import Row, Table, TableCell

TASKS = ("mini-vqa", "mini-caption")


def cell(method: str, vqa: float | None, caption: float | None, **more) -> Synthetic:
    scores = {name: value for name, value in zip(TASKS, (vqa, caption), strict=True) if value is not None}
    return Synthetic(method, scores, tasks=TASKS, **{"suite": "photos"} | more)


def board(folder) -> Table:
    run = reports.load(folder)
    (group,) = groups(run)
    return leaderboard(group, run)


def name_of(row: Row) -> str:
    """The label of a method's row, below its title; the text of any other row."""
    return row.cells[0].detail.split(" · ")[0] or row.cells[0].text


def row(table: Table, label: str) -> Row:
    return next(row for row in table.rows if name_of(row) == label)


def at(table: Table, label: str, column: str) -> TableCell:
    return row(table, label).cells[[c.title for c in table.columns].index(column)]


def test_mean_and_sample_deviation_over_seeds(run_of):
    table = board(
        run_of(cell("bitfit", 0.50, 1.0), cell("bitfit", 0.52, 1.1, seed=1), cell("bitfit", 0.57, 1.2, seed=2))
    )
    assert at(table, "bitfit", "VQA").text == f"53.00 ± {reference.stdev([50, 52, 57]):.2f}"
    assert at(table, "bitfit", "Average").value == pytest.approx((53 + 110) / 2)
    averages = [(50 + 100) / 2, (52 + 110) / 2, (57 + 120) / 2]
    assert at(table, "bitfit", "Average").text.endswith(f"± {reference.stdev(averages):.2f}")
    assert at(table, "bitfit", "n").text == "3"


def test_one_seed_has_no_deviation_and_says_so(run_of):
    table = board(run_of(cell("bitfit", 0.5, 1.0)))
    assert at(table, "bitfit", "VQA").text == "50.00"
    assert any(note.startswith("One seed: what another seed would change is not known") for note in table.notes)


def test_an_embedded_suite_is_averaged_over_its_accuracies_with_captions_beside(run_of):
    tasks = ("mini-vqa", "mini-gqa", "mini-caption")
    table = board(
        run_of(
            Synthetic("bitfit", dict(zip(tasks, (0.5, 0.4, 3.0), strict=True)), tasks=tasks),
            Synthetic("lora-single", dict(zip(tasks, (0.6, 0.5, 1.0), strict=True)), tasks=tasks),
            Synthetic("adapter-single", {"mini-vqa": 0.6, "mini-gqa": 0.6}, tasks=tasks),
            Synthetic("full", {"mini-vqa": 0.6, "mini-caption": 2.0}, tasks=tasks),
        )
    )
    shown = {label: at(table, label, "Average").text for label in ("bitfit", "lora-single", "adapter-single", "full")}
    assert shown == {"bitfit": "45.00", "lora-single": "55.00", "adapter-single": "60.00", "full": "–"}
    assert [name_of(row) for row in table.rows][1:4] == ["adapter-single", "lora-single", "bitfit"]
    assert any("without CIDEr" in note for note in table.notes)


def test_both_conventions_of_an_average_over_metrics_that_come_in_pairs(run_of):
    """HyperFormer averages metric values, Hyperdecoders tasks: with F1 0.9, accuracy 0.7 and another 0.2."""
    tasks = ("glue/mrpc", "glue/rte")
    cells = [
        Synthetic("bitfit", {"glue/mrpc": 0.8, "glue/rte": 0.2}, tasks=tasks, suite="glue", seed=s) for s in (0, 1)
    ]
    table = board(run_of(*cells, Synthetic("full", {"glue/mrpc": 0.8}, tasks=tasks, suite="glue")))
    assert at(table, "bitfit", "Average").value == pytest.approx(100 * (0.9 + 0.7 + 0.2) / 3)
    assert at(table, "bitfit", "Average over tasks").value == pytest.approx(100 * (0.8 + 0.2) / 2)
    assert at(table, "bitfit", "glue/mrpc").detail == "f1 90.00, accuracy 70.00"
    assert {at(table, "full", title).text for title in ("Average", "Average over tasks")} == {"–"}
    assert at(table, "majority answer", "Average").text == "–"
    assert at(table, "majority answer", "Average over tasks").text == "21.00"
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    told = " ".join(table.notes)
    assert "over 3 metric values of 2 tasks, as in HyperFormer" in told and "the two averages do not compare" in told


def test_a_missing_task_leaves_a_hole_and_no_average(run_of):
    table = board(run_of(cell("full", 0.5, 1.0), cell("bitfit", 0.9, None)))
    assert at(table, "bitfit", "CAPTION") == TableCell()
    assert at(table, "bitfit", "Average") == TableCell()
    assert at(table, "bitfit", "VQA").text == "90.00"


def test_a_seed_without_a_task_takes_the_average_away_and_shows_its_n(run_of):
    table = board(run_of(cell("bitfit", 0.5, 1.0), cell("bitfit", 0.6, None, seed=1)))
    assert at(table, "bitfit", "Average").text == "–"
    assert at(table, "bitfit", "CAPTION").detail == "n = 1"


def test_only_ranked_rows_are_marked_and_equal_prints_share_the_mark(run_of):
    table = board(
        run_of(
            cell("full", 0.99, 1.9),
            cell("projection", 0.98, 1.8),
            cell("full", 0.97, 1.7, control="image-blind"),
            cell("adapter-single", 0.600001, 1.0),
            cell("lora-single", 0.6, 1.2),
            cell("bitfit", 0.4, 1.1),
        )
    )
    marks = {label: at(table, label, "VQA").mark for label in ("adapter-single", "lora-single", "bitfit")}
    assert marks == {"adapter-single": "best", "lora-single": "best", "bitfit": "second"}
    assert at(table, "lora-single", "Average").mark == "best"
    references = [row for row in table.rows if row.kind == "reference"]
    assert [name_of(row) for row in references] == ["full", "projection", "full, image-blind"]
    assert not any(cell.mark for row in references for cell in row.cells)


def test_rows_that_do_not_beat_projection_are_flagged(run_of):
    table = board(run_of(cell("projection", 0.5, 1.0), cell("bitfit", 0.5, 1.0), cell("lora-single", 0.5, 1.1)))
    assert at(table, "bitfit", "Method").symbols == "‡"
    assert at(table, "lora-single", "Method").symbols == ""
    assert any(note.startswith("‡") for note in table.notes)


def test_floors_come_last_and_scores_at_a_floor_are_flagged(run_of):
    table = board(run_of(cell("bitfit", 0.33, 1.0), cell("lora-single", 0.34, 1.0)))
    assert [row.cells[0].text for row in table.rows][-2:] == ["majority answer", "question only"]
    assert at(table, "majority answer", "VQA").text == "21.00"
    assert at(table, "majority answer", "Average").text == "–"  # captions have no floor here
    assert (at(table, "bitfit", "VQA").symbols, at(table, "lora-single", "VQA").symbols) == ("§", "")


def test_a_score_at_the_floor_is_never_best(run_of):
    table = board(run_of(cell("bitfit", 0.33, 1.0), cell("lora-single", 0.30, 1.1), cell("adapter-single", 0.50, 0.9)))
    assert at(table, "adapter-single", "VQA").mark is None  # alone above the floor: nothing to be ranked with
    assert at(table, "bitfit", "VQA").mark is None
    assert at(table, "lora-single", "CAPTION").mark == "best"


def test_scores_under_a_limit_are_marked_and_never_best_beside_whole_ones(run_of):
    table = board(
        run_of(
            cell("bitfit", 0.9, 1.9, settings={"limit": 64}, comparable=False),
            cell("lora-single", 0.5, 1.0),
            cell("adapter-single", 0.4, 1.0),
        )
    )
    assert at(table, "bitfit", "VQA").symbols == "∗"
    assert at(table, "bitfit", "VQA").mark is None
    assert at(table, "lora-single", "VQA").mark == "best"
    assert any("limited to 64 examples" in note for note in table.notes)


def test_selecting_on_the_reporting_split_is_marked(run_of):
    table = board(run_of(cell("bitfit", 0.9, 1.9, settings={"selection": "best"}, select_split="test")))
    assert at(table, "bitfit", "VQA").symbols == "†"


def test_a_failed_method_is_a_row_of_holes_with_its_state(run_of):
    table = board(
        run_of(cell("full", 0.5, 1.0), Synthetic("compacter", state="out-of-memory", tasks=TASKS, suite="photos"))
    )
    assert "out-of-memory" in at(table, "compacter", "Method").detail
    assert at(table, "compacter", "n").text == "0 of 1"
    assert at(table, "compacter", "VQA").value is None


def test_a_method_with_one_failed_seed_keeps_the_others_and_says_so(run_of):
    failed = cell("bitfit", None, None, seed=1, state="timed-out")
    table = board(run_of(cell("bitfit", 0.5, 1.0), failed, cell("bitfit", 0.5, 1.0, seed=2)))
    assert at(table, "bitfit", "n").text == "2 of 3"
    assert at(table, "bitfit", "Method").detail == "bitfit · 1 of 3 timed-out"
    assert at(table, "bitfit", "VQA").text == "50.00 ± 0.00"


def test_a_finished_retry_replaces_the_failed_trial_of_its_seed(run_of):
    failed = cell("full", None, None, state="failed", reason="once", data={"mini": "older"})
    table = board(run_of(failed, cell("full", 0.5, 1.0)))
    assert at(table, "full", "n").text == "1"


def test_ranked_rows_fall_by_average_with_holes_last(run_of):
    table = board(run_of(cell("a", 0.4, 1.0), cell("b", 0.6, 1.0), cell("c", 0.9, None), cell("d", 0.5, 1.0)))
    assert [name_of(row) for row in table.rows if row.kind == "ranked"] == ["b", "d", "a", "c"]


def test_cost_is_the_median_over_seeds_and_marks_disturbed_measurements(run_of):
    folder = run_of(cell("bitfit", 0.5, 1.0), cell("bitfit", 0.5, 1.0, seed=1, exclusive=False), cell("full", 0.5, 1.0))
    (group,) = groups(reports.load(folder))
    parameters, speed, times = cost_tables(group)
    assert at(parameters, "bitfit", "Trained").text == "50,000"
    assert at(speed, "bitfit", "Step (ms)").text == "123"
    assert at(speed, "bitfit", "Training peak, resident").text == "900 MiB"
    assert (at(speed, "bitfit", "Method").symbols, at(speed, "full", "Method").symbols) == ("◇", "")
    assert at(times, "bitfit", "Training").text == "1 min 01 s"
    assert any("CUDA" in note and note.startswith("Not measured here") for note in speed.notes)


@pytest.mark.parametrize("values", [[], [None], [math.nan, None]])
def test_nothing_to_summarise_is_nothing(values):
    assert summarise(values) is None


def test_summaries_agree_with_the_standard_library():
    values = [0.1, 0.4, 0.35]
    summary = summarise([*values, None, math.nan])
    assert summary is not None and summary.n == 3
    assert summary.mean == pytest.approx(reference.mean(values))
    assert summary.std == pytest.approx(reference.stdev(values))


def test_learning_rates_stand_beside_the_method_with_their_origin(run_of):
    def rated(method, rate, **origin):
        settings = {"learning_rate": rate}
        return cell(method, 0.5, 1.0, settings=settings, rate_origin=RateOrigin(**origin) if origin else None)

    table = board(
        run_of(
            rated("a", 0.003, source="tuned", candidates=8, suite="mini-image"),
            rated("b", 0.0001, source="by hand"),
            rated("c", 3e-5, source="default"),
            rated("d", 0.01),
            rated(
                "e", 0.003, source="tuned", candidates=8, suite="mini-image", backbone="mini-bart", other_weights=False
            ),
            rated("f", 0.003, source="tuned", candidates=4, suite="mini-image", other_weights=True),
        )
    )
    shown = {label: at(table, label, "Learning rate") for label in "abcdef"}
    assert [(each.text, each.detail) for each in shown.values()] == [
        ("0.003", "best of 8"),
        ("0.0001", "picked by hand"),
        ("3e-05", "own default"),
        ("0.01", ""),
        ("0.003", "best of 8"),
        ("0.003", "best of 4, earlier"),
    ]
    assert shown["a"].tooltip == "tuned on the selection split of mini-image"
    assert shown["e"].tooltip == "tuned on the selection split of mini-image on mini-bart"
    (note,) = [note for note in table.notes if note.startswith("Learning rate:")]
    assert "best of n candidates on the selection split of mini-image" in note
    assert "'earlier': the backbone was pre-trained anew" in note
    assert "'own default': not tuned" in note and "as set" not in note


def test_scores_of_the_selection_split_stand_apart_and_are_not_ranked(run_of):
    selecting = {"settings": {"score_on": "select"}, "split": "validation"}
    folder = run_of(
        cell("bitfit", 0.9, 1.9, **selecting), cell("lora-single", 0.8, 1.8, **selecting), cell("bitfit", 0.5, 1.0)
    )
    run = reports.load(folder)
    reporting, selection = groups(run)
    assert [entry.label for entry in reporting.entries] == ["bitfit"]
    table = leaderboard(selection, run)
    assert table.title == "photos on mini-bart, selection split"
    assert table.name != leaderboard(reporting, run).name
    assert all("selection split" in entry.label for entry in selection.entries)
    assert not any(cell.mark for row in table.rows for cell in row.cells)
    assert any("no result of a method" in note for note in table.notes)
