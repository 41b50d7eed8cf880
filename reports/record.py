"""The result record: what one cell leaves behind, and the only thing a report is made from.

Units are in the names: ``seconds``, ``bytes``, ``per_second``, ``percent``. Scores are raw fractions.
A value that was not measured is None and is shown as missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SCHEMA_VERSION = 1

T = TypeVar("T", bound="Record")

State = Literal[
    "planned",  # in the grid, not started
    "running",
    "done",
    "failed",  # an error; the reason says which
    "out-of-memory",
    "timed-out",
    "diverged",  # the loss became infinite or not a number
    "interrupted",  # stopped by the user; runs again
    "unavailable",  # data or weights are absent here
    "incompatible",  # the method cannot serve this backbone
]
FINAL: frozenset[str] = frozenset({"done", "failed", "out-of-memory", "timed-out", "diverged"})


class Record(BaseModel):
    """Base of all parts: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class RecordError(Exception):
    """A record file cannot be read; the message names the file and what is wrong."""


class Score(Record):
    """The score of one task on its reporting split."""

    task: str
    title: str
    split: str  # the reporting split's own name
    select_split: str  # the split that selected, or would have
    metric: str
    metric_title: str
    metric_version: str
    value: float | None  # raw fraction
    scale: float = 100.0
    higher_is_better: bool = True
    examples: int
    clusters: int
    comparable: bool = True  # False under a limit, or CIDEr over one image
    floors: dict[str, float | None] = Field(default_factory=dict)  # those of `tasks.floors`: raw fractions
    more: dict[str, float] = Field(default_factory=dict)  # further metrics, such as accuracy by question type
    parts: list[str] = Field(
        default_factory=list
    )  # the ones whose mean the value is, where a task has no single metric
    select_value: float | None = None  # the same metric on the selection split
    summary: str = ""  # of the task: what goes in, what comes out
    source: str = ""  # of its data: a citation or an address
    licence: str = ""


class Parameters(Record):
    """Parameter counts of a cell. A frozen image encoder is not counted (design section 6).

    One that trains is a part of the model, as in VL-Adapter's code, which divides what trains of the model by all of
    it and has the encoder in the model where images are read raw (trainer_base.py).
    """

    trained: int
    stored: int  # numbers to save per suite: the trained ones and frozen extras that cannot be rebuilt
    added_at_inference: int  # left beside the backbone after merging what can merge
    frozen_extra: int  # added numbers that do not train
    language_model: int  # as it was published
    token_rows: int = 0  # that its token table gained, so that images have places
    visual_embedding: int
    image_encoder: int = 0  # where it trains
    total: int  # language model + token rows + visual embedding + added modules (+ image encoder)

    @property
    def updated_percent(self) -> float:
        """Updated params (%) as the papers print it: 100 × trained / total."""
        return 100.0 * self.trained / self.total

    @property
    def updated_percent_of_language_model(self) -> float:
        """The other denominator: 100 × trained / language model alone, as published."""
        return 100.0 * self.trained / self.language_model


class Spread(Record):
    """A measured quantity: median over steps with its quartiles."""

    median: float
    lower: float  # 25th percentile
    upper: float  # 75th percentile
    count: int


class Speed(Record):
    """Throughput and latency from a short phase of its own."""

    exclusive: bool  # nothing else of the harness ran on this machine meanwhile
    threads: int
    training_samples_per_second: Spread | None = None
    training_tokens_per_second: Spread | None = None
    training_step_seconds: Spread | None = None
    data_wait_share: float | None = None  # of training wall time
    evaluation_samples_per_second: float | None = None
    latency_p50_seconds: float | None = None  # one example, answered alone
    latency_p95_seconds: float | None = None
    flops_per_sample: float | None = None  # forward and backward of one training sample


class Memory(Record):
    """Peaks per phase; CUDA figures are None on CPU."""

    exclusive: bool
    training_resident_bytes: int | None = None
    evaluation_resident_bytes: int | None = None
    training_allocated_bytes: int | None = None
    training_reserved_bytes: int | None = None
    evaluation_allocated_bytes: int | None = None
    evaluation_reserved_bytes: int | None = None
    stored_file_bytes: int | None = None  # size of weights.safetensors


class Times(Record):
    """Wall time of each phase in seconds."""

    start_up: float | None = None  # imports, model, features, tokenised text
    training: float | None = None
    selection: float | None = None
    evaluation: float | None = None
    measurement: float | None = None
    total: float | None = None


class RateOrigin(Record):
    """Where a cell's learning rate comes from."""

    source: Literal[
        "tuned",  # the best of several candidates on the selection split
        "by hand",  # picked for this backbone without a search
        "default",  # the method's own
        "set",  # by the grid or the command line
    ]
    candidates: int | None = None  # how many were tried
    suite: str | None = None  # that the candidates were tried on
    backbone: str | None = None  # the same; not the cell's own where that takes the rates of one like it
    other_weights: bool | None = None  # whether that backbone has been pre-trained anew since


class Result(Record):
    """One finished cell: the content of ``result.json``."""

    schema_version: int = SCHEMA_VERSION
    key: str
    cell: dict[str, Any]  # the resolved configuration: suite, tasks, backbone, method, parameters, seed, settings
    method_title: str
    method_paper: str | None
    state: State
    reason: str | None = None  # one line, for every state but "done"
    phase: str | None = None  # where it stopped
    step: int | None = None  # last optimisation step
    selected_epoch: int | None = None
    scores: list[Score] = Field(default_factory=list)
    rate_origin: RateOrigin | None = None
    parameters: Parameters | None = None
    speed: Speed | None = None
    memory: Memory | None = None
    times: Times | None = None
    energy_joules: float | None = None
    environment: dict[str, Any] = Field(default_factory=dict)
    started_at: str  # UTC, ISO 8601
    finished_at: str


class Status(Record):
    """What a cell is doing now: the content of ``status.json``, rewritten while it runs."""

    state: State
    reason: str | None = None
    phase: str | None = None  # "start-up", "training", "selection", "evaluation", "measurement"
    step: int | None = None
    steps: int | None = None
    epoch: int | None = None
    loss: float | None = None  # running mean
    seconds_left: float | None = None
    updated_at: str = ""


def read_result(path: Path) -> Result:
    """Read ``result.json``.

    Raises:
        RecordError: the file is missing, is not JSON or does not follow the schema.
    """
    return _read(path, Result)


def read_status(path: Path) -> Status:
    """Read ``status.json``; raises as `read_result`."""
    return _read(path, Status)


def _read(path: Path, kind: type[T]) -> T:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecordError(f"{path}: {place}: {first['msg']}; delete the cell's folder to run it again") from error
