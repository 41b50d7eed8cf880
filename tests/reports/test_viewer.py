"""Sampled examples: which, how they are shared between rows, and where their pictures go."""

import pandas as pd
from synthetic import MINI_TASKS, Synthetic, cell_folder

from reports import payload as payload_module
from reports.render import render
from reports.run import load
from reports.samples import sampled
from reports.viewer import sampled_examples

SCORED = dict.fromkeys(MINI_TASKS, 0.5)
ANSWERS = {"0": "red", "1": "red", "2": "blue"}


def test_a_sample_depends_on_names_alone_and_holds_the_smaller_ones():
    names = [f"{number}" for number in range(100)]
    assert sampled(names, 10) == sampled(reversed(names), 10)
    assert sampled(names, 10) == sampled(names, 20)[:10] != names[:10]


def test_rows_share_examples_texts_and_pictures(run_of):
    other = {"0": "red", "1": "blue", "2": "blue"}
    folder = run_of(
        Synthetic("full", SCORED, answers=ANSWERS),
        Synthetic("lora-single", SCORED, answers=other),
        Synthetic("lora-single", SCORED, answers=other, seed=1),
        Synthetic("bitfit", SCORED, predictions=False),
    )
    content = sampled_examples(load(folder)).content()
    assert [example["text"] for example in content["examples"]] == ["what colour?", "how many?", "which shape?"]
    assert content["texts"] == ["red", "blue"]
    assert [example["pictures"] for example in content["examples"]] == [[0], [None], [0]]
    assert list(content["answers"].values()) == [
        [(0, 0, 1.0), (1, 0, 1.0), (2, 1, 0.0)],
        [(0, 0, 1.0), (1, 1, 0.0), (2, 1, 0.0)],
    ]


def test_an_answer_without_a_score_is_left_out(run_of):
    cell = Synthetic("full", SCORED, answers=ANSWERS)
    folder = run_of(cell)
    path = cell_folder(folder, cell) / "predictions.parquet"
    frame = pd.read_parquet(path)
    frame.loc[1, "score"] = float("nan")
    frame.to_parquet(path)
    (answers,) = sampled_examples(load(folder)).content()["answers"].values()
    assert len(answers) == 2


def test_many_pictures_lie_beside_the_page(run_of, monkeypatch):
    folder = run_of(Synthetic("full", SCORED, answers=ANSWERS))
    inside = render(folder)
    assert "data:image/webp;base64," in inside.read_text() and not (inside.parent / "thumbnails").exists()
    monkeypatch.setattr(payload_module, "INLINE_BYTES", 10)
    page = render(folder)
    (picture,) = (page.parent / "thumbnails").iterdir()
    assert f'"thumbnails/{picture.name}"' in page.read_text()
    assert picture.read_bytes().startswith(b"RIFF")
