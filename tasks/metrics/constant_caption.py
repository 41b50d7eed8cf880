"""CIDEr-D of the same caption said of every image, fast for many captions: what a caption floor needs.

Equals `tasks.metrics.cider.cider` of the repeated caption. All references are indexed by n-gram once, with

    weight of g in a text = (occurrences of g) * (ln images - ln max(1, images with g in a reference)),

so that a caption costs one short array operation per n-gram instead of a pass over all references.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from tasks.metrics.tokens import tokens

_ORDERS = 4  # n-grams of 1 to 4 words
_SIGMA = 6.0  # width of the damping by the difference in length

Ngram = tuple[str, ...]


def _ngrams(caption: str) -> Counter[Ngram]:
    words = tokens(caption)
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, _ORDERS + 1)
        for start in range(len(words) - order + 1)
    )


class ConstantCaption:
    """The references of some images, ready to score captions that are said of all of them."""

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        """Index the references (at least one image, each with at least one caption)."""
        counted = [[_ngrams(caption) for caption in group] for group in references]
        documents = Counter(ngram for group in counted for ngram in set().union(*group))
        self._images = len(counted)
        self._rarity = {ngram: math.log(self._images / images) for ngram, images in documents.items()}
        flat = [(counts, len(group)) for group in counted for counts in group]
        self._lengths = np.array([self._length(counts) for counts, _ in flat], dtype=float)
        self._shares = np.array([10 / (_ORDERS * self._images * captions) for _, captions in flat])
        found: defaultdict[Ngram, list[tuple[int, float, float]]] = defaultdict(list)
        for number, (counts, _) in enumerate(flat):
            weights, norms = self._vector(counts)
            for ngram, weight in weights.items():
                if weight:
                    found[ngram].append((number, weight, weight / norms[len(ngram) - 1]))
        self._index = {ngram: np.array(places).T for ngram, places in found.items()}

    @staticmethod
    def _length(counts: Counter[Ngram]) -> int:
        """Length as the official scorer takes it: the number of word pairs."""
        return sum(count for ngram, count in counts.items() if len(ngram) == 2)

    def _vector(self, counts: Counter[Ngram]) -> tuple[dict[Ngram, float], list[float]]:
        """Weights of n-grams, and the norm of each order (1 where it would be 0)."""
        unseen = math.log(self._images)
        weights = {ngram: count * self._rarity.get(ngram, unseen) for ngram, count in counts.items()}
        squares = [0.0] * _ORDERS
        for ngram, weight in weights.items():
            squares[len(ngram) - 1] += weight**2
        return weights, [math.sqrt(square) or 1.0 for square in squares]

    def score(self, caption: str) -> float:
        """Return the corpus CIDEr-D of the caption said of every image."""
        counts = _ngrams(caption)
        weights, norms = self._vector(counts)
        similarity = np.zeros(len(self._lengths))
        for ngram, weight in weights.items():
            if ngram in self._index:
                numbers, theirs, normed = self._index[ngram]
                similarity[numbers.astype(int)] += np.minimum(weight, theirs) * normed / norms[len(ngram) - 1]
        damping = np.exp(-((self._lengths - self._length(counts)) ** 2) / (2 * _SIGMA**2))
        return float((similarity * damping * self._shares).sum())
