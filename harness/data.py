"""What a model reads: the data of a task, its batches, and the mixture of tasks of one epoch.

A batch holds one task. The order of tasks depends on the epoch alone, as in the papers' code; the order of a task's
examples depends on the seed too, unlike there, so that a deviation over seeds holds what their order is worth.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from harness.features import Features
from harness.texts import Texts
from tasks import DataError, Example, Role, Task

WINDOW = 8  # batches whose examples are sorted by length together: little padding, yet other batches each epoch
IGNORED = -100  # label of padding


@dataclass(frozen=True)
class Batch:
    """b examples of one task: l text tokens, i images of n tokens each, t target tokens."""

    task: str
    ids: Tensor  # (b, l), int64
    mask: Tensor  # (b, l), 1 where there is text
    features: Tensor  # (b, i, n, feature width); as stored, float32 after `to`
    labels: Tensor  # (b, t), padded with `IGNORED`
    weights: Tensor  # (b,), float32: weight of the drawn target
    indices: np.ndarray  # (b,), positions of the examples in their `TaskData`

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def tokens(self) -> int:
        """Text, visual and target tokens, padding excluded."""
        return int(self.mask.sum() + (self.labels != IGNORED).sum()) + self.features[..., 0].numel()

    def to(self, device: torch.device) -> Batch:
        """Bring the batch to a device and the features to float32; to CUDA from pinned memory."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

        return replace(
            self,
            ids=move(self.ids),
            mask=move(self.mask),
            features=move(self.features).float(),
            labels=move(self.labels),
            weights=move(self.weights),
        )


class TaskData:
    """The examples of one task and role with their text, targets and image features.

    Raises:
        DataError: there is no example, an image is unknown, or the number of images varies.
    """

    def __init__(
        self,
        task: Task,
        fingerprint: str,
        role: Role,
        examples: Sequence[Example],
        texts: Texts,
        features: Features,
        padding_id: int,
        *,
        limit: int | None = None,
        image_blind: bool = False,
    ) -> None:
        """``fingerprint`` is that of the task's data; ``limit`` keeps that many examples, always the same ones;
        ``image_blind`` shows zeros for features.
        """
        if not examples:
            raise DataError(f"{task.name}: its {role} split ({task.card.splits[role]}) holds no example")
        count = min(limit or len(examples), len(examples))
        # Rows of the kept examples in `texts`; drawn, because examples often come in a pattern of answers.
        self.kept = np.sort(np.random.default_rng(0).permutation(len(examples))[:count])
        self.task = task
        self.fingerprint = fingerprint
        self.role = role
        self.examples = [examples[row] for row in self.kept.tolist()]
        self.texts = texts
        self.features = features
        self.padding_id = padding_id
        self.image_blind = image_blind
        self.rows = self._image_rows()

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Input tokens plus mean target tokens of each example: what batches are sorted by."""
        first = self.texts.first
        sums = np.add.reduceat(self.texts.targets.lengths, first[:-1]) / np.diff(first)
        return (self.texts.inputs.lengths + sums)[self.kept]

    def draw(self, seed: int, epoch: int) -> np.ndarray:
        """Draw one target for each example with probability weight / sum: rows of ``texts.targets``, (n,)."""
        generator = np.random.default_rng([seed, epoch, crc32(self.task.name.encode())])
        after = np.cumsum(self.texts.weights)
        start, stop = self.texts.first[self.kept], self.texts.first[self.kept + 1]
        before = np.concatenate([[0.0], after])[start]
        wanted = before + generator.random(len(self)) * (after[stop - 1] - before)
        return np.clip(np.searchsorted(after, wanted, side="right"), start, stop - 1)

    def batch(self, indices: np.ndarray, targets: np.ndarray) -> Batch:
        """Make a batch of the examples at ``indices`` (b,) with these rows of ``texts.targets`` (b,)."""
        ids, mask = self.texts.inputs.padded(self.kept[indices], self.padding_id)
        labels, _ = self.texts.targets.padded(targets, IGNORED)
        found = self.features.gather(self.rows[indices])
        return Batch(
            self.task.name,
            torch.from_numpy(ids),
            torch.from_numpy(mask).long(),
            torch.zeros_like(found) if self.image_blind else found,
            torch.from_numpy(labels),
            torch.from_numpy(self.texts.weights[targets]).float(),
            indices,
        )

    def training_order(self, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
        """Indices of each batch: shuffled, sorted by length within windows, batches shuffled again."""
        generator = np.random.default_rng([seed, epoch, crc32(self.task.name.encode()), 1])  # 1: not what `draw` draws
        order = generator.permutation(len(self))
        batches = []
        for start in range(0, len(order), WINDOW * batch_size):
            window = order[start : start + WINDOW * batch_size]
            window = window[np.argsort(self.lengths[window], kind="stable")]
            batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
        generator.shuffle(batches)
        return batches

    def in_order_of_length(self, batch_size: int) -> Iterator[Batch]:
        """All examples once, longest first (so memory runs out at the start), each with its first target."""
        order = np.argsort(-self.lengths, kind="stable")
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            yield self.batch(indices, self.texts.first[self.kept[indices]])

    def _image_rows(self) -> np.ndarray:
        """Rows of each example's images in the features, (n, i)."""
        counts = {len(example.images) for example in self.examples}
        if len(counts) > 1:
            raise DataError(f"{self.task.name}: its {self.role} examples have {sorted(counts)} images, not one number")
        found = [self.features.find(example.images) for example in self.examples]
        return np.array(found, dtype=np.int64).reshape(len(found), counts.pop())


class Mixture:
    """Batches of several tasks, one task per batch, every batch of every task once an epoch."""

    def __init__(self, tasks: Sequence[TaskData], batch_size: int, seed: int) -> None:
        """``batch_size`` is that of a task whose ``batch_share`` is 1."""
        self.tasks = {data.task.name: data for data in tasks}
        self.sizes = {name: max(1, int(batch_size * data.task.batch_share)) for name, data in self.tasks.items()}
        self.seed = seed

    @property
    def forms(self) -> dict[str, str]:
        """Form of each task's loss."""
        return {name: data.task.loss for name, data in self.tasks.items()}

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches of an epoch; the last, smaller one of each task counts."""
        return sum(-(-len(data) // self.sizes[name]) for name, data in self.tasks.items())

    def order(self, epoch: int) -> list[str]:
        """The task of each batch: shuffled by ``random.Random(epoch)``, read from the end (model-facts 5)."""
        names = [name for name, data in self.tasks.items() for _ in range(-(-len(data) // self.sizes[name]))]
        random.Random(epoch).shuffle(names)
        return names[::-1]

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; the same again for the same seed and epoch."""
        batches = {
            name: iter(data.training_order(self.sizes[name], self.seed, epoch)) for name, data in self.tasks.items()
        }
        drawn = {name: data.draw(self.seed, epoch) for name, data in self.tasks.items()}
        for name in self.order(epoch):
            indices = next(batches[name])
            yield self.tasks[name].batch(indices, drawn[name][indices])
