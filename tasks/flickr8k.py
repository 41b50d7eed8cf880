"""Flickr8k: photos with five human captions each (Hodosh, Young & Hockenmaier 2013), scored by CIDEr.

Layout of ``<data>/flickr8k_1000/`` (or ``flickr8k/``):

* ``captions_train.json``, ``captions_dev.json``, if present ``captions_test.json``: COCO caption format, of
  which ``annotations`` (``image_id``, ``caption``) is read;
* ``images.parquet``: image_id (integer), image_jpeg (bytes), for all splits.

`data prepare` makes them of the owners' ``Flickr8k_text.zip`` and ``Flickr8k_Dataset.zip``, unpacked or not; there an
image id is the number with which its file's name begins.

Splits: "train" is parted by image into training and selection; "test" reports where present, else "dev".
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tasks._files import ParquetImages, write_parquet
from tasks._folder import FolderTask, held_out
from tasks._source import Entry, Source, Step
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.cider import METRIC, cider
from tasks.official.captions import references

TOKENS = "Flickr8k.token.txt"
LISTS = {split: f"Flickr_8k.{split}Images.txt" for split in ("train", "dev", "test")}


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
            sizes={"report": 1_000},
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

    def preparation(self, source: Source) -> Sequence[Step]:
        """A file of captions for each split, and the table of photos."""
        tokens = source.find(TOKENS)
        lists = {split: entry for split, name in LISTS.items() if (entry := source.find(name))}
        if tokens is None or len(lists) < len(LISTS):
            return super().preparation(source)
        captions, photos = _captions_by_photo(tokens), {split: _lines(entry) for split, entry in lists.items()}

        def writer_of(split: str) -> Callable[[Path], None]:
            def write(path: Path) -> None:
                if lacking := [name for name in photos[split] if name not in captions]:
                    raise DataError(f"{tokens.place}: no caption of {lacking[0]}, which {lists[split].place} names")
                texts = [(_number(name), text) for name in photos[split] for text in captions[name]]
                records = [{"id": n, "image_id": image, "caption": text} for n, (image, text) in enumerate(texts)]
                images = [{"id": _number(name), "file_name": name} for name in photos[split]]
                path.write_text(json.dumps({"images": images, "annotations": records}), "utf-8")

            return write

        def write_images(path: Path) -> None:
            named = dict.fromkeys(name for split in photos for name in photos[split])
            rows = ((_number(name), source.content(name)) for name in named)
            write_parquet(path, {"image_id": "integer", "image_jpeg": "bytes"}, rows)

        steps = [Step(self._place(f"captions_{split}.json"), writer_of(split)) for split in lists]
        return [*steps, Step(self._place("images.parquet"), write_images)]

    def open_images(self, role: Role) -> ImageSet:
        """All photos of all splits."""
        path = self.folder / "images.parquet"
        return ParquetImages(self.image_set_name(role), [path], ("image_id", "integer"), "image_jpeg")

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """CIDEr; document frequencies come from the examples given."""
        return Scored(*cider(predictions, [example.references for example in examples]))


def _lines(entry: Entry) -> list[str]:
    """Lines of a text file that are not empty."""
    return [line.strip() for line in entry.read().decode("utf-8", "replace").splitlines() if line.strip()]


def _captions_by_photo(tokens: Entry) -> Mapping[str, list[str]]:
    """File of each photo -> its captions; a line is "1000268201_693b08cb0e.jpg#0", a tabulator, the caption."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(_lines(tokens), 1):
        place, tabulator, text = line.partition("\t")
        if not (tabulator and "#" in place):
            raise DataError(f"{tokens.place}: line {number}: expected photo.jpg#0, a tabulator and a caption")
        found[place.partition("#")[0]].append(text.strip())
    return found


def _number(name: str) -> int:
    """The number with which a photo's file is named."""
    number = name.partition("_")[0]
    if not number.isdecimal():
        raise DataError(f"{name}: expected a name such as 1000268201_693b08cb0e.jpg; fetch Flickr8k_text.zip again")
    return int(number)
