"""The table of tasks: what each is, how it is scored, where its data comes from."""

import json
from pathlib import Path

from synthetic import MINI_TASKS, Synthetic, write_run

from reports.render import render
from reports.report import assemble
from reports.run import load
from reports.table import HOLE, Table

SCORES = dict.fromkeys(MINI_TASKS, 0.5)


def cards(run: Path) -> Table:
    table = assemble(load(run)).tasks
    assert table is not None
    return table


def test_every_task_is_told_once_with_what_it_is_and_whose_it_is(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [Synthetic("full", SCORES), Synthetic("lora-single", SCORES, seed=1)])
    table = cards(run)
    assert [row.cells[1].detail for row in table.rows] == list(MINI_TASKS)
    titles = [column.title for column in table.columns]
    told = dict(zip(titles, table.rows[-1].cells, strict=True))
    assert {title: cell.text for title, cell in told.items()} == {
        "Suite": "mini-image",
        "Task": "CAPTION",
        "In and out": "A scene in, a sentence out.",
        "Metric": "CIDEr × 100",
        "Scored on": "test",
        "Selected on": "validation",
        "Examples": "1,000",
        "Clusters": "250",
        "Source": "drawn by the harness",
    }
    assert told["Source"].detail == "licence: MIT"
    for file in ("index.html", "report.md"):
        text = (render(run).parent / file).read_text()
        assert all(words in text for words in ("A scene in, a sentence out.", "drawn by the harness", "licence: MIT"))


def test_records_of_before_do_not_say_it_and_are_shown_without(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [Synthetic("full", SCORES)])
    (path,) = run.glob("cells/*/*/*/*/result.json")
    result = json.loads(path.read_text())
    for score in result["scores"]:
        for name in ("summary", "source", "licence"):
            del score[name]
    path.write_text(json.dumps(result))
    table = cards(run)
    assert not {"In and out", "Source"} & {column.title for column in table.columns}
    assert all(cell.text != HOLE for row in table.rows for cell in row.cells)
