"""NLVR, version 1: is a human sentence true of a picture of three boxes with shapes? (Suhr et al. 2017)

Layout of ``<data>/nlvr/``: ``train_official.parquet``, ``dev.parquet``, if present
``train_siblings_derived.parquet`` and ``test.parquet``, each with identifier (text, "sentence number-image
number"), permutation (integer), sentence (text), label (boolean), directory (integer), image_file (text),
image_png (bytes).

`data prepare` makes the official ones from a clone of the owners' repository, which holds ``nlvr/train/train.json``.

The three boxes are one 400 x 100 picture, so an example has one image. Encoders take square pictures, so the boxes are
laid out in two rows: squeezed into a square, shapes would be four times as tall as wide. Training reads every order of
the boxes (``permutation``) that is there, selection and report the first one. Selection takes whole cross-validation
buckets (``directory``) of the training set, official labels only, and nothing of those buckets is trained on, so no
sentence number is on both sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from tasks._files import ParquetImages, read_parquet, write_parquet
from tasks._folder import FolderTask, held_out
from tasks._source import Entry, Source, Step
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.consistency import consistency
from tasks.metrics.exact import METRIC, exact

_OFFICIAL = "train_official.parquet"
_DERIVED = "train_siblings_derived.parquet"
_TEST = "test.parquet"
Rows = Mapping[str, Any] | None  # what the columns of the rows that count hold; None: every row counts
_FIRST_ORDER: Rows = {"permutation": 0}
_MADE = {"train": _OFFICIAL, "dev": "dev.parquet", "test": _TEST}  # split of the owners -> table
_ORDERS = 6  # of three boxes
_COLUMNS = {
    "identifier": "text",
    "sentence": "text",
    "label": "boolean",
    "permutation": "integer",
    "directory": "integer",
    "image_file": "text",
}


class BoxImages(ParquetImages):
    """Pictures of three boxes, laid out in two rows."""

    def __init__(self, name: str, files: Sequence[Path], rows: Rows = None) -> None:
        """Remember the files; cached features of other rows, or of the files shown as they are, must not be taken."""
        super().__init__(name, files, ("image_file", "text"), "image_png", rows)
        self.fingerprint += "-two-rows" + ("" if rows else "-all-orders")

    def open(self, image_id: str) -> Image.Image:
        """Decode one picture and lay its boxes out."""
        return in_two_rows(super().open(image_id))


def in_two_rows(picture: Image.Image) -> Image.Image:
    """Three square boxes side by side, half a side apart -> two above and one below, on the colour between them.

    A picture of another form stays as it is.
    """
    side = picture.height
    if picture.width != 4 * side:
        return picture
    square = Image.new(picture.mode, (2 * side, 2 * side), picture.getpixel((side + side // 4, side // 2)))
    for number, corner in enumerate(((0, 0), (side, 0), (0, side))):
        left = number * 3 * side // 2
        square.paste(picture.crop((left, 0, left + side, side)), corner)
    return square


class Nlvr(FolderTask):
    """Judge one sentence about one picture: "true" or "false"."""

    name = "nlvr"
    version = "3"
    prefix = "nlvr: "
    decoding = Decoding(choices=("true", "false"))
    target_limit = 10
    folders = ("nlvr",)
    required = (_OFFICIAL, "dev.parquet")
    optional = (_DERIVED, _TEST)
    origin = "NLVR is at github.com/lil-lab/nlvr"
    derived_labels: ClassVar[bool] = True
    """Also train on the rows of ``train_siblings_derived.parquet``: real images and sentences, with labels
    that follow from how the sentences were collected and are wrong in 7 to 14 % of cases. Never selected or
    reported on.
    """

    def _report_file(self) -> Path:
        test = self.folder / _TEST
        return test if test.is_file() else self.folder / "dev.parquet"

    def _train_files(self) -> list[Path]:
        derived = self.folder / _DERIVED
        return [self.folder / _OFFICIAL, *([derived] if self.derived_labels and derived.is_file() else [])]

    @property
    def card(self) -> Card:
        """The task's card; reports on "test" where its file is there."""
        weak = self.data is not None and len(self._train_files()) > 1
        return Card(
            title="NLVR",
            summary="A human sentence about one picture of three boxes with shapes; true or false.",
            source=f"Suhr, Lewis, Yeh and Artzi 2017; {self.origin}",
            licence="CC BY 4.0",
            splits={
                "train": "train, about 90 % of its buckets" + (", and weakly labelled siblings" if weak else ""),
                "select": "train, about 10 % of its buckets",
                "report": self._report_file().stem if self.data else "dev",
            },
            metric=METRIC,
            cluster="sentence",
            bibtex="suhr2017nlvr",
        )

    def preparation(self, source: Source) -> Sequence[Step]:
        """A table for each split of a clone of the repository that has labels."""
        steps = []
        for split, table in _MADE.items():
            entry = source.find(f"nlvr/{split}/{split}.json")
            if entry and b'"label"' in entry.read():
                rows = partial(_official_rows, source, entry, split)
                steps.append(Step(self._place(table), partial(_write_table, rows)))
        return steps or super().preparation(source)

    def _table(self, path: Path, rows: Rows) -> list[dict[str, Any]]:
        return read_parquet(path, _COLUMNS, rows).to_pylist()

    def read(self, role: Role) -> Iterable[Example]:
        """One example per judgement, and in training per order of the boxes; in the order of the files."""
        wanted = None if role == "train" else _FIRST_ORDER
        if role == "report":
            rows = self._table(self._report_file(), wanted)
        else:
            official, *derived = (self._table(path, wanted) for path in self._train_files())
            chosen = held_out((str(row["directory"]) for row in official), self.name)
            used = official if role == "select" else chain(official, *derived)
            rows = [row for row in used if (str(row["directory"]) in chosen) == (role == "select")]
        return map(self._made, rows)

    def _made(self, row: Mapping[str, Any]) -> Example:
        label = "true" if row["label"] else "false"
        return Example(
            id=f"{row['identifier']}-{row['permutation']}",
            text=row["sentence"].strip(),
            images=(row["image_file"],),
            targets=(label,),
            weights=(1.0,),
            references=(label,),
            cluster=self._sentence_number(row["identifier"]),
        )

    def _sentence_number(self, identifier: str) -> str:
        number, dash, image = identifier.partition("-")
        if not (number and dash and image):
            raise DataError(
                f"{self.folder}: identifier {identifier!r}; expected two numbers such as 12-0; {self.origin}"
            )
        return number

    def image_set_name(self, role: Role) -> str:
        """Training and selection share the pictures of the training files."""
        return f"nlvr/{self._report_file().stem if role == 'report' else 'train'}"

    def open_images(self, role: Role) -> ImageSet:
        """Pictures by the name of their official file."""
        if role == "report":
            return BoxImages(self.image_set_name(role), [self._report_file()], _FIRST_ORDER)
        return BoxImages(self.image_set_name(role), self._train_files())

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Accuracy, and consistency over the pictures of a sentence (one order of the boxes each)."""
        value, each = exact(predictions, [example.references for example in examples])
        return Scored(value, each, {"consistency": consistency(each, [example.cluster for example in examples])})


def _write_table(rows: Callable[[], Iterable[tuple[Any, ...]]], path: Path) -> None:
    write_parquet(path, _COLUMNS | {"image_png": "bytes"}, rows())


def _official_rows(source: Source, entry: Entry, split: str) -> Iterator[tuple[Any, ...]]:
    """A row of `_COLUMNS` and the picture for every example and order of the boxes."""
    for number, line in enumerate(entry.read().splitlines(), 1):
        try:
            example = json.loads(line)
            name, sentence, label = example["identifier"], example["sentence"], example["label"] == "true"
            bucket = int(example.get("directory") or 0)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{entry.place}: line {number}: expected an object with identifier, sentence and label; fetch it again"
            ) from error
        for order in range(_ORDERS):
            file = f"{split}-{name}-{order}.png"
            yield name, sentence, label, order, bucket, file, source.content(file)
