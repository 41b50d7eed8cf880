"""VQA v2: open human questions about COCO's photos, ten answers each (Goyal et al. 2017), scored by VQA accuracy.

Layout of ``<data>/vqav2/``, as visualqa.org gives them out: ``v2_OpenEnded_mscoco_{train,val}2014_questions.json`` and
``v2_mscoco_{train,val}2014_annotations.json``; and of ``<data>/coco/`` as `tasks._coco` says.

Splits are Karpathy's, of the questions by their photo, as in VL-T5, VL-Adapter and VL-PET. What is learnt follows the
label files of these papers: the annotators' answers, as they were given, that are among the frequent ones, each worth
0.3, 0.6, 0.9 or 1 when given once, twice, three times or more often. Frequent is an answer that is the most common one
of at least nine questions of both files, after normalisation (3,129 of them in the full data). A question without a
frequent answer has nothing to learn from and keeps its place with a loss of zero.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tasks._coco import KARPATHY, KARPATHY_ORIGIN, SPLITS, KarpathyTask
from tasks._json import in_list
from tasks.base import Card, DataError, Decoding, Example, Role, Scored
from tasks.metrics.vqa import METRIC, normalise, soft_score, vqa_accuracy

PARTS = ("train2014", "val2014")
FREQUENT = 9
ANNOTATORS = 10
WORTH = tuple(soft_score(count, ANNOTATORS) for count in range(ANNOTATORS + 1))
"""What an answer is worth that so many annotators gave."""


class _Question(NamedTuple):
    id: int
    image: int
    text: str
    kind: str
    common: str  # the most common answer
    answers: tuple[str, ...]


class Vqav2(KarpathyTask):
    """One open question about one photo."""

    name = "vqav2"
    version = "1"
    prefix = "vqa: "
    decoding = Decoding(max_length=20)
    loss = "weighted-example"
    text_limit = 20
    target_limit = 10
    required = (
        *(f"vqav2/v2_OpenEnded_mscoco_{part}_questions.json" for part in PARTS),
        *(f"vqav2/v2_mscoco_{part}_annotations.json" for part in PARTS),
        KARPATHY,
    )
    origin = f"questions and annotations are at visualqa.org/download.html, {KARPATHY_ORIGIN}"

    @property
    def card(self) -> Card:
        """The task's card."""
        return Card(
            title="VQA v2",
            summary="An open human question about one photo; ten human answers; soft VQA accuracy.",
            source=f"Goyal, Khot, Summers-Stay, Batra and Parikh 2017; {self.origin}",
            licence="CC BY 4.0 (questions and answers); the photos belong to their owners on Flickr",
            splits=SPLITS,
            metric=METRIC,
            bibtex="goyal2017vqav2",
            sizes={"train": 605_102, "select": 26_729, "report": 26_280},
        )

    def read(self, role: Role) -> Iterable[Example]:
        """One example per question, in the order of the files."""
        image_of = {number: (photo.id,) for number, photo in self.photos.items() if photo.role == role}
        frequent = self._frequent
        for question in self._questions:
            if (images := image_of.get(question.image)) is None:
                continue
            answers = question.answers
            targets = tuple([answer for answer in dict.fromkeys(answers) if answer in frequent])
            yield Example(
                id=str(question.id),
                text=question.text,
                images=images,
                targets=targets,
                weights=tuple([WORTH[answers.count(answer)] for answer in targets]),
                references=answers,
                cluster=images[0],
                kind=question.kind,
            )

    @cached_property
    def _frequent(self) -> frozenset[str]:
        as_given = Counter(question.common for question in self._questions)
        counts: Counter[str] = Counter()
        for answer, count in as_given.items():
            counts[normalise(answer).replace(",", "")] += count
        return frozenset(answer for answer, count in counts.items() if count >= FREQUENT)

    @cached_property
    def _questions(self) -> Sequence[_Question]:
        """All questions of both parts, read once for all roles."""
        return [question for part in PARTS for question in self._annotated(part)]

    def _annotated(self, part: str) -> Iterator[_Question]:
        """Join the annotations of a part with its questions."""
        questions = self.folder / f"vqav2/v2_OpenEnded_mscoco_{part}_questions.json"
        path = self.folder / f"vqav2/v2_mscoco_{part}_annotations.json"
        asked = self._asked(questions, part)
        fields = {
            "question_id": int,
            "image_id": int,
            "answer_type": str,
            "multiple_choice_answer": str,
            "answers": list,
        }
        for number, image, kind, common, given in in_list(path, "annotations", fields):
            if number not in asked:
                twice = number in self._asked(questions, part)
                wrong = "annotated twice" if twice else f"not in {questions.name}"
                raise DataError(f"{path}: question {number} is {wrong}; fetch both of the same version")
            about, text = asked.pop(number)
            if about != image:
                raise DataError(
                    f"{path}: question {number} is about image {image}, in {questions.name} about image {about}; "
                    "fetch both of the same version"
                )
            answers = _texts(given)
            if len(answers) != ANNOTATORS:
                raise DataError(
                    f"{path}: question {number} has {len(answers)} answers; expected {ANNOTATORS} texts called 'answer'"
                )
            yield _Question(number, image, text, sys.intern(kind), sys.intern(common), answers)
        if asked:
            raise DataError(
                f"{path}: {len(asked):,} questions of {questions.name} have no annotation "
                f"(first: {next(iter(asked))}); fetch both of the same version"
            )

    def _asked(self, path: Path, part: str) -> dict[int, tuple[int, str]]:
        """Question number -> its image and text."""
        asked: dict[int, tuple[int, str]] = {}
        for number, image, text in in_list(path, "questions", {"question_id": int, "image_id": int, "question": str}):
            if number in asked:
                raise DataError(f"{path}: question {number} occurs twice; fetch the file again")
            photo = self.photos.get(image)
            if photo is None or photo.folder != part:
                where = f"in {photo.folder}" if photo else f"not in {self.folder / KARPATHY}"
                raise DataError(
                    f"{path}: question {number} is about image {image}, which is {where}; "
                    "put the files of train2014 and val2014 under their own names"
                )
            asked[number] = (image, text.strip())
        return asked

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Official soft accuracy."""
        return Scored(*vqa_accuracy(predictions, [example.references for example in examples]))


def _texts(answers: Sequence[object]) -> tuple[str, ...]:
    """The annotators' answers; nothing if one of them is no text."""
    try:
        return tuple([sys.intern(answer["answer"]) for answer in answers])  # type: ignore[index]  # caught below
    except (KeyError, TypeError):
        return ()
