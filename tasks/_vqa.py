"""Questions and annotations in the format of VQA, which OK-VQA's owners use too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks._json import in_list
from tasks.base import DataError
from tasks.metrics.vqa import soft_score

ANNOTATORS = 10
WORTH = tuple(soft_score(count, ANNOTATORS) for count in range(ANNOTATORS + 1))
"""What an answer is worth that so many annotators gave."""


class Question(NamedTuple):
    """One question about one photo."""

    id: int
    image: int
    text: str
    kind: str
    answers: tuple[str, ...]  # as the annotators gave them
    more: tuple[str, ...]  # further fields


def worth(question: Question, answers: Sequence[str]) -> tuple[float, ...]:
    """What each of these answers is worth, by how many annotators gave it."""
    return tuple([WORTH[question.answers.count(answer)] for answer in answers])


def annotated(
    questions: Path, annotations: Path, misplaced: Callable[[int], str | None], more: Sequence[str] = ()
) -> Iterator[Question]:
    """Join the annotations with their questions, in the annotations' order.

    Args:
        questions: the owners' file.
        annotations: the owners' file.
        misplaced: why an image cannot be asked about here, in a few words; None if it can.
        more: further fields of an annotation that hold text.

    Raises:
        DataError: a file is missing or broken, or the two do not fit each other.
    """
    asked = _asked(questions, misplaced)
    fields = {"question_id": int, "image_id": int, "answer_type": str, "answers": list, **dict.fromkeys(more, str)}
    for number, image, kind, given, *rest in in_list(annotations, "annotations", fields):
        if number not in asked:
            twice = number in _asked(questions, misplaced)
            wrong = "annotated twice" if twice else f"not in {questions.name}"
            raise DataError(f"{annotations}: question {number} is {wrong}; fetch both of the same version")
        about, text = asked.pop(number)
        if about != image:
            raise DataError(
                f"{annotations}: question {number} is about image {image}, in {questions.name} about image {about}; "
                "fetch both of the same version"
            )
        answers = _texts(given)
        if len(answers) != ANNOTATORS:
            raise DataError(
                f"{annotations}: question {number} has {len(answers)} answers; "
                f"expected {ANNOTATORS} texts called 'answer'"
            )
        yield Question(number, image, text, sys.intern(kind), answers, tuple(map(sys.intern, rest)))
    if asked:
        raise DataError(
            f"{annotations}: {len(asked):,} questions of {questions.name} have no annotation "
            f"(first: {next(iter(asked))}); fetch both of the same version"
        )


def _asked(path: Path, misplaced: Callable[[int], str | None]) -> dict[int, tuple[int, str]]:
    """Question number -> its image and text."""
    asked: dict[int, tuple[int, str]] = {}
    for number, image, text in in_list(path, "questions", {"question_id": int, "image_id": int, "question": str}):
        if number in asked:
            raise DataError(f"{path}: question {number} occurs twice; fetch the file again")
        if where := misplaced(image):
            raise DataError(
                f"{path}: question {number} is about image {image}, which is {where}; "
                "put the files of train2014 and val2014 under their own names"
            )
        asked[number] = (image, text.strip())
    return asked


def _texts(answers: Sequence[object]) -> tuple[str, ...]:
    """The annotators' answers; nothing if one of them is no text."""
    try:
        return tuple([sys.intern(answer["answer"]) for answer in answers])  # type: ignore[index]  # caught below
    except (KeyError, TypeError):
        return ()
