"""What the page shows of one cell in its drawer: configuration, environment, log, curve, and how to run it again."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.columns import records
from reports.families import families
from reports.formats import decimal, literal, plain, present
from reports.rows import WORDS, flat, read_configuration
from reports.run import Run

POINTS = 40  # of one line of a curve
LOG_LINES, LOG_BYTES, LOG_WIDTH = 30, 8_000, 240
LOG_LETTERS = 2_000

_SHOWN = ("folder", "suite", "backbone", "method", "label", "method_title", "seed", "state", "reason", "phase", "step")

Details = dict[str, Any]
Lines = dict[str, list[list[float]]]
Pairs = tuple[tuple[str, str], ...]


def cell_details(run: Run) -> tuple[list[Details], list[Pairs]]:
    """One record per cell in the run's order, and the different environments that they point to by index."""
    cells = records(run.cells)
    family = families(cell["method"] for cell in cells)
    scores: dict[str, list[dict[str, Any]]] = {}
    for row in records(run.scores):
        scores.setdefault(row["key"], []).append(row)
    lines = curves(run.curves)
    environments: dict[Pairs, int] = {}
    found = []
    for cell in cells:
        folder = run.folder / cell["folder"]
        environment = _environment(cell)
        found.append(
            {
                "key": cell["key"],
                "family": family[cell["method"]],
                "scores": [_score(row) for row in scores.get(cell["key"], [])],
                "curve": lines.get(cell["key"], {}),
                "configuration": _configuration(read_configuration(folder / "cell.json")),
                "environment": environments.setdefault(environment, len(environments)) if environment else None,
                "log": log_tail(folder / "log.txt"),
                "command": command(cell["folder"]) if (folder / "options.json").exists() else None,
            }
            | {name: _value(cell[name]) for name in _SHOWN}
        )
    return found, list(environments)


def _value(value: Any) -> Any:
    if not present(value):
        return None
    return plain(value) if isinstance(value, str) else int(value)


def command(folder: str) -> str:
    """Shell command, for the run's folder, that runs a cell again from its resolved configuration, beside the run."""
    files = shlex.join([f"{folder}/cell.json", f"{folder}/options.json"])
    return f"mkdir again && cp {files} again && python -m harness cell again"


def curves(points: pd.DataFrame) -> dict[str, Lines]:
    """Key → task → [[step, loss], …], and "selection" → [[epoch, score], …]; thinned, the last point kept."""
    found: dict[str, Lines] = defaultdict(lambda: defaultdict(list))
    points = points.replace([np.inf, -np.inf], pd.NA)  # of a cell that diverged
    trained = points.dropna(subset=["step", "loss"])
    tasks = {task: plain(task, 60) for task in trained["task"].dropna().unique()}
    columns = (trained["key"], trained["task"].map(tasks).fillna("loss"), trained["step"], trained["loss"])
    for key, task, step, loss in zip(*columns, strict=True):
        found[key][task].append([int(step), float(loss)])
    selected = points[points["loss"].isna()].dropna(subset=["epoch", "select_value"])
    for key, epoch, score in zip(*(selected[name] for name in ("key", "epoch", "select_value")), strict=True):
        found[key]["selection"].append([float(epoch), float(score)])
    return {key: {task: thinned(line) for task, line in lines.items()} for key, lines in found.items()}


def thinned(line: Sequence[list[float]]) -> list[list[float]]:
    """Every k-th point, counted from the end, so that `POINTS` or fewer are left; values to four digits."""
    every = -(-len(line) // POINTS)
    return [[x, float(f"{y:.4g}")] for x, y in line[::-1][::every][::-1]]


def log_tail(path: Path) -> str:
    """The last lines of a log, without what progress bars wrote over and without control characters."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, 2) - LOG_BYTES)
            file.seek(start)
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = text.split("\n")[1 if start else 0 :]  # the first may be half a line
    told = [line for raw in lines if (line := _line(raw.rstrip("\r").rpartition("\r")[2]))]
    return "\n".join(told[-LOG_LINES:])[-LOG_LETTERS:]


def _line(text: str) -> str:
    """A line as `plain` leaves it, with its indentation, which tells tracebacks apart."""
    return " " * min(12, len(text) - len(text.lstrip(" "))) + plain(text, LOG_WIDTH) if text.strip() else ""


def _score(row: Mapping[str, Any]) -> list[str]:
    """Title, metric and printed value of a score."""
    value = decimal(row["value"] * row["scale"]) if present(row["value"]) else decimal(None)
    return [plain(row["title"]), f"{plain(row['metric_title'])} on {plain(row['split'])}", value]


def _configuration(resolved: Mapping[str, Any]) -> dict[str, str]:
    """Name → value, nested names joined by a dot as ``--set`` takes them; words of reports are left out."""
    parts: dict[str, str] = {}
    for name, value in resolved.items():
        if name in WORDS:
            continue
        if isinstance(value, Mapping):
            parts |= {f"{name}.{inner}": _literal(content) for inner, content in flat(value).items()}
        else:
            parts[name] = _literal(value)
    return {plain(name, 80): value for name, value in parts.items()}


def _literal(value: Any) -> str:
    return plain(", ".join(map(literal, value)) if isinstance(value, list) else literal(value))


def _environment(cell: Mapping[str, Any]) -> Pairs:
    stem = "environment_"
    pairs = ((name.removeprefix(stem), value) for name, value in cell.items() if name.startswith(stem))
    return tuple(
        (name.replace("packages_", "").replace("_", " "), plain(value)) for name, value in pairs if present(value)
    )
