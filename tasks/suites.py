"""Suites: named sets of tasks that are trained together as one multi-task run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["image-text", "video-text", "text"]


@dataclass(frozen=True)
class Suite:
    """Tasks trained together; ``kind`` chooses a method's defaults where its paper has several."""

    name: str
    title: str
    tasks: tuple[str, ...]
    kind: Kind = "image-text"


NAMED: tuple[Suite, ...] = (
    Suite("mini-image", "Embedded scenes", ("mini-vqa", "mini-gqa", "mini-nlvr", "mini-caption")),
    Suite(
        "mini-image-double",
        "Embedded scenes, twice the data",
        ("mini-vqa-double", "mini-gqa-double", "mini-nlvr-double", "mini-caption-double"),
    ),
    Suite("mini-video", "Embedded clips", ("mini-tvqa", "mini-how2qa", "mini-tvc", "mini-yc2c"), "video-text"),
    Suite("video-text", "Clips with subtitles, as in the papers", ("tvqa", "how2qa", "tvc", "yc2c"), "video-text"),
    Suite("image-text", "Photos, as in the papers", ("vqav2", "gqa", "nlvr2", "coco-caption")),
)


def known(task_names: Iterable[str]) -> Mapping[str, Suite]:
    """All suites by name: the named ones, and every single task as a suite of one, of its named suite's kind."""
    kinds: dict[str, Kind] = {task: suite.kind for suite in NAMED for task in suite.tasks}
    singles = {name: Suite(name, name, (name,), kinds.get(name, "image-text")) for name in task_names}
    return singles | {suite.name: suite for suite in NAMED}
