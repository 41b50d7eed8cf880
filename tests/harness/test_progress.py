"""Progress as plain lines, and its estimate of the time left."""

import io
import time
from pathlib import Path

import pytest
from fake_cells import make_cell, make_jobs
from rich.console import Console

from harness.cells import Cell, Settings
from harness.progress import Progress, labels
from harness.run_folder import CellFolder, RunFolder
from reports.record import Status


@pytest.fixture
def folders(tmp_path: Path) -> list[CellFolder]:
    return make_jobs(RunFolder(tmp_path), *(make_cell(seed=seed) for seed in range(4)))


def progress(folders: list[CellFolder], text: io.StringIO, **options: float) -> Progress:
    return Progress(Console(file=text, width=200), {f.path: f.cell() for f in folders}, jobs=2, **options)


def test_lines_tell_start_end_reason_and_counts(folders: list[CellFolder]) -> None:
    text = io.StringIO()
    with progress(folders, text) as shown:
        shown.started(folders[0])
        shown.started(folders[1])
        shown.ended(folders[0], "done", None)
        shown.ended(folders[1], "failed", "the dragon woke")
        shown.skipped(folders[2])
    lines = text.getvalue().splitlines()
    assert lines[0] == "start  mini-image mini-bart succeed seed 0"
    assert "failed mini-image mini-bart succeed seed 1 in 0 s: the dragon woke" in lines
    assert any(line.strip().startswith("1 of 4 cells done, 1 failed, 0 running") for line in lines)
    assert "another runner has it or took it away" in lines[-1]
    assert shown.tally.left == 1


def test_a_tick_tells_what_cells_do_once_in_a_while(folders: list[CellFolder]) -> None:
    text = io.StringIO()
    shown = progress(folders, text, line_seconds=0.0)
    shown.started(folders[0])
    folders[0].set_status(Status(state="running", phase="training", step=3, steps=10, loss=1.5, seconds_left=70))
    shown.tick()
    assert "training, step 3/10, loss 1.500, 70 s left" in text.getvalue()
    quiet = io.StringIO()
    progress(folders, quiet).tick()
    assert quiet.getvalue() == ""


def test_time_left_comes_from_running_cells_ended_cells_or_earlier_runs(folders: list[CellFolder]) -> None:
    assert progress(folders, io.StringIO()).seconds_left() is None
    assert progress(folders, io.StringIO(), expected_seconds=10.0).seconds_left() == 20.0  # 4 cells, 2 jobs
    shown = progress(folders, io.StringIO())
    shown.started(folders[0])
    folders[0].set_status(Status(state="running", seconds_left=30))
    time.sleep(0.01)
    assert shown.seconds_left() == pytest.approx((30 + 3 * 30) / 2, rel=0.01)


def test_labels_name_what_varies() -> None:
    cell = make_cell(overrides={"rank": 4})
    cell = cell.model_copy(update={"settings": cell.settings.model_copy(update={"control": "image-blind"})})
    assert labels([cell]) == {cell.key: "mini-image mini-bart succeed seed 0 rank=4 image-blind"}


def test_labels_name_a_setting_only_where_cells_would_read_the_same() -> None:
    def with_settings(seed: int, **values: object) -> Cell:
        return make_cell(seed=seed, settings=Settings(**values))

    short, long, other = with_settings(0, epochs=2), with_settings(0, epochs=3, limit=9), with_settings(1, epochs=3)
    changed = short.model_copy(update={"data": {"mini-vqa": "other data"}})
    start = "mini-image mini-bart succeed seed"
    assert labels([short, long, other]) == {
        short.key: f"{start} 0 epochs=2 limit=null",
        long.key: f"{start} 0 epochs=3 limit=9",
        other.key: f"{start} 1",
    }
    assert labels([short, changed])[changed.key] == f"{start} 0 {changed.key[:8]}"
