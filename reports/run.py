"""Read a run folder into pandas data frames.

    run = reports.load(Path("runs/today"))
    run.cells                     # one row per cell: state, parameter counts, speed, memory, environment …
    run.scores                    # one row per cell × task: raw fractions
    run.curves                    # one row per logged point of training
    run.predictions(key)          # one row per example of one cell

Columns and units are listed in `reports.columns`. A cell that failed or never ran is a row like any other.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from reports.columns import CELLS, CURVES, IDENTITY, SCORES, frame
from reports.formats import literal, plain
from reports.record import RecordError
from reports.rows import WORDS, CellRows, flat, read_cell, read_curve

_SHARED = tuple(IDENTITY)


@dataclass(frozen=True)
class Run:
    """A run folder in memory."""

    folder: Path
    cells: pd.DataFrame
    scores: pd.DataFrame
    environment: Mapping[str, Any]  # content of environment.json; empty when there is none
    grid: str | None  # text of grid.yaml

    @cached_property
    def curves(self) -> pd.DataFrame:
        """All logged points of all cells, read when first asked for."""
        rows = []
        for cell in self.cells[[*_SHARED, "folder"]].to_dict("records"):
            identity = {name: cell[name] for name in _SHARED}
            rows += [identity | point for point in read_curve(self.folder / str(cell["folder"]) / "curve.jsonl")]
        return frame(rows, CURVES)

    def thumbnails(self, key: str) -> pd.DataFrame:
        """Pictures of some examples of one cell: task, image, picture (WebP); empty where it stored none."""
        path = self._folder(key) / "thumbnails.parquet"
        if not path.exists():
            return pd.DataFrame(columns=["task", "image", "picture"])
        return _parquet(path)

    def predictions(self, key: str) -> pd.DataFrame:
        """Per-example predictions of one cell: task, id, cluster, kind, prediction, score, references.

        Raises:
            RecordError: there is no such cell, or it left no readable predictions.
        """
        return _parquet(self._folder(key) / "predictions.parquet")

    def _folder(self, key: str) -> Path:
        folders = self.cells.loc[self.cells["key"] == key, "folder"]
        if folders.empty:
            raise RecordError(f"{self.folder}: no cell has the key {key!r}; the column 'key' of cells lists them")
        return self.folder / str(folders.iloc[0])


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: cannot be read ({plain(error, 200)})") from error


def load(folder: Path) -> Run:
    """Read a run folder; a broken file in a cell becomes a failed row.

    Raises:
        RecordError: the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such run folder; give the folder that holds 'cells'")
    found = [read_cell(path, folder) for path in sorted((folder / "cells").rglob("seed-*")) if path.is_dir()]
    _tell_apart(found)
    found.sort(key=_order)
    return Run(
        folder,
        frame([rows.cell for rows in found], CELLS),
        frame([score for rows in found for score in rows.scores], SCORES),
        _environment(folder / "environment.json"),
        _text(folder / "grid.yaml"),
    )


def _order(rows: CellRows) -> tuple[Any, ...]:
    names = ("suite", "backbone", "method", "label", "configuration")
    seed = rows.identity["seed"]
    return (*(rows.identity[name] for name in names), -1 if seed is None else seed, rows.identity["key"])


def _tell_apart(found: Sequence[CellRows]) -> None:
    """Complete the labels of different configurations that would read the same, with what differs.

    Only configurations with a score count: a cell that waited for its data has no data fingerprint yet.
    """
    same: dict[tuple[str, str, str], dict[str, list[CellRows]]] = defaultdict(lambda: defaultdict(list))
    for rows in found:
        place = (rows.identity["suite"], rows.identity["backbone"], rows.identity["label"])
        same[place][rows.identity["configuration"]].append(rows)
    for configurations in same.values():
        members = [group for group in configurations.values() if any(rows.scores for rows in group)]
        if len(members) > 1:
            _add_differences(members)


def _add_differences(members: Sequence[Sequence[CellRows]]) -> None:
    values = [
        flat({name: value for name, value in group[0].resolved.items() if name not in {"seed", *WORDS}})
        for group in members
    ]
    names = sorted({name for each in values for name in each})
    differing = [name for name in names if len({literal(each.get(name)) for each in values}) > 1]
    for group, each in zip(members, values, strict=True):
        difference = ", ".join(_difference(name, each.get(name)) for name in differing)
        for rows in group:
            text = plain(f"{rows.identity['label']} [{difference or rows.identity['configuration'][:8]}]")
            for row in (rows.identity, rows.cell, *rows.scores):
                row["label"] = text


def _difference(name: str, value: Any) -> str:
    short = name.removeprefix("settings_").removeprefix("parameters_")
    return f"{short}={literal(value)[:8] if name.startswith('data_') else literal(value)}"


def _environment(path: Path) -> Mapping[str, Any]:
    text = _text(path)
    try:
        content = json.loads(text) if text is not None else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
