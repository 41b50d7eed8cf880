"""VQA v2 (Goyal et al. 2017) and OK-VQA (Marino et al. 2019): annotations, questions and results.

* annotations: ``{"annotations": [{question_id, image_id, answer_type, answers: [{answer}, ... ten]}]}``;
* questions: ``{"questions": [{question_id}]}``;
* results: ``[{question_id, answer}]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.base import DataError, Example
from tasks.metrics.vqa import METRIC, vqa_accuracy
from tasks.official.files import Id, Record, read_json
from tasks.official.formats import Format, Scores, by_kind


class _Answer(Record):
    answer: str


class _Annotation(Record):
    question_id: Id
    image_id: Id = ""
    answer_type: str = ""
    answers: tuple[_Answer, ...] = ()


class _Annotations(Record):
    annotations: list[_Annotation]


class _Question(Record):
    question_id: Id


class _Questions(Record):
    questions: list[_Question]


class _Result(Record):
    question_id: Id
    answer: str


def references(path: Path) -> list[Example]:
    """One example per annotation; its kind is the type of answer."""
    expected = "an official annotation file with annotations: question_id, image_id, answers"
    found = []
    for number, row in enumerate(read_json(path, _Annotations, expected).annotations, start=1):
        if not row.answers:
            place = f"{path}: record {number}: question_id {row.question_id}"
            raise DataError(f"{place} has no answers; add the annotators' answers or leave the record out")
        answers = tuple(answer.answer for answer in row.answers)
        image = str(row.image_id)
        found.append(
            Example(str(row.question_id), "", (image,), references=answers, cluster=image, kind=row.answer_type)
        )
    return found


def questions(path: Path) -> list[str]:
    """The ids in a file of questions."""
    expected = "an official question file with questions: question_id"
    return [str(row.question_id) for row in read_json(path, _Questions, expected).questions]


def predictions(path: Path) -> list[tuple[str, str]]:
    """What was answered to each question."""
    expected = "a list of question_id and answer"
    return [(str(row.question_id), row.answer) for row in read_json(path, list[_Result], expected)]


def scores(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """VQA accuracy, also by type of answer."""
    value, each = vqa_accuracy(said, [example.references for example in examples])
    return Scores({METRIC.name: value, **by_kind(METRIC.name, examples, each)}, {METRIC.name: each})


VQA = Format("question_id", references, predictions, scores, questions)
