"""GQA: composed questions about photos of Visual Genome (Hudson and Manning 2019), scored by exact match.

Layout of ``<data>/gqa/``, as the owners' downloads unpack:

* ``train_balanced_questions.json``, ``val_balanced_questions.json``, ``testdev_balanced_questions.json``: an object of
  records by question id, of which question, imageId, answer, isBalanced and types (structural) are read;
* ``images/``: ``2370134.jpg`` and so on.

Training takes the train and val questions, as VL-T5, VL-Adapter and VL-PET do, but for those of a few photos, drawn by
seed, on which checkpoints are selected; the papers select nothing and report test-dev after the last epoch, as here.

Their code puts "gpa: " before the questions, a slip of the pen that their numbers hang on. This task says "gqa: "; the
setting ``task_prefixes: published`` of a grid says it as they do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from tasks._folder import held_out
from tasks._json import in_object, values_of
from tasks._photos import PhotoTask
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.exact import METRIC, exact

SELECT_SHARE = 0.02  # of the training photos: 1,600 of them, with some 20,000 questions
TRAINING, REPORTED = ("train", "val"), "testdev"
_FIELDS = {"question": str, "imageId": str, "answer": str, "isBalanced": bool, "types": dict}


class Gqa(PhotoTask):
    """One composed question about one photo."""

    name = "gqa"
    version = "2"
    prefix = "gqa: "
    published_prefix = "gpa: "
    decoding = Decoding(max_length=20)
    text_limit = 20
    batch_share = 100 / 60
    required = tuple(f"gqa/{part}_balanced_questions.json" for part in (*TRAINING, REPORTED))
    photo_folders = ("gqa/images",)
    photo_origin = "images.zip is at cs.stanford.edu/people/dorarad/gqa"
    origin = f"the questions are in questions1.2.zip, {photo_origin}"

    @property
    def card(self) -> Card:
        """The task's card."""
        return Card(
            title="GQA",
            summary="A composed question about one photo; the answer must match as a whole string.",
            source=f"Hudson and Manning 2019; {self.origin}",
            licence="CC BY 4.0 (questions); photos of Visual Genome",
            splits={
                "train": "train and val balanced, about 98 % of their images",
                "select": "train and val balanced, about 2 % of their images",
                "report": "test-dev balanced",
            },
            metric=METRIC,
            bibtex="hudson2019gqa",
            sizes={"train+select": 1_075_062, "report": 12_578},
        )

    def _path(self, part: str) -> Path:
        return self.folder / f"gqa/{part}_balanced_questions.json"

    def photo_names(self) -> set[str]:
        """The photo of each question in the files."""
        return {f"{image}.jpg" for part in (*TRAINING, REPORTED) for image in values_of(self._path(part), "imageId")}

    def read(self, role: Role) -> Iterable[Example]:
        """One example per question, in the order of the files."""
        if role == "report":
            return self._reported
        return [example for example in self._training if (example.cluster in self._selected) == (role == "select")]

    @cached_property
    def _reported(self) -> Sequence[Example]:
        return list(self._read(REPORTED))

    @cached_property
    def _training(self) -> Sequence[Example]:
        """The questions of train and val, read once for training and selection."""
        made = list(self._read(*TRAINING))
        trained = {example.cluster for example in made}
        if shared := sorted(trained & values_of(self._path(REPORTED), "imageId")):
            raise DataError(
                f"{self._path(REPORTED)}: {len(shared):,} of its photos are trained on (first: {shared[0]}); "
                "put the files of train, val and testdev under their own names"
            )
        return made

    @cached_property
    def _selected(self) -> frozenset[str]:
        """The photos that are kept from training."""
        return held_out((example.cluster for example in self._training), self.name, SELECT_SHARE)

    def _read(self, *parts: str) -> Iterator[Example]:
        seen: set[str] = set()
        photos: dict[str, tuple[str, ...]] = {}  # an object is kept once, not for each question
        answers: dict[str, tuple[str, ...]] = {}
        for path in map(self._path, parts):
            for name, question, image, answer, balanced, types in in_object(path, _FIELDS):
                if name in seen:
                    raise DataError(f"{path}: question {name} occurs twice in {' and '.join(parts)}; fetch it again")
                if not balanced:
                    raise DataError(f"{path}: question {name} is not balanced; put the balanced questions here")
                seen.add(name)
                images, targets = photos.setdefault(image, (image,)), answers.setdefault(answer, (answer,))
                yield Example(
                    id=name,
                    text=question.strip(),
                    images=images,
                    targets=targets,
                    weights=(1.0,),
                    references=targets,
                    cluster=images[0],
                    kind=sys.intern(str(types.get("structural", ""))),
                )

    def image_set_name(self, role: Role) -> str:
        """Training and selection share the photos of their files."""
        return f"gqa/{REPORTED if role == 'report' else 'train-val'}"

    def open_images(self, role: Role) -> ImageSet:
        """Photos by their id."""
        examples = self._reported if role == "report" else self._training
        files = {example.cluster: f"{example.cluster}.jpg" for example in examples}
        return self.photo_files(self.image_set_name(role), files)

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Exact match of the whole answer."""
        return Scored(*exact(predictions, [example.references for example in examples]))
