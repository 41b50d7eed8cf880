"""``score``: its output, its options, and one line for what is wrong."""

import json
from pathlib import Path

import pytest

from harness.cli.program import invoke

Captured = pytest.CaptureFixture[str]
QUESTIONS = '{"qid": 5, "answer_idx": 4}\n{"qid": 6, "answer_idx": 0}\n'
CAPTIONS = '{"annotations": [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "a cat sits"}]}'


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of a task of choices and of captions; there is no Java."""
    (tmp_path / "questions.jsonl").write_text(QUESTIONS)
    (tmp_path / "choices.json").write_text('{"6": 0, "5": 3}')
    (tmp_path / "captions.json").write_text(CAPTIONS)
    (tmp_path / "results.json").write_text('[{"image_id": 2, "caption": "A cat sits."}]')
    (tmp_path / "stsb.tsv").write_text("index\tscore\n0\t1.0\n1\t2.0\n")
    (tmp_path / "scores.tsv").write_text("index\tprediction\n0\t1.0\n1\t2.0\n")
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(task: str, references: str, predictions: str, *more: str) -> list[str]:
    return ["score", task, "--references", references, "--predictions", predictions, *more]


TVQA = command("tvqa", "questions.jsonl", "choices.json")
COCO = command("coco-caption", "captions.json", "results.json")
STSB = command("glue/stsb", "stsb.tsv", "scores.tsv")


def test_it_prints_the_documented_fields(files: Path, capsys: Captured) -> None:
    assert invoke([*TVQA, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"task": "tvqa", "n": 2, "metrics": {"accuracy": 0.5}}


def test_it_writes_the_scores_of_every_example(files: Path, capsys: Captured) -> None:
    assert invoke([*TVQA, "--per-example", "each.json"]) == 0
    assert json.loads((files / "each.json").read_text()) == {"5": {"accuracy": 0.0}, "6": {"accuracy": 1.0}}
    assert invoke([*COCO, "--per-example", "each.json"]) == 0
    found = json.loads((files / "each.json").read_text())
    assert found["2"]["rouge-l"] == pytest.approx(1.0)
    assert set(found["2"]) == {"cider", "bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l"}


def test_people_read_a_table_of_percentages(files: Path, capsys: Captured) -> None:
    assert invoke(COCO) == 0
    captured = capsys.readouterr()
    table = [line.split(maxsplit=1) for line in captured.out.splitlines()]
    assert ["rouge-l", "100.00"] in table
    assert ["meteor", "needs Java"] in table
    assert captured.err == "note: 1 of 2 references have no prediction: not scored\n"


def test_without_java_meteor_is_null(files: Path, capsys: Captured) -> None:
    assert invoke([*COCO, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["meteor"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "tvqa"], "error: Missing option '--references'"),
        (command("tvqua", "a", "b"), "unknown task with an official format 'tvqua'; did you mean 'tvqa'"),
        (command("tvqa", "absent.jsonl", "b"), "error: absent.jsonl: cannot be read (No such file or directory)"),
        (command("tvqa", "questions.jsonl", "captions.json"), "error: captions.json: annotations: Input should be a"),
        ([*TVQA, "--questions", "questions.jsonl"], "--questions: tvqa has its questions in the reference file"),
        ([*TVQA, "--ptb", "java"], "error: --ptb java: tvqa has no captions; leave the option out"),
        ([*COCO, "--ptb", "java"], "error: --ptb java: there is no java on the PATH; install Java or use --ptb python"),
        ([*COCO, "--ptb", "perl"], "error: Invalid value for '--ptb'"),
        ([*STSB, "--per-example", "each.json"], "--per-example: glue/stsb is scored over all examples together"),
        ([*TVQA, "--per-example", "no/such/folder.json"], "no/such/folder.json: cannot be written"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_code(
    arguments: list[str], message: str, files: Path, capsys: Captured
) -> None:
    assert invoke(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1
    assert message in lines[0]
