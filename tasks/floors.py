"""Floors: what can be scored on a task without looking at an image, so that a score means something.

* ``majority``: the same prediction for everything: the training target with the most weight; for captions
  the one among up to 4,000 training captions that scores best as a constant on up to 300 training examples
  (both drawn by seed). The caption is chosen on training
  data alone; the number of candidates was set after seeing Flickr8k dev, where 200 gave CIDEr 0.08 and 3,375 gave 0.21.
* ``question-only``: the heaviest training target among training examples with the same text; where the text
  is new, among those with the same first six words, then five, ... one; then the majority. None where no
  example has a text.
* ``guessing``: one of the choices that are offered, drawn evenly. None where there are none.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tasks.base import Example, Task
from tasks.metrics.constant_caption import ConstantCaption
from tasks.targets import weighted_targets

VERSION = "2"  # changes whenever the same examples could get other floors
FIRST_WORDS = 6
CANDIDATES = 4000
IMAGES = 300

Key = tuple[str, ...]


def floors(task: Task, report: Sequence[Example] | None = None) -> dict[str, float | None]:
    """Return the score of each floor on ``report``, by default all reporting examples, as raw fractions.

    Raises:
        DataError: a file of the task is missing or broken, or an example's targets and weights do not fit.
    """
    train, report = task.examples("train"), task.examples("report") if report is None else report
    captions = task.card.metric.name == "cider"
    constant = _best_caption(train) if captions else _heaviest(_weights(train))
    result: dict[str, float | None] = {
        "majority": task.score(report, [constant] * len(report)).value,
        "question-only": None,
        "guessing": None,
    }
    if any(example.text for example in (*train, *report)):
        result["question-only"] = task.score(report, _from_questions(train, report, constant)).value
    if choices := task.offered or len(task.decoding.choices):
        result["guessing"] = 1 / choices
    return result


def _weights(examples: Sequence[Example]) -> Counter[str]:
    """Total weight of each target."""
    total: Counter[str] = Counter()
    for example in examples:
        for target, weight in weighted_targets(example):
            total[target] += weight  # type: ignore[assignment]  # counters of fractions are fine
    return total


def _heaviest(total: Counter[str]) -> str:
    """The target with the most weight; of equals the first in the alphabet; empty if there is none."""
    return min(total, key=lambda target: (-total[target], target), default="")


def _best_caption(train: Sequence[Example]) -> str:
    """The training caption, of a sample, that describes a sample of the training images best."""
    generator = random.Random("floors")
    targets = sorted({target for example in train for target in example.targets})
    candidates = generator.sample(targets, min(CANDIDATES, len(targets)))
    images = generator.sample(list(train), min(IMAGES, len(train)))
    scorer = ConstantCaption([example.references or example.targets for example in images])
    return max(candidates, key=scorer.score, default="")


def _keys(text: str) -> Iterator[Key]:
    """From the whole text down to its first word; the mark keeps a whole text apart from a beginning."""
    words = tuple(text.lower().split())
    yield (*words, "\n")
    for count in range(min(FIRST_WORDS, len(words)), 0, -1):
        yield words[:count]


def _from_questions(train: Sequence[Example], report: Sequence[Example], default: str) -> list[str]:
    """Predict from the text alone."""
    groups: defaultdict[Key, list[Example]] = defaultdict(list)
    for example in train:
        for key in _keys(example.text):
            groups[key].append(example)
    learnt: dict[Key, str] = {}

    def answer(text: str) -> str:
        for key in _keys(text):
            if key in groups:
                if key not in learnt:
                    learnt[key] = _heaviest(_weights(groups[key]))
                return learnt[key]
        return default

    return [answer(example.text) for example in report]
