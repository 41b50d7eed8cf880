"""The local engine, with `fake_cells` in place of the inside of a cell."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fake_cells
import psutil
import pytest
from fake_cells import make_cell, make_jobs, run_all

from harness.claims import Claim, holder_of
from harness.options import Options
from harness.run_folder import CELL, CLAIM, CURVE, LOG, OPTIONS, CellFolder, RunFolder, write_atomically


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_running(folder: CellFolder) -> bool:
    status = folder.status()
    return status is not None and status.phase == "training"


def start_runner(run: RunFolder, *timeout: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, fake_cells.__file__, str(run.path), *timeout]
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stderr=subprocess.PIPE, preexec_fn=_heed_ctrl_c
    )


def _heed_ctrl_c() -> None:
    """Shells start background jobs, such as a test run, with Ctrl-C ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_finished_cell_leaves_its_files_and_frees_its_claim(run: RunFolder) -> None:
    (folder,) = make_jobs(run, make_cell("succeed"))
    notes = run_all([folder])
    assert notes.lines == [("started", "succeed"), ("done", "succeed")]
    assert folder.result().state == folder.status().state == "done"
    assert (folder.path / "predictions.parquet").exists()
    assert not (folder.path / CLAIM).exists()
    assert "a word on standard output" in (folder.path / LOG).read_text()


def test_each_cell_has_a_fresh_process_that_holds_its_claim(run: RunFolder) -> None:
    folders = make_jobs(run, *(make_cell(seed=seed) for seed in range(3)))
    run_all(folders)
    lines = [json.loads((folder.path / CURVE).read_text()) for folder in folders]
    assert len({line["process"] for line in lines}) == 3
    assert all(line["claimed"] for line in lines)


@pytest.mark.parametrize(
    ("method", "state", "reason"),
    [
        ("explode", "failed", "ValueError: the dragon woke"),
        ("diverge", "diverged", "the loss became nan"),
        ("exhaust", "out-of-memory", "MemoryError: no message"),
        ("mismatch", "incompatible", "needs an image encoder"),
        ("misuse", "failed", "use it otherwise"),
        ("leave", "failed", "SystemExit: 4"),
        ("vanish", "failed", "RuntimeError: the cell ended without a result"),
        ("die", "failed", "killed by signal 9 (SIGKILL), from outside or for lack of memory"),
    ],
)
def test_every_bad_end_is_a_result_with_reason_phase_and_step(
    run: RunFolder, method: str, state: str, reason: str
) -> None:
    folders = make_jobs(run, make_cell(method), make_cell("succeed"))
    notes = run_all(folders, slots=1)
    result = folders[0].result()
    assert (result.state, result.reason, result.phase, result.step) == (state, reason, "training", 3)
    assert folders[0].status().state == state
    assert ("done", "succeed") in notes.lines  # the sweep goes on


