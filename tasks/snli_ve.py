"""SNLI-VE: does a photo entail a sentence, contradict it, or neither? (Xie et al. 2019), scored by accuracy.

Layout of ``<data>/``:

* ``snli_ve/snli_ve_{train,dev,test}.jsonl``, from the owners' repository: one object a line, of which pairID,
  Flickr30K_ID, sentence2 and gold_label are read;
* ``flickr30k/``: Flickr30k's photos by their numbers, such as ``4705552913.jpg``, in any folders below.

The first sentence, the caption that the photo stands for, is not read: it would say what is to be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tasks._json import in_lines, values_of
from tasks._photos import PhotoTask
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.exact import METRIC, exact

SPLITS: Mapping[Role, str] = {"train": "train", "select": "dev", "report": "test"}


class SnliVe(PhotoTask):
    """Judge a sentence by a photo: entailment, neutral or contradiction."""

    name = "snli-ve"
    version = "1"
    prefix = "snli-ve: "
    decoding = Decoding(choices=("entailment", "neutral", "contradiction"))
    required = tuple(f"snli_ve/snli_ve_{name}.jsonl" for name in SPLITS.values())
    photo_folders = ("flickr30k",)
    photo_origin = "the photos are on request at shannon.cs.illinois.edu/DenotationGraph"
    origin = f"snli_ve_train.jsonl and the others are named at github.com/necla-ml/SNLI-VE, {photo_origin}"

    @property
    def card(self) -> Card:
        """The task's card."""
        return Card(
            title="SNLI-VE",
            summary="A photo and a human sentence; entailment, neutral or contradiction.",
            source=f"Xie, Lai, Doran and Kadav 2019; {self.origin}",
            licence="CC BY-SA 4.0 (SNLI's sentences); the photos belong to their owners on Flickr, for research",
            splits=SPLITS,
            metric=METRIC,
            bibtex="xie2019snlive",
        )

    def _path(self, role: Role) -> Path:
        return self.folder / f"snli_ve/snli_ve_{SPLITS[role]}.jsonl"

    def _photos_of(self, role: Role) -> set[str]:
        return values_of(self._path(role), "Flickr30K_ID")

    def photo_names(self) -> set[str]:
        """The photo of each number in the files."""
        return {f"{number}.jpg" for role in SPLITS for number in self._photos_of(role)}

    def read(self, role: Role) -> Iterable[Example]:
        """One example per pair, in the order of the file."""
        path = self._path(role)
        fields = {"pairID": str, "Flickr30K_ID": str, "sentence2": str, "gold_label": str}
        for name, photo, sentence, label in in_lines(path, fields):
            if label not in self.decoding.choices:
                raise DataError(
                    f"{path}: {name}: gold_label {label!r}; expected one of {', '.join(self.decoding.choices)}"
                )
            yield Example(
                id=name,
                text=sentence.strip(),
                images=(photo,),
                targets=(label,),
                weights=(1.0,),
                references=(label,),
                cluster=photo,
            )

    def image_set_name(self, role: Role) -> str:
        """One set of photos for each file."""
        return f"snli-ve/{SPLITS[role]}"

    def open_images(self, role: Role) -> ImageSet:
        """Photos by their numbers."""
        files = {number: f"{number}.jpg" for number in sorted(self._photos_of(role))}
        return self.photo_files(self.image_set_name(role), files)

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Accuracy."""
        return Scored(*exact(predictions, [example.references for example in examples]))
