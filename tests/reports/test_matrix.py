"""Families of methods, and the matrix of methods and tasks."""

from synthetic import MINI_TASKS, Synthetic

from reports.families import families
from reports.matrix import Place, coverage_matrix
from reports.render import render
from reports.run import load

SCORED = dict.fromkeys(MINI_TASKS, 0.5)


def test_every_method_says_on_every_task_what_became_of_it(run_of):
    partly = dict.fromkeys(MINI_TASKS[:3], 0.5) | {MINI_TASKS[3]: None}
    folder = run_of(
        Synthetic("full", SCORED),
        Synthetic("full", SCORED, seed=1),
        Synthetic("lora-single", partly),
        Synthetic("lora-single", state="diverged", reason="the loss became infinite", seed=1),
        Synthetic("full", suite="vqav2", tasks=("vqav2",), state="unavailable", reason="absent", recorded=False),
    )
    matrix = coverage_matrix(load(folder))
    assert matrix.headings == [
        (Place("mini-image", "mini-bart", "mini-vqa"), 4),
        (Place("vqav2", "mini-bart", "vqav2"), 1),
    ]
    shown = {label: [slot and (slot.text, slot.reason) for slot in slots] for label, slots in matrix.rows}
    assert shown["full"] == [("● 2", "")] * 4 + [("∅ unavailable", "absent")]
    why = "1 diverged; the loss became infinite"
    assert shown["lora-single"] == [("● 1 of 2", why)] * 3 + [("● 1 of 2 no score", why), None]
    page = render(folder)
    for slot in (slot for _, slots in matrix.rows for slot in slots if slot):
        assert (folder / slot.link).is_file()
    assert "∅ unavailable" in page.read_text() and "∅ unavailable" in page.with_name("report.md").read_text()
    assert "∅ unavailable" in (page.parent / "tables" / "coverage-matrix.csv").read_text()


def test_families_are_patterns_of_names():
    names = ["full", "lora-single", "lora-multiple", "prompt-single", "peft/lora", "peft/ia3"]
    assert families(names) == {
        "full": "full",
        "lora-single": "lora*",
        "lora-multiple": "lora*",
        "prompt-single": "prompt-single",
        "peft/lora": "peft/*",
        "peft/ia3": "peft/*",
    }
