"""Things to learn from, with the features of their pictures."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Generic, TypeVar

import torch
from torch import Tensor

from tasks.mini.world import Part

Thing = TypeVar("Thing")
_TOGETHER = 128  # things that are encoded at once


class Album(Generic[Thing]):
    """Things of one kind: scenes, clips, boxes or views.

    Those of pre-training are a fixed number, and their features are kept in half precision: to draw and encode them
    anew would take longer than to learn from them. Those of other parts of the world are made when asked for.
    """

    def __init__(
        self,
        pool: Callable[[], Sequence[Thing]],
        sample: Callable[[random.Random, Part], Thing],
        encode: Callable[[Sequence[Thing]], Tensor],
    ) -> None:
        """``pool`` makes the things of pre-training, ``encode`` their features (n, tokens, width)."""
        self._pool = pool
        self._sample = sample
        self._encode = encode

    def draw(self, generator: random.Random, part: Part, count: int) -> tuple[list[Thing], Tensor]:
        """Draw things at random -> they and their features (count, tokens, width), float32."""
        if part != "pretraining":
            things = [self._sample(generator, part) for _ in range(count)]
            return things, self._encode(things)
        kept, features = self._kept
        chosen = [generator.randrange(len(kept)) for _ in range(count)]
        return [kept[index] for index in chosen], features[chosen].float()

    @cached_property
    def _kept(self) -> tuple[Sequence[Thing], Tensor]:
        things = self._pool()
        batches = [things[start : start + _TOGETHER] for start in range(0, len(things), _TOGETHER)]
        with torch.autocast("cpu", enabled=False):  # which cannot join halves
            return things, torch.cat([self._encode(batch).half().cpu() for batch in batches])
