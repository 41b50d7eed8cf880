"""SNLI-VE's files and photos."""

from __future__ import annotations

import pytest
from synthetic_files import write_snli_ve

from tasks import ROLES, DataError
from tasks.snli_ve import SnliVe


@pytest.fixture
def data(tmp_path):
    write_snli_ve(tmp_path)
    return tmp_path


def test_an_example_is_a_photo_and_the_second_sentence(data):
    task = SnliVe(data)
    assert [len(task.examples(role)) for role in ROLES] == [12, 11, 11]
    example = task.examples("report")[1]
    assert (example.id, example.text) == ("3000.jpg#0r1n", "Dog 1 runs.")
    assert example.images == (example.cluster,) == ("3000",)
    assert example.targets == example.references == ("neutral",)
    assert task.images("report").ids() == ("3000", "3001", "3002", "3003")


def test_predictions_are_compared_word_for_word(data):
    task = SnliVe(data)
    assert task.score(task.examples("report")[:3], ["entailment", "Neutral", "contradiction"]).value == pytest.approx(
        2 / 3
    )


def test_absent_files_and_photos_are_told(data):
    (data / "flickr30k" / "one" / "1000.jpg").unlink()
    said = SnliVe(data).missing() or ""
    assert said.startswith("1 of 12 photos are not in ") and "(first: 1000.jpg): the photos are on request" in said
    (data / "snli_ve" / "snli_ve_dev.jsonl").unlink()
    assert "lacks snli_ve/snli_ve_dev.jsonl" in (SnliVe(data).missing() or "")
    assert "HARNESS_DATA" in (SnliVe().missing() or "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"gold_label": "neutral"', '"gold_label": "-"', "1000.jpg#0r1n: gold_label '-'; expected one of entailment"),
        ('"sentence2"', '"hypothesis"', "line 1, column"),
        ("#0r1n", "#0r1e", "example '1000.jpg#0r1e' of train occurs twice"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(data, old, new, said):
    path = data / "snli_ve" / "snli_ve_train.jsonl"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as error:
        SnliVe(data).examples("train")
    assert said in str(error.value) and "\n" not in str(error.value)
