"""``new`` and ``check``: working files to begin with, and one line per rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.program import invoke

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def plugin(tmp_path: Path, capsys: Captured, request: pytest.FixtureRequest) -> Path:
    """A new method in a file whose name no other test uses: plugin files stay loaded."""
    name = f"of-{request.node.originalname.replace('_', '-')}"
    assert invoke(["new", "method", name, "--output", str(tmp_path / "mine")]) == 0
    assert f"python -m harness check {name} --plugin {tmp_path}/mine/of_" in capsys.readouterr().out
    return next((tmp_path / "mine").glob("of_*.py"))


def test_new_files_are_short_and_are_not_written_twice(plugin: Path, capsys: Captured) -> None:
    files = sorted(plugin.parent.iterdir())
    assert [file.name for file in files] == [plugin.name, f"test_{plugin.name}"]
    assert all(len(file.read_text().splitlines()) < 60 for file in files)
    plugin.write_text("mine")
    files[1].unlink()
    name = plugin.stem.replace("_", "-")
    assert invoke(["new", "method", name, "--output", str(plugin.parent)]) == 2
    told = f"error: {plugin}: is there already; nothing was written; choose another name or --output\n"
    assert capsys.readouterr().err == told
    assert plugin.read_text() == "mine"
    assert not files[1].exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Big", "write the name in lower-case letters and digits"),
        ("low_rank", "write the name in lower-case letters and digits"),
        ("../low", "write the name in lower-case letters and digits"),
        ("lora-single", "is a method already (methods.lora)"),
        ("unfreeze", "a file unfreeze.py would hide another meaning of unfreeze"),
        ("class", "a file class.py would hide another meaning of class"),
        ("random", "a file random.py would hide another meaning of random"),
        ("torch", "a file torch.py would hide another meaning of torch"),
        ("task-context", "a file task_context.py would hide another meaning of task_context"),
    ],
)
def test_bad_names_are_one_line_and_write_nothing(name: str, reason: str, tmp_path: Path, capsys: Captured) -> None:
    assert invoke(["new", "method", name, "--output", str(tmp_path / "mine")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {name!r}: {reason}")
    assert not (tmp_path / "mine").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("")
    assert invoke(["new", "method", "low-rank-gate", "--output", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_among_the_methods_a_new_one_needs_no_test_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("methods.__file__", str(tmp_path / "__init__.py"))
    assert invoke(["new", "method", "low-rank-gate", "--output", str(tmp_path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["low_rank_gate.py"]
    assert capsys.readouterr().out.endswith("`python -m harness check low-rank-gate`\n")


def test_check_tells_one_line_per_rule(plugin: Path, capsys: Captured) -> None:
    name = plugin.stem.replace("_", "-")
    text = plugin.read_text().replace("identity_at_start = True", "mergeable = True")
    plugin.write_text(text.replace(', description="hidden units of each module"', ""))
    assert invoke(["check", f"{name[:-2]}*", "--plugin", str(plugin)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "27 checks, 5 failed"
    told = [line for line in lines if not line.startswith("passed  ")]
    assert told[0] == f"failed  {name} declaration: no description of rank: write Field(..., description=...)"
    fix = "computes what the backbone does at the start: declare identity_at_start = True"
    assert [line for line in told if "identity" in line] == [
        f"failed  {name} {family} identity: {fix}" for family in ("bart", "t5")
    ]
    assert [line.split(": ")[0] for line in told if "mergeable" in line] == [
        f"failed  {name} {family} merging" for family in ("bart", "t5")
    ]


def test_check_reads_names_and_globs_and_writes_json(capsys: Captured) -> None:
    assert invoke(["check", "bitf?t,projection", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} == {"bitfit", "projection"}
    (refused,) = [row for row in rows if row["state"] != "passed"]
    assert refused == {
        "name": "bitfit",
        "place": "t5",
        "check": "attach",
        "state": "refused",
        "reason": "T5 has no bias vectors to train; bitfit-added adds them",
    }


NAMELESS = """
from methods import Method

