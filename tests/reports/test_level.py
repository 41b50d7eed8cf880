"""Rows that are level with the best of a column: separate only if every possible test says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import Synthetic, write_cell

import reports
from reports.entries import groups
from reports.leaderboard import LEVEL, leaderboard

TASKS = ("mini-vqa", "mini-gqa")
EXAMPLES = 400


def write(
    run: Path, method: str, seed: int, right: float, clusters: int = EXAMPLES, broken: bool = False, off: float = 0.0
) -> None:
    """A cell whose examples are right with a probability; `clusters` images share them, right or wrong together.

    By ``off`` the score is not their mean.
    """
    generator = np.random.default_rng([seed, *method.encode()])
    hits = np.repeat(generator.random(clusters) < right, EXAMPLES // clusters).astype(float)
    folder = write_cell(run, Synthetic(method, dict.fromkeys(TASKS, float(hits.mean()) - off), seed=seed, tasks=TASKS))
    names = [f"{number * clusters // EXAMPLES}" for number in range(EXAMPLES)]
    one = pd.DataFrame({"id": [f"{i}" for i in range(EXAMPLES)], "cluster": names, "score": hits})
    pd.concat([one.assign(task=task) for task in TASKS]).to_parquet(folder / "predictions.parquet")
    if broken:
        (folder / "predictions.parquet").write_bytes(b"no table")


def level(folder: Path) -> set[str]:
    run = reports.load(folder)
    (group,) = groups(run)
    table = leaderboard(group, run)
    (column,) = [index for index, column in enumerate(table.columns) if column.title == "Average"]
    told = any(note.startswith(LEVEL) for note in table.notes)
    found = {row.cells[0].detail for row in table.rows if LEVEL in row.cells[column].symbols}
    assert told or not found
    return found


def test_one_seed_is_compared_by_its_examples(tmp_path: Path) -> None:
    for method, right in {"bitfit": 0.80, "lora-single": 0.79, "adapter-single": 0.5}.items():
        write(tmp_path, method, 0, right)
    assert len(level(tmp_path)) == 1
    assert "adapter-single" not in level(tmp_path)


def test_examples_of_one_image_count_as_one(tmp_path: Path) -> None:
    for method, right in {"bitfit": 0.80, "adapter-single": 0.6}.items():
        write(tmp_path / "apart", method, 0, right)
        write(tmp_path / "shared", method, 0, right, clusters=10)
    assert level(tmp_path / "apart") == set()
    assert len(level(tmp_path / "shared")) == 1


def test_seeds_that_scatter_keep_rows_level(tmp_path: Path) -> None:
    """Over the examples the two differ clearly; over three seeds they do not."""
    for seed, (one, other) in enumerate([(0.95, 0.3), (0.5, 0.6), (0.9, 0.7)]):
        write(tmp_path, "bitfit", seed, one)
        write(tmp_path, "adapter-single", seed, other)
    assert level(tmp_path) == {"adapter-single"}


@pytest.mark.parametrize("gap, expected", [(0.3, set()), (0.0, {"level"})])
def test_without_predictions_seeds_decide(tmp_path: Path, gap: float, expected: set[str]) -> None:
    for seed in range(3):
        write(tmp_path, "bitfit", seed, 0.8, broken=True)
        write(tmp_path, "adapter-single", seed, 0.8 - gap, broken=True)
    assert len(level(tmp_path)) == len(expected)


def test_what_cannot_be_tested_is_not_called_level(tmp_path: Path) -> None:
    write(tmp_path, "bitfit", 0, 0.8, broken=True)
    write(tmp_path, "adapter-single", 0, 0.8)
    assert level(tmp_path) == set()


def test_a_score_that_is_no_mean_of_examples_is_not_tested_over_them(tmp_path: Path) -> None:
    """Such as a correlation: that as many examples are right says nothing of it."""
    for method, off in {"bitfit": 0.0, "adapter-single": 0.2}.items():
        write(tmp_path, method, 0, 0.8, off=off)
    assert level(tmp_path) == set()
