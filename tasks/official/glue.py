"""GLUE (Wang et al. 2019): the tab-separated files of a task, and the leaderboard's format of predictions.

* references: a header (CoLA's files have none), then one example a line. An example is known by its column "index", or
  where there is none by the number of its line, from 0;
* predictions: a header "index<tab>prediction", which may be absent, then one line an example, labels as in the
  references.

Scores are those of HyperFormer (Karimi Mahabadi et al. 2021): an answer that is no label is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tasks.base import DataError, Example
from tasks.metrics.agreement import f1, matthews, number, pearson, spearman, whole
from tasks.metrics.exact import exact
from tasks.official.files import read_rows
from tasks.official.formats import Format, Scorer, Scores

_BINARY = ("0", "1")
_ENTAILED = ("entailment", "not_entailment")
_COLA = ("source", "label", "mark", "sentence")


def references(path: Path, column: str, labels: Sequence[str], header: Sequence[str] = ()) -> list[Example]:
    """One example per line.

    Args:
        path: the file.
        column: the name of the label's column.
        labels: what it may hold; nothing for numbers.
        header: the columns of a file that does not say them.
    """
    expected = f"GLUE's file with labels ({', '.join(labels) or 'numbers'}) in the column {column}"
    rows = read_rows(path, "\t", expected)
    columns = list(header) or (rows.pop(0) if rows else [])
    if column not in columns:
        raise DataError(f"{path}: has no column {column}; expected {expected}")
    found = []
    for place, row in enumerate(rows):
        fields = dict(zip(columns, row, strict=False))
        label = fields.get(column, "")
        if label not in labels and (labels or not _is_number(label)):
            raise DataError(f"{path}: record {place + 1}: has the label {label!r}; expected {expected}")
        found.append(Example(fields.get("index", str(place)), "", (), references=(label,)))
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def predictions(path: Path) -> list[tuple[str, str]]:
    """The label given to each example."""
    rows = read_rows(path, "\t", "a header and lines: index, tab, prediction")
    return [(row[0], row[1]) for row in rows if row[0] != "index"]


def _truth(examples: Sequence[Example]) -> list[str]:
    return [example.references[0] for example in examples]


def accuracy(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """Share of examples whose label is given word for word."""
    value, each = exact(said, [example.references for example in examples])
    return Scores({"accuracy": value}, {"accuracy": each})


def correlation_of_classes(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """Matthews' correlation; for one example, whether its label is right."""
    value = matthews([whole(text) for text in said], [whole(text) for text in _truth(examples)])
    return Scores({"matthews": value}, accuracy(examples, said).per_example)


def f1_and_accuracy(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """F1 of label 1, and accuracy."""
    value = f1([whole(text) for text in said], [whole(text) for text in _truth(examples)])
    right = accuracy(examples, said)
    return Scores({"f1": value, **right.metrics}, right.per_example)


def correlations_of_numbers(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """Pearson's and Spearman's correlation, which one example has not."""
    numbers, truth = [number(text) for text in said], [number(text) for text in _truth(examples)]
    return Scores({"pearson": pearson(numbers, truth), "spearman": spearman(numbers, truth)})


def _format(column: str, labels: Sequence[str], scorer: Scorer, header: Sequence[str] = ()) -> Format:
    read = partial(references, column=column, labels=labels, header=header)
    return Format("index", read, predictions, scorer)


GLUE = {
    "cola": _format("label", _BINARY, correlation_of_classes, _COLA),
    "sst2": _format("label", _BINARY, accuracy),
    "mrpc": _format("Quality", _BINARY, f1_and_accuracy),
    "qqp": _format("is_duplicate", _BINARY, f1_and_accuracy),
    "stsb": _format("score", (), correlations_of_numbers),
    "mnli": _format("gold_label", ("entailment", "neutral", "contradiction"), accuracy),
    "qnli": _format("label", _ENTAILED, accuracy),
    "rte": _format("label", _ENTAILED, accuracy),
    "wnli": _format("label", _BINARY, accuracy),
}
