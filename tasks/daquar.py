"""DAQUAR: human questions about indoor photos (Malinowski & Fritz 2014), scored by exact match.

Layout of ``<data>/daquar/``:

* ``qa.parquet``: question_id (integer), image_id (text), split (text), question (text, without the trailing
  "in the imageN ?"), answer (text; several objects are joined by ", ");
* ``images.parquet``: image_id (text), image_jpeg (bytes).

`data prepare` makes both from the owners' ``qa.894.raw.train.txt``, ``qa.894.raw.test.txt`` (a question and its answer
on a line each) and ``image1.png`` ..., of ``nyu_depth_images.tar``, unpacked.

Splits: "train" is parted by image into training and selection; "test" reports if any row has it, else "dev".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks._files import ParquetImages, read_parquet, write_parquet
from tasks._folder import FolderTask, held_out
from tasks._source import Entry, Source, Step
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.exact import METRIC, exact

LISTS = {"train": "qa.894.raw.train.txt", "test": "qa.894.raw.test.txt"}
_ABOUT = re.compile(r"\s*(?:\b(?:in|on|of|at) )?(?:\b(?:the|this) )?\s*(image\d+)\s*\?*\s*$")
_QUESTIONS = {"question_id": "integer"} | dict.fromkeys(("image_id", "split", "question", "answer"), "text")
_IMAGES = {"image_id": "text", "image_jpeg": "bytes"}


class Daquar(FolderTask):
    """One open question about one photo."""

    name = "daquar"
    version = "2"
    prefix = "vqa: "
    decoding = Decoding(max_length=20)
    text_limit = 40
    target_limit = 20
    folders = ("daquar",)
    required = ("qa.parquet", "images.parquet")
    origin = 'DAQUAR is at mpi-inf.mpg.de under "visual turing challenge"'

    @cached_property
    def _questions(self) -> list[dict[str, Any]]:
        return read_parquet(self.folder / "qa.parquet", _QUESTIONS).to_pylist()

    def _report_split(self) -> str:
        try:
            return "test" if any(row["split"] == "test" for row in self._questions) else "dev"
        except DataError:  # the card can be shown without the data; `examples` tells what is wrong with them
            return "dev"

    @property
    def card(self) -> Card:
        """The task's card; reports on "test" where the file has it."""
        return Card(
            title="DAQUAR",
            summary="An open human question about one indoor photo; the answer must match as a whole string.",
            source=f"Malinowski and Fritz 2014; {self.origin}",
            licence="research use (NYU Depth v2 photos, DAQUAR text)",
            splits={
                "train": "train, about 90 % of its images",
                "select": "train, about 10 % of its images",
                "report": self._report_split(),
            },
            metric=METRIC,
            bibtex="malinowski2014daquar",
            sizes={"train+select": 6_795, "report": 5_673},
        )

    def read(self, role: Role) -> Iterable[Example]:
        """One example per question, in the order of the file."""
        split = self._report_split() if role == "report" else "train"
        rows = [row for row in self._questions if row["split"] == split]
        if role != "report":
            chosen = held_out((row["image_id"] for row in rows), self.name)
            rows = [row for row in rows if (row["image_id"] in chosen) == (role == "select")]
        for row in rows:
            question, answer = row["question"].strip(), row["answer"].strip()
            yield Example(
                id=str(row["question_id"]),
                text=question,
                images=(row["image_id"],),
                targets=(answer,),
                weights=(1.0,),
                references=(answer,),
                cluster=row["image_id"],
                kind=" ".join(question.split()[:2]),
            )

    def preparation(self, source: Source) -> Sequence[Step]:
        """The two tables, from the owners' lists and photos."""
        lists = {split: entry for split, name in LISTS.items() if (entry := source.find(name))}
        if len(lists) < len(LISTS):
            return super().preparation(source)

        def rows() -> Iterator[tuple[str, str, str, str]]:
            for split, entry in lists.items():
                yield from _pairs(entry, split)

        def write_questions(path: Path) -> None:
            write_parquet(path, _QUESTIONS, ((number, *row) for number, row in enumerate(rows())))

        def write_images(path: Path) -> None:
            names = dict.fromkeys(image for image, *_ in rows())
            write_parquet(path, _IMAGES, ((name, source.content(f"{name}.png")) for name in names))

        return [Step(self._place("qa.parquet"), write_questions), Step(self._place("images.parquet"), write_images)]

    def open_images(self, role: Role) -> ImageSet:
        """All photos of all splits."""
        path = self.folder / "images.parquet"
        return ParquetImages(self.image_set_name(role), [path], ("image_id", "text"), "image_jpeg")

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Exact match of the whole answer."""
        return Scored(*exact(predictions, [example.references for example in examples]))


def _pairs(entry: Entry, split: str) -> Iterator[tuple[str, str, str, str]]:
    """Image, split, question without the image, and answer, of each two lines of the owners' list."""
    lines = entry.read().decode("utf-8", "replace").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    for number in range(0, len(lines), 2):
        question, answer = lines[number].strip(), "".join(lines[number + 1 : number + 2]).strip()
        about = _ABOUT.search(question)
        if about is None or not answer:
            raise DataError(
                f"{entry.place}: line {number + 1}: expected a question that ends with 'in the image12 ?', and its "
                "answer on the next line; fetch the file again"
            )
        yield about.group(1), split, question[: about.start()], answer
