"""The columns of the data frames, with their types; `reports.run.load` promises all of them, also in an empty run.

Further columns follow the listed ones where a run has them:

- ``settings_<name>``: the cell's training settings, ``environment_<name>``: where it ran;
- ``floor_<name>`` and ``more_<name>`` of scores: raw fractions, hyphens and blanks as underscores;
- whatever else the lines of ``curve.jsonl`` hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from reports.formats import literal, present

IDENTITY: dict[str, str] = {
    "key": "string",  # digest of the resolved configuration
    "suite": "string",
    "backbone": "string",
    "method": "string",
    "label": "string",  # method with its overrides and control: "lora-single (rank=4)", "full, image-blind"
    "configuration": "string",  # the same for cells that differ in their seed alone
    "seed": "Int64",
    "control": "string",  # "none" or one of harness.cells.Control
    "scored_on": "string",  # "report", or "select" when learning rates are compared
    "studies": "string",  # titles of the grid's studies that show the cell, one a line
    "ranked": "boolean",  # whether it stands on the leaderboard
}

CELLS: dict[str, str] = IDENTITY | {
    "folder": "string",  # relative to the run folder, with forward slashes
    "method_title": "string",
    "method_paper": "string",
    "kind": "string",  # of the suite: "image-text", "video-text" or "text"
    "tasks": "string",  # names, one blank between
    "learning_rate": "Float64",  # peak of the schedule
    "parameters": "string",  # the method's hyper-parameters, as JSON
    "rate_source": "string",  # where it comes from; see reports.record.RateOrigin
    "rate_candidates": "Int64",
    "rate_suite": "string",
    "rate_backbone": "string",
    "rate_other_weights": "boolean",
    "state": "string",  # see reports.record.State
    "reason": "string",
    "phase": "string",
    "step": "Int64",  # last optimisation step
    "selected_epoch": "Int64",
    # parameter counts; see reports.record.Parameters
    "trained_parameters": "Int64",
    "stored_parameters": "Int64",
    "added_at_inference_parameters": "Int64",
    "frozen_extra_parameters": "Int64",
    "language_model_parameters": "Int64",
    "token_rows_parameters": "Int64",
    "visual_embedding_parameters": "Int64",
    "image_encoder_parameters": "Int64",  # 0 where it is frozen
    "total_parameters": "Int64",
    "updated_percent": "Float64",  # 100 × trained / total
    "updated_percent_of_language_model": "Float64",
    # speed: medians over steps, with quartiles and number of steps
    "speed_exclusive": "boolean",
    "threads": "Int64",
    "training_samples_per_second": "Float64",
    "training_samples_per_second_lower": "Float64",
    "training_samples_per_second_upper": "Float64",
    "training_samples_per_second_count": "Int64",
    "training_tokens_per_second": "Float64",
    "training_tokens_per_second_lower": "Float64",
    "training_tokens_per_second_upper": "Float64",
    "training_tokens_per_second_count": "Int64",
    "training_step_seconds": "Float64",
    "training_step_seconds_lower": "Float64",
    "training_step_seconds_upper": "Float64",
    "training_step_seconds_count": "Int64",
    "data_wait_share": "Float64",
    "evaluation_samples_per_second": "Float64",
    "latency_p50_seconds": "Float64",
    "latency_p95_seconds": "Float64",
    "flops_per_sample": "Float64",
    # peak memory; the allocated and reserved figures are CUDA's
    "memory_exclusive": "boolean",
    "training_resident_bytes": "Int64",
    "evaluation_resident_bytes": "Int64",
    "training_allocated_bytes": "Int64",
    "training_reserved_bytes": "Int64",
    "evaluation_allocated_bytes": "Int64",
    "evaluation_reserved_bytes": "Int64",
    "stored_file_bytes": "Int64",
    # wall time of each phase
    "start_up_seconds": "Float64",
    "training_seconds": "Float64",
    "selection_seconds": "Float64",
    "evaluation_seconds": "Float64",
    "measurement_seconds": "Float64",
    "total_seconds": "Float64",
    "energy_joules": "Float64",
    "started_at": "string",  # UTC, ISO 8601
    "finished_at": "string",
}

SCORES: dict[str, str] = IDENTITY | {
    "folder": "string",  # of the cell
    "state": "string",  # of the cell
    "task": "string",
    "title": "string",
    "split": "string",
    "select_split": "string",
    "metric": "string",
    "metric_title": "string",
    "metric_version": "string",
    "value": "Float64",  # raw fraction
    "scale": "Float64",  # shown = value × scale
    "higher_is_better": "boolean",
    "examples": "Int64",
    "clusters": "Int64",
    "comparable": "boolean",
    "select_value": "Float64",
    "parts": "string",  # the columns more_<name> whose mean the value is, one blank between; empty for most tasks
    "summary": "string",  # of the task: what goes in, what comes out
    "source": "string",
    "licence": "string",
}

CURVES: dict[str, str] = IDENTITY | {
    "step": "Int64",
    "epoch": "Float64",
    "task": "string",
    "loss": "Float64",
    "learning_rate": "Float64",
    "select_value": "Float64",
}


def frame(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Build a data frame with the listed columns first, then any others in order of appearance."""
    extras = list(dict.fromkeys(name for row in rows for name in row if name not in columns))
    series = {name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in columns.items()}
    series |= {name: _free([row.get(name) for row in rows]) for name in extras}
    return pd.DataFrame(series)


def _free(values: Sequence[Any]) -> pd.Series:
    """A column without a promised type: numbers or truth values if all are, else text."""
    there = [value for value in values if present(value)]
    if there and all(isinstance(value, bool) for value in there):
        return pd.Series(values, dtype="boolean")
    if there and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        return pd.Series(values, dtype="Float64")
    return pd.Series([literal(value) if present(value) else None for value in values], dtype="string")


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a data frame as plain dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
