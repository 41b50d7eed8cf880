"""NLVR2: is a human sentence true of a pair of photos? (Suhr et al. 2019), scored by accuracy and consistency.

Layout of ``<data>/nlvr2/``:

* ``train.json``, ``dev.json``, ``test1.json`` (test-P), from the owners' repository: one object a line, of which
  identifier, sentence and label are read;
* ``images/``: the photos by their official names, such as ``train-10171-0-img0.png`` (left) and ``-img1.png`` (right),
  in any folders below: the owners' download (on request) sorts the training ones into numbered folders.

An identifier says split, set of photos, pair and sentence, such as ``dev-656-2-0``. An example has two images, left
first. Consistency is the share of a set's sentences that are judged right of all their pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks._json import in_lines, values_of
from tasks._photos import PhotoTask
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.consistency import consistency
from tasks.metrics.exact import METRIC, exact

SPLITS: Mapping[Role, str] = {"train": "train", "select": "dev", "report": "test1"}


class _Identifier(NamedTuple):
    split: str
    set: str
    pair: str
    sentence: str

    @classmethod
    def parse(cls, text: str) -> _Identifier | None:
        parts = text.split("-")
        return cls(*parts) if len(parts) == len(cls._fields) and all(parts) else None

    @property
    def photos(self) -> tuple[str, str]:
        """Files of the left and the right photo."""
        stem = f"{self.split}-{self.set}-{self.pair}"
        return f"{stem}-img0.png", f"{stem}-img1.png"


class Nlvr2(PhotoTask):
    """Judge one sentence about two photos: "true" or "false"."""

    name = "nlvr2"
    version = "1"
    prefix = "nlvr: "
    decoding = Decoding(choices=("true", "false"))
    batch_share = 20 / 60
    required = tuple(f"nlvr2/{name}.json" for name in SPLITS.values())
    photo_folders = ("nlvr2/images",)
    photo_origin = "the owners give the photos out on request, see nlvr2/README.md at github.com/lil-lab/nlvr"
    origin = f"train.json, dev.json and test1.json are at github.com/lil-lab/nlvr in nlvr2/data, {photo_origin}"

    @property
    def card(self) -> Card:
        """The task's card."""
        return Card(
            title="NLVR2",
            summary="A human sentence about a pair of photos; true or false.",
            source=f"Suhr, Zhou, Zhang, Zhang, Bai and Artzi 2019; {self.origin}",
            licence="CC BY 4.0 (sentences and labels); photos for research, on request",
            splits={"train": "train", "select": "dev", "report": "test-P"},
            metric=METRIC,
            cluster="set of photos",
            bibtex="suhr2019nlvr2",
            sizes={"train": 86_373, "select": 6_982, "report": 6_967},
        )

    def _path(self, role: Role) -> Path:
        return self.folder / f"nlvr2/{SPLITS[role]}.json"

    def photo_names(self) -> set[str]:
        """The two photos of each identifier in the files."""
        found = (_Identifier.parse(text) for role in SPLITS for text in values_of(self._path(role), "identifier"))
        return {photo for identifier in found if identifier for photo in identifier.photos}

    def read(self, role: Role) -> Iterable[Example]:
        """One example per judgement, in the order of the file."""
        path, split = self._path(role), SPLITS[role]
        for name, sentence, label in in_lines(path, {"identifier": str, "sentence": str, "label": str}):
            identifier = _Identifier.parse(name)
            if identifier is None or identifier.split != split:
                raise DataError(
                    f"{path}: identifier {name!r}; expected one such as {split}-12-0-1: put the file of {split} here"
                )
            answer = label.lower()
            if answer not in self.decoding.choices:
                raise DataError(f"{path}: {name}: label {label!r}; expected True or False")
            yield Example(
                id=name,
                text=sentence.strip(),
                images=identifier.photos,
                targets=(answer,),
                weights=(1.0,),
                references=(answer,),
                cluster=f"{split}-{identifier.set}",
            )

    def image_set_name(self, role: Role) -> str:
        """One set of photos for each file."""
        return f"nlvr2/{SPLITS[role]}"

    def open_images(self, role: Role) -> ImageSet:
        """Photos by the name of their file."""
        prefix = f"{SPLITS[role]}-"
        names = sorted(name for name in self.wanted_photos if name.startswith(prefix))
        return self.photo_files(self.image_set_name(role), {name: name for name in names})

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Accuracy, and consistency over the pairs of a sentence."""
        value, each = exact(predictions, [example.references for example in examples])
        sentences = [f"{example.cluster}-{example.id.rpartition('-')[2]}" for example in examples]
        return Scored(value, each, {"consistency": consistency(each, sentences)})
