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

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from tasks._coco import KARPATHY, KARPATHY_ORIGIN, SPLITS, KarpathyTask
from tasks._vqa import Question, annotated, worth
from tasks.base import Card, Decoding, Example, Role, Scored
from tasks.metrics.vqa import METRIC, normalise, vqa_accuracy

PARTS = ("train2014", "val2014")
FREQUENT = 9


class Vqav2(KarpathyTask):
    """One open question about one photo."""

    name = "vqav2"
    version = "2"
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
            targets = tuple([answer for answer in dict.fromkeys(question.answers) if answer in frequent])
            yield Example(
                id=str(question.id),
                text=question.text,
                images=images,
                targets=targets,
                weights=worth(question, targets),
                references=question.answers,
                cluster=images[0],
                kind=question.kind,
            )

    @cached_property
    def _frequent(self) -> frozenset[str]:
        as_given = Counter(common for question in self._questions for common in question.more)
        counts: Counter[str] = Counter()
        for answer, count in as_given.items():
            counts[normalise(answer).replace(",", "")] += count
        return frozenset(answer for answer, count in counts.items() if count >= FREQUENT)

    @cached_property
    def _questions(self) -> Sequence[Question]:
        """All questions of both parts, read once for all roles."""
        return [question for part in PARTS for question in self._annotated(part)]

    def _annotated(self, part: str) -> Iterator[Question]:
        """The questions of a part; beside them their most common answer."""

        def misplaced(image: int) -> str | None:
            photo = self.photos.get(image)
            if photo is None:
                return f"not in {self.folder / KARPATHY}"
            return None if photo.folder == part else f"in {photo.folder}"

        questions = self.folder / f"vqav2/v2_OpenEnded_mscoco_{part}_questions.json"
        annotations = self.folder / f"vqav2/v2_mscoco_{part}_annotations.json"
        return annotated(questions, annotations, misplaced, ["multiple_choice_answer"])

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Official soft accuracy."""
        return Scored(*vqa_accuracy(predictions, [example.references for example in examples]))
