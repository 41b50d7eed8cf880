"""VQA accuracy against hand-worked cases and against the official evaluator (VQA v2, a013f0043c1e)."""

import json

import pytest

from tasks.metrics.vqa import accuracy, normalise, soft_score, vqa_accuracy


def test_each_annotator_is_left_out_in_turn():
    answers = ["cat"] * 3 + ["dog"] * 7
    # a cat annotator sees two other cats (2/3), a dog annotator three (1): (3 * 2/3 + 7) / 10
    assert accuracy("cat", answers) == pytest.approx(0.9)
    assert accuracy("dog", answers) == 1.0
    assert accuracy("cow", answers) == 0.0


@pytest.mark.parametrize(("matches", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_score_of_a_number_of_annotators(matches, score):
    assert soft_score(matches) == pytest.approx(score)


def test_nothing_is_normalised_where_all_agree():
    assert accuracy("Two", ["2"] * 10) == 0.0
    assert accuracy("2", ["2"] * 10) == 1.0
    assert accuracy("Two", ["2"] * 9 + ["3"]) == 1.0
    assert accuracy(" 2\n", ["2"] * 10) == 1.0  # white space at the ends never counts


def test_answers_are_normalised_like_the_prediction():
    assert accuracy("right 1", ["right one"] * 5 + ["left"] * 5) == 1.0


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("The Red car.", "red car"),
        ("none", "0"),
        ("ten dogs", "10 dogs"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("yall'd've", "y'all'd've"),
        ("somebody'd", "somebodyd"),
        ("black-white", "black white"),  # no space touches the mark: it becomes one
        ("black- white", "black white"),  # a space touches it: it goes
        ("1,000 t-shirts", "1000 tshirts"),  # a number with a comma: every mark goes
        ("3.5", "3.5"),
        ("5:30", "5:30"),
        ("u.s.a.", "usa"),
        ("a", ""),
    ],
)
def test_normalise(answer, normal):
    assert normalise(answer) == normal


def test_a_question_without_annotators_is_refused():
    with pytest.raises(ValueError, match="annotator"):
        accuracy("cat", [])


def test_two_thousand_questions_score_as_in_the_official_evaluator(real_folder):
    folder = real_folder("vqa")

    def load(name):
        return json.loads((folder / f"val2000_{name}.json").read_text())

    said = {row["question_id"]: row["answer"] for row in load("results_noisy")}
    official = load("accuracy_per_question")  # percent, two digits
    rows = load("annotations")["annotations"]
    asked = {row["question_id"] for row in load("questions")["questions"]}
    assert asked == {row["question_id"] for row in rows} and len(rows) == 2000
    value, each = vqa_accuracy(
        [said[row["question_id"]] for row in rows], [[a["answer"] for a in row["answers"]] for row in rows]
    )
    assert round(100 * value, 2) == load("accuracy")["overall"]
    assert [round(100 * score, 2) for score in each] == [official[str(row["question_id"])] for row in rows]
    for kind, percent in load("accuracy")["perAnswerType"].items():
        scores = [score for score, row in zip(each, rows, strict=True) if row["answer_type"] == kind]
        assert round(100 * sum(scores) / len(scores), 2) == percent
