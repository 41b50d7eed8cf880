"""Exact match: 1 where the predicted string equals one of the accepted strings, character for character."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.base import Metric

METRIC = Metric(name="accuracy", title="Accuracy", version="exact-1")


def exact(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """Return the share of predictions found among their references, and 0 or 1 for each (0.0 for none)."""
    hits = [float(said in accepted) for said, accepted in zip(predictions, references, strict=True)]
    return sum(hits) / len(hits) if hits else 0.0, hits
