"""DAQUAR: human questions about indoor photos (Malinowski & Fritz 2014), scored by exact match.

Layout of ``<data>/daquar/``:

* ``qa.parquet``: question_id (integer), image_id (text), split (text), question (text, without the trailing
  "in the imageN ?"), answer (text; several objects are joined by ", ");
* ``images.parquet``: image_id (text), image_jpeg (bytes).

Splits: "train" is parted by image into training and selection; "test" reports if any row has it, else "dev".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from tasks._files import ParquetImages, read_parquet
from tasks._folder import FolderTask, held_out
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Role, Scored
from tasks.metrics.exact import METRIC, exact


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
        columns = ("image_id", "split", "question", "answer")
        kinds = {"question_id": "integer"} | dict.fromkeys(columns, "text")
        return read_parquet(self.folder / "qa.parquet", kinds).to_pylist()

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

    def open_images(self, role: Role) -> ImageSet:
        """All photos of all splits."""
        path = self.folder / "images.parquet"
        return ParquetImages(self.image_set_name(role), [path], ("image_id", "text"), "image_jpeg")

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Exact match of the whole answer."""
        return Scored(*exact(predictions, [example.references for example in examples]))
