"""A cell: suite × backbone × method × seed, resolved to plain data."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Control = Literal["image-blind", "subtitle-blind", "question-blind", "random-backbone"]
"""What a control takes away: the image, the subtitles, all text, or all that the backbone learnt in pre-training."""


class Settings(BaseModel):
    """How a cell is trained and evaluated; the defaults are the papers' for BART on image-text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(20, ge=0)
    batch_size: int = Field(500, ge=1)  # of a task whose batch share is 1
    evaluation_batch_size: int = Field(200, ge=1)
    learning_rate: float | None = Field(None, gt=0)  # None: the method's own
    weight_decay: float = Field(0.01, ge=0)
    warmup_share: float = Field(0.1, ge=0, le=1)  # of all steps, linear
    clip_norm: float = Field(5.0, gt=0)
    selection: Literal["last", "best"] = "last"  # last epoch (the papers' rule), or best on the selection split
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"  # auto: bfloat16 on CUDA, else float32
    task_prefixes: Literal[True, False, "published"] = True  # published: with the papers' misspelling of GQA's
    image_encoder: Literal["frozen", "tuned"] = "frozen"  # tuned: it trains beside what the method trains
    control: Literal["none", Control] = "none"
    score_on: Literal["report", "select"] = "report"  # the split that is scored; learning rates are tuned on select
    limit: int | None = Field(None, ge=1)  # examples per task and role; scores become "not comparable"
    measure: bool = True  # take throughput and memory


WORDS = {"overrides", "studies", "ranked"}  # of a cell: how reports speak of it, without a part in its key


class Cell(BaseModel):
    """Everything that can change a number, with defaults written out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    kind: Literal["image-text", "video-text", "text"]
    tasks: tuple[str, ...]
    backbone: str
    method: str
    parameters: dict[str, Any]  # every hyper-parameter of the method
    overrides: dict[str, Any] = {}  # those that the grid set, for labels
    studies: tuple[str, ...] = ()  # of the grid, whose tables show it
    ranked: bool = True  # whether it stands on the leaderboard
    seed: int
    settings: Settings
    versions: dict[str, str] = {}  # of the method, each task and each metric
    data: dict[str, str] = {}  # fingerprint of each task's data and of the backbone's weights; absent when missing

    @property
    def key(self) -> str:
        """Digest of the resolved configuration."""
        plain = self.model_dump(mode="json", exclude=WORDS)
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def path(self) -> str:
        """Folder of the cell below ``cells/``."""
        method = self.method.replace("/", "--")
        return f"{self.suite.replace('/', '--')}/{self.backbone}/{method}/seed-{self.seed}--{self.key[:8]}"
