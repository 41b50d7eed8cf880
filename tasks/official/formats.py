"""What an official format is: how references and predictions are read, matched and scored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from tasks.base import DataError, Example

T = TypeVar("T")


@dataclass(frozen=True)
class Scores:
    """Raw fractions by the name of their metric."""

    metrics: Mapping[str, float | None]  # over all examples; None: could not be measured here
    per_example: Mapping[str, Sequence[float]] = field(default_factory=dict)  # of metrics that one example has


class Matched(NamedTuple):
    """What is to be scored."""

    examples: list[Example]
    said: list[str]  # the prediction for each of them
    left_out: int  # references without a prediction, where the official evaluation takes no notice of them


Scorer = Callable[[Sequence[Example], Sequence[str]], Scores]


@dataclass(frozen=True)
class Format:
    """The official files of one task. All readers raise `DataError` for a file that is not as it should be."""

    identifier: str  # what the owners call an example's id
    references: Callable[[Path], Sequence[Example]]  # one without references need not be answered
    predictions: Callable[[Path], Iterable[tuple[str, str]]]  # id and what was said of it
    scorer: Scorer
    questions: Callable[[Path], Collection[str]] | None = None  # ids in a file of questions without answers
    partial: bool = False  # the official evaluation takes the examples that the prediction file has

    def read(self, references: Path, predictions: Path, questions: Path | None = None) -> Matched:
        """Read both files and match them by id; examples are in the order of the references.

        Args:
            references: the annotations.
            predictions: one prediction an example.
            questions: only these are scored, where the format has such a file.

        Raises:
            DataError: a file is broken; an id occurs twice, is unknown or has no prediction; nothing is to be scored.
        """
        examples = self._by_id(references, ((example.id, example) for example in self.references(references)))
        if questions is not None and self.questions is not None:
            asked = self.questions(questions)
            self._within(questions, asked, examples, references)
            chosen = frozenset(asked)
            examples = {name: example for name, example in examples.items() if name in chosen}
        said = self._by_id(predictions, self.predictions(predictions))
        self._within(predictions, said, examples, questions or references)
        wanted = [example for example in examples.values() if example.references]
        scored = [example for example in wanted if example.id in said]
        missing = [example.id for example in wanted if example.id not in said]
        if missing and not self.partial:
            raise DataError(
                f"{predictions}: {len(missing)} of {len(wanted)} predictions are missing "
                f"(first: {self.identifier} {missing[0]}); add them, or give references of the same split"
            )
        if not scored:
            raise DataError(f"{references}: holds nothing to score with {predictions}; give the files of one split")
        return Matched(scored, [said[example.id] for example in scored], len(missing))

    def _by_id(self, path: Path, records: Iterable[tuple[str, T]]) -> dict[str, T]:
        found: dict[str, tuple[int, T]] = {}
        for number, (name, value) in enumerate(records, start=1):
            if name in found:
                both = f"records {found[name][0]} and {number}"
                raise DataError(f"{path}: {both} have the same {self.identifier} {name}; keep one of them")
            found[name] = number, value
        return {name: value for name, (_, value) in found.items()}

    def _within(self, path: Path, names: Iterable[str], known: Collection[str], other: Path) -> None:
        unknown = [(number, name) for number, name in enumerate(names, start=1) if name not in known]
        if unknown:
            number, name = unknown[0]
            raise DataError(
                f"{path}: record {number}: {self.identifier} {name} is not in {other} ({len(unknown)} such); "
                "leave it out, or give files of the same split"
            )


def by_kind(metric: str, examples: Sequence[Example], each: Sequence[float]) -> dict[str, float]:
    """Means over the examples of a kind, as "metric:kind"; kinds in alphabetical order."""
    kinds: dict[str, list[float]] = {}
    for example, score in zip(examples, each, strict=True):
        kinds.setdefault(example.kind, []).append(score)
    return {f"{metric}:{kind}": sum(kinds[kind]) / len(kinds[kind]) for kind in sorted(kinds) if kind}
