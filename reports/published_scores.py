"""Scores that papers print, table by table, to stand beside ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from reports.formats import slug
from reports.statistics import Summary

FOLDER = Path(__file__).parent / "published"

Provenance = Literal[
    "authors",  # read in the paper or in a repository of its authors
    "notes",  # read in others' summaries: a secondary source
]
Obtained = Literal[
    "own",  # by the paper's authors, of their own method
    "re-run",  # by the paper's authors, of others' methods
    "copied",  # from another paper, which `copied_from` names
]


class PublishedTask(BaseModel):
    """A column of scores: our names of task and metric, and the split in the data owners' words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    metric: str
    split: str


class PublishedRow(BaseModel):
    """One method; scores in points, in the order of the table's tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str | None  # our name; None where nothing here corresponds
    title: str  # as printed
    percent: float | None = Field(None, gt=0, le=100)  # updated parameters
    scores: tuple[float, ...] = ()  # empty where the average alone is known
    std: tuple[float, ...] = ()
    average: float | None = None
    average_std: float | None = None
    obtained: Obtained = "own"
    copied_from: str = ""
    digits: int | None = None  # decimals as printed, where they are not the table's

    @model_validator(mode="after")
    def _copies_name_their_source(self) -> PublishedRow:
        if (self.obtained == "copied") != bool(self.copied_from):
            raise ValueError(f"{self.title}: copied_from goes with obtained: copied")
        return self


class PublishedTable(BaseModel):
    """One table of one paper on one suite and backbone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper: str
    table: str  # its number, or what it is called
    suite: str
    backbone: str
    provenance: Provenance
    source: str  # where it was read
    n: int | None = Field(ge=1)  # seeds; None where not told
    digits: int  # decimals as printed
    note: str = ""
    tasks: tuple[PublishedTask, ...]
    rows: tuple[PublishedRow, ...]

    @model_validator(mode="after")
    def _rows_fit_the_tasks(self) -> PublishedTable:
        for row in self.rows:
            if len(row.scores) not in {0, len(self.tasks)} or len(row.std) not in {0, len(row.scores)}:
                raise ValueError(f"{self.place}: {row.title}: one score, and one deviation if any, for every task")
        return self

    @property
    def place(self) -> str:
        """What a reader looks for: "VL-PET, table 2"."""
        return f"{self.paper}, table {self.table}"

    @property
    def name(self) -> str:
        """Safe in file names."""
        words = f"published {self.paper} {self.table} {self.suite} {self.backbone}".lower()
        return slug(words.replace(" ", "-"))

    def summaries(self, row: PublishedRow) -> dict[str, Summary]:
        """Mean, deviation and n by our name of a task, "" being the average; what is not printed is absent.

        Where a paper does not say how many runs it made, n counts as one and there is no deviation.
        """
        seeds = self.n or 1
        stds = row.std or (None,) * len(row.scores)
        found = {t.name: Summary(m, s, seeds) for t, m, s in zip(self.tasks, row.scores, stds, strict=bool(row.scores))}
        if row.average is not None:
            found[""] = Summary(row.average, row.average_std, seeds)
        return found


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """All tables at hand, those read at the authors' first, then in the files' order."""
    found: list[PublishedTable] = []
    for path in sorted(FOLDER.glob("scores_*.yaml")):
        found += TypeAdapter(list[PublishedTable]).validate_python(yaml.safe_load(path.read_text("utf-8")))
    return tuple(sorted(found, key=lambda table: table.provenance != "authors"))
