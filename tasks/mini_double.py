"""The embedded tasks on scenes with twice the training examples: does a ranking of methods hold with more data?

Scenes and pictures are those of the base tasks, asked about again in order when they run out; the splits that select
and report hold the same examples.
"""

from __future__ import annotations

from typing import ClassVar

from tasks.base import Role
from tasks.mini.task import MiniTask
from tasks.mini_caption import MiniCaption
from tasks.mini_gqa import MiniGqa
from tasks.mini_nlvr import MiniNlvr
from tasks.mini_vqa import MiniVqa


def _doubled(base: type[MiniTask]) -> dict[Role, int]:
    return {**base.counts, "train": 2 * base.counts["train"]}


class MiniVqaDouble(MiniVqa):
    """mini-vqa with twice the questions to learn from."""

    name = "mini-vqa-double"
    title = "mini-vqa, twice the data"
    counts: ClassVar = _doubled(MiniVqa)


class MiniGqaDouble(MiniGqa):
    """mini-gqa with twice the questions to learn from."""

    name = "mini-gqa-double"
    title = "mini-gqa, twice the data"
    counts: ClassVar = _doubled(MiniGqa)


class MiniNlvrDouble(MiniNlvr):
    """mini-nlvr with twice the statements to learn from."""

    name = "mini-nlvr-double"
    title = "mini-nlvr, twice the data"
    counts: ClassVar = _doubled(MiniNlvr)


class MiniCaptionDouble(MiniCaption):
    """mini-caption with twice the captions to learn from."""

    name = "mini-caption-double"
    title = "mini-caption, twice the data"
    counts: ClassVar = _doubled(MiniCaption)
