"""CB and BoolQ of SuperGLUE (Wang et al. 2019), with the splits of HyperFormer and HyperPELT for transfer.

Layout of ``<data>/superglue/``: ``CB/`` and ``BoolQ/``, each with ``train.jsonl`` and ``val.jsonl``, as
super.gluebenchmark.com/tasks gives them out. The labels of the owners' test files are hidden.
"""

from __future__ import annotations

from collections.abc import Iterable

from tasks._json import in_lines
from tasks._text import Labelled, TextTask, halved
from tasks.base import DataError

ORIGIN = "super.gluebenchmark.com/tasks has the files"


class Cb(TextTask):
    """CB: does a text commit its author to a hypothesis? Accuracy."""

    name = "cb"
    prefix = "superglue-cb "
    folders = ("superglue",)
    required = ("CB/train.jsonl", "CB/val.jsonl")
    origin = ORIGIN
    title = "CB"
    summary = "A text and a hypothesis; 0 entailment, 1 contradiction, 2 neither."
    citation = "de Marneffe, Simons and Tonhauser 2019"
    bibtex = "demarneffe2019cb"
    licence = "for research; none is stated"
    shares = halved("val")
    form = "premise: {} hypothesis: {}"
    labels = ("entailment", "contradiction", "neutral")

    def labelled(self, file: str) -> Iterable[Labelled]:
        """One example a line."""
        path = self.folder / "CB" / f"{file}.jsonl"
        lines = in_lines(path, {"premise": str, "hypothesis": str, "label": str, "idx": int})
        for premise, hypothesis, label, number in lines:
            if label not in self.labels:
                raise DataError(f"{path}: idx {number}: label {label!r}; expected one of {', '.join(self.labels)}")
            yield Labelled(f"{number}", (premise.strip(), hypothesis.strip()), f"{self.labels.index(label)}")


class BoolQ(TextTask):
    """BoolQ: is the answer to a question about a passage yes? Accuracy."""

    name = "boolq"
    prefix = "superglue-boolq "
    folders = ("superglue",)
    required = ("BoolQ/train.jsonl", "BoolQ/val.jsonl")
    origin = ORIGIN
    title = "BoolQ"
    summary = "A question that people searched for and a passage of an encyclopedia; 1 yes, 0 no."
    citation = "Clark, Lee, Chang, Kwiatkowski, Collins and Toutanova 2019"
    bibtex = "clark2019boolq"
    licence = "CC BY-SA 3.0"
    shares = halved("val")
    form = "question: {} passage: {}"

    def labelled(self, file: str) -> Iterable[Labelled]:
        """One example a line."""
        path = self.folder / "BoolQ" / f"{file}.jsonl"
        lines = in_lines(path, {"question": str, "passage": str, "label": bool, "idx": int})
        for question, passage, label, number in lines:
            yield Labelled(f"{number}", (question.strip(), passage.strip()), f"{int(label)}")
