"""Figures printed in the papers, to stand beside ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FOLDER = Path(__file__).parent / "published"


class PublishedPercent(BaseModel):
    """Updated parameters (%) of a method on a backbone and a kind of suite, as one table prints it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    backbone: str
    kind: str
    percent: float = Field(gt=0, le=100)
    paper: str
    table: str

    @property
    def source(self) -> str:
        """Where it is printed."""
        return f"{self.paper}, table {self.table}"


class PublishedSize(BaseModel):
    """The size of a method trained on GLUE's eight tasks at once, in the two figures of HyperFormer and its kin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    backbone: str
    total_multiple: float = Field(ge=1)  # (backbone + everything added for all tasks) / backbone
    trained_per_task_percent: float | None = Field(None, gt=0)  # 100 × trained / backbone / tasks
    paper: str
    place: str

    @property
    def source(self) -> str:
        """Where it is printed."""
        return f"{self.paper}, {self.place}"


@cache
def updated_percents() -> tuple[PublishedPercent, ...]:
    """All printed percentages, in the file's order."""
    rows = yaml.safe_load((FOLDER / "updated_percent.yaml").read_text("utf-8"))
    return TypeAdapter(tuple[PublishedPercent, ...]).validate_python(rows)


def updated_percent(method: str, backbone: str, kind: str) -> PublishedPercent | None:
    """Return the first printed percentage of a combination, or None if no paper at hand prints one."""
    wanted = (method, backbone, kind)
    return next((row for row in updated_percents() if (row.method, row.backbone, row.kind) == wanted), None)


@cache
def glue_sizes() -> tuple[PublishedSize, ...]:
    """All printed sizes on GLUE, in the file's order."""
    rows = yaml.safe_load((FOLDER / "glue_sizes.yaml").read_text("utf-8"))
    return TypeAdapter(tuple[PublishedSize, ...]).validate_python(rows)


def glue_size(method: str, backbone: str) -> PublishedSize | None:
    """Return the printed size of a method on GLUE, or None if no paper at hand prints one."""
    return next((row for row in glue_sizes() if (row.method, row.backbone) == (method, backbone)), None)
