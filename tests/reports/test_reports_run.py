from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
from synthetic import Synthetic, cell_folder

import reports
from harness.cells import Cell, Settings
from reports import RecordError
from reports.columns import CELLS, CURVES, SCORES

SCORED = {"mini-vqa": 0.5, "mini-gqa": 0.4, "mini-nlvr": 0.6, "mini-caption": 1.1}


def test_a_finished_cell_is_one_row_and_one_score_per_task(run_of):
    run = reports.load(run_of(Synthetic("full", SCORED, trained=51_000)))
    cell = run.cells.iloc[0]
    assert (cell["state"], cell["suite"], cell["backbone"], cell["label"]) == (
        "done",
        "mini-image",
        "mini-bart",
        "full",
    )
    assert cell["updated_percent"] == pytest.approx(100 * 51_000 / (1_020_000 + 25_500))
    assert cell["training_step_seconds"] == 0.123
    assert cell["environment_packages_torch"] == "2.13.0"
    assert dict(zip(run.scores["task"], run.scores["value"], strict=True)) == SCORED
    assert run.scores["floor_majority"].iloc[0] == 0.21


def test_the_promised_columns_are_there_even_without_results(run_of):
    run = reports.load(run_of(Synthetic("full", state="planned", recorded=False)))
    assert list(run.cells.columns[: len(CELLS)]) == list(CELLS)
    assert list(run.scores.columns) == list(SCORES)
    assert list(run.curves.columns) == list(CURVES)


@pytest.mark.parametrize("state", ["planned", "running", "interrupted", "unavailable"])
def test_without_a_result_the_status_tells_the_state(run_of, state):
    run = reports.load(run_of(Synthetic("full", state=state, reason="the data is absent", recorded=False)))
    assert run.cells.iloc[0][["state", "reason"]].tolist() == [state, "the data is absent"]


def test_a_failed_result_keeps_its_reason_phase_and_step(run_of):
    run = reports.load(run_of(Synthetic("full", state="diverged", reason="the loss became infinite")))
    row = run.cells.iloc[0]
    assert (row["state"], row["reason"], row["phase"], row["step"]) == (
        "diverged",
        "the loss became infinite",
        "training",
        12,
    )


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}', '{"surprise": "field"}', "\x00\x01"])
def test_a_corrupt_result_is_a_failed_row_that_names_the_file(run_of, content):
    good, bad = Synthetic("full", SCORED), Synthetic("bitfit", SCORED)
    folder = run_of(good, bad)
    (cell_folder(folder, bad) / "result.json").write_text(content)
    cells = reports.load(folder).cells.set_index("method")
    assert cells.loc["full", "state"] == "done"
    assert cells.loc["bitfit", "state"] == "failed"
    assert cells.loc["bitfit", "reason"].startswith("cells/mini-image/mini-bart/bitfit/seed-0--")
    assert "result.json: " in cells.loc["bitfit", "reason"]


def test_a_cell_without_any_readable_file_is_named_by_its_folder(run_of):
    cell = Synthetic("peft/lora", SCORED, seed=3)
    folder = run_of(cell)
    for name in ("cell.json", "status.json", "result.json"):
        (cell_folder(folder, cell) / name).unlink()
    row = reports.load(folder).cells.iloc[0]
    assert (row["method"], row["seed"], row["state"]) == ("peft/lora", 3, "planned")


def test_labels_carry_overrides_and_control(run_of):
    run = reports.load(
        run_of(
            Synthetic("lora-single", SCORED, overrides={"rank": 4}), Synthetic("full", SCORED, control="image-blind")
        )
    )
    assert sorted(run.cells["label"]) == ["full, image-blind", "lora-single (rank=4)"]


def test_configurations_that_would_read_the_same_are_told_apart_and_not_mixed(run_of):
    run = reports.load(
        run_of(
            Synthetic("full", SCORED),
            Synthetic("full", SCORED, seed=1),
            Synthetic("full", SCORED, settings={"epochs": 3}),
        )
    )
    assert sorted(run.cells["label"]) == ["full [epochs=20]", "full [epochs=20]", "full [epochs=3]"]
    assert sorted(set(run.scores["label"])) == ["full [epochs=20]", "full [epochs=3]"]


def test_seeds_share_a_configuration(run_of):
    run = reports.load(run_of(Synthetic("full", SCORED, seed=0), Synthetic("full", SCORED, seed=1)))
    assert run.cells["configuration"].nunique() == 1
    assert run.cells["key"].nunique() == 2
    assert run.cells["label"].tolist() == ["full", "full"]


def test_a_cell_without_a_result_has_the_key_that_the_harness_gives_it(tmp_path):
    cell = Cell(
        suite="mini-image",
        kind="image-text",
        tasks=("mini-vqa",),
        backbone="mini-bart",
        method="lora-single",
        parameters={"rank": 4, "scale": 0.1},
        overrides={"rank": 4},
        seed=2,
        settings=Settings(learning_rate=3e-4),
    )
    folder = tmp_path / "cells" / cell.path
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text(cell.model_dump_json())
    assert reports.load(tmp_path).cells["key"].tolist() == [cell.key]


def test_curves_leave_out_a_torn_line(run_of):
    cell = Synthetic("full", SCORED)
    folder = run_of(cell)
    with (cell_folder(folder, cell) / "curve.jsonl").open("a") as file:
        file.write(
            json.dumps({"epoch": 1, "task": "mini-gqa", "select_value": 0.5, "extra": "x"}) + '\n{"step": 9, "lo'
        )
    curves = reports.load(folder).curves
    assert len(curves) == 9
    assert curves["select_value"].tolist()[-1] == 0.5
    assert curves["extra"].tolist()[-1] == "x"


def test_predictions_are_read_by_key_and_an_unknown_key_is_refused(run_of):
    run = reports.load(run_of(Synthetic("full", SCORED)))
    assert run.predictions(run.cells["key"].iloc[0])["prediction"].tolist() == ["red"]
    with pytest.raises(RecordError, match="no cell has the key 'nothing'"):
        run.predictions("nothing")


def test_unreadable_predictions_name_the_file(run_of):
    cell = Synthetic("full", SCORED)
    folder = run_of(cell)
    (cell_folder(folder, cell) / "predictions.parquet").write_bytes(b"not parquet")
    run = reports.load(folder)
    with pytest.raises(RecordError, match=r"predictions\.parquet: cannot be read"):
        run.predictions(run.cells["key"].iloc[0])


def test_a_missing_folder_is_one_clear_line(tmp_path):
    with pytest.raises(RecordError, match="no such run folder"):
        reports.load(tmp_path / "nowhere")


def test_frames_survive_parquet(run_of, tmp_path):
    run = reports.load(run_of(Synthetic("full", SCORED), Synthetic("bitfit", state="unavailable", recorded=False)))
    run.cells.to_parquet(tmp_path / "cells.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "cells.parquet"), run.cells)


def test_writing_records_waits_for_neither_pandas_nor_matplotlib():
    heavy = "{'pandas', 'matplotlib', 'jinja2'} & set(sys.modules)"
    program = f"import sys, reports.record; sys.exit(str({heavy}) if {heavy} else 0)"
    subprocess.run([sys.executable, "-c", program], check=True)
