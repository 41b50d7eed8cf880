"""What the page's viewer of predictions shows: sampled examples of each task and what each row answered.

One finished seed stands for each row. Texts that many rows share (questions, references, common answers) are kept
once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from reports.columns import records
from reports.formats import plain, present
from reports.record import RecordError
from reports.run import Run
from reports.samples import PER_TASK, sampled

ANSWERS = 40_000  # over all rows and tasks: about two megabytes
FEWEST = 5  # examples of a task
LONGEST = 600  # letters of a text

Thing = TypeVar("Thing", bound=Hashable)


class _Numbered(dict[Thing, int]):
    """Different things in order of appearance, each with its index."""

    def number(self, thing: Thing) -> int:
        """The index of a thing, which is added if it is new."""
        return self.setdefault(thing, len(self))


@dataclass
class Examples:
    """Examples, texts and pictures by index, and the answers of each cell that point to them."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)  # title, metric
    examples: _Numbered[tuple[Any, ...]] = field(default_factory=_Numbered)  # task, id, kind, text, references, images
    texts: _Numbered[str] = field(default_factory=_Numbered)
    pictures: _Numbered[bytes] = field(default_factory=_Numbered)
    shown: dict[tuple[str, str], int] = field(default_factory=dict)  # task, image → picture
    answers: dict[str, list[tuple[int, int, float]]] = field(default_factory=dict)  # key → example, text, score

    def content(self) -> dict[str, Any]:
        """As plain values, without the pictures' bytes."""
        names = ("task", "id", "kind", "text", "references", "images")
        examples = [dict(zip(names, example, strict=True)) for example in self.examples]
        for example in examples:
            example["pictures"] = [self.shown.get((example["task"], image)) for image in example["images"]]
        return {"tasks": self.tasks, "examples": examples, "texts": list(self.texts), "answers": self.answers}


def sampled_examples(run: Run) -> Examples:
    """The sampled examples of all rows; a cell without readable predictions is left out."""
    found = Examples()
    for score in records(run.scores):
        found.tasks.setdefault(score["task"], {"title": plain(score["title"]), "metric": score["metric"]})
    done = run.cells[run.cells["state"] == "done"]
    cells = done.drop_duplicates(["suite", "backbone", "label"])
    tasks = sum(len(text.split()) for text in cells["tasks"].dropna())
    number = max(FEWEST, min(PER_TASK, ANSWERS // max(1, tasks)))
    for key in cells["key"]:
        try:
            _add(found, key, run, number)
        except (RecordError, KeyError):
            continue
    return found


def _add(found: Examples, key: str, run: Run, number: int) -> None:
    frame = run.predictions(key)
    scored = frame[np.isfinite(frame["score"]) & frame["task"].isin(list(found.tasks))]
    parts = [rows[rows["id"].isin(sampled(rows["id"], number))] for _, rows in scored.groupby("task", sort=False)]
    answers = []
    for row in (row for part in parts for row in records(part)):
        images = tuple(row["images"].split("|")) if row.get("images") else ()
        references = tuple(_counted(row["references"])) if "references" in row else ()
        kind, text = (plain(row.get(name) or "", LONGEST) for name in ("kind", "text"))
        example = (row["task"], plain(row["id"], 80), kind, text, references, tuple(plain(i, 80) for i in images))
        prediction = found.texts.number(plain(row["prediction"], LONGEST))
        answers.append((found.examples.number(example), prediction, float(f"{row['score']:.3g}")))
    found.answers[key] = answers
    needed = {(example[0], image) for example in found.examples for image in example[5]}
    if needed - found.shown.keys():
        _add_pictures(found, run.thumbnails(key), needed)


def _add_pictures(found: Examples, thumbnails: pd.DataFrame, needed: set[tuple[str, str]]) -> None:
    for row in records(thumbnails):
        place = (row["task"], plain(row["image"], 80))
        if place in needed and place not in found.shown:
            found.shown[place] = found.pictures.number(row["picture"])


def _counted(references: Any) -> list[str]:
    """Each different reference once, with how often it was given."""
    texts = [plain(text, LONGEST) for text in references] if present(references) else []
    return [text if texts.count(text) == 1 else f"{text} (× {texts.count(text)})" for text in dict.fromkeys(texts)]
