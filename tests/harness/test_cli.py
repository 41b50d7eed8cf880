"""The command line: exit codes, one line for every error, and what other programs read."""

import csv
import errno
import functools
import io
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import fake_cells
import pytest

from harness.catalogue import Catalogue
from harness.cells import Settings
from harness.claims import Claim, present
from harness.cli import running
from harness.cli.program import invoke
from harness.engines.local import LocalEngine
from harness.errors import Unavailable
from harness.run_folder import CLAIM, RunFolder, make_folder

Captured = pytest.CaptureFixture[str]
SMOKE = ("--grid", "smoke")


@pytest.fixture
def weights_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all weights were on this machine."""
    monkeypatch.setattr(Catalogue, "backbone_missing", lambda *_: None)
    monkeypatch.setattr(Catalogue, "backbone_fingerprints", lambda *_: {"backbone": "here"})


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catalogue, "backbone_missing", lambda *_: "the weights are not here")
    monkeypatch.setattr(Catalogue, "backbone_fingerprints", lambda *_: {})


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inside of every cell is `fake_cells.act`, which knows no real method and leaves no result."""
    engine = functools.partial(LocalEngine, entry=fake_cells.ENTRY, preload=fake_cells.PRELOAD)
    monkeypatch.setattr(running, "LocalEngine", engine)


