"""A run folder without any training: finished, failed and unavailable cells with made-up numbers."""

from __future__ import annotations

import io
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from reports.record import Memory, Parameters, RateOrigin, Result, Score, Speed, Spread, State, Status, Times

VIDEO_TASKS = ("mini-tvqa", "mini-how2qa", "mini-tvc", "mini-yc2c")
QUESTIONS = {"0": "what colour?", "1": "how many?", "2": "which shape?"}  # id → text; "red" is right
MINI_TASKS = ("mini-vqa", "mini-gqa", "mini-nlvr", "mini-caption")


@dataclass
class Synthetic:
    """One cell to write. Scores are raw fractions by task; a missing task or None makes a hole."""

    method: str
    scores: dict[str, float | None] = field(default_factory=dict)
    seed: int = 0
    suite: str = "mini-image"
    backbone: str = "mini-bart"
    tasks: tuple[str, ...] = MINI_TASKS
    state: State = "done"
    reason: str | None = None
    control: str = "none"
    overrides: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    title: str | None = None
    trained: int = 50_000
    comparable: bool = True
    exclusive: bool = True
    split: str = "test"
    select_split: str = "validation"
    official: dict[str, tuple[str, str]] = field(default_factory=dict)  # task → metric and split of its owners
    recorded: bool = True  # False: only status.json, as of a cell that has no result
    predictions: bool = True
    answers: dict[str, str] | None = None  # to `QUESTIONS`, with pictures; None: one answer to nothing in particular
    rate_origin: RateOrigin | None = None
    studies: tuple[str, ...] = ()
    ranked: bool = True
    data: dict[str, str] = field(default_factory=lambda: {"mini": "feedfacefeedface"})

    @property
    def configuration(self) -> dict[str, Any]:
        settings = {"epochs": 20, "selection": "last", "limit": None, "control": self.control}
        return {
            "suite": self.suite,
            "kind": "image-text",
            "tasks": list(self.tasks),
            "backbone": self.backbone,
            "method": self.method,
            "parameters": self.overrides,
            "overrides": self.overrides,
            "studies": list(self.studies),
            "ranked": self.ranked,
            "seed": self.seed,
            "settings": settings | self.settings,
            "versions": {self.method: "1"},
            "data": self.data,
        }


def cell_folder(run: Path, cell: Synthetic) -> Path:
    """Where a cell lies; the digits after the seed only have to differ between configurations."""
    plain = json.dumps(cell.configuration, sort_keys=True)
    short = f"{random.Random(plain).getrandbits(32):08x}"
    names = [name.replace("/", "--") for name in (cell.suite, cell.backbone, cell.method)]
    return run.joinpath("cells", *names, f"seed-{cell.seed}--{short}")


def write_run(run: Path, cells: list[Synthetic], environment: dict[str, Any] | None = None) -> Path:
    """Write a run folder as the harness leaves it and return its path."""
    for cell in cells:
        write_cell(run, cell)
    if environment is not None:
        (run / "environment.json").write_text(json.dumps(environment))
    run.mkdir(parents=True, exist_ok=True)
    (run / "grid.yaml").write_text("suites: [mini-image]\nbackbones: [mini-bart]\nmethods: all\n")
    return run


def write_cell(run: Path, cell: Synthetic) -> Path:
    folder = cell_folder(run, cell)
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text(json.dumps(cell.configuration))
    (folder / "status.json").write_text(Status(state=cell.state, reason=cell.reason).model_dump_json())
    (folder / "log.txt").write_text("started\n")
    if cell.recorded:
        (folder / "result.json").write_text(result(cell, folder.name[-8:]).model_dump_json())
    if cell.state == "done":
        points = [{"step": step, "epoch": 0, "task": "mini-vqa", "loss": 3.0 / step} for step in range(1, 9)]
        (folder / "curve.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    if cell.answers is not None:
        write_answers(folder, cell.answers)
    elif cell.state == "done" and cell.predictions:
        predictions = pd.DataFrame({"task": ["mini-vqa"], "id": ["0"], "prediction": ["red"], "score": [1.0]})
        predictions.to_parquet(folder / "predictions.parquet")
    return folder


def write_answers(folder: Path, answers: dict[str, str]) -> None:
    """Predictions as the harness stores them, and pictures of the even-numbered images."""
    rows = [
        {
            "task": "mini-vqa",
            "id": name,
            "cluster": name,
            "kind": "colour",
            "text": QUESTIONS[name],
            "images": f"image-{name}",
            "prediction": answer,
            "score": float(answer == "red"),
            "references": ["red"] * 3 + ["scarlet"],
        }
        for name, answer in answers.items()
    ]
    pd.DataFrame(rows).to_parquet(folder / "predictions.parquet")
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, "WEBP")
    pictures = [("mini-vqa", row["images"], content.getvalue()) for row in rows if int(row["id"]) % 2 == 0]
    pd.DataFrame(pictures, columns=["task", "image", "picture"]).to_parquet(folder / "thumbnails.parquet")