def test_the_traceback_is_in_the_log_and_nowhere_else(run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    (folder,) = make_jobs(run, make_cell("explode"))
    run_all([folder])
    assert "Traceback" in (folder.path / LOG).read_text()
    assert "Traceback" not in "".join(capfd.readouterr())


def test_an_unavailable_cell_has_a_status_and_no_result(run: RunFolder) -> None:
    (folder,) = make_jobs(run, make_cell("lack"))
    run_all([folder])
    assert folder.result() is None
    assert (folder.status().state, folder.status().reason) == ("unavailable", "get the data first")


def test_a_cell_that_takes_too_long_is_timed_out(run: RunFolder) -> None:
    folders = make_jobs(run, make_cell("sleep"), make_cell("succeed"))
    run_all(folders, slots=1, timeout=4)
    assert folders[0].result().state == "timed-out"
    assert folders[0].result().reason == "stopped after 4 seconds (--timeout)"
    assert folders[1].result().state == "done"


def test_a_cell_killed_under_a_progress_bar_leaves_nothing_in_the_system(run: RunFolder) -> None:
    (folder,) = make_jobs(run, make_cell("count"))
    _, complaints = start_runner(run, "4").communicate(timeout=60)
    assert folder.result().state == "timed-out"
    assert folder.result().phase == "training"
    assert complaints == b""


def test_cells_of_another_runner_and_finished_cells_are_skipped(run: RunFolder) -> None:
    claimed, finished = make_jobs(run, make_cell("succeed", seed=0), make_cell("succeed", seed=1))
    finished.finish(fake_cells.make_result(finished.cell()))
    before = (finished.path / "result.json").stat().st_mtime_ns
    with Claim(claimed.path / CLAIM):
        notes = run_all([claimed, finished])
    assert [line for line in notes.lines if line[0] != "started"] == [("skipped", "succeed")] * 2
    assert claimed.result() is None
    assert (finished.path / "result.json").stat().st_mtime_ns == before


def test_a_cell_whose_folder_is_gone_is_skipped_and_the_others_run(run: RunFolder) -> None:
    removed, lost, stays = make_jobs(run, *(make_cell("succeed", seed=seed) for seed in range(3)))
    shutil.rmtree(removed.path)
    (lost.path / CELL).unlink()
    notes = run_all([removed, lost, stays], slots=1)
    assert [line[0] for line in notes.lines if line[0] != "started"] == ["skipped", "skipped", "done"]
    assert not removed.path.exists()


def test_an_end_that_cannot_be_read_stops_no_other(run: RunFolder) -> None:
    broken, fine = make_jobs(run, make_cell("blot"), make_cell("succeed"))
    notes = run_all([broken, fine], slots=1)
    assert ("failed", "blot") in notes.lines
    assert ("done", "succeed") in notes.lines


def replacing(folder: CellFolder, digest: str | None) -> None:
    write_atomically(folder.path / OPTIONS, Options(replaces=digest).model_dump_json())


def test_the_result_to_replace_goes_when_the_cell_starts_and_no_other_does(run: RunFolder) -> None:
    named, other = make_jobs(run, make_cell("succeed", seed=0), make_cell("succeed", seed=1))
    for folder in (named, other):
        folder.finish(fake_cells.make_result(folder.cell(), "failed", "long ago"))
    replacing(named, named.result_digest())
    replacing(other, "of a result that is gone")
    notes = run_all([named, other], slots=1)
    assert [line[0] for line in notes.lines if line[0] != "started"] == ["done", "skipped"]
    assert (named.result().state, other.result().reason) == ("done", "long ago")


def test_ctrl_c_keeps_the_results_that_were_to_be_replaced_later(run: RunFolder) -> None:
    folders = make_jobs(run, make_cell("sleep", seed=0), make_cell("sleep", seed=1))
    for folder in folders:
        folder.finish(fake_cells.make_result(folder.cell()))
        replacing(folder, folder.result_digest())
    runner = start_runner(run)
    wait_until(lambda: is_running(folders[0]))
    runner.send_signal(signal.SIGINT)
    assert runner.wait(30) == 130
    assert folders[0].status().state == "interrupted"
    assert folders[1].result().state == "done"


def test_ctrl_c_marks_cells_interrupted_and_they_run_again(run: RunFolder) -> None:
    folders = make_jobs(run, make_cell("sleep", seed=0), make_cell("sleep", seed=1))
    runner = start_runner(run)
    wait_until(lambda: is_running(folders[0]))
    runner.send_signal(signal.SIGINT)
    assert runner.wait(30) == 130
    assert folders[0].status().state == "interrupted"
    assert folders[0].status().step == 3
    assert folders[0].result() is None
    assert folders[1].status().state == "planned"
    notes = run_all(folders, timeout=4)  # what is interrupted is taken up again
    assert [line[0] for line in notes.lines].count("timed-out") == 2


def test_kill_9_of_the_runner_ends_its_cells_and_frees_their_claims(run: RunFolder) -> None:
    (folder,) = make_jobs(run, make_cell("sleep"))
    runner = start_runner(run)
    wait_until(lambda: is_running(folder))
    process = psutil.Process(json.loads((folder.path / CLAIM).read_text())["process"])
    assert holder_of(folder.path / CLAIM) is not None
    runner.kill()
    runner.wait()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: holder_of(folder.path / CLAIM) is None)
    assert folder.result() is None
