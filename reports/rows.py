"""One cell folder → one row of plain values and one row per score. A broken file makes a failed row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.formats import literal, plain
from reports.record import Parameters, RecordError, Result, Spread, Status, read_result, read_status

Row = dict[str, Any]

WORDS = ("overrides", "studies", "ranked")  # of a configuration: how it is spoken of, without a part in its key
SELECTION_SPLIT = "selection split"  # mark of everything that was not scored on the reporting split


@dataclass
class CellRows:
    """What one cell folder contributes to the data frames."""

    cell: Row
    identity: Row  # the columns that cells, scores and curves share
    resolved: Mapping[str, Any]  # the resolved configuration
    scores: list[Row] = field(default_factory=list)


def read_cell(folder: Path, root: Path) -> CellRows:
    """Read one folder below ``cells/``; whatever cannot be read becomes state ``failed`` and its reason."""
    problem, result, status = None, None, Status(state="planned")
    resolved = read_configuration(folder / "cell.json")
    try:
        if (folder / "result.json").exists():
            result = read_result(folder / "result.json")
            resolved = resolved or result.cell
        elif (folder / "status.json").exists():
            status = read_status(folder / "status.json")
    except RecordError as error:
        problem = str(error).replace(f"{root}/", "")  # reports are passed on
    identity = _identity(folder, resolved, result)
    settings = _mapping(resolved.get("settings"))
    tasks = resolved.get("tasks")
    row = identity | {
        "folder": folder.relative_to(root).as_posix(),
        "kind": plain(resolved["kind"]) if "kind" in resolved else None,
        "tasks": " ".join(map(str, tasks)) if isinstance(tasks, list) else None,
        "learning_rate": _learning_rate(resolved),
        "parameters": json.dumps(_mapping(resolved.get("parameters")), sort_keys=True),
    }
    if problem is not None:
        row |= {"state": "failed", "reason": plain(problem)}
    elif result is not None:
        row |= _result(result)
    else:
        row |= {"state": status.state, "reason": status.reason, "phase": status.phase, "step": status.step}
    row |= {f"settings_{name}": value for name, value in settings.items()}
    rows = CellRows(row, identity, resolved)
    if result is not None:
        rows.scores = _scores(result, identity | {"folder": row["folder"]})
    return rows


def read_curve(path: Path) -> list[Row]:
    """Read ``curve.jsonl``; a missing file is empty and a torn line (the cell may be running) is left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [point for point in map(_point, lines) if point]


def _point(line: str) -> Row | None:
    try:
        point = json.loads(line)
    except ValueError:
        return None
    return point if isinstance(point, dict) else None


def read_configuration(path: Path) -> Mapping[str, Any]:
    """Read ``cell.json``; empty when it is missing or broken."""
    try:
        return _mapping(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def _identity(folder: Path, resolved: Mapping[str, Any], result: Result | None) -> Row:
    """Who the cell is, from its configuration or, where that is lost, from the folder's name."""
    seed_text, _, short_key = folder.name.removeprefix("seed-").partition("--")
    suite, backbone, method = (part.replace("--", "/") for part in folder.parts[-4:-1])
    seed = resolved.get("seed", int(seed_text) if seed_text.isdecimal() else None)
    method = str(resolved.get("method", method))
    settings = _mapping(resolved.get("settings"))
    control = str(settings.get("control", "none"))
    scored_on = str(settings.get("score_on", "report"))
    studies = resolved.get("studies")
    return {
        "key": result.key if result is not None else _key(resolved) or short_key,
        "suite": plain(resolved.get("suite", suite)),
        "backbone": plain(resolved.get("backbone", backbone)),
        "method": plain(method),
        "label": label(method, _mapping(resolved.get("overrides")), control, scored_on),
        "configuration": _digest(resolved, "seed", *WORDS) if resolved else folder.name,
        "seed": seed if isinstance(seed, int) else None,
        "control": control,
        "scored_on": scored_on,
        "studies": "\n".join(map(plain, studies)) if isinstance(studies, list) else "",
        "ranked": bool(resolved.get("ranked", True)),
    }


def label(method: str, overrides: Mapping[str, Any], control: str, scored_on: str = "report") -> str:
    """``method (override=value, …), control, selection split``: what tells the rows of a run apart."""
    inside = ", ".join(f"{name}={literal(value)}" for name, value in sorted(overrides.items()))
    parts = [method + (f" ({inside})" if inside else "")]
    parts += [control] if control != "none" else []
    parts += [SELECTION_SPLIT] if scored_on == "select" else []
    return plain(", ".join(parts))


def _learning_rate(resolved: Mapping[str, Any]) -> float | None:
    """The peak learning rate: that of the settings, else the method's."""
    settings, parameters = (_mapping(resolved.get(name)) for name in ("settings", "parameters"))
    value = settings.get("learning_rate") or parameters.get("learning_rate")
    return float(value) if isinstance(value, int | float) else None


def _key(resolved: Mapping[str, Any]) -> str | None:
    # The same digest as a result's key.
    return _digest(resolved, *WORDS) if resolved else None


def _digest(resolved: Mapping[str, Any], *without: str) -> str:
    kept = {name: value for name, value in resolved.items() if name not in without}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def _result(result: Result) -> Row:
    row: Row = {
        "method_title": plain(result.method_title),
        "method_paper": result.method_paper,
        "state": result.state,
        "reason": result.reason,
        "phase": result.phase,
        "step": result.step,
        "selected_epoch": result.selected_epoch,
        "energy_joules": result.energy_joules,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
    }
    if result.rate_origin is not None:
        row |= {f"rate_{name}": value for name, value in result.rate_origin}
    row |= _parameters(result.parameters)
    if result.speed is not None:
        for name, value in result.speed:
            row |= _spread(name, value) if isinstance(value, Spread) else {_speed_name(name): value}
    if result.memory is not None:
        row |= {"memory_exclusive" if name == "exclusive" else name: value for name, value in result.memory}
    if result.times is not None:
        row |= {f"{name}_seconds": value for name, value in result.times}
    return row | {f"environment_{name}": value for name, value in flat(result.environment).items()}


def _parameters(parameters: Parameters | None) -> Row:
    if parameters is None:
        return {}
    row: Row = {f"{name}_parameters": value for name, value in parameters}
    if parameters.total > 0:
        row["updated_percent"] = parameters.updated_percent
    if parameters.language_model > 0:
        row["updated_percent_of_language_model"] = parameters.updated_percent_of_language_model
    return row


def _speed_name(name: str) -> str:
    return "speed_exclusive" if name == "exclusive" else name


def _spread(name: str, value: Spread) -> Row:
    return {
        name: value.median,
        f"{name}_lower": value.lower,
        f"{name}_upper": value.upper,
        f"{name}_count": value.count,
    }


def _scores(result: Result, identity: Row) -> list[Row]:
    rows = []
    for score in result.scores:
        row = identity | {"state": result.state}
        row |= score.model_dump(exclude={"floors", "more", "parts"})
        row["parts"] = " ".join(map(_column, score.parts))
        row |= {f"floor_{_column(name)}": value for name, value in score.floors.items()}
        row |= {f"more_{_column(name)}": value for name, value in score.more.items()}
        rows.append(row)
    return rows


def _column(name: str) -> str:
    return name.replace("-", "_").replace(" ", "_")


def flat(nested: Mapping[str, Any], prefix: str = "") -> Row:
    """Nested mappings as one: ``{"packages": {"torch": "2"}}`` → ``{"packages_torch": "2"}``."""
    row: Row = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            row |= flat(value, f"{prefix}{name}_")
        else:
            row[f"{prefix}{name}"] = value
    return row


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