def planned(*arguments: str, capsys: Captured) -> list[dict[str, str]]:
    assert invoke(["plan", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["plan", "--grid", "smoky"], 2, "error: unknown grid 'smoky'; did you mean 'smoke'?"),
        (["bench", "--backbone", "bart-base,t5-base"], 2, "error: unknown backbone 'bart-base,t5-base'; did you mean"),
        (["plan", *SMOKE, "--methods", "adapter-singel"], 2, "unknown method 'adapter-singel'; did you mean 'ada"),
        (["plan", *SMOKE, "--suites", "mini-imag"], 2, "unknown suite 'mini-imag'; did you mean 'mini-image'"),
        (["plan", *SMOKE, "--backbones", "bart-bas"], 2, "unknown backbone 'bart-bas'; did you mean 'bart-base'"),
        (["plan", *SMOKE, "--methods", "bitfit"], 3, "error: grid smoke: no cell matches the filters"),
        (["plan", *SMOKE, "--seeds", "one"], 2, "error: --seeds one: give whole numbers"),
        (["plan", *SMOKE, "--data", "/no/such/folder"], 2, "error: --data /no/such/folder: is not a folder"),
        (["plan", *SMOKE, "--plugin", "/no/such.py"], 2, "error: --plugin /no/such.py: there is no such file"),
        (["plan", *SMOKE, "--limit", "0"], 2, "error: Invalid value for '--limit'"),
        (["plan", "--gird", "smoke"], 2, "error: No such option: --gird"),
        (["plam"], 2, "error: No such command 'plam'"),
        (["list", "method"], 2, "error: Invalid value for"),
        (["params", "--methods", "bitfitt"], 2, "unknown method 'bitfitt'; did you mean 'bitfit'"),
        (["status", "/no/such/run"], 2, "error: /no/such/run: is not the folder of a run"),
        (["report", "/no/such/run"], 2, "error: /no/such/run: is not the folder of a run"),
        (["cell", "/no/such/cell"], 2, "error: /no/such/cell/cell.json: cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_a_code(arguments: list[str], code: int, message: str, capsys: Captured) -> None:
    assert invoke(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


def test_malformed_yaml_is_told_with_its_line(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nblocks: [\n")
    assert invoke(["run", "--grid", str(path)]) == 2
    assert f"error: {path}:3: is not YAML" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path, weights_here: None, capsys: Captured) -> None:
    (tmp_path / "file").write_text("")
    assert invoke(["run", *SMOKE, "--output", str(tmp_path / "file" / "run")]) == 2
    assert "cannot be written (Not a directory)" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_one_line_and_starts_nothing(
    tmp_path: Path, weights_here: None, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file" / "cache"))
    assert invoke(["run", *SMOKE, "--output", str(tmp_path / "run")]) == 2
    expected = f"{tmp_path / 'file' / 'cache'}: cannot be written (Not a directory); free space or set HARNESS_CACHE"
    assert capsys.readouterr().err.startswith(f"error: {expected}")
    assert not list(tmp_path.glob("run/cells/*"))


@pytest.mark.parametrize("full", ["run", "cache"])
def test_a_full_disk_is_one_line(
    tmp_path: Path, weights_here: None, monkeypatch: pytest.MonkeyPatch, capsys: Captured, full: str
) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_one(dir: Path) -> io.BytesIO:
        return Full() if full in dir.parts else io.BytesIO()

    monkeypatch.setattr("tempfile.TemporaryFile", open_one)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    assert invoke(["run", *SMOKE, "--output", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / full}")
    assert "cannot be written (No space left on device); free space or" in line


def test_help_comes_without_arguments_and_knows_all_commands(capsys: Captured) -> None:
    assert invoke([]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in ("run", "plan", "status", "report", "list", "params", "score", "cell"))


def test_a_broken_plugin_is_listed_and_warned_about(tmp_path: Path, no_weights: None, capsys: Captured) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import no_such_library")
    assert invoke(["list", "methods", "--plugin", str(file), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    failing = [row["name"] for row in rows if row["error"]]
    assert [name for name in failing if not name.startswith("peft/")] == ["mine"]  # peft's are listed as unusable here
    assert len(rows) >= 8
    assert invoke(["plan", *SMOKE, "--plugin", str(file), "--output", str(tmp_path / "run")]) == 0
    assert "no_such_library" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["methods", "tasks", "suites", "backbones", "grids"])
def test_everything_can_be_listed(kind: str, capsys: Captured) -> None:
    assert invoke(["list", kind, "--json"]) == 0
    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    expected = {"methods": "full", "tasks": "nlvr", "suites": "mini-image", "backbones": "mini-bart", "grids": "full"}
    assert expected[kind] in names
    assert invoke(["list", kind]) == 0
    assert expected[kind] in capsys.readouterr().out


def test_params_prints_the_table_in_four_forms(capsys: Captured) -> None:
    table = ["params", "--methods", "adapter-single", "--backbone", "t5-base", "--suite", "image-text,glue"]
    assert invoke([*table, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["suite"], row["trained"]) for row in rows] == [("image-text", 19_333_632), ("glue", 17_752_320)]
    assert list(rows[0])[:10] == [
        *("method", "backbone", "suite", "trained", "stored", "added_at_inference", "frozen_extra", "total"),
        *("updated_percent", "published_percent"),
    ]
    assert invoke([*table, "--csv"]) == 0
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [list(row) for row in read] == [list(row) for row in rows]
    assert [float(row["updated_percent"]) for row in read] == [row["updated_percent"] for row in rows]
    for form, heading in ((["--markdown"], "### t5-base, image-text: language model"), ([], "t5-base, image-text: la")):
        assert invoke([*table, *form]) == 0
        text = capsys.readouterr().out
        assert text.startswith(heading)
        (row,) = (line for line in text.splitlines() if "19,333,632" in line)
        assert ("7.98" in row, "7.98 a" in row, "|" in row) == (True, True, bool(form))
        assert "Trained: numbers that learn" in text


def test_bench_prints_the_methods_asked_for_beside_the_two_references(capsys: Captured) -> None:
    arguments = ["bench", "--backbone", "mini-bart", "--layers", "1", "--batch-size", "2", "--repeats", "1"]
    assert invoke([*arguments, "--methods", "bitfit"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### Training step on mini-bart, batch of 2, layers a stack: 1"
    assert {line.split(" | ")[0] for line in lines[4:7]} == {"| full", "| projection", "| bitfit"}


def test_params_are_of_the_papers_backbones_unless_others_are_named(capsys: Captured) -> None:
    table = ["params", "--methods", "projection", "--suite", "image-text", "--json"]
    for more, names in (([], ["bart-base", "t5-base"]), (["--backbone", "t5-*"], ["t5-base"])):
        assert invoke([*table, *more]) == 0
        assert [row["backbone"] for row in json.loads(capsys.readouterr().out)] == names


PICKY = """
from methods.base import Method

class Picky(Method):
    name = "picky"
    title = "Picky"

    def attach(self, model, context):
        raise ValueError("needs four\\nlayers")
"""


def test_a_method_that_does_not_fit_takes_no_other_row_away(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "picky.py"
    file.write_text(PICKY)
    table = ["params", "--methods", "picky,bitfit", "--suite", "image-text", "--plugin", str(file)]
    assert invoke([*table, "--json"]) == 0
    captured = capsys.readouterr()
    assert [row["method"] for row in json.loads(captured.out)] == ["bitfit"]
    assert "picky on bart-base is left out: incompatible: needs four layers" in captured.err
    for arguments in (table, [*table, "--markdown"]):
        assert invoke(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert any("picky" in line and "incompatible: needs four layers" in line for line in lines)
        assert any("bitfit" in line and "incompatible" not in line for line in lines)


def test_absent_weights_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def absent(*_arguments: object) -> None:
        raise Unavailable("the weights of mini-bart are not here")

    monkeypatch.setattr("harness.parameters._own_of", absent)
    assert invoke(["params", "--methods", "bitfit", "--backbones", "mini-bart"]) == 2
    assert capsys.readouterr().err == "error: the weights of mini-bart are not here\n"


def test_the_folders_that_another_runner_planned_stay_while_it_is_there(
    tmp_path: Path, weights_here: None, fake_engine: None
) -> None:
    folder = RunFolder(tmp_path / "run")
    command = ["run", *SMOKE, "--methods", "full", "--output", str(folder.path)]
    queued = fake_cells.make_cell("full", settings=Settings(epochs=77))
    (waiting,) = fake_cells.make_jobs(folder, queued)
    with present(folder.runners_path, alone=lambda: None):
        invoke(command)
        assert waiting.cell() == queued
    invoke(command)
    assert not waiting.path.exists()


def test_the_estimate_counts_the_jobs_of_the_device(
    tmp_path: Path, weights_here: None, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("harness.cli.planning.estimate_seconds", lambda _planned, jobs: 60.0 * jobs)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    assert invoke(["plan", *SMOKE, "--output", str(tmp_path / "run")]) == 0
    assert "about 5 min with 5 jobs" in capsys.readouterr().out


def test_plan_shows_the_grid_with_its_filters(tmp_path: Path, weights_here: None, capsys: Captured) -> None:
    rows = planned(*SMOKE, "--methods", "full,proj*", "--seeds", "3", "--limit", "7", capsys=capsys)
    assert [(row["method"], row["seed"], row["state"]) for row in rows] == [
        ("projection", 3, "planned"),
        ("full", 3, "planned"),
    ]


def test_cells_without_weights_are_unavailable_and_reported(tmp_path: Path, no_weights: None, capsys: Captured) -> None:
    run = tmp_path / "run"
    assert invoke(["run", *SMOKE, "--output", str(run), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["states"] == {"unavailable": 3}
    assert "the weights are not here" in (run / "report" / "report.md").read_text()
    environment = json.loads((run / "environment.json").read_text())
    assert {"command", "started_at", "harness_version", "packages"} <= set(environment)
    assert invoke(["run", *SMOKE, "--output", str(run), "--require-all"]) == 2
    assert "--require-all: 3 cells are unavailable: the weights are not here" in capsys.readouterr().err


def test_failed_cells_give_code_1_and_stay_until_asked_for(
    tmp_path: Path, weights_here: None, fake_engine: None, capsys: Captured
) -> None:
    run = ["run", *SMOKE, "--methods", "full,projection", "--jobs", "2", "--output", str(tmp_path / "run")]
    assert invoke(run) == 1
    text = capsys.readouterr().out
    assert "failed mini-image mini-bart full seed 0" in text
    assert "2 failed" in text
    assert f"report: {tmp_path / 'run' / 'report' / 'index.html'}" in text
    assert invoke([*run, "--json"]) == 1
    assert "0 cells to run, 2 failed" in capsys.readouterr().err
    rows = planned(*run[1:], "--overwrite", "failed", capsys=capsys)
    assert [row["state"] for row in rows] == ["planned", "planned"]
    results = sorted((tmp_path / "run").glob("cells/*/*/*/*/result.json"))
    before = [path.stat().st_mtime_ns for path in results]
    assert invoke([*run, "--overwrite", "failed"]) == 1
    assert all(path.stat().st_mtime_ns > time for path, time in zip(results, before, strict=True))


def test_a_second_runner_says_so_and_takes_nothing_that_is_claimed(
    tmp_path: Path, weights_here: None, capsys: Captured
) -> None:
    run = [*SMOKE, "--output", str(tmp_path / "run")]
    with ExitStack() as claims:
        for row in planned(*run, capsys=capsys):
            make_folder(Path(row["path"]))
            claims.enter_context(Claim(Path(row["path"]) / CLAIM))
        assert invoke(["run", *run, "--dry-run"]) == 0
        assert "3 running" in capsys.readouterr().out


def test_in_a_pipe_a_row_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    reason = "the weights are not here [and [/that] is no markup] " + "and so on " * 60 + "to the end"
    monkeypatch.setattr(Catalogue, "backbone_missing", lambda *_: reason)
    assert invoke(["plan", *SMOKE, "--output", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.endswith(reason)]) == 3
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("arguments", [["list", "grids"], ["list", "grids", "--json"]])
def test_a_reader_that_goes_away_ends_it_without_a_word(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = f"from harness.cli.program import main; main({arguments!r})"
    ended = subprocess.run([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")
