"""Files of a run: atomic writes, claims, what a cell's folder holds."""

import errno
import json
import os
import time
from pathlib import Path

import pandas
import psutil
import pytest
from fake_cells import make_cell, make_result

from harness.claims import Claim, Claimed, holder_of, present
from harness.errors import UserError
from harness.run_folder import CellFolder, RunFolder, write_atomically
from reports.record import RecordError, Status


def test_a_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, "a long first content")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, "old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"file\.json: cannot be written \(No space left on device\)") as caught:
        write_atomically(path, "new")
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_folder_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run").create()


def test_a_cell_folder_returns_what_was_stored(tmp_path: Path) -> None:
    cell = make_cell()
    folder = CellFolder(tmp_path / "cell")
    folder.write_cell(cell)
    assert folder.cell() == cell
    assert folder.status() is None
    assert folder.result() is None
    folder.log({"step": 1})
    folder.log({"step": 2})
    folder.finish(make_result(cell), pandas.DataFrame({"id": ["a"]}))
    assert folder.result().key == cell.key
    assert folder.status().state == "done"
    assert folder.status().updated_at.endswith("+00:00")
    assert [json.loads(line)["step"] for line in (folder.path / "curve.jsonl").open()] == [1, 2]
    assert pandas.read_parquet(folder.path / "predictions.parquet")["id"].tolist() == ["a"]


def test_begin_forgets_an_earlier_attempt(tmp_path: Path) -> None:
    folder = CellFolder(tmp_path / "cell")
    folder.write_cell(make_cell())
    folder.log({"step": 1})
    folder.finish(make_result(make_cell()), pandas.DataFrame({"id": ["a"]}))
    folder.begin()
    assert sorted(path.name for path in folder.path.iterdir()) == ["cell.json", "status.json"]


def test_a_broken_cell_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cell.json").write_text("{")
    with pytest.raises(RecordError, match=r"cell\.json"):
        CellFolder(tmp_path).cell()


def test_cells_are_found_below_the_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.create()
    for seed in (1, 0):
        run.folder(make_cell(seed=seed)).write_cell(make_cell(seed=seed))
    assert [folder.cell().seed for folder in run.cells()] == [0, 1]


def test_only_one_process_holds_a_claim(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    with Claim(path):
        assert holder_of(path) == f"process {os.getpid()} on this machine"
        with pytest.raises(Claimed, match=str(os.getpid())), Claim(path):
            pass
    assert holder_of(path) is None
    with Claim(path):
        pass


@pytest.mark.parametrize(
    ("changes", "age_seconds", "held"),
    [
        ({}, 0, True),
        ({"process": 2**22 + 1}, 0, False),  # no such process
        ({"started": 1.0}, 0, False),  # another process has got the number since
        ({"host": "elsewhere"}, 60, True),
        ({"host": "elsewhere"}, 300, False),  # silent for too long
    ],
)
def test_stale_claims_are_taken_over(
    tmp_path: Path, changes: dict[str, object], age_seconds: float, held: bool
) -> None:
    path = tmp_path / "claim.json"
    with Claim(path):
        content = json.loads(path.read_text())
    assert content["started"] == psutil.Process().create_time()
    path.write_text(json.dumps(content | changes))
    os.utime(path, (time.time() - age_seconds,) * 2)
    assert (holder_of(path) is not None) == held
    if not held:
        with Claim(path):
            assert holder_of(path) is not None


def test_a_result_has_a_digest_of_its_own(tmp_path: Path) -> None:
    folder = CellFolder(tmp_path)
    assert folder.result_digest() is None
    digests = []
    for reason in ("first", "second"):
        folder.finish(make_result(make_cell(), "failed", reason))
        digests.append(folder.result_digest())
    assert None not in digests
    assert digests[0] != digests[1]


def test_only_a_runner_without_company_is_alone(tmp_path: Path) -> None:
    path, called = tmp_path / "runners.lock", []
    with present(path, lambda: called.append("first")):
        with present(path, lambda: called.append("second")):
            pass
        with present(path, lambda: called.append("third")):
            pass
    with present(path, lambda: called.append("last")):
        pass
    assert called == ["first", "last"]


def test_a_claim_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), Claim(tmp_path / "file" / "claim.json"):
        pass


def test_a_status_keeps_what_it_is_given(tmp_path: Path) -> None:
    folder = CellFolder(tmp_path)
    folder.set_status(Status(state="running", phase="training", step=2, steps=4))
    assert (folder.status().phase, folder.status().step, folder.status().steps) == ("training", 2, 4)
