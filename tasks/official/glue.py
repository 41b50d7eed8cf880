"""GLUE (Wang et al. 2019): the owners' files of a set, and the leaderboard's format of predictions.

* references: see `tasks._glue_files`;
* predictions: a header "index<tab>prediction", which may be absent, then one line an example, labels as in the
  references.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tasks._glue_files import SETS, GlueSet
from tasks.base import Example
from tasks.official.files import read_rows
from tasks.official.formats import Format, Scores


def references(path: Path, of: GlueSet) -> list[Example]:
    """One example per line."""
    return [Example(row.id, "", (), references=(row.label,)) for row in of.rows(path)]


def predictions(path: Path) -> list[tuple[str, str]]:
    """The label given to each example."""
    rows = read_rows(path, "\t", "a header and lines: index, tab, prediction")
    return [(row[0], row[1]) for row in rows if row[0] != "index"]


def scores(examples: Sequence[Example], said: Sequence[str], of: GlueSet) -> Scores:
    """The set's metrics; for one example, whether its label is right."""
    truth = [example.references[0] for example in examples]
    right = of.right(said, truth)
    return Scores(of.measure(said, truth), {} if right is None else {"accuracy": right})


GLUE = {
    name: Format("index", partial(references, of=of), predictions, partial(scores, of=of)) for name, of in SETS.items()
}
