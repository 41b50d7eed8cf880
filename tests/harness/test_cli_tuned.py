"""``tuned``: the table, what is refused, and the file that it writes."""

import json
from pathlib import Path

import fake_cells
import pytest

from harness.cells import Cell, Settings
from harness.cli.program import invoke
from harness.run_folder import RunFolder
from methods import tuned
from reports.record import Result, Score

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The methods' rates lie in this file, which knows one method already."""
    path = tmp_path / "rates.yaml"
    path.write_text("mini-bart: {image-text: {bitfit: {learning_rate: 0.5}}}\n")
    monkeypatch.setattr(tuned, "FILE", str(path))
    tuned.rates.cache_clear()
    yield path
    tuned.rates.cache_clear()


def trial(method: str, rate: float, **changes: object) -> Cell:
    settings = Settings(epochs=5, score_on="select")
    return fake_cells.make_cell(method, 100, parameters={"learning_rate": rate}, settings=settings, **changes)


def scored(cell: Cell, value: float) -> Result:
    score = Score(
        task="mini-vqa",
        title="mini-vqa",
        split="validation",
        select_split="validation",
        metric="vqa-accuracy",
        metric_title="VQA accuracy",
        metric_version="1",
        value=value,
        examples=300,
        clusters=300,
    )
    changes = {"scores": [score], "step": 40, "environment": {"harness_version": "7.0"}}
    return fake_cells.make_result(cell).model_copy(update=changes)


def write_run(folder: Path, values: dict[tuple[str, float], float | None], **changes: object) -> str:
    """A run with one cell for each method and rate; without a value it has not finished."""
    for (method, rate), value in values.items():
        (job,) = fake_cells.make_jobs(RunFolder(folder), trial(method, rate, **changes))
        if value is not None:
            job.finish(scored(job.cell(), value))
    return str(folder)


VALUES = {("full", 0.001): 0.4, ("full", 0.01): 0.3, ("full", 0.1): 0.2}
VALUES |= {("lora-single", 0.001): 0.4, ("lora-single", 0.01): 0.6, ("lora-single", 0.1): 0.1}


def test_the_best_rates_are_shown_and_nothing_is_written(tmp_path: Path, file: Path, capsys: Captured) -> None:
    before = file.read_bytes()
    run = write_run(tmp_path / "run", VALUES)
    assert invoke(["tuned", run]) == 0
    text = capsys.readouterr().out
    assert (
        "selection split of mini-image on mini-bart: validation; 300 examples; 5 epochs (40 steps); seeds 100" in text
    )
    assert "averages over mini-vqa (CIDEr counts only where" in text
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "(40.00)" in lines["full"] and "at the edge" in lines["full"]
    assert "(60.00)" in lines["lora-single"] and "edge" not in lines["lora-single"]
    assert file.read_bytes() == before
    assert invoke(["tuned", run, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["method"], row["learning_rate"], row["at_edge"]) for row in rows] == [
        ("full", 0.001, True),
        ("lora-single", 0.01, False),
    ]


def test_written_rates_are_the_methods_defaults_and_others_stay(tmp_path: Path, file: Path, capsys: Captured) -> None:
    assert invoke(["tuned", write_run(tmp_path / "run", VALUES), "--write"]) == 0
    assert f"wrote 2 rates to {file}" in capsys.readouterr().out
    tuned.rates.cache_clear()
    assert tuned.rate("mini-bart", "image-text", "bitfit") == tuned.TunedRate(learning_rate=0.5)
    found = tuned.rate("mini-bart", "image-text", "lora-single")
    assert found is not None and found.search is not None
    assert found.learning_rate == 0.01
    assert found.search.candidates == (0.001, 0.01, 0.1)
    search = found.search
    assert (search.suite, search.splits, search.examples, search.limit) == ("mini-image", ("validation",), 300, None)
    assert (search.epochs, search.steps, search.seeds, search.harness_version) == (5, 40, (100,), "7.0")


def test_a_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    before = file.read_bytes()
    run = write_run(tmp_path / "run", VALUES)

    def refused(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.fsync", refused)
    assert invoke(["tuned", run, "--write"]) == 2
    assert capsys.readouterr().err == (
        f"error: {file}: cannot be written (Permission denied); free space, or use a copy of the project that you may "
        "write\n"
    )
    assert file.read_bytes() == before


def test_an_unfinished_search_is_not_written(tmp_path: Path, file: Path, capsys: Captured) -> None:
    before = file.read_bytes()
    run = write_run(tmp_path / "run", VALUES | {("full", 0.01): None})
    assert invoke(["tuned", run]) == 0
    assert "unfinished cells: 1" in capsys.readouterr().out
    assert invoke(["tuned", run, "--write"]) == 2
    assert capsys.readouterr().err.startswith("error: --write: full on mini-bart: unfinished cells: 1")
    assert file.read_bytes() == before


def test_a_search_that_has_not_begun_says_so(tmp_path: Path, capsys: Captured) -> None:
    assert invoke(["tuned", write_run(tmp_path / "run", {("full", 0.01): None})]) == 0
    text = capsys.readouterr().out
    assert "selection split of mini-image on mini-bart: no cell has a score yet" in text
    assert "unfinished cells: 1" in text


def test_two_suites_of_one_kind_cannot_share_an_entry(tmp_path: Path, file: Path, capsys: Captured) -> None:
    write_run(tmp_path / "run", VALUES)
    run = write_run(tmp_path / "run", VALUES, suite="mini-vqa")
    assert invoke(["tuned", run, "--write"]) == 2
    assert "mini-image and mini-vqa are both image-text suites" in capsys.readouterr().err


def test_a_run_that_tuned_nothing_is_one_line(tmp_path: Path, capsys: Captured) -> None:
    (job,) = fake_cells.make_jobs(RunFolder(tmp_path), fake_cells.make_cell())
    job.finish(fake_cells.make_result(job.cell()))
    assert invoke(["tuned", str(tmp_path)]) == 2
    assert "no cell was scored on the selection split" in capsys.readouterr().err
    assert invoke(["tuned", str(tmp_path / "nowhere")]) == 2
