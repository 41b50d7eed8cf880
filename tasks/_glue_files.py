"""GLUE's sets as their owners write them down (Wang et al. 2019): the tab-separated files, the labels and the scores.

A file has a header (CoLA's have none), then one example a line, without quoting. An example is known by its column
"index", or where there is none by the number of its line, from 0. Scores are those of HyperFormer (Karimi Mahabadi et
al. 2021): an answer that is no label is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tasks._files import open_text
from tasks.base import DataError, Metric
from tasks.metrics.agreement import (
    CORRELATIONS,
    F1_AND_ACCURACY,
    MATTHEWS,
    f1,
    matthews,
    number,
    pearson,
    spearman,
    whole,
)
from tasks.metrics.exact import METRIC as ACCURACY
from tasks.metrics.exact import exact

Measure = Callable[[Sequence[str], Sequence[str]], Mapping[str, float]]
"""What was said and the truth -> raw fractions by the name of their metric."""


def accuracy(said: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """Share of labels that are given word for word."""
    return {"accuracy": exact(said, [(label,) for label in truth])[0]}


def correlation_of_classes(said: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """Matthews' correlation."""
    return {"matthews": matthews([whole(text) for text in said], [whole(text) for text in truth])}


def f1_and_accuracy(said: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """F1 of label 1, and accuracy."""
    value = f1([whole(text) for text in said], [whole(text) for text in truth])
    return {"f1": value, **accuracy(said, truth)}


def correlations_of_numbers(said: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """Pearson's and Spearman's correlation."""
    numbers, true = [number(text) for text in said], [number(text) for text in truth]
    return {"pearson": pearson(numbers, true), "spearman": spearman(numbers, true)}


class Row(NamedTuple):
    """What is read of one example."""

    id: str
    label: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class GlueSet:
    """How the owners write the labels of one set, and how answers are scored."""

    column: str  # of the labels
    labels: tuple[str, ...]  # in the order of their numbers; empty where labels are numbers on a scale
    metric: Metric = ACCURACY
    measure: Measure = accuracy
    header: tuple[str, ...] = ()  # the columns of files that do not say them
    torn: bool = False  # lines that are too short are pieces of a text with line breaks, which nobody reads

    @property
    def expected(self) -> str:
        """What a file should be, in words."""
        labels = ", ".join(self.labels) or "numbers"
        return f"a file in GLUE's format with labels ({labels}) in the column {self.column}"

    def rows(self, path: Path, texts: Sequence[str] = ()) -> Iterator[Row]:
        """Yield the examples of a file with their texts of these columns.

        Raises:
            DataError: the file cannot be read, lacks a column, or a line a field or its label.
        """
        with open_text(path) as file:
            lines = ([field.strip() for field in line.split("\t")] for line in file if line.strip())
            columns = list(self.header) or next(lines, [])
            absent = [name for name in (self.column, *texts) if name not in columns]
            if absent:
                raise DataError(f"{path}: has no column {', '.join(absent)}; expected {self.expected}")
            for place, fields in enumerate(lines):
                if self.torn and len(fields) < len(columns):
                    continue
                record = dict(zip(columns, fields, strict=False))
                label = record.get(self.column, "")
                if not self._knows(label):
                    raise DataError(f"{path}: record {place + 1}: has the label {label!r}; expected {self.expected}")
                if any(name not in record for name in texts):
                    raise DataError(
                        f"{path}: record {place + 1}: has {len(fields)} of {len(columns)} fields; fetch the file again"
                    )
                yield Row(record.get("index", str(place)), label, tuple([record[name] for name in texts]))

    def _knows(self, label: str) -> bool:
        if self.labels:
            return label in self.labels
        try:
            float(label)
        except ValueError:
            return False
        return True

    def right(self, said: Sequence[str], truth: Sequence[str]) -> list[float] | None:
        """1 for each label that is given word for word, else 0; None where labels are numbers on a scale."""
        return exact(said, [(label,) for label in truth])[1] if self.labels else None


_BINARY = ("0", "1")
_ENTAILED = ("entailment", "not_entailment")

SETS: Mapping[str, GlueSet] = {
    "cola": GlueSet("label", _BINARY, MATTHEWS, correlation_of_classes, header=("source", "label", "mark", "sentence")),
    "sst2": GlueSet("label", _BINARY),
    "mrpc": GlueSet("Quality", _BINARY, F1_AND_ACCURACY, f1_and_accuracy),
    "qqp": GlueSet("is_duplicate", _BINARY, F1_AND_ACCURACY, f1_and_accuracy, torn=True),
    "stsb": GlueSet("score", (), CORRELATIONS, correlations_of_numbers),
    "mnli": GlueSet("gold_label", ("entailment", "neutral", "contradiction")),
    "qnli": GlueSet("label", _ENTAILED),
    "rte": GlueSet("label", _ENTAILED),
    "wnli": GlueSet("label", _BINARY),
}
