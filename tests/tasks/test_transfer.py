"""HyperPELT's transfer sets of text: splits, texts and labels of HyperFormer's code, and files that are broken."""

from __future__ import annotations

import pytest
from synthetic_files import write_transfer

from tasks import ROLES, DataError
from tasks._text import shuffled
from tasks.imdb import Imdb
from tasks.paws import Paws
from tasks.suites import NAMED
from tasks.superglue import BoolQ, Cb


@pytest.fixture
def data(tmp_path):
    write_transfer(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "form", "labels"),
    [
        (Cb, "premise: premise {0} of {1} hypothesis: hypothesis {0} of {1}", "012"),
        (BoolQ, "question: question {0} of {1} passage: passage {0} of {1}", "01"),
    ],
)
def test_val_of_superglue_is_halved(data, kind, form, labels):
    task, order = kind(data), shuffled(7)
    found = {role: [(one.text, one.targets[0]) for one in task.examples(role)] for role in ROLES}

    def expected(numbers, file):
        return [(form.format(number, file), labels[number % len(labels)]) for number in numbers]

    assert found["train"] == expected(range(9), "train")
    assert found["select"] == expected(order[:3], "val")
    assert found["report"] == expected(order[3:], "val")


def test_paws_has_three_files(data):
    task = Paws(data)
    for role, file in (("train", "train"), ("select", "dev"), ("report", "test")):
        examples = task.examples(role)
        assert [one.text for one in examples] == [
            f"sentence1: A {n} of {file} sentence2: B {n} of {file}" for n in range(7)
        ]
        assert [one.targets[0] for one in examples] == list("0101010")


def test_the_test_reviews_of_imdb_are_halved_in_the_order_of_their_numbers(data):
    task = Imdb(data)
    reviews = [f"Film {number}: {stars} of 10, test." for stars in (2, 9) for number in range(11)]
    order = shuffled(22)
    assert [one.text for one in task.examples("select")] == [reviews[place] for place in order[:11]]
    assert [one.text for one in task.examples("report")] == [reviews[place] for place in order[11:]]
    assert {one.targets[0] for one in task.examples("train") if one.id.startswith("pos/")} == {"1"}
    before = task.fingerprint()
    (data / "aclImdb" / "test" / "neg" / "3_2.txt").write_text("Another film.")
    assert before != Imdb(data).fingerprint()


@pytest.mark.parametrize(
    ("kind", "file", "said"),
    [
        (Cb, "superglue/CB/val.jsonl", "superglue lacks CB/val.jsonl: super.gluebenchmark.com/tasks"),
        (BoolQ, "superglue/BoolQ/train.jsonl", "superglue lacks BoolQ/train.jsonl"),
        (Paws, "paws/test.tsv", "paws lacks test.tsv"),
    ],
)
def test_absent_files_are_named(data, kind, file, said):
    assert kind(data).missing() is None
    (data / file).unlink()
    assert said in (kind(data).missing() or "")


def test_absent_folders_are_named(tmp_path):
    assert "aclImdb lacks train/neg/, train/pos/, test/neg/, test/pos/: aclImdb_v1" in (Imdb(tmp_path).missing() or "")


@pytest.mark.parametrize(
    ("kind", "file", "old", "new", "said"),
    [
        (Cb, "superglue/CB/train.jsonl", "neutral", "unsure", "idx 2: label 'unsure'; expected one of entailment"),
        (Cb, "superglue/CB/train.jsonl", '"idx": 3', '"idx": 2', "example '2' of train occurs twice"),
        (BoolQ, "superglue/BoolQ/train.jsonl", "true", '"true"', "line 2, column"),
        (BoolQ, "superglue/BoolQ/train.jsonl", '"passage": "passage 0', '"text": "', "passage is absent"),
        (Paws, "paws/train.tsv", "\t1\n", "\tb'1'\n", "record 2: has the label \"b'1'\"; expected"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(data, kind, file, old, new, said):
    path = data / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as error:
        kind(data).examples("train")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_the_suite_is_of_text():
    (suite,) = [suite for suite in NAMED if suite.name == "transfer"]
    assert (suite.kind, set(suite.tasks)) == ("text", {kind.name for kind in (Cb, BoolQ, Imdb, Paws)})
