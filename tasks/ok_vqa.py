"""OK-VQA: questions about COCO's photos that ask for knowledge (Marino et al. 2019), scored by VQA accuracy.

Layout of ``<data>/okvqa/``, as okvqa.allenai.org gives it out: ``OpenEnded_mscoco_{train,val}2014_questions.json``
and ``mscoco_{train,val}2014_annotations.json``; and the photos of ``<data>/coco/`` as `tasks._coco` says.

A tenth of the training photos is kept from training, to select; val2014 reports, as in the papers. Five people answered
each question, and the owners count every answer twice, so that ten are compared. All of them are learnt, each worth 0.6
or 1 when one or several people gave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from tasks._coco import PHOTO_ORIGIN
from tasks._folder import held_out
from tasks._photos import PhotoTask
from tasks._vqa import Question, annotated, worth
from tasks.base import Card, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.vqa import METRIC, vqa_accuracy

PARTS = ("train2014", "val2014")
SPLITS: Mapping[Role, str] = {
    "train": "train2014, nine tenths of the photos",
    "select": "train2014, a tenth of the photos",
    "report": "val2014",
}


class OkVqa(PhotoTask):
    """One open question about one photo, of which the photo alone does not tell the answer."""

    name = "ok-vqa"
    version = "1"
    prefix = "vqa: "
    decoding = Decoding(max_length=20)
    loss = "weighted-example"
    text_limit = 20
    target_limit = 10
    required = (
        *(f"okvqa/OpenEnded_mscoco_{part}_questions.json" for part in PARTS),
        *(f"okvqa/mscoco_{part}_annotations.json" for part in PARTS),
    )
    photo_folders = ("coco/train2014", "coco/val2014")
    photo_origin = PHOTO_ORIGIN
    origin = f"questions and annotations are at okvqa.allenai.org/download.html, {PHOTO_ORIGIN}"

    @property
    def card(self) -> Card:
        """The task's card."""
        return Card(
            title="OK-VQA",
            summary="An open human question about one photo that asks for knowledge; ten answers; soft VQA accuracy.",
            source=f"Marino, Rastegari, Farhadi and Mottaghi 2019; {self.origin}",
            licence="for research, see okvqa.allenai.org; the photos belong to their owners on Flickr",
            splits=SPLITS,
            metric=METRIC,
            bibtex="marino2019okvqa",
        )

    @cached_property
    def _questions(self) -> Mapping[Role, Sequence[Question]]:
        """The questions of each role, read once for all."""
        asked, report = (
            list(
                annotated(
                    self.folder / f"okvqa/OpenEnded_mscoco_{part}_questions.json",
                    self.folder / f"okvqa/mscoco_{part}_annotations.json",
                    lambda _: None,  # nothing else says of which part a photo is
                )
            )
            for part in PARTS
        )
        kept = held_out((f"{question.image}" for question in asked), self.name) if asked else frozenset()
        return {
            "train": [question for question in asked if f"{question.image}" not in kept],
            "select": [question for question in asked if f"{question.image}" in kept],
            "report": report,
        }

    def _files(self, role: Role) -> dict[str, str]:
        """Number -> file of each photo of a role."""
        part = PARTS[role == "report"]
        numbers = dict.fromkeys(question.image for question in self._questions[role])
        return {f"{number}": f"COCO_{part}_{number:012}.jpg" for number in numbers}

    def photo_names(self) -> set[str]:
        """The photo of each question."""
        return {file for role in SPLITS for file in self._files(role).values()}

    def read(self, role: Role) -> Iterable[Example]:
        """One example per question, in the order of the annotations."""
        for question in self._questions[role]:
            targets = tuple(dict.fromkeys(question.answers))
            yield Example(
                id=f"{question.id}",
                text=question.text,
                images=(f"{question.image}",),
                targets=targets,
                weights=worth(question, targets),
                references=question.answers,
                cluster=f"{question.image}",
                kind=question.kind,
            )

    def image_set_name(self, role: Role) -> str:
        """One set of photos for each role."""
        return f"ok-vqa/{role}"

    def open_images(self, role: Role) -> ImageSet:
        """Photos by their number in COCO."""
        return self.photo_files(self.image_set_name(role), self._files(role))

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Official soft accuracy."""
        return Scored(*vqa_accuracy(predictions, [example.references for example in examples]))
