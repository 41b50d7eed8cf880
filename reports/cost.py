"""What a method costs: parameters, storage, speed, memory, wall time; medians over finished seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reports.entries import Entry, Group
from reports.formats import HOLE, count, decimal, duration, present, significant, size
from reports.table import Column, Row, Table, TableCell, without_empty_columns

SHARED = "◇"

Format = Callable[[float | None], str]
Measure = tuple[str, str, Format, str]  # title, column of Run.cells, how it is written, tooltip


def _milliseconds(value: float | None) -> str:
    return HOLE if value is None else significant(value * 1000)


def _percent_of_share(value: float | None) -> str:
    return HOLE if value is None else decimal(value * 100, 1)


PARAMETERS: tuple[Measure, ...] = (
    (
        "Updated (%)",
        "updated_percent",
        decimal,
        "trained / (language model + visual embedding + added modules)",
    ),
    (
        "… of language model (%)",
        "updated_percent_of_language_model",
        decimal,
        "trained / language model alone",
    ),
    ("Trained", "trained_parameters", count, "parameters that receive gradients"),
    ("Stored", "stored_parameters", count, "numbers to save per suite"),
    ("Added at inference", "added_at_inference_parameters", count, "left beside the backbone after merging"),
    ("Frozen extra", "frozen_extra_parameters", count, "added numbers that do not train"),
    ("Total", "total_parameters", count, "language model + visual embedding + added modules"),
    ("Stored file", "stored_file_bytes", size, "size of weights.safetensors"),
)

SPEED: tuple[Measure, ...] = (
    ("Training (samples/s)", "training_samples_per_second", significant, "median over steps after warm-up"),
    ("Training (tokens/s)", "training_tokens_per_second", significant, "median over steps after warm-up"),
    ("Step (ms)", "training_step_seconds", _milliseconds, "one optimisation step, median"),
    (
        "Data wait (%)",
        "data_wait_share",
        _percent_of_share,
        "share of training wall time spent waiting for data",
    ),
    ("Evaluation (samples/s)", "evaluation_samples_per_second", significant, "batched generation"),
    ("Latency p50 (ms)", "latency_p50_seconds", _milliseconds, "one example, answered alone: median"),
    (
        "Latency p95 (ms)",
        "latency_p95_seconds",
        _milliseconds,
        "one example, answered alone: 95th percentile",
    ),
    (
        "GFLOPs per sample",
        "flops_per_sample",
        lambda v: significant(v / 1e9) if v else HOLE,
        "forward and backward",
    ),
)

MEMORY: tuple[Measure, ...] = (
    ("Training peak, resident", "training_resident_bytes", size, "of the process"),
    ("Evaluation peak, resident", "evaluation_resident_bytes", size, "of the process"),
    ("Training peak, CUDA allocated", "training_allocated_bytes", size, "by tensors"),
    ("Training peak, CUDA reserved", "training_reserved_bytes", size, "by the caching allocator"),
    ("Evaluation peak, CUDA allocated", "evaluation_allocated_bytes", size, "by tensors"),
    ("Evaluation peak, CUDA reserved", "evaluation_reserved_bytes", size, "by the caching allocator"),
)

TIMES: tuple[Measure, ...] = (
    ("Start-up", "start_up_seconds", duration, "imports, model, features, tokenised text"),
    ("Training", "training_seconds", duration, ""),
    ("Selection", "selection_seconds", duration, "scoring the selection split"),
    ("Evaluation", "evaluation_seconds", duration, "scoring the reporting split"),
    (
        "Measurement",
        "measurement_seconds",
        duration,
        "the short phase that takes speed; memory is taken in training and evaluation",
    ),
    ("Total", "total_seconds", duration, ""),
    ("Energy (J)", "energy_joules", significant, "counter of the device"),
)


def cost_tables(group: Group) -> list[Table]:
    """Three tables over the entries that finished a seed; a table without any figure is left out."""
    entries = [entry for entry in group.entries if entry.done]
    tables = [
        _table(group, entries, "parameters", "Parameters and storage", PARAMETERS),
        _table(group, entries, "speed", "Speed and peak memory", SPEED + MEMORY),
        _table(group, entries, "times", "Wall time", TIMES),
    ]
    return [table for table in tables if len(table.columns) > 1]


def _table(group: Group, entries: Sequence[Entry], kind: str, title: str, measures: Sequence[Measure]) -> Table:
    rows = []
    timed = kind == "speed"  # counts do not depend on what else runs, and wall time does not claim to
    for entry in entries:
        cells = [TableCell(entry.label, entry.label.casefold(), symbols=SHARED if timed and shared(entry) else "")]
        for _, column, write, _ in measures:
            value = entry.median(column)
            cells.append(TableCell(write(value), value))
        rows.append(Row(tuple(cells), entry.kind))
    columns = (Column("Method", "left"), *(Column(name, tooltip=tip) for name, _, _, tip in measures))
    kept, thinner = without_empty_columns(columns, tuple(rows))
    absent = [column.title for column in columns if column not in kept]
    notes = []
    if any(len(entry.done) > 1 for entry in entries):
        notes.append("Median over the finished seeds.")
    if any(row.cells[0].symbols for row in rows):
        notes.append(f"{SHARED} Not exclusive: other work ran on the machine meanwhile.")
    if absent:
        notes.append(f"Not measured here: {'; '.join(absent)}.")
    return Table(f"{kind}-{group.name}", f"{title}: {group.title}", kept, thinner, tuple(notes))


def shared(entry: Entry) -> bool:
    """Whether something else ran beside a measured cell."""
    flags = [cell[name] for cell in entry.done for name in ("speed_exclusive", "memory_exclusive")]
    return any(present(flag) and not flag for flag in flags)
