"""What the drawer of a cell is told, and that it is safe inside a page."""

import json

import pandas as pd
from synthetic import MINI_TASKS, Synthetic, cell_folder

from reports.details import POINTS, cell_details, curves, log_tail
from reports.payload import as_json
from reports.run import load


def test_a_log_ends_with_its_last_lines_without_what_was_overwritten(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("old\n" * 5_000 + "10%\r55%\r100%\r\nTraceback\n    at \u202eline\x00 7\n")
    told = log_tail(log).split("\n")
    assert told[-3:] == ["100%", "Traceback", "    at line 7"]
    assert set(told[:-3]) == {"old"} and len(told) == 30
    assert log_tail(tmp_path / "nothing") == ""


def test_a_curve_is_thinned_and_keeps_its_end():
    rows = pd.DataFrame(
        [{"step": step, "epoch": 1, "task": "t", "loss": 1 / step, "select_value": None} for step in range(1, 1002)]
        + [{"step": None, "epoch": 2, "task": None, "loss": None, "select_value": 0.51234}]
    )
    lines = curves(rows.assign(key="k"))["k"]
    assert len(lines["t"]) <= POINTS and lines["t"][-1] == [1001, 0.000999]
    assert lines["selection"] == [[2.0, 0.5123]]


def test_a_curve_leaves_out_what_is_no_number(run_of):
    cell = Synthetic("full", dict.fromkeys(MINI_TASKS, 0.5))
    folder = run_of(cell)
    with (cell_folder(folder, cell) / "curve.jsonl").open("a") as file:
        file.write('{"step": 9, "task": "mini-vqa", "loss": Infinity}\n{"step": 10, "task": "mini-vqa", "loss": NaN}\n')
    (told,), _ = cell_details(load(folder))
    assert [step for step, _ in told["curve"]["mini-vqa"]] == list(range(1, 9))
    as_json(told)


def test_cells_share_environments_and_say_how_to_run_again(run_of):
    scored = dict.fromkeys(MINI_TASKS, 0.5)
    one, other = Synthetic("full", scored), Synthetic("peft/lora", scored, overrides={"rank": 4})
    folder = run_of(one, other, Synthetic("bitfit", state="planned", recorded=False))
    (cell_folder(folder, other) / "options.json").write_text("{}")
    cells, environments = cell_details(load(folder))
    assert environments == [(("device", "cpu"), ("torch", "2.13.0"))]
    assert {cell["method"]: cell["environment"] for cell in cells} == {"full": 0, "peft/lora": 0, "bitfit": None}
    lora = next(cell for cell in cells if cell["method"] == "peft/lora")
    assert lora["configuration"]["parameters.rank"] == "4" and "overrides.rank" not in lora["configuration"]
    assert lora["scores"][0] == ["VQA", "VQA accuracy on test", "50.00"]
    place = f"{lora['folder']}/"
    assert lora["command"].startswith(f"mkdir again && cp {place}cell.json {place}options.json again && ")
    assert (
        next(cell for cell in cells if cell["method"] == "full")["command"] is None
    )  # it cannot be run again as it was


def test_no_text_ends_the_block_that_it_stands_in():
    texts = ["</script><!--<script>", "a & b", "\u2028 line", "\"'\\"]
    block = str(as_json(texts))
    assert not set("<>&\u2028") & set(block)
    assert json.loads(block) == texts