class Nameless(Method):
    name = "nameless"

    def attach(self, model, context):
        pass
"""


def test_what_cannot_be_checked_is_one_line(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "without_title.py"
    file.write_text(NAMELESS)
    for arguments, code, message in (
        (["bitfitt"], 2, "error: unknown method or task 'bitfitt'; did you mean 'bitfit'"),
        (["nothing-*"], 3, "error: no method or task matches nothing-*"),
        ([], 2, "error: Missing argument 'names'; see --help"),
        (["nameless", "--plugin", str(file)], 2, "TypeError: Nameless has a name but no title; give it one"),
    ):
        assert invoke(["check", *arguments]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert message in line


@pytest.fixture
def task(tmp_path: Path, capsys: Captured, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """The name and the file of a new task, with its data in the same folder."""
    name = f"on-{request.node.originalname.replace('_', '-')}"
    assert invoke(["new", "task", name, "--output", str(tmp_path / "mine")]) == 0
    file = tmp_path / "mine" / f"{name.replace('-', '_')}.py"
    assert f"`python -m harness check {name} --plugin {file} --data {file.parent}`" in capsys.readouterr().out
    return name, file


def test_a_new_task_has_example_data_and_is_not_written_twice(task: tuple[str, Path], capsys: Captured) -> None:
    name, file = task
    assert sorted(path.name for path in file.parent.iterdir()) == sorted(
        [name, file.name, f"test_{file.name}", f"{file.stem}.yaml"]
    )
    assert len((file.parent / name / "train.jsonl").read_text().splitlines()) == 12
    for path in (file, file.with_name(f"test_{file.name}"), file.with_suffix(".yaml")):
        path.unlink()
    assert invoke(["new", "task", name, "--output", str(file.parent)]) == 2
    assert f"error: {file.parent / name}: is there already; nothing was written" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Big", "write the name in lower-case letters and digits"),
        ("nlvr", "is a task already (tasks.nlvr)"),
        ("photo-task", "a file photo_task.py would hide another meaning of photo_task"),
        ("card", "a file card.py would hide another meaning of card"),
        ("random", "a file random.py would hide another meaning of random"),
    ],
)
def test_bad_names_of_tasks_are_one_line(name: str, reason: str, tmp_path: Path, capsys: Captured) -> None:
    assert invoke(["new", "task", name, "--output", str(tmp_path / "mine")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {name!r}: {reason}")
    assert not (tmp_path / "mine").exists()


def test_among_the_tasks_a_new_one_has_neither_test_nor_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("tasks.__file__", str(tmp_path / "__init__.py"))
    assert invoke(["new", "task", "judging-photos", "--output", str(tmp_path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["judging_photos.py"]
    assert capsys.readouterr().out.endswith("`python -m harness check judging-photos`\n")


def test_check_tells_one_line_per_rule_and_role_of_a_task(task: tuple[str, Path], capsys: Captured) -> None:
    name, file = task
    lines = (file.parent / name / "train.jsonl").read_text().splitlines()
    (file.parent / name / "select.jsonl").write_text("\n".join(lines[:3]))
    assert invoke(["check", name, "--plugin", str(file), "--data", str(file.parent)]) == 1
    *told, last = capsys.readouterr().out.splitlines()
    assert last == "14 checks, 1 failed"
    assert [line for line in told if not line.startswith("passed  ")] == [
        f"failed  {name} splits: 3 images are in train and in select (train-0.png, train-1.png, train-2.png), "
        "3 (image, text) pairs too: part the examples by image"
    ]


def test_a_task_without_data_is_skipped_and_said_so(task: tuple[str, Path], tmp_path: Path, capsys: Captured) -> None:
    name, file = task
    assert invoke(["check", name, "--plugin", str(file), "--data", str(tmp_path)]) == 0
    *_, skipped, last = capsys.readouterr().out.splitlines()
    assert skipped.startswith(f"skipped {name} data: {tmp_path} lacks {name}/train.jsonl")
    assert last == "2 checks, 0 failed, 1 skipped"
