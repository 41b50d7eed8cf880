"""GQA (Hudson & Manning 2019): questions with answers, and predictions.

* questions: ``{question id: {imageId, answer, isBalanced, types: {structural}}}``;
* predictions: ``[{questionId, prediction}]``.

Only balanced questions count; predictions for others may be there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tasks.base import DataError, Example
from tasks.metrics.exact import METRIC, exact
from tasks.official.files import Record, read_json
from tasks.official.formats import Format, Scores, by_kind

_EXPECTED = "an official question file: question id -> imageId, answer, types"


class _Types(Record):
    structural: str = ""


class _Question(Record):
    imageId: str = ""
    answer: str | None = None
    isBalanced: bool = True
    types: _Types = _Types()


class _Prediction(Record):
    questionId: str
    prediction: str


def references(path: Path) -> list[Example]:
    """One example per question; its kind is the structural type. Unbalanced questions have no references."""
    found = []
    for name, row in read_json(path, dict[str, _Question], _EXPECTED).items():
        if row.answer is None:
            raise DataError(f"{path}: question {name} has no answer; give a file of a split with answers")
        answers = (row.answer,) if row.isBalanced else ()
        found.append(
            Example(name, "", (row.imageId,), references=answers, cluster=row.imageId, kind=row.types.structural)
        )
    return found


def questions(path: Path) -> Collection[str]:
    """The ids in a question file."""
    return read_json(path, dict[str, _Question], _EXPECTED).keys()


def predictions(path: Path) -> list[tuple[str, str]]:
    """What was answered to each question."""
    expected = "a list of questionId and prediction"
    return [(row.questionId, row.prediction) for row in read_json(path, list[_Prediction], expected)]


def scores(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """Accuracy by exact match, also by structural type."""
    value, each = exact(said, [example.references for example in examples])
    return Scores({METRIC.name: value, **by_kind(METRIC.name, examples, each)}, {METRIC.name: each})


GQA = Format("questionId", references, predictions, scores, questions)
