"""Looking at a run folder from another terminal."""

import json
from pathlib import Path

import fake_cells
import pytest

from harness.claims import Claim
from harness.cli.program import invoke
from harness.run_folder import CELL, CLAIM, RESULT, STATUS, RunFolder
from reports.record import Status

Captured = pytest.CaptureFixture[str]


def test_status_sees_a_cell_whose_process_is_gone(tmp_path: Path, capsys: Captured) -> None:
    folder, other = fake_cells.make_jobs(RunFolder(tmp_path), fake_cells.make_cell(), fake_cells.make_cell(seed=1))
    folder.set_status(Status(state="running", phase="training", step=5, steps=9))
    other.finish(fake_cells.make_result(other.cell()))
    assert invoke(["status", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["states"] == {"interrupted": 1, "done": 1}
    assert invoke(["status", str(tmp_path)]) == 0
    assert "training" in capsys.readouterr().out
    with Claim(folder.path / CLAIM):
        assert invoke(["status", str(tmp_path)]) == 0
    assert "1 running, 1 done" in capsys.readouterr().out


@pytest.mark.parametrize("file", [CELL, STATUS, RESULT])
def test_a_broken_file_is_named_and_the_other_cells_are_shown(tmp_path: Path, file: str, capsys: Captured) -> None:
    broken, other = fake_cells.make_jobs(RunFolder(tmp_path), fake_cells.make_cell(), fake_cells.make_cell(seed=1))
    (broken.path / file).write_text("{")
    other.finish(fake_cells.make_result(other.cell()))
    assert invoke(["status", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["states"] == {"failed": 1, "done": 1}
    assert answer["cells"][0]["reason"].startswith(f"{broken.path / file}: ")
    assert invoke(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert f"{broken.path / file}: " in text
    assert "1 failed, 1 done" in text


def test_cells_that_differ_in_a_setting_alone_can_be_told_apart(tmp_path: Path, capsys: Captured) -> None:
    cells = [fake_cells.make_cell("explode", settings=fake_cells.Settings(epochs=epochs)) for epochs in (2, 3)]
    for folder in fake_cells.make_jobs(RunFolder(tmp_path), *cells):
        folder.finish(fake_cells.make_result(folder.cell(), "failed", "the dragon woke"))
    assert invoke(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "explode seed 0 epochs=2" in text
    assert "explode seed 0 epochs=3" in text
