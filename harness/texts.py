"""Tokenised text: made once per tokenizer, task, role and limits, then read from memory-mapped files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import numpy as np
from transformers import PreTrainedTokenizerFast

from harness.store import Progress, Store, silent, write_array
from tasks import Example, Role, Task
from tasks.targets import weighted_targets

BLOCK = 1000  # texts tokenised at once
VERSION = "1"  # changes whenever the same examples could give other text

Shown = Literal["all", "question", "nothing"]
"""What a model may read of an example: subtitles and question, the question alone, or no more than the prefix."""


@dataclass(frozen=True)
class Ragged:
    """Rows of different length in one array: row k is ``values[offsets[k]:offsets[k + 1]]``."""

    values: np.ndarray
    offsets: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Length of each row, (n,)."""
        return np.diff(self.offsets)

    def padded(self, rows: np.ndarray, fill: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers (b,) -> values (b, longest), padded with ``fill``, and the mask of the values."""
        start = self.offsets[rows][:, None]
        lengths = self.offsets[rows + 1][:, None] - start
        steps = np.arange(lengths.max(initial=0))[None]
        mask = steps < lengths
        values = np.full(mask.shape, fill, dtype=np.int64)
        values[mask] = self.values[(start + steps)[mask]]
        return values, mask


@dataclass(frozen=True)
class Texts:
    """The text of all examples of a task and role.

    Targets of example k are the rows ``first[k]:first[k + 1]`` of ``targets`` (at least one); ``weights``
    holds each target's drawing probability, not normalised, which is also its loss weight where the task
    says so.
    """

    inputs: Ragged
    targets: Ragged
    first: np.ndarray
    weights: np.ndarray


def scored_targets(example: Example) -> list[tuple[str, float]]:
    """Targets with their weights; without scored targets one empty target of weight 0 (model-facts 4.1).

    Raises:
        DataError: there are weights, but not one for each target.
    """
    scored = [(target, weight) for target, weight in weighted_targets(example) if weight > 0]
    return scored or [("", 0.0)]


class TextStore:
    """Tokenised text of tasks, as one tokenizer and one model see it."""

    def __init__(
        self,
        store: Store,
        tokenizer: PreTrainedTokenizerFast,
        longest: int | None = None,
        progress: Progress = silent,
    ) -> None:
        """``longest`` is the model's own limit in tokens, special tokens included as in the tasks'."""
        self.store = store
        self.tokenizer = tokenizer
        self.longest = longest
        self.progress = progress
        self.fingerprint = sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()

    def open(
        self,
        task: Task,
        fingerprint: str,
        role: Role,
        examples: Sequence[Example],
        prefix: str,
        shown: Shown = "all",
    ) -> Texts:
        """Open the text of all examples of a role; the first time, tokenise it.

        The encoder reads ``prefix``, in the task's place for it, and what is shown of the example; ``fingerprint`` is
        that of the task's data.

        Raises:
            DataError: an example's targets and weights do not fit together.
        """
        limits = [self._limit(task.text_limit), self._limit(task.target_limit)]
        key = {
            "version": VERSION,
            "tokenizer": self.fingerprint,
            "task": [task.name, task.version, fingerprint, role],
            "shown": [prefix, shown],
            "limits": limits,
        }

        def build(folder: Path) -> None:
            texts = (prefixed(prefix, _input(example, shown), task.prefix_place) for example in examples)
            inputs = self._ragged(texts, limits[0], f"text of {task.name}", len(examples))
            scored = [scored_targets(example) for example in examples]
            pairs = list(chain.from_iterable(scored))
            targets = self._ragged((text for text, _ in pairs), limits[1], f"targets of {task.name}", len(pairs))
            arrays = {
                "input-ids": inputs.values,
                "input-offsets": inputs.offsets,
                "target-ids": targets.values,
                "target-offsets": targets.offsets,
                "target-first": _offsets(len(group) for group in scored),
                "target-weights": np.array([weight for _, weight in pairs], dtype=np.float64),
            }
            for name, array in arrays.items():
                write_array(folder / f"{name}.npy", array.shape, array.dtype, [array])

        place = self.store.entry("texts", key, build, self.progress)

        def read(name: str) -> np.ndarray:
            return np.load(place / f"{name}.npy", mmap_mode="r")

        inputs = Ragged(read("input-ids"), read("input-offsets"))
        targets = Ragged(read("target-ids"), read("target-offsets"))
        return Texts(inputs, targets, read("target-first"), read("target-weights"))

    def _limit(self, of_task: int | None) -> int | None:
        return min((limit for limit in (of_task, self.longest) if limit is not None), default=None)

    def _ragged(self, texts: Iterable[str], limit: int | None, what: str, total: int) -> Ragged:
        values, lengths = [np.zeros(0, np.int32)], list[int]()
        remaining = iter(texts)
        while block := list(islice(remaining, BLOCK)):
            rows = self.tokenizer(block, truncation=limit is not None, max_length=limit)["input_ids"]
            # Arrays at once: subtitles make a hundred million tokens, and lists of them many times that in bytes.
            values.append(np.fromiter(chain.from_iterable(rows), dtype=np.int32))
            lengths += map(len, rows)
            self.progress(what, len(lengths), total)
        return Ragged(np.concatenate(values), _offsets(lengths))


def _input(example: Example, shown: Shown) -> str:
    if shown == "all":
        return example.whole_text
    return example.text if shown == "question" else ""


def prefixed(prefix: str, text: str, place: Literal["before", "after"]) -> str:
    """Put a task's prefix to a text."""
    if place == "before" or not prefix:
        return prefix + text
    return f"{text} {prefix}".lstrip()


def _offsets(lengths: Iterable[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, dtype=np.int64))]).astype(np.int64)
