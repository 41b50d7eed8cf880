"""NLVR (Suhr et al. 2017) and NLVR2 (Suhr et al. 2019): lines of labelled examples, and predictions.

* examples: one ``{identifier, label}`` a line; label "true" or "false", upper or lower case;
* predictions: one ``id,true`` or ``id,false`` a line. In NLVR2 the id is the example's identifier; in NLVR it is the
  name of a picture, ``split-identifier-order.png``, for each of the six orders of the boxes.

A sentence counts as consistent if all its judgements are right: in NLVR those of one sentence number, in NLVR2 those
whose identifiers (split-set-pair-sentence) differ in the pair of pictures alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tasks.base import DataError, Example
from tasks.nlvr import Nlvr
from tasks.official.files import Record, read_json_lines, read_rows
from tasks.official.formats import Format, Scores

_ORDERS = 6  # pictures of an NLVR example: the permutations of its three boxes


class _Line(Record):
    identifier: str
    label: str | None = None


def _labelled(path: Path, parts: int) -> list[tuple[str, list[str], str]]:
    """Identifier, its parts, and the label of each line."""
    found = []
    for number, row in enumerate(read_json_lines(path, _Line, "a line of JSON with identifier and label"), start=1):
        label, split = (row.label or "").lower(), row.identifier.split("-")
        place = f"{path}: record {number}: identifier {row.identifier}"
        if label not in ("true", "false"):
            raise DataError(f"{place} has the label {row.label!r}; expected true or false")
        if len(split) != parts:
            raise DataError(f"{place} has {len(split)} parts; expected {parts}, such as dev-1-2-0 or 12-0")
        found.append((row.identifier, split, label))
    return found


def nlvr_references(path: Path) -> list[Example]:
    """Six examples per line."""
    return [
        Example(f"{name}-{order}", "", (), references=(label,), cluster=parts[0])
        for name, parts, label in _labelled(path, 2)
        for order in range(_ORDERS)
    ]


def nlvr2_references(path: Path) -> list[Example]:
    """One example per line."""
    return [
        Example(name, "", (), references=(label,), cluster="-".join((split, group, sentence)))
        for name, (split, group, _, sentence), label in _labelled(path, 4)
    ]


def _nlvr_id(picture: str) -> str:
    return picture.partition(".")[0].partition("-")[2] or picture


def _predictions(path: Path, identifier: Callable[[str], str]) -> list[tuple[str, str]]:
    return [(identifier(row[0]), row[1].lower()) for row in read_rows(path, ",", "an id, a comma, true or false")]


def scores(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """Accuracy and consistency."""
    scored = Nlvr().score(examples, said)
    return Scores({"accuracy": scored.value, **scored.more}, {"accuracy": scored.per_example})


NLVR = Format("identifier", nlvr_references, partial(_predictions, identifier=_nlvr_id), scores)
NLVR2 = Format("identifier", nlvr2_references, partial(_predictions, identifier=str), scores)
