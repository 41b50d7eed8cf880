"""Figures printed in the papers, to stand beside ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FILE = Path(__file__).parent / "published" / "updated_percent.yaml"


class PublishedPercent(BaseModel):
    """Updated parameters (%) of a method on a backbone and a kind of suite, as one table prints it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    backbone: str
    kind: str
    percent: float = Field(gt=0, le=100)
    paper: str
    table: str


@cache
def updated_percents() -> tuple[PublishedPercent, ...]:
    """All printed percentages, in the file's order."""
    rows = yaml.safe_load(FILE.read_text("utf-8"))
    return TypeAdapter(tuple[PublishedPercent, ...]).validate_python(rows)


def updated_percent(method: str, backbone: str, kind: str) -> PublishedPercent | None:
    """Return the first printed percentage of a combination, or None if no paper at hand prints one."""
    wanted = (method, backbone, kind)
    return next((row for row in updated_percents() if (row.method, row.backbone, row.kind) == wanted), None)
