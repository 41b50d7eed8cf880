"""Tables of studies: one row per method and setting, apart from the leaderboards."""

from __future__ import annotations

import pytest
from synthetic import MINI_TASKS, Synthetic

import reports
from reports.render import render
from reports.report import assemble
from reports.studies import study_tables

SCORES = dict(zip(MINI_TASKS, (0.6, 0.5, 0.7, 3.0), strict=True))


def cell(method: str, study: str = "Sizes", scores: dict[str, float] = SCORES, **more) -> Synthetic:
    return Synthetic(method, scores, studies=(study,), ranked=False, **more)


def texts(table, *titles: str) -> list[tuple[str, ...]]:
    places = [[column.title for column in table.columns].index(title) for title in titles]
    return [tuple(row.cells[place].text for place in places) for row in table.rows if row.kind != "floor"]


def test_a_setting_says_what_varies_within_a_method_in_order(run_of):
    sizes = [cell("adapter", overrides={"rank": rank, "learning_rate": 1 / rank}) for rank in (16, 2, 8)]
    switched = [cell("full", settings={"task_prefixes": on}) for on in (True, False)]
    (table,) = study_tables(reports.load(run_of(*sizes, *switched, cell("prompt"))))
    assert texts(table, "Method", "Setting") == [
        ("Full", "task prefixes: false"),
        ("Full", "task prefixes: true"),
        ("Adapter", "rank: 2"),
        ("Adapter", "rank: 8"),
        ("Adapter", "rank: 16"),
        ("Prompt", "–"),
    ]
    assert table.rows[0].cells[-2].value == pytest.approx(60)  # the mean of the accuracies


def test_cells_of_different_learning_rates_share_no_row(run_of):
    rates = {1e-3: 0.5, 1e-4: 0.7}
    crossed = [
        cell("adapter", scores={"mini-vqa": value}, overrides={"rank": rank, "learning_rate": rate})
        for rate, value in rates.items()
        for rank in (2, 8)
    ]
    own = {"learning_rate": 0.01}  # among a method's hyper-parameters, whatever the settings say
    by_settings = [
        cell("prompt", scores={"mini-vqa": value}, overrides=own, settings={"learning_rate": rate})
        for rate, value in rates.items()
    ]
    (table,) = study_tables(reports.load(run_of(*crossed, *by_settings)))
    assert texts(table, "Setting", "VQA") == [
        ("learning rate: 0.0001, rank: 2", "70.00"),
        ("learning rate: 0.0001, rank: 8", "70.00"),
        ("learning rate: 0.001, rank: 2", "50.00"),
        ("learning rate: 0.001, rank: 8", "50.00"),
        ("learning rate: 0.0001", "70.00"),
        ("learning rate: 0.001", "50.00"),
    ]


def test_tasks_trained_each_alone_are_one_row(run_of):
    alone = [
        cell("full", scores={task: SCORES[task] + seed / 10}, suite=task, tasks=(task,), seed=seed)
        for task in MINI_TASKS
        for seed in (0, 1)
    ]
    (table,) = study_tables(reports.load(run_of(cell("full"), *alone)))
    rows = texts(table, "Setting", "VQA", "Average", "n")
    assert rows == [
        ("each task alone", "65.00 ± 7.07", "65.00 ± 7.07", "2"),
        ("tasks together", "60.00", "60.00", "1"),
    ]


def test_suites_of_several_tasks_share_no_row(run_of):
    scores = {"photos": {"vqa": 0.5, "gqa": 0.5}, "drawings": {"vqa": 0.7, "gqa": 0.7}}
    cells = [cell("full", scores=each, suite=suite, tasks=tuple(each)) for suite, each in scores.items()]
    (table,) = study_tables(reports.load(run_of(*cells)))
    assert texts(table, "Setting", "vqa") == [("drawings", "70.00"), ("photos", "50.00")]


def test_both_averages_of_tasks_trained_each_alone_count_a_repeated_run_once(run_of):
    tasks = ("glue/mrpc", "glue/rte")
    scores = {0: (0.6, 0.8), 1: (0.7, 0.9)}
    alone = [
        cell("full", scores={task: value}, suite=task, tasks=(task,), seed=seed, data={"glue": f"version {trial}"})
        for seed, values in scores.items()
        for task, value in zip(tasks, values, strict=True)
        for trial in range(1 + (seed == 0))
    ]
    (table,) = study_tables(reports.load(run_of(*alone)))
    (row,) = (row for row in table.rows if row.kind != "floor")
    found = dict(zip([column.title for column in table.columns], row.cells, strict=True))
    assert found["Average over tasks"].text == "75.00 ± 7.07" and found["n"].text == "2"
    assert found["Average"].text == "71.67 ± 7.07"  # over three values: F1 and accuracy of MRPC, accuracy of RTE


def test_a_task_that_is_not_there_leaves_no_average(run_of):
    alone = [cell("full", scores={task: 0.5}, suite=task, tasks=(task,)) for task in MINI_TASKS[:2]]
    failed = Synthetic("full", suite="mini-nlvr", tasks=("mini-nlvr",), state="failed", reason="it broke")
    failed.studies, failed.ranked = ("Sizes",), False
    (table,) = study_tables(reports.load(run_of(cell("full"), *alone, failed)))
    assert texts(table, "Setting", "VQA", "NLVR", "Average", "n")[0] == ("each task alone", "50.00", "–", "–", "0 of 1")


def test_rows_of_studies_stand_on_no_leaderboard_unless_a_block_without_a_study_has_them(run_of):
    both = cell("adapter")
    both.ranked = True
    folder = run_of(both, cell("full"), cell("prompt", "Others <b>"))
    report = assemble(reports.load(folder))
    (board,) = report.boards
    assert [row.cells[0].text for row in board.leaderboard.rows if row.kind != "floor"] == ["Adapter"]
    assert [table.title for table in report.studies] == ["Others <b>", "Sizes"]
    page = render(folder)
    assert "Others &lt;b&gt;" in page.read_text() and "Others <b>" not in page.read_text()
    assert "## Studies" in (page.parent / "report.md").read_text()
    assert (page.parent / "tables" / f"{report.studies[1].name}.csv").exists()


def test_a_run_of_studies_alone_is_no_empty_run(run_of):
    report = assemble(reports.load(run_of(cell("full"))))
    assert (report.boards, report.tasks is not None) == ([], True)
    assert report.banner is not None and report.banner.startswith("Embedded suite")