def result(cell: Synthetic, key: str) -> Result:
    done = cell.state == "done"
    return Result(
        key=key * 2,
        cell=cell.configuration,
        method_title=cell.title or cell.method.replace("-", " ").capitalize(),
        method_paper="An author, some year, section 3",
        state=cell.state,
        reason=cell.reason,
        phase=None if done else "training",
        step=800 if done else 12,
        scores=[score(cell, task, value) for task, value in cell.scores.items()],
        rate_origin=cell.rate_origin,
        parameters=_parameters(cell.trained),
        speed=_speed(cell) if done else None,
        memory=_memory(cell) if done else None,
        times=Times(start_up=2.1, training=61.0, evaluation=8.4, measurement=3.0, total=74.5),
        environment={"device": "cpu", "packages": {"torch": "2.13.0"}},
        started_at="2026-01-02T03:04:05Z",
        finished_at="2026-01-02T03:05:20Z",
    )


def score(cell: Synthetic, task: str, value: float | None) -> Score:
    caption = task.endswith(("caption", "tvc", "yc2c"))
    metric, split = cell.official.get(task, ("cider" if caption else "accuracy", cell.split))
    pair = {"f1": value + 0.1, "accuracy": value - 0.1} if task.endswith("mrpc") and value is not None else {}
    return Score(
        task=task,
        title=task.removeprefix("mini-").upper() if task.startswith("mini-") else task,
        split=split,
        select_split=cell.select_split,
        metric=metric,
        metric_title="CIDEr" if caption else "VQA accuracy" if task.endswith("vqa") else "Accuracy",
        metric_version="1",
        value=value,
        examples=1000,
        clusters=250,
        comparable=cell.comparable,
        more=pair,
        parts=list(pair),
        floors={} if caption else {"majority": 0.21, "question-only": 0.33},
        summary="A scene in, a sentence out." if caption else "A scene and a question in, an answer out.",
        source="drawn by the harness",
        licence="MIT",
    )


def _parameters(trained: int) -> Parameters:
    return Parameters(
        trained=trained,
        stored=trained,
        added_at_inference=trained // 2,
        frozen_extra=0,
        language_model=1_000_000,
        visual_embedding=20_000,
        total=1_020_000 + trained // 2,
    )


def _speed(cell: Synthetic) -> Speed:
    return Speed(
        exclusive=cell.exclusive,
        threads=1,
        training_samples_per_second=Spread(median=812.5, lower=800, upper=820, count=20),
        training_step_seconds=Spread(median=0.123, lower=0.12, upper=0.125, count=20),
        data_wait_share=0.012,
        evaluation_samples_per_second=2210.0,
        latency_p50_seconds=0.0061,
        latency_p95_seconds=0.0093,
    )


def _memory(cell: Synthetic) -> Memory:
    mebibyte = 1024 * 1024
    return Memory(
        exclusive=cell.exclusive,
        training_resident_bytes=900 * mebibyte,
        evaluation_resident_bytes=640 * mebibyte,
        stored_file_bytes=cell.trained * 4 + 800,
    )


def many_cells(number: int) -> list[Synthetic]:
    """A large grid: methods × ranks × five seeds on four tasks, one in twenty failed."""
    draw = random.Random(0)
    cells = []
    for place in range(number):
        configuration, seed = divmod(place, 5)
        suite, method = divmod(configuration, 25)
        failed = draw.random() < 0.05
        cells.append(
            Synthetic(
                method=("full", "projection")[method] if method < 2 else f"method-{method:02d}",
                scores={} if failed else {task: draw.uniform(0.3, 0.7) for task in MINI_TASKS},
                seed=seed,
                suite=f"mini-suite-{suite}",
                state="failed" if failed else "done",
                reason="the loss could not be computed" if failed else None,
                trained=draw.randrange(1_000, 1_000_000),
                predictions=False,
            )
        )
    return cells
