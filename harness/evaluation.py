"""Evaluation: predictions of a task's examples and their score (model-facts 3.3 and 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pandas
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from harness.data import Batch, TaskData
from harness.store import Progress, Store, silent
from harness.workbench import Workbench
from reports.record import Score
from tasks import DataError, Scored
from tasks.floors import VERSION as FLOORS_VERSION
from tasks.floors import floors


@dataclass(frozen=True)
class Evaluated:
    """The predictions of a task's examples, in their order, and what they are worth."""

    data: TaskData
    predictions: Sequence[str]
    scored: Scored


def evaluate(
    bench: Workbench, data: TaskData, batch_size: int, after_batch: Callable[[int], None] = lambda _: None
) -> Evaluated:
    """Predict and score all examples; ``after_batch`` is told how many are done.

    Raises:
        DataError: two choices of the task cannot be told apart by one token.
    """
    predictions = predict(bench, data, batch_size, after_batch)
    return Evaluated(data, predictions, data.task.score(data.examples, predictions))


def predict(
    bench: Workbench, data: TaskData, batch_size: int, after_batch: Callable[[int], None] = lambda _: None
) -> list[str]:
    """Return the model's prediction for each example, in the examples' order; raises as `evaluate`."""
    answerer = Answerer(bench, data)
    predictions = [""] * len(data)
    done = 0
    for batch in data.in_order_of_length(batch_size):
        for index, prediction in zip(batch.indices, answerer.answer(batch), strict=True):
            predictions[index] = prediction
        done += len(batch)
        after_batch(done)
    return predictions


class Answerer:
    """Answers batches of one task: the likeliest of its choices (by their first own token), or generated text as it is.

    Of equally likely choices the last wins: the papers answer "true" only if it beats "false" (model-facts 3.3).
    """

    def __init__(self, bench: Workbench, data: TaskData) -> None:
        self.bench = bench
        self.decoding = data.task.decoding
        self.own_tokens: list[int] = []
        if self.decoding.choices:
            start = bench.model.lm.config.decoder_start_token_id
            prompt, self.own_tokens = choice_tokens(bench.tokenizer, self.decoding.choices, data.task.name)
            self.decoder_prompt = torch.tensor([[start, *prompt]], device=bench.device)

    @torch.inference_mode()
    def answer(self, batch: Batch) -> list[str]:
        """One text for each example of the batch; the model must be in evaluation mode."""
        bench = self.bench
        batch = batch.to(bench.device)
        with bench.context.on(batch.task), bench.autocast():
            if self.decoding.choices:
                return self._choose(batch)
            ids = bench.model.generate(
                batch.ids,
                batch.mask,
                batch.features,
                self.decoding.beams,
                self.decoding.max_length,
                self.decoding.no_repeat_ngram_size,
            )
        texts: list[str] = bench.tokenizer.batch_decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return texts

    def _choose(self, batch: Batch) -> list[str]:
        read = self.decoder_prompt.expand(len(batch), -1)
        logits: Tensor = self.bench.model.next_token_logits(batch.ids, batch.mask, batch.features, read)
        # argmax takes the first of equals; reversed, a choice must be strictly likelier than those after it.
        from_the_end = logits[:, self.own_tokens].flip(1).argmax(dim=1)
        return [self.decoding.choices[-1 - place] for place in from_the_end.tolist()]


def choice_tokens(tokenizer: PreTrainedTokenizerFast, choices: Sequence[str], task: str) -> tuple[list[int], list[int]]:
    """Tokens that all choices begin with, special ones too (BART: ``<s>``, T5: none), and each choice's next token.

    Raises:
        DataError: two choices have the same next token, so that one decoder step cannot tell them apart.
    """
    bare = [tokenizer(choice, add_special_tokens=False)["input_ids"] for choice in choices]
    shared = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*bare, strict=False)))
    own = [ids[shared] for ids in bare if len(ids) > shared]
    if len(set(own)) < len(choices):
        raise DataError(f"{task}: its choices {', '.join(choices)} do not differ in one token")
    whole: list[int] = tokenizer(choices[0])["input_ids"]
    return whole[: whole.index(bare[0][0]) + shared], own


def score(
    evaluated: Evaluated, floor_values: dict[str, float | None], select_value: float | None, limited: bool
) -> Score:
    """The record of a task's score on the split of its data; ``limited``: not all examples were used."""
    data, scored = evaluated.data, evaluated.scored
    card = data.task.card
    images = {image for example in data.examples for image in example.images}
    return Score(
        task=data.task.name,
        title=card.title,
        split=card.splits[data.role],
        select_split=card.splits["select"],
        metric=card.metric.name,
        metric_title=card.metric.title,
        metric_version=card.metric.version,
        value=scored.value,
        scale=card.metric.scale,
        higher_is_better=card.metric.higher_is_better,
        examples=len(data),
        clusters=len({example.cluster or example.id for example in data.examples}),
        # CIDEr weighs words by the images they occur in; with one image every weight is zero.
        comparable=not limited and not (card.metric.name == "cider" and len(images) < 2),
        floors=floor_values,
        more=dict(scored.more),
        parts=list(card.metric.parts),
        select_value=select_value,
        summary=card.summary,
        source=card.source,
        licence=card.licence,
    )


def stored_floors(store: Store, data: TaskData, progress: Progress = silent) -> dict[str, float | None]:
    """The floors on the examples that are scored; computed once for all cells."""
    task = data.task
    metric = task.card.metric
    key = {
        "floors": FLOORS_VERSION,
        "task": [task.name, task.version, data.fingerprint],
        "metric": [metric.name, metric.version],
        "role": data.role,
        "examples": len(data),  # says which ones, because a limit of n keeps the same n in every cell
    }
    values: dict[str, float | None] = store.remembered("floors", key, lambda: floors(task, data.examples), progress)
    return values


def predictions_frame(evaluated: Sequence[Evaluated]) -> pandas.DataFrame:
    """One row per example.

    Columns: task, id, cluster, kind, text (without the task's prefix), images (ids joined by "|"),
    prediction, score (raw fraction), references (list). The content of ``predictions.parquet``.
    """
    rows = [
        {
            "task": one.data.task.name,
            "id": example.id,
            "cluster": example.cluster or example.id,
            "kind": example.kind,
            "text": example.whole_text,
            "images": "|".join(example.images),
            "prediction": prediction,
            "score": float(value),
            "references": list(example.references),
        }
        for one in evaluated
        for example, prediction, value in zip(one.data.examples, one.predictions, one.scored.per_example, strict=True)
    ]
    return pandas.DataFrame(rows)


def mean_value(evaluated: Sequence[Evaluated]) -> float:
    """Mean of the tasks' scores, of those with several metrics of each: what selection maximises."""
    return float(np.mean([value for one in evaluated for value in one.scored.parts(one.data.task.card.metric)]))
