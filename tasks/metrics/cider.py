"""CIDEr-D of captions (Vedantam et al. 2015), equal to pycocoevalcap's scorer and many times as fast.

A text is the vector, for each n = 1..4, of its n-grams with

    weight of g = (occurrences of g) * (ln images - ln max(1, images with g in a reference)).

A prediction p and a reference r of its image have, with |x| the number of word pairs of x and sigma = 6,

    similarity = mean over n of  sum_g min(p_g, r_g) r_g / (norm of p * norm of r) * exp(-(|p| - |r|)^2 / 2 sigma^2),

and an image scores ten times the mean similarity over its references. Document frequencies come from the
references of the images that are scored, so a value over few images, or over one, is not comparable with
others. 1.0 is "100" in papers.

The official pipeline tokenises with a Java program; here `tasks.metrics.tokens` stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.base import Metric
from tasks.metrics.tokens import NAME, tokens

METRIC = Metric(name="cider", title="CIDEr", version=f"pycocoevalcap-cider-d/{NAME}")

Words = Sequence[str]
Integers = NDArray[np.int64]
_ORDERS = 4  # n-grams of 1 to 4 words
_SIGMA = 6.0  # width of the damping by the difference in length
_NO_KEY = np.iinfo(np.int64).max


def cider(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """Return the corpus value (the mean over images) and the value of each image.

    Args:
        predictions: one caption an image.
        references: the human captions of each image, at least one.

    Raises:
        ValueError: the lengths differ, or an image has no reference.
    """
    return cider_of_words(
        [tokens(caption) for caption in predictions],
        [[tokens(caption) for caption in group] for group in references],
    )


def cider_of_words(said: Sequence[Words], truth: Sequence[Sequence[Words]]) -> tuple[float, list[float]]:
    """`cider` of captions that are split into words already; the same arguments and errors."""
    images = len(said)
    if images != len(truth):
        raise ValueError(f"{images} captions for {len(truth)} images")
    if not all(truth):
        raise ValueError("an image without a reference caption cannot be scored")
    if not images:
        return 0.0, []
    texts = [*said, *(words for group in truth for words in group)]  # text i < images is what is said of image i
    captions = np.array([len(group) for group in truth])
    image = np.concatenate([np.arange(images), np.repeat(np.arange(images), captions)])
    similarity = np.zeros(len(texts))  # with what is said of the text's image
    for text, ngram in _ngrams(texts):
        similarity += _cosines(text, ngram, image, images)
    pairs = np.array([max(0, len(words) - 1) for words in texts])
    similarity *= np.exp(-((pairs - pairs[image]) ** 2) / (2 * _SIGMA**2)) / _ORDERS
    each = 10 * np.bincount(image[images:], similarity[images:], minlength=images) / captions
    return float(each.mean()), each.tolist()


def _ngrams(texts: Sequence[Words]) -> Iterator[tuple[Integers, Integers]]:
    """For each order: text and number of every n-gram's every occurrence."""
    known: dict[str, int] = {}
    words = np.array([known.setdefault(word, len(known)) for text in texts for word in text], dtype=np.int64)
    text = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    text_after = np.append(text, np.full(_ORDERS, -1))  # beyond the last word there is no text
    starts, ngrams = np.arange(len(words)), words
    yield text, ngrams
    for last in range(1, _ORDERS):  # an n-gram is the one that is a word shorter, and the next word
        inside = text_after[starts + last] == text[starts]
        starts, ngrams = starts[inside], ngrams[inside]
        ngrams = np.unique(ngrams * len(known) + words[starts + last], return_inverse=True)[1]
        yield text[starts], ngrams


def _cosines(text: Integers, ngram: Integers, image: Integers, images: int) -> NDArray[np.float64]:
    """Clipped cosine of every text with what is said of its image, over the n-grams of one order."""
    size = int(ngram.max(initial=0)) + 1
    keys, counts = np.unique(text * size + ngram, return_counts=True)
    text, ngram = np.divmod(keys, size)
    true = text >= images
    in_image = np.unique(image[text[true]] * size + ngram[true])
    documents = np.bincount(in_image % size, minlength=size)
    weights = counts * (np.log(images) - np.log(np.maximum(1, documents[ngram])))
    norms = np.sqrt(np.bincount(text, weights**2, minlength=len(image)))
    # keys are sorted and text i is said of image i: the same n-gram in what is said is found by bisection
    said_keys, said_weights = np.append(keys[~true], _NO_KEY), np.append(weights[~true], 0.0)
    wanted = image[text[true]] * size + ngram[true]
    places = np.searchsorted(said_keys, wanted)
    said = np.where(said_keys[places] == wanted, said_weights[places], 0.0)
    products = np.bincount(text[true], np.minimum(said, weights[true]) * weights[true], minlength=len(image))
    both = norms * norms[image]
    return products / np.where(both > 0, both, 1.0)
