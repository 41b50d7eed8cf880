"""CIDEr-D of captions (Vedantam et al. 2015), computed by pycocoevalcap's pure-Python scorer.

Per image: ten times the mean, over n = 1..4 and over the references, of the clipped cosine similarity of
the TF-IDF vectors of n-grams, damped by the difference in length. Document frequencies come from the
references of the images that are scored, so a value over few images, or over one, is not comparable with
others. 1.0 is "100" in papers.

The official pipeline tokenises with a Java program; here `tasks.metrics.tokens` stands in for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pycocoevalcap.cider.cider import Cider

from tasks.base import Metric
from tasks.metrics.tokens import NAME, tokens

METRIC = Metric(name="cider", title="CIDEr", version=f"pycocoevalcap-cider-d/{NAME}")


def cider(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """Return the corpus value (the mean over images) and the value of each image.

    Args:
        predictions: one caption an image.
        references: the human captions of each image, at least one.

    Raises:
        ValueError: the lengths differ, or an image has no reference.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} captions for {len(references)} images")
    if not all(references):
        raise ValueError("an image without a reference caption cannot be scored")
    if not predictions:
        return 0.0, []
    truth = {index: [" ".join(tokens(caption)) for caption in group] for index, group in enumerate(references)}
    found = {index: [" ".join(tokens(caption))] for index, caption in enumerate(predictions)}
    value, per_image = Cider().compute_score(truth, found)
    return float(value), [float(score) for score in per_image]
