"""What the eight tasks of `tasks.glue` share: where their files lie, and HyperFormer's splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from tasks._files import read_parquet
from tasks._glue_files import SETS, GlueSet
from tasks._text import Labelled, Share, TextTask, halved
from tasks.base import DataError, Example, Metric, Part, Role, Scored

HELD_OUT = 1000

HALVED = halved("dev")
"""Of sets with fewer than 10,000 training examples."""

KEPT_APART: Mapping[Role, Share] = {
    "train": Share(f"train without {HELD_OUT:,}", "train", lambda _: slice(HELD_OUT, None)),
    "select": Share(f"{HELD_OUT:,} of train", "train", lambda _: slice(HELD_OUT)),
    "report": Share("dev", "dev"),
}
"""Of larger ones."""

MATCHED: Mapping[Role, Share] = {
    "train": Share("train", "train"),
    "select": Share("dev mismatched", "dev_mismatched"),
    "report": Share("dev matched", "dev_matched"),
}
"""Of MNLI."""


class GlueTask(TextTask):
    """One of GLUE's sets, from the owners' files or, where those are not all there, from the hub's copies.

    The owners' folder has the set's ``title``, the hub's its name.
    """

    folders = ("glue",)
    required = ()  # hangs on whose files are there
    origin = "gluebenchmark.com/tasks has the owners' files, nyu-mll/glue on the Hugging Face hub parquet copies"
    columns: ClassVar[tuple[str, ...]]  # of the texts, in the owners' files
    copied: ClassVar[tuple[str, ...]]  # the same in the hub's

    @property
    def of(self) -> GlueSet:
        """Labels and scores of the set."""
        return SETS[self.name.removeprefix("glue/")]

    @property
    def metric(self) -> Metric:
        """How the set is scored."""
        return self.of.metric

    def files(self) -> tuple[Path, ...]:
        """The owners' files; the hub's copies where they are all there and the owners' are not."""
        names = dict.fromkeys(share.file for share in self.shares.values())
        own = tuple(self.folder / self.title / f"{name}.tsv" for name in names)
        copies = tuple(self._copy(name) for name in names)
        return copies if _whole(copies) and not _whole(own) else own

    def absent(self) -> list[str]:
        """Names of the files that are not there."""
        return [str(path.relative_to(self.folder)) for path in self.files() if not path.is_file()]

    def parts(self) -> Sequence[Part]:
        """Each of `files`."""
        if self.data is None:
            return ()
        return [self._part(path.relative_to(self.folder).as_posix(), needed=True) for path in self.files()]

    def _copy(self, file: str) -> Path:
        name = file.replace("dev", "validation")
        return self.folder / self.name.removeprefix("glue/") / f"{name}-00000-of-00001.parquet"

    def labelled(self, file: str) -> Iterable[Labelled]:
        """The examples of a file; a class is known by its number, which is its place among the labels."""
        own = self.folder / self.title / f"{file}.tsv"
        if own not in self.files():
            return self._copied(self._copy(file))
        target = self.of.labels.index if self.of.labels else _rounded
        return (Labelled(row.id, row.texts, f"{target(row.label)}") for row in self.of.rows(own, self.columns))

    def _copied(self, path: Path) -> Iterable[Labelled]:
        kind = "integer" if self.of.labels else "number"
        table = read_parquet(path, {**dict.fromkeys(self.copied, "text"), "label": kind})
        texts = zip(*(table[name].to_pylist() for name in self.copied), strict=True)
        for place, (label, each) in enumerate(zip(table["label"].to_pylist(), texts, strict=True)):
            if self.of.labels and not 0 <= label < len(self.of.labels):
                raise DataError(
                    f"{path}: record {place + 1}: has the label {label}; expected 0 to {len(self.of.labels) - 1}: "
                    "fetch a split whose labels are published"
                )
            target = f"{label}" if self.of.labels else _rounded(label)
            yield Labelled(f"{place}", tuple([text.strip() for text in each]), target)

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """The set's metric; of one example whether its label is right, and nothing where labels are numbers."""
        truth = [example.references[0] for example in examples]
        found = self.of.measure(predictions, truth)
        right = self.of.right(predictions, truth) or [float("nan")] * len(examples)
        more = found if self.metric.parts else {}
        return Scored(sum(found.values()) / len(found), right, more)


def _whole(files: Iterable[Path]) -> bool:
    return all(path.is_file() for path in files)


def _rounded(score: str | float) -> str:
    """A number with one decimal, halves to the even one, as HyperFormer's code has it."""
    return str(np.round(float(score), 1))
