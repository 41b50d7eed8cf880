"""Intervals, scale-free aggregates and detectable differences on a leaderboard."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import Synthetic, cell_folder, write_cell
from test_leaderboard import at, board, cell, row

from reports.export import table_to_csv
from reports.statistics import detectable_difference, noise_limit
from reports.symbols import LEVEL
from reports.table import Table, TableCell

TASKS = ("vqa", "caption")
IMAGES, EACH = 100, 4


def predicted(run: Path, method: str, right: float, seed: int = 0, tell: bool = True, shuffled: bool = False) -> None:
    """A cell of which each image has four questions, right or wrong together; both tasks ask about the same images."""
    hits = np.repeat(np.random.default_rng([seed, *method.encode()]).random(IMAGES) < right, EACH).astype(float)
    score = float(hits.mean()) if tell else 0.123
    folder = write_cell(
        run, Synthetic(method, dict.fromkeys(TASKS, score), seed=seed, tasks=TASKS, suite="photos", predictions=False)
    )
    names = [str(number) for number in range(IMAGES * EACH)]
    one = pd.DataFrame({"id": names, "cluster": [str(number // EACH) for number in range(len(names))], "score": hits})
    frame = pd.concat([one.assign(task=task) for task in TASKS])
    (frame.sample(frac=1, random_state=0) if shuffled else frame).to_parquet(folder / "predictions.parquet")


def test_an_interval_is_over_images_not_questions(tmp_path: Path) -> None:
    predicted(tmp_path, "bitfit", 0.7)
    found = at(board(tmp_path), "bitfit", "vqa")
    assert found.interval is not None and found.value is not None
    p = float(found.value) / 100
    expected = 100 * 1.96 * (p * (1 - p) / IMAGES) ** 0.5  # normal approximation for a share
    assert np.diff(found.interval)[0] / 2 == pytest.approx(expected, rel=0.1)
    assert found.tooltip.startswith("95 % interval ")
    assert any("one seed says nothing of others" in note for note in board(tmp_path).notes)
    assert "vqa (low),vqa (high)" in table_to_csv(board(tmp_path))


def test_the_average_of_tasks_on_the_same_images_is_as_unsure_as_one(tmp_path: Path) -> None:
    predicted(tmp_path, "bitfit", 0.7)
    table = board(tmp_path)
    assert at(table, "bitfit", "Average").interval == pytest.approx(at(table, "bitfit", "vqa").interval)


def test_the_order_of_examples_does_not_matter(tmp_path: Path) -> None:
    for method, right in (("bitfit", 0.7), ("adapter-single", 0.5)):
        predicted(tmp_path / "one", method, right)
        predicted(tmp_path / "other", method, right, shuffled=method == "bitfit")
    tables = [board(tmp_path / name) for name in ("one", "other")]
    symbols = [[at(table, name, "vqa").symbols for name in ("bitfit", "adapter-single")] for table in tables]
    assert symbols[0] == symbols[1]
    assert all(at(table, "bitfit", "vqa").interval for table in tables)


def test_examples_that_do_not_average_to_the_score_give_no_interval(tmp_path: Path) -> None:
    predicted(tmp_path, "bitfit", 0.7, tell=False)
    table = board(tmp_path)
    assert at(table, "bitfit", "vqa").interval is None
    assert not any("95 % intervals" in note for note in table.notes)


def test_a_metric_without_scores_of_examples_takes_no_test_from_the_others(tmp_path: Path) -> None:
    """As of a correlation, which examples have no part of."""
    for method, right in (("bitfit", 0.7), ("adapter-single", 0.7)):
        predicted(tmp_path, method, right)
    for path in tmp_path.rglob("predictions.parquet"):
        frame = pd.read_parquet(path)
        frame.loc[frame["task"] == "caption", "score"] = np.nan
        frame.to_parquet(path)
    table = board(tmp_path)
    level = {
        c: {m for m in ("bitfit", "adapter-single") if LEVEL in at(table, m, c).symbols} for c in (*TASKS, "Average")
    }
    assert len(level["vqa"]) == 1 and not level["caption"] and not level["Average"]


def test_relative_and_rank_do_not_depend_on_units_and_disagreement_is_told(run_of) -> None:
    """CIDEr alone makes the winner of the average; relative to full fine-tuning and by rank another row is first."""
    table = board(
        run_of(
            cell("full", 0.50, 1.00),
            cell("projection", 0.10, 0.20),
            cell("a", 0.40, 1.20),
            cell("b", 0.54, 1.05),
            cell("c", 0.45, 1.00),
        )
    )
    relative = {label: at(table, label, "Relative to full (%)").text for label in ("full", "projection", "a", "b")}
    assert relative == {"full": "100.00", "projection": "20.00", "a": "100.00", "b": "106.50"}
    ranks = {label: at(table, label, "Mean rank").text for label in ("full", "a", "b", "c")}
    assert ranks == {"full": "–", "a": "2.00", "b": "1.50", "c": "2.50"}
    (note,) = [note for note in table.notes if "disagree" in note]
    assert note == (
        "The aggregates disagree about the winner: A by the plain average, B by the mean relative to full fine-tuning, "
        "B by the mean rank."
    )
    (carried,) = [note for note in table.notes if "is above full fine-tuning's" in note]
    assert "through CAPTION (+20.00) alone; it is not above it on VQA (−10.00)" in carried


def test_agreement_needs_no_sentence(run_of) -> None:
    notes = board(run_of(cell("full", 0.7, 1.5), cell("a", 0.6, 1.2), cell("b", 0.5, 1.1))).notes
    assert not any("disagree" in note or "is above full" in note for note in notes)
    assert any(note.startswith("Mean rank: over all tasks, among 2 rows") for note in notes)


def test_ranks_scatter_with_the_seeds(run_of) -> None:
    cells = [cell(m, vqa + s / 500, 1 + s / 100, seed=s) for m, vqa in (("a", 0.5), ("b", 0.501)) for s in range(3)]
    table = board(run_of(*cells, cell("c", 0.1, 0.2), cell("c", 0.11, 0.2, seed=1), cell("c", 0.1, 0.21, seed=2)))
    assert at(table, "a", "Mean rank").interval == pytest.approx((1, 2))
    assert at(table, "c", "Mean rank").detail == "3.0 to 3.0"
    assert any("with 95 % interval" in note and "Nemenyi" in note for note in table.notes)


def test_rows_are_relative_to_full_fine_tuning_on_all_examples(run_of) -> None:
    hurried = cell("full", 0.1, 0.1, settings={"limit": 5}, data={"mini": "other"})
    whole = cell("full", 0.8, 0.8, overrides={"learning_rate": 0.1})
    table = board(run_of(hurried, whole, cell("bitfit", 0.4, 0.4)))
    assert at(table, "bitfit", "Relative to full (%)").value == pytest.approx(50)


def test_without_full_fine_tuning_nothing_is_relative(run_of) -> None:
    titles = [column.title for column in board(run_of(cell("a", 0.6, 1.2), cell("b", 0.5, 1.1))).columns]
    assert "Relative to full (%)" not in titles and "Mean rank" in titles


def test_the_smallest_detectable_difference_pools_the_ranked_rows(run_of) -> None:
    values = {"full": (0.1, 0.9), "a": (0.50, 0.52), "b": (0.40, 0.44)}
    cells = [cell(m, value, 1.0, seed=seed) for m, each in values.items() for seed, value in enumerate(each)]
    table = board(run_of(*cells))
    pooled = float(np.sqrt((np.var([50, 52], ddof=1) + np.var([40, 44], ddof=1)) / 2))
    found = row(table, "Smallest detectable difference")
    assert found.kind == "resolution"
    assert found.cells[3].value == pytest.approx(detectable_difference(pooled, 2))
    assert any(note.startswith("Smallest detectable difference: ") for note in table.notes)


def test_what_can_be_detected_stands_below_the_average_over_metric_values(run_of) -> None:
    tasks = ("glue/mrpc", "glue/rte")
    cells = [Synthetic("a", dict.fromkeys(tasks, 0.5 + s / 50), tasks=tasks, suite="glue", seed=s) for s in (0, 1)]
    table = board(run_of(*cells))
    titles = [column.title for column in table.columns]
    found = row(table, "Smallest detectable difference").cells
    assert found[titles.index("Average")].value == pytest.approx(found[titles.index("glue/rte")].value)
    assert found[titles.index("Average over tasks")] == TableCell() and len(found) == len(titles)


def test_one_seed_detects_nothing(run_of) -> None:
    assert not [row for row in board(run_of(cell("a", 0.5, 1.0))).rows if row.kind == "resolution"]


def again(run: Path, done: Synthetic, value: float) -> None:
    """The same cell once more, as in a folder that two runs were brought together in."""
    first = cell_folder(run, done)
    copy = shutil.copytree(first, first.with_name(f"seed-{done.seed}--again"))
    result = json.loads((copy / "result.json").read_text())
    result["scores"][0]["value"] = value
    (copy / "result.json").write_text(json.dumps(result))


def noise(table: Table) -> Sequence[float | str | None]:
    return [cell.value for cell in row(table, "Noise of a repeated run").cells]


def test_a_repeated_cell_counts_once_and_shows_the_noise(run_of) -> None:
    cells = [cell("a", 0.50, 1.0), cell("a", 0.60, 1.0, seed=1)]
    folder = run_of(*cells)
    again(folder, cells[0], 0.51)
    table = board(folder)
    assert at(table, "a", "n").text == "2"
    assert at(table, "a", "VQA").text == f"55.25 ± {np.std([50.5, 60], ddof=1):.2f}"
    assert noise(table)[3] == pytest.approx(noise_limit(float(np.std([50, 51], ddof=1))))
    assert noise(table)[4] == 0
    assert any(note.startswith("Noise of a repeated run: ") for note in table.notes)
