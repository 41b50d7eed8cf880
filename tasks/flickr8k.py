"""Flickr8k: photos with five human captions each (Hodosh, Young & Hockenmaier 2013), scored by CIDEr.

Layout of ``<data>/flickr8k_1000/`` (or ``flickr8k/``):

* ``captions_train.json``, ``captions_dev.json``, if present ``captions_test.json``: COCO caption format, of
  which ``annotations`` (``image_id``, ``caption``) is read;
* ``images.parquet``: image_id (integer), image_jpeg (bytes), for all splits.

Splits: "train" is parted by image into training and selection; "test" reports where present, else "dev".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tasks._files import ParquetImages
from tasks._folder import FolderTask, held_out
from tasks.base import Card, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.cider import METRIC, cider
from tasks.official.captions import references


class Flickr8k(FolderTask):
    """Describe one photo in a sentence."""

    name = "flickr8k"
    version = "2"
    prefix = "caption: "
    decoding = Decoding(beams=5, max_length=20)
    loss = "token"
    text_limit = 40
    target_limit = 40
    folders = ("flickr8k_1000", "flickr8k")
    required = ("captions_train.json", "captions_dev.json", "images.parquet")
    optional = ("captions_test.json",)
    origin = "Flickr8k is given out on request by the University of Illinois (Hodosh, Young and Hockenmaier 2013)"

    def _report_split(self) -> str:
        return "test" if self.data and (self.folder / "captions_test.json").is_file() else "dev"

    @property
    def card(self) -> Card:
        """The task's card; reports on "test" where its file is there."""
        return Card(
            title="Flickr8k",
            summary="One photo in, one sentence about it out; compared with five human captions.",
            source=f"Hodosh, Young and Hockenmaier 2013; {self.origin}",
            licence="non-commercial research and education",
            splits={
                "train": "train, about 90 % of its images",
                "select": "train, about 10 % of its images",
                "report": self._report_split(),
            },
            metric=METRIC,
            bibtex="hodosh2013flickr8k",
        )

    def _captions(self, split: str) -> Mapping[str, tuple[str, ...]]:
        """Image id -> its captions, in the order of the file."""
        return {image.id: image.references for image in references(self.folder / f"captions_{split}.json")}

    def read(self, role: Role) -> Iterable[Example]:
        """Training: one example per caption; otherwise one per image."""
        captions = self._captions(self._report_split() if role == "report" else "train")
        chosen = held_out(captions, self.name) if role != "report" else frozenset(captions)
        for image, texts in captions.items():
            if role == "train" and image not in chosen:
                for number, text in enumerate(texts):
                    yield Example(f"{image}-{number}", "", (image,), (text,), (1.0,), texts, cluster=image)
            elif role != "train" and image in chosen:
                yield Example(image, "", (image,), texts, (1.0,) * len(texts), texts, cluster=image)

    def open_images(self, role: Role) -> ImageSet:
        """All photos of all splits."""
        path = self.folder / "images.parquet"
        return ParquetImages(self.image_set_name(role), [path], ("image_id", "integer"), "image_jpeg")

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """CIDEr; document frequencies come from the examples given."""
        return Scored(*cider(predictions, [example.references for example in examples]))
